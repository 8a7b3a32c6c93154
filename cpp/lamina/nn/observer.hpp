// Observer: what a forward pass shows of each layer's outputs: their mean and spread, and how many
// units sit where their activation is flat. The numbers do not depend on threads or blocks.
#pragma once

#include "lamina/functions/activations.hpp"
#include "lamina/nn/plan.hpp"

namespace lamina {

// Of a layer over the rows of a pass. Where a share does not apply it is NaN.
struct LayerStatistics {
  std::string layer;
  // Over rows and units; spread: the standard deviation. Of an output whose activation the loss
  // takes over they are those of its scores.
  double mean = 0, spread = 0;
  // Of units that no row gets off the flat end of an activation with one (ReLU's 0); of units that
  // lie near an end of one with two (sigmoid) in nine rows of ten.
  double dead = 0, saturated = 0;
};

template <class T>
class Observer {
 public:
  // rows: of the pass. Looks at the last running op of each layer without layers inside.
  Observer(const Plan& plan, Index rows, int threads);

  // Notes rows [rows.begin, rows.end) of an op's output, of which y is the first.
  void see(int thread, int op, Range rows, const T* y) {
    const int place = place_[static_cast<std::size_t>(op)];
    if (place >= 0) note(thread, watched_[static_cast<std::size_t>(place)], rows, y);
  }
  std::vector<LayerStatistics> statistics() const;

 private:
  struct Watched {
    std::string layer;
    Index width = 0;
    Index first_unit = 0;   // of all layers' units
    Index first_chunk = 0;  // of all layers' chunks of kRowStep rows
    Ends ends;
    bool has_ends = false, output = false;
  };
  struct Chunk {
    double count = 0, mean = 0, squares = 0;  // squares: of the distances from the mean
  };
  void note(int thread, const Watched& w, Range rows, const T* y);
  LayerStatistics of(const Watched& w) const;
  double share_at_ends(const Watched& w, double of_rows) const;

  const Index rows_;
  Index units_ = 0;
  std::vector<int> place_;  // by op; -1: nobody looks
  std::vector<Watched> watched_;
  std::vector<Chunk> chunks_;
  std::vector<std::vector<T>> at_end_;  // by thread: numbers of rows, by unit
};

}  // namespace lamina
