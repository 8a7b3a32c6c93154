// Objective: what a trainer measures. The loss with its fused output activation, the metrics, and
// the targets they accept. ObjectiveRunner computes them for row blocks.
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

struct Objective {
  Choice loss;
  LossTraits traits;    // of `loss`
  CustomLoss custom;    // used instead of `loss` if set
  bool fused = false;   // the loss reads the output activation's input
  bool logits = false;  // what metrics are given are logits: fused, or the model's own outputs
  std::vector<Measure> metrics;
  bool binary = false;         // accuracy by threshold
  bool probabilities = false;  // predictions, as outputs() gives them, are from 0 to 1
  Index outputs = 0;
  Index targets = 0;  // a row has so many numbers, unless it has a label

  std::vector<std::string> names() const;  // "loss", then the metrics
  std::string loss_name() const;           // "custom" for one outside the core
  bool classes() const;                    // targets are class numbers (or one yes-or-no column)
};

// Reads loss and metrics for a model; refuses combinations that cannot be meant. A metric's
// description may say its key; it is the metric's name otherwise.
Objective read_objective(const Model& model, const Json& loss, const Json& metrics);

// A data set: inputs, target, weights (one column, or empty).
struct Data {
  std::vector<ArrayView> inputs;
  ArrayView target, weights;
  std::vector<std::int64_t> subset;  // the rows that count, if not all
  bool labels = false;               // the target is one column of class numbers; set by check_data
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

// Sums over rows of weight * value for the loss and each metric, and of the weights.
struct Sums {
  std::vector<double> values;
  double weight = 0;
  double activity = 0;  // of weight * penalties on activities
  void add(const Sums& other);
  // The averages, with each metric's last step (rmse: the root).
  std::vector<double> means(const Objective& objective) const;
};

template <class T>
class ObjectiveRunner {
 public:
  // capacity: rows whose results are kept; block: most rows a call.
  ObjectiveRunner(const Model& model, const Objective& objective, Index capacity, Index block,
                  int threads);

  // Row losses and metrics of rows; gradient (may be null) receives dl/dp * scale[row].
  void run(int thread, Range rows, const Batch& batch, const Data& data, const T* prediction,
           const double* scale, T* gradient);
  // The same with a loss outside the core, for all rows of the batch at once.
  void run_custom(const Batch& batch, const Data& data, const T* prediction, const double* scale,
                  T* gradient);

  // Rows of predictions as the model gives them: with the output activation that the loss has fused
  // or expects.
  void outputs(Index rows, const T* prediction, T* out) const;

  // Adds rows [0, n) in chunks of kRowStep, chunks in order.
  void reduce(Index n, const double* weights, Sums& out) const;

 private:
  struct Space {
    Buffer<T> target, gradient, activated;
    Buffer<std::byte> scratch;
    Buffer<std::int32_t> labels;
  };
  Target<T> gather(Space& space, Range rows, const Batch& batch, const Data& data);
  void measure_all(const Batch& batch, const T* prediction, Target<T> target);
  void measure(Space& space, Range rows, const T* prediction, Target<T> target);

  const Objective& objective_;
  Index outputs_, targets_, capacity_, block_;
  Choice output_activation_;
  std::vector<Space> spaces_;
  Buffer<double> results_;  // (1 + metrics, capacity)
};

}  // namespace lamina
