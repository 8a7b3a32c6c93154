// Trainer: epochs over a data set, with everything the future depends on in one TrainState.
#pragma once

#include "lamina/train/evaluator.hpp"
#include "lamina/train/online.hpp"

namespace lamina {

// Raised by any change of the order in which numbers are added or drawn, from the first release on.
inline constexpr int kNumericsVersion = 1;

// With the parameters and the optimizer's slots, all that a resumed run needs.
struct TrainState {
  int numerics_version = kNumericsVersion;
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;    // completed epochs
  Index cursor = 0;           // rows of the open epoch that are done
  Sums open;                  // sums of the open epoch
  std::vector<double> norms;  // of its watched step (StepRunner::norms), once that was made
  std::uint64_t data_signature = 0;
  bool has_best = false;
  double best_value = 0;
  std::uint64_t best_epoch = 0;
  bool shows_best = false;  // the model's weights are the best ones, not those of the last step
  std::uint64_t good_epochs = 0;  // how many were completed when keep_good() was called
};

// How a fit begins: with an epoch of its own (or what an interrupted one on the same data left of
// it); as what is left of an interrupted fit; or as that, but with other data, in a new epoch.
enum class Begin { anew, resumed, resumed_with_other_data };

struct FitOptions {
  Index batch_size = 128;
  std::uint64_t epochs = 20;
  bool shuffle = true;
  int num_threads = 0;
  bool check_inputs = true;
  Scheduling scheduling;
  Index stream_rows = 0;  // of an epoch, where the data are a window; 0: nobody knows
  Begin begin = Begin::anew;
  std::uint32_t window = 0;  // of a stream that is resumed in an epoch: which one the data are,
  Index window_begin = 0;    // and how many rows the epoch has had before it
  bool watch = false;        // measure what the last full step of an epoch does to each layer
};

// A mark of the data that a fit belongs to: their shapes, and some of their values.
std::uint64_t signature(const Data& data, Index batch_size, bool shuffle);

// What a step did to a layer: Euclidean norms over all its trainable tensors.
struct LayerNorms {
  std::string layer;
  double gradient = 0, update = 0, weight = 0;
};

enum class EpochEnd { complete, stopped, diverged };

struct EpochResult {
  EpochEnd end = EpochEnd::complete;
  std::string reason;         // of a divergence
  std::vector<double> means;  // by Objective::names()
  double penalty = 0;         // L1 and L2 of the weights at the end, mean of those on activities
  std::vector<LayerNorms> norms;  // of the watched step, if there was one
};

// Bytes that a fit holds, and what for.
struct MemoryPart {
  const char* what;
  std::size_t bytes;
};

class Trainer {
 public:
  static std::unique_ptr<Trainer> create(std::shared_ptr<Model> model,
                                         std::shared_ptr<Optimizer> optimizer,
                                         const std::vector<HeadSpec>& heads, std::uint64_t seed);
  virtual ~Trainer() = default;

  const Objective& objective() const { return objective_; }
  TrainState state;
  std::shared_ptr<Optimizer> optimizer;
  std::shared_ptr<Model> model;

  // A fit: begin, an epoch at a time, end. begin refuses bad data before anything changes.
  virtual void begin_fit(Data data, const FitOptions& options) = 0;
  virtual EpochResult run_epoch(Monitor& monitor) = 0;
  virtual void end_fit() = 0;
  // An epoch of a stream (data.window): begin_fit has its first window; each is run, then comes the
  // next one (a batch lies in one window). finish_epoch ends it, next_window begins another.
  virtual EpochResult run_window(Monitor& monitor) = 0;
  virtual void next_window(Data data) = 0;  // refuses bad data; the fit stays as it is
  virtual EpochResult finish_epoch() = 0;
  bool fitting() const { return guard_ != nullptr; }

  // Refuses data that cannot be trained or measured on.
  void check(Data data, int num_threads) const;
  // predictions, by head or none at all: where not null, they receive those of all rows (rows,
  // outputs) in the model's dtype. A model that has not seen data yet is refused; or, `looking`,
  // measured as if a fit on these very rows began, and left as it is. `running`: the data are a
  // window of a stream, these the sums of those before.
  virtual std::vector<double> evaluate(Data data, Index block_rows, int num_threads,
                                       const std::function<void(Index)>& tick,
                                       const std::vector<void*>& predictions = {},
                                       bool looking = false, Sums* running = nullptr) = 0;
  // The means over such rows, and where wanted what the layers' outputs look like; X is not checked
  // again.
  virtual std::vector<double> observe(Data data, int num_threads,
                                      const std::function<void(Index)>& tick,
                                      std::vector<LayerStatistics>* layers) = 0;
  // The engine's own gradients for one batch, into the model's; returns the loss.
  virtual double compute_gradients(Data data, int num_threads) = 0;
  // One step on these rows (train/online.cpp), between fits. Returns the means over them by
  // Objective::names(), good until the next call. From the second update on nothing is allocated.
  virtual const std::vector<double>& train_on_batch(Data& data, const OnlineOptions& options) = 0;

  virtual void keep_best(double value, std::uint64_t epoch) = 0;
  // False if none was kept. What is trained next goes on from them, but for a fit that is resumed.
  virtual bool restore_best() = 0;
  // In a fit: keeps what a divergence would go back to now, and goes back to that later, as a
  // divergence does; best weights of later epochs are forgotten. False if nothing was kept.
  virtual void keep_good() = 0;
  virtual bool restore_good() = 0;
  virtual void reset() = 0;  // optimizer and state begin anew; weights stay
  virtual std::size_t bytes() const = 0;
  // What a fit to so many rows will hold beside its data; `keeps_best`: as EarlyStopping does.
  virtual std::vector<MemoryPart> memory(const FitOptions& options, Index rows,
                                         Index validation_rows, bool keeps_best) const = 0;

 protected:
  bool length_comes_from_fit() const;  // of a schedule
  void plan_schedules(Index rows, const FitOptions& options);

  Objective objective_;
  std::unique_ptr<Model::Guard> guard_;
};

template <class T>
class TrainerOf final : public Trainer {
 public:
  explicit TrainerOf(ModelOf<T>& net) : net_(net), evaluator_(net, objective_) {}
  void begin_fit(Data data, const FitOptions& options) override;
  EpochResult run_epoch(Monitor& monitor) override;
  EpochResult run_window(Monitor& monitor) override;
  void next_window(Data data) override;
  EpochResult finish_epoch() override;
  void end_fit() override;
  std::vector<double> evaluate(Data data, Index block_rows, int num_threads,
                               const std::function<void(Index)>& tick,
                               const std::vector<void*>& predictions, bool looking,
                               Sums* running) override;
  std::vector<double> observe(Data data, int num_threads, const std::function<void(Index)>& tick,
                              std::vector<LayerStatistics>* layers) override;
  double compute_gradients(Data data, int num_threads) override;
  const std::vector<double>& train_on_batch(Data& data, const OnlineOptions& options) override;
  void keep_best(double value, std::uint64_t epoch) override;
  bool restore_best() override;
  void keep_good() override;
  bool restore_good() override;
  void reset() override;
  std::size_t bytes() const override;
  std::vector<MemoryPart> memory(const FitOptions& options, Index rows, Index validation_rows,
                                 bool keeps_best) const override;

  Buffer<T>& best() { return best_; }
  Buffer<T>& raw() { return raw_; }
  std::shared_ptr<Buffer<T>>& good() { return snapshot_; }
  void use_average();  // the model shows it, if there is one, as between fits
  std::shared_ptr<Buffer<T>>& kept() { return kept_; }

 private:
  friend class Trainer;
  void make_ready(const FitOptions& options, Index batch, const T* weights);
  std::size_t batch_bytes(const FitOptions& options, Index batch) const;
  int fit_threads(const FitOptions& options, Index batch) const;
  Buffer<T> publish_start(const Data& data, int threads, bool resumed);
  void go_on_beneath(bool resumed = false);
  Batch next_batch();
  bool watches(const Batch& batch) const;
  std::vector<LayerNorms> layer_norms() const;
  bool passed(StepResult step, EpochResult& result);
  void forget_slots();
  void roll_back();
  void snapshot();
  double penalty() const;
  // The weights that predictions use: the moving average if there is one.
  const T* evaluation_weights() const;
  void show(const T* weights);
  void require_ready_for_batches() const;
  StepResult step_online(const Data& data, const OnlineOptions& options);

  ModelOf<T>& net_;
  Data data_;
  FitOptions options_;
  Index window_first_ = 0;  // cursor of data_'s first row; 0 unless they are a window
  std::uint32_t window_ = 0;
  std::unique_ptr<StepRunner<T>> runner_;
  unsigned runner_version_ = 0;
  Index runner_batch_ = 0;
  int runner_threads_ = 0;
  Scheduling runner_scheduling_;
  Evaluator<T> evaluator_;
  std::vector<std::int64_t> order_;
  std::uint64_t order_epoch_ = ~0ull;
  std::shared_ptr<Buffer<T>> snapshot_;
  std::shared_ptr<Buffer<T>> kept_;  // by keep_good(): a snapshot, mostly of an earlier epoch
  Buffer<T> best_, raw_;  // raw_: the last step's weights, where the model shows average or best
  Buffer<T> spare_;       // raw_'s memory while that is empty
  OnlineRunner<T> online_;
};

// Threads for training steps of `rows` rows.
int training_threads(const Model& model, int requested, Index rows);

}  // namespace lamina
