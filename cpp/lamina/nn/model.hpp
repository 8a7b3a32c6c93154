// Model: a graph, its parameters, and what one does with them by hand: predict, forward, backward.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>

#include "lamina/base/thread_chooser.hpp"
#include "lamina/nn/layer.hpp"
#include "lamina/nn/workspace.hpp"

namespace lamina {

// One row of summary().
struct LayerSummary {
  std::string name, class_name, output_shape;
  Index parameters = 0, flops = 0;
};

struct PredictOptions {
  Index block_rows = 256;
  int num_threads = 0;
  bool exact_threads = false;  // as many, however little the work: for tests
  // Called now and then by the calling thread; may throw to end the call.
  std::function<void()> tick = {};
};

class Model {
 public:
  // {"layers": [...], "dtype": "float32", "seed": 0, "name": "model"}; the functions that its
  // schedules name.
  static std::unique_ptr<Model> create(const Json& spec, const ScheduleFunctions& functions = {});
  virtual ~Model() = default;

  const Graph& graph() const { return graph_; }
  Json spec() const;
  std::uint64_t seed() const { return seed_; }
  const std::string& name() const { return name_; }
  DataType dtype() const { return graph_.dtype; }
  virtual Index flops_per_row() const = 0;  // of a prediction
  std::vector<LayerSummary> summary() const;

  virtual void* parameters() = 0;
  virtual void* gradients() = 0;  // allocated on first use
  bool has_gradients() const { return has_gradients_; }
  // A copy of the weights: of the last completed epoch while a fit runs.
  virtual std::shared_ptr<const void> still_weights() const = 0;

  // Checks number and widths of the inputs; returns the rows.
  Index check_inputs(const std::vector<ArrayView>& inputs) const;
  // out: (rows, outputs) of the model's dtype.
  virtual void predict(const std::vector<ArrayView>& inputs, void* out,
                       const PredictOptions& options) const = 0;
  virtual void forward(const std::vector<ArrayView>& inputs, bool training, void* out) = 0;
  // gradient: (rows of the last forward, outputs); input_gradient likewise for the first numeric
  // port, or null.
  virtual Index forward_rows() const = 0;
  virtual void backward(const void* gradient, void* input_gradient) = 0;

  // Kernels with a data-driven initialiser (nn/unit_variance.hpp) are still at their start. The
  // first fit changes that, or initialize_from() by hand, which raises where there are none.
  bool awaits_data() const { return awaits_data_; }
  void set_awaits_data(bool awaits) { awaits_data_ = awaits; }
  virtual void initialize_from(const std::vector<ArrayView>& inputs, int num_threads) = 0;

  // Of all the layer's parameters; a layer without any is left alone.
  void set_trainable(const std::string& layer, bool trainable);
  unsigned version() const { return version_; }  // raised when the set of trainable tensors changes

  // One call at a time may change weights; a second one raises StateError at once.
  class Guard {
   public:
    explicit Guard(Model& model);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Model& model_;
  };
  bool busy() const { return busy_; }

 protected:
  void freeze(const Json& given, const Json& built);
  void note_trainable(Json& layers) const;
  bool has_data_driven() const;

  Graph graph_;
  Layers layers_;
  std::uint64_t seed_ = 0;
  std::string name_;
  unsigned version_ = 0;
  bool has_gradients_ = false;
  std::atomic<bool> busy_{false}, awaits_data_{false};
};

template <class T>
class ModelOf final : public Model {
 public:
  void* parameters() override { return parameters_.data(); }
  void* gradients() override;
  std::shared_ptr<const void> still_weights() const override;
  T* weights() { return parameters_.data(); }
  const T* weights() const { return parameters_.data(); }
  T* stored_gradients() { return static_cast<T*>(gradients()); }

  Index flops_per_row() const override { return inference_->flops_per_row; }
  void predict(const std::vector<ArrayView>& inputs, void* out,
               const PredictOptions& options) const override;
  void forward(const std::vector<ArrayView>& inputs, bool training, void* out) override;
  Index forward_rows() const override { return forward_rows_; }
  void backward(const void* gradient, void* input_gradient) override;

  void initialize_from(const std::vector<ArrayView>& inputs, int num_threads) override;
  // A copy of the weights in which kernels that wait for data have been scaled by these rows.
  Buffer<T> initialized_from(const Batch& rows, int threads) const;

  // While a fit runs, others read a copy of the last completed epoch's weights. publish() makes it
  // (in `held`'s memory unless somebody still reads that) and waits until nobody reads the live
  // weights; unpublish() ends it.
  void publish(const T* weights, std::shared_ptr<Buffer<T>>& held);
  void unpublish();

  // Weights that no fit changes while this lives: the published copy, else the live ones, which a
  // fit that wants to begin waits for. So whoever holds one must not begin a fit.
  class Reading {
   public:
    explicit Reading(const ModelOf& model);
    ~Reading();
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    const T* weights() const { return snapshot_ ? snapshot_->data() : model_.weights(); }

   private:
    const ModelOf& model_;
    std::shared_ptr<const Buffer<T>> snapshot_;  // null: counted in live_readers_
  };

 private:
  friend class Model;
  void initialize();
  std::unique_ptr<Workspace<T>> borrow_space(Index block, int threads) const;
  void return_space(std::unique_ptr<Workspace<T>> space) const;  // under the lock
  void run_prediction(Workspace<T>& space, Index n, Index block, int threads, bool by_columns,
                      const std::function<void()>& tick, T* y) const;
  Buffer<T> parameters_, gradients_;
  mutable std::mutex mutex_;
  std::unique_ptr<Plan> inference_;
  mutable std::vector<std::unique_ptr<Workspace<T>>> idle_;  // of inference, kept for the next call
  mutable ThreadChooser of_rows_, of_columns_;  // of predictions shared by rows, and by columns
  Index shared_from_ = 1;  // rows; up to kRowStep of them are shared by columns
  std::shared_ptr<const Buffer<T>> published_;
  mutable std::atomic<int> live_readers_{0};

  // The last forward pass by hand.
  std::unique_ptr<Plan> by_hand_;
  std::unique_ptr<Workspace<T>> hand_space_;
  unsigned by_hand_version_ = 0;
  bool by_hand_training_ = false;
  Index forward_rows_ = 0, hand_capacity_ = 0;
  std::uint64_t forward_calls_ = 0;
};

// Runs `plan`'s only stage over n rows, at most `block` at a time, and hands each finished block to
// use(thread, rows). Between parts of some 25 milliseconds it calls tick().
template <class T, class Use>
void run_inference(Workspace<T>& space, const Plan& plan, Index n, Index block, int threads,
                   const std::function<void()>& tick, Use&& use) {
  constexpr double kModestRate = 2e10;  // flops a second, of one thread
  const Index rounds = (n + block * threads - 1) / (block * threads);
  block = std::min(block, round_up((n + rounds * threads - 1) / (rounds * threads), kRowStep));
  const Index blocks = (n + block - 1) / block;
  const double seconds = static_cast<double>(plan.flops_per_row * block + 1) / kModestRate;
  const Index part =
      tick ? round_up(static_cast<Index>(0.025 * threads / seconds) + 1, threads) : blocks;
  for (Index first = 0; first < blocks; first += part) {
    if (tick) tick();
    const Index count = std::min(part, blocks - first);
    const int used = static_cast<int>(std::min<Index>(threads, count));
    parallel(used, [&](int thread) {
      const Range mine = share(count, thread, used);
      for (Index b = first + mine.begin; b < first + mine.end; ++b) {
        const Range rows{b * block, std::min(n, (b + 1) * block)};
        space.enter_block(thread, rows);
        for (const Action& action : plan.stages[0].actions) space.act(action, thread, rows);
        use(thread, rows);
      }
    });
  }
}

// Threads for `rows` rows at `flops_per_row`: one if the work is below so many operations, by
// default those of some tens of microseconds.
int worthwhile_threads(int requested, Index rows, Index flops_per_row, double least = 1e7);

}  // namespace lamina
