// Objective: what a trainer measures. For each output of the model the loss with its fused output
// activation, the metrics, and the targets they accept. ObjectiveRunner computes those of one
// output for row blocks.
#pragma once

#include <functional>

#include "lamina/functions/losses.hpp"
#include "lamina/functions/metrics.hpp"
#include "lamina/nn/model.hpp"

namespace lamina {

// A loss outside the core: fills a value a row and the gradient (rows, n) of each row's loss.
// prediction, target and gradient point to float or double, as the model's dtype is.
using CustomLoss = std::function<void(Index rows, Index n, const void* prediction,
                                      const void* target, double* values, void* gradient)>;

// A metric, and the key it has in results.
struct Measure {
  Choice choice;
  std::string key;
};

// What is measured of one output of a model, and what it is trained for.
struct Head {
  std::string name;     // of the output
  double weight = 1;    // of its loss in the total
  bool trained = true;  // there is a loss; without one the gradient is 0
  Choice loss;
  LossTraits traits;    // of `loss`
  CustomLoss custom;    // used instead of `loss` if set
  bool fused = false;   // the loss reads the output activation's input
  bool logits = false;  // what metrics are given are logits: fused, or the model's own outputs
  Choice activation;    // makes predictions of logits
  std::vector<Measure> metrics;
  bool binary = false;         // accuracy by threshold
  bool probabilities = false;  // predictions, as outputs() gives them, are from 0 to 1
  Index outputs = 0;
  Index targets = 0;  // a row has so many numbers, unless it has a label

  bool measured() const { return trained || !metrics.empty(); }
  bool classes() const;       // targets are class numbers (or one yes-or-no column)
  bool takes_labels() const;  // a single column of targets is class numbers
  std::size_t values() const { return 1 + metrics.size(); }
};

// A head for each output of a model, in order. The loss is the sum of theirs, weighted.
struct Objective {
  std::vector<Head> heads;

  bool several() const { return heads.size() > 1; }
  bool custom() const;              // a loss is outside the core
  std::vector<bool> fused() const;  // by head
  // "loss", then the metrics. Of several heads: "loss", the losses of those trained, the metrics,
  // each with the name of its output before it.
  std::vector<std::string> names() const;
  std::string loss_name(const Head& head) const;  // in names()
};

// What a head is read from: descriptions; no loss and no custom one: it is not trained.
struct HeadSpec {
  Json loss, metrics = Json::array();
  CustomLoss custom = {};
  double weight = 1;
};

// Reads loss and metrics for each output of a model; refuses combinations that cannot be meant. A
// metric's description may say its key; it is the metric's name otherwise.
Objective read_objective(const Model& model, const std::vector<HeadSpec>& specs);

// A data set: inputs, targets by head (a head that is not measured needs none), weights (one
// column, or empty).
struct Data {
  std::vector<ArrayView> inputs, targets;
  ArrayView weights;
  std::vector<std::int64_t> subset;  // the rows that count, if not all
  std::vector<bool> labels;          // by head: one column of class numbers; set by check_data
  bool window = false;               // of a stream, whose other rows are elsewhere
  Index rows() const {
    if (!subset.empty()) return static_cast<Index>(subset.size());
    return inputs.empty() ? 0 : inputs[0].rows;
  }
  Index source(Index i) const { return subset.empty() ? i : subset[static_cast<std::size_t>(i)]; }
  double weight(Index row) const { return weights.empty() ? 1.0 : read_element(weights, row, 0); }
};

// Checks shapes and values before anything changes; sets data.labels. `inputs` false: X was
// checked.
void check_data(const Model& model, const Objective& objective, Data& data, bool check_inputs,
                int threads);

// Sums over rows of weight * value for the loss and each metric, head by head, and of the weights.
struct Sums {
  std::vector<double> values;
  double weight = 0;
  double activity = 0;  // of weight * penalties on activities
  void add(const Sums& other);
  // The averages by Objective::names(), with each metric's last step (rmse: the root).
  std::vector<double> means(const Objective& objective) const;
  void means(const Objective& objective, std::vector<double>& out) const;
};

// `sum` and that of [0, n) of `values`, times `weights` if those are not null, in chunks of
// kRowStep, chunks in order.
double sum_of_rows(Index n, const double* values, const double* weights, double sum = 0);

template <class T>
class ObjectiveRunner {
 public:
  // Of head number `place`. capacity: rows whose results are kept; block: most rows a call.
  ObjectiveRunner(const Objective& objective, std::size_t place, Index capacity, Index block,
                  int threads);

  // Where a gradient goes: dl/dp * scale[row].
  struct Gradient {
    T* data = nullptr;  // of the first of the rows; null: nobody wants it
    const double* scale = nullptr;
  };
  // Row losses and metrics of rows. Not for a loss outside the core.
  void run(int thread, Range rows, const Batch& batch, const Data& data, const T* prediction,
           const Gradient& gradient);
  // The same for all rows of the batch at once, with any loss.
  void run_batch(const Batch& batch, const Data& data, const T* prediction,
                 const Gradient& gradient);

  // Rows of predictions as the model gives them: with the output activation that the loss has fused
  // or expects.
  void outputs(Index rows, const T* prediction, T* out) const;

  // Adds the sums over rows [0, n) of the loss and each metric to values[0 ...].
  void add_sums(Index n, const double* weights, double* values) const;

  std::size_t bytes() const {
    std::size_t sum = results_.bytes();
    for (const Space& s : spaces_)
      sum += s.target.bytes() + s.gradient.bytes() + s.activated.bytes() + s.scratch.bytes() +
             s.labels.bytes();
    return sum;
  }

 private:
  struct Space {
    Buffer<T> target, gradient, activated;
    Buffer<std::byte> scratch;
    Buffer<std::int32_t> labels;
  };
  Target<T> gather(Space& space, Range rows, const Batch& batch, const Data& data);
  void run_loss(Space& space, Range rows, const T* prediction, Target<T> target,
                const Gradient& gradient);
  void run_custom(const Batch& batch, const T* prediction, Target<T> target,
                  const Gradient& gradient);
  void measure(Space& space, Range rows, const T* prediction, Target<T> target);

  const Head& head_;
  const std::size_t place_;
  Index outputs_, targets_, capacity_, block_;
  std::vector<Space> spaces_;
  Buffer<double> results_;  // (1 + metrics, capacity)
};

// A runner for each head.
template <class T>
std::vector<ObjectiveRunner<T>> runners(const Objective& objective, Index capacity, Index block,
                                        int threads);

// Their sums over rows [0, n); `further`: added to those of rows before them, in multiples of
// kRowStep, with the bits of one sum over all.
template <class T>
void reduce(const std::vector<ObjectiveRunner<T>>& runners, const Objective& objective, Index n,
            const double* weights, Sums& out, bool further = false);

}  // namespace lamina
