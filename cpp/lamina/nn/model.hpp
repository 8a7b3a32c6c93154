// Model: a graph, its parameters, and what one does with them by hand: predict, forward, backward.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "lamina/nn/adapt.hpp"
#include "lamina/nn/by_hand.hpp"
#include "lamina/nn/inference.hpp"
#include "lamina/nn/inputs.hpp"
#include "lamina/nn/network.hpp"

namespace lamina {

class Model {
 public:
  // {"layers": [...], "dtype": "float32", "seed": 0, "name": "model"}; the functions that its
  // schedules name. A model of more than `most` numbers is refused before there is memory for them.
  static std::unique_ptr<Model> create(const Json& spec, const ScheduleFunctions& functions = {},
                                       Index most = kMostNumbers);
  virtual ~Model() = default;

  const Graph& graph() const { return graph_; }
  Json spec() const;
  std::uint64_t seed() const { return seed_; }
  void set_seed(std::uint64_t seed) { seed_ = seed; }
  const std::string& name() const { return name_; }
  DataType dtype() const { return graph_.dtype; }
  virtual Index flops_per_row() const = 0;  // of a prediction

  virtual void* parameters() = 0;
  virtual void* gradients() = 0;  // allocated on first use
  bool has_gradients() const { return has_gradients_; }
  // A copy of the weights: of the last completed epoch while a fit runs.
  virtual std::shared_ptr<const void> still_weights() const = 0;

  Index check_inputs(const std::vector<ArrayView>& inputs) const {
    return lamina::check_inputs(graph_, inputs);
  }
  void check_codes(const std::vector<ArrayView>& inputs) const {
    lamina::check_codes(graph_, inputs);
  }
  // out: by output, (rows, its width) of the model's dtype.
  virtual void predict(const std::vector<ArrayView>& inputs, const std::vector<void*>& out,
                       const PredictOptions& options) const = 0;
  // The same of other values of the graph: what a layer gives.
  virtual void predict_values(const Values& values, const std::vector<ArrayView>& inputs,
                              const std::vector<void*>& out,
                              const PredictOptions& options) const = 0;
  // d value[column] / d input of each row; out: by port, null where it is not wanted.
  virtual void input_gradient(Value value, Index column, const std::vector<ArrayView>& inputs,
                              const std::vector<void*>& out,
                              const PredictOptions& options) const = 0;
  virtual void forward(const std::vector<ArrayView>& inputs, bool training,
                       const std::vector<void*>& out) = 0;
  virtual Index forward_rows() const = 0;
  // gradients: by output, (rows of the last forward, its width); input_gradients: by port, or null.
  virtual void backward(const std::vector<const void*>& gradients,
                        const std::vector<void*>& input_gradients) = 0;

  // Layers that adapt, and kernels with a data-driven initialiser, have not seen data yet
  // (nn/adapt.hpp). The first fit changes that, or one of these by hand, which raises where there
  // is nothing of its kind: initialize_from() scales the kernels, adapt_to() learns statistics, and
  // what waits besides goes along.
  bool awaits_data() const { return awaits_data_; }
  void note_data_seen();  // by all that a look serves: frozen kernels go on waiting
  void note_data_seen(const std::string& layer);  // by this one
  void set_waiting(const Json& spec);             // as a model's spec has it
  virtual void initialize_from(const std::vector<ArrayView>& inputs, int num_threads) = 0;
  virtual void adapt_to(const std::vector<ArrayView>& inputs, int num_threads) = 0;
  // Raises StateError while layers that adapt have not seen data: nothing could be computed.
  void require_adapted() const {
    if (unadapted_) [[unlikely]]
      refuse_unadapted();
  }

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
  bool busy() const { return trained_by_.load() != std::thread::id(); }
  // The same of what a fit's own callbacks may do, too: the thread that has a guard passes.
  class OwnGuard {
   public:
    explicit OwnGuard(Model& model) {
      if (model.trained_by_.load() != std::this_thread::get_id()) guard_.emplace(model);
    }

   private:
    std::optional<Guard> guard_;
  };

 protected:
  void freeze(const Json& given, const Json& built);
  void note_trainable(Json& layers) const;
  bool has_data_driven() const;
  void count_waiting();
  [[noreturn]] void refuse_unadapted() const;

  Graph graph_;
  Network network_;
  std::uint64_t seed_ = 0;
  std::string name_;
  std::atomic<unsigned> version_{0};  // read by predictions of other threads
  bool has_gradients_ = false, adapts_ = false;
  std::atomic<std::thread::id> trained_by_{};  // whoever holds the guard
  std::atomic<bool> awaits_data_{false}, unadapted_{false};
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

  Index flops_per_row() const override { return inference_->plan().flops_per_row; }
  void predict(const std::vector<ArrayView>& inputs, const std::vector<void*>& out,
               const PredictOptions& options) const override;
  void predict_values(const Values& values, const std::vector<ArrayView>& inputs,
                      const std::vector<void*>& out, const PredictOptions& options) const override;
  void input_gradient(Value value, Index column, const std::vector<ArrayView>& inputs,
                      const std::vector<void*>& out, const PredictOptions& options) const override;
  void forward(const std::vector<ArrayView>& inputs, bool training,
               const std::vector<void*>& out) override;
  Index forward_rows() const override { return by_hand_.rows(); }
  void backward(const std::vector<const void*>& gradients,
                const std::vector<void*>& input_gradients) override;

  void initialize_from(const std::vector<ArrayView>& inputs, int num_threads) override;
  void adapt_to(const std::vector<ArrayView>& inputs, int num_threads) override;
  // A copy of the weights after a look at these rows.
  Buffer<T> learned_from(const Batch& rows, int threads, FirstLook what = {}) const;

  // While a fit runs, others read a copy of the last completed epoch's weights. publish() makes it
  // (in `held`'s memory unless somebody still reads that) and waits until nobody reads the live
  // weights; unpublish() ends it.
  // `wait`: called again and again meanwhile, instead of yielding.
  void publish(const T* weights, std::shared_ptr<Buffer<T>>& held, void (*wait)() = nullptr);
  void unpublish();

  // The live weights change while this lives, for a step: readings that want to begin wait, or, if
  // others are under way or the step calls out (`calls_out`), get a copy made as by publish().
  class Changing {
   public:
    Changing(ModelOf& model, bool calls_out, std::shared_ptr<Buffer<T>>& held, void (*wait)());
    ~Changing();
    Changing(const Changing&) = delete;
    Changing& operator=(const Changing&) = delete;

   private:
    ModelOf& model_;
    bool published_ = false;
  };

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
  void look_at(const std::vector<ArrayView>& inputs, int num_threads, FirstLook what);
  Buffer<T> parameters_, gradients_;
  mutable std::mutex mutex_;
  std::unique_ptr<Inference<T>> inference_;
  std::shared_ptr<const Buffer<T>> published_;
  mutable std::atomic<int> live_readers_{0};
  std::atomic<bool> changing_{false};  // set under the mutex
  ByHand<T> by_hand_{graph_};
};

// Threads for a look at data before training.
int looking_threads(const Model& model, int requested, Index rows);

}  // namespace lamina
