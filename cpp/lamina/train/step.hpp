// StepRunner: one optimisation step in two phases. Rows phase: every row block passes forward, loss
// and backward. Parameters phase: every tile of parameters gets its gradient over the whole batch
// and is updated at once; or gradients are stored and a second sweep follows, with the same bits.
#pragma once

#include <chrono>
#include <optional>

#include "lamina/base/thread_chooser.hpp"
#include "lamina/train/objective.hpp"
#include "lamina/train/optimizer.hpp"

namespace lamina {

// What the caller may do between parts of a long run; called by the calling thread alone.
struct Monitor {
  std::function<bool()> tick;                                     // false: stop
  std::function<bool(std::uint64_t step, const Sums&)> on_batch;  // after each step; false: stop

  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> deadline;
  // Calls tick at most every 50 ms.
  bool keep_going() { return !tick || keep_going(Clock::now()); }
  bool keep_going(Clock::time_point now);
  // To be asked after each step: whether one more that takes as long would end further behind the
  // deadline than this one before it.
  bool time_is_up();

 private:
  Clock::time_point next_ = Clock::now(), step_begin_ = next_;
};

// How work is cut and shared. It never changes bits; tests force odd values. 0: what is best.
struct Scheduling {
  Index block_rows = 0;        // rows that a thread takes at a time, in multiples of kRowStep
  Index tile_elements = 0;     // numbers of a tile
  bool exact_threads = false;  // as many as asked for, however little the work
  bool operator==(const Scheduling&) const = default;
};

enum class StepResult { done, skipped, stopped, bad_loss, bad_weight, bad_row };

struct StepOptions {
  std::uint64_t seed = 0;
  Clock clock;
  std::uint64_t batch = 0;  // what random numbers are drawn by
  bool update = true;       // false: store the gradients; only statistics move
  bool watch = false;       // measure what the update does: see StepRunner::norms
};

template <class T>
class StepRunner {
 public:
  StepRunner(ModelOf<T>& model, const Objective& objective, Index batch_size, int threads,
             const Scheduling& scheduling);

  StepResult run(const Batch& batch, const Data& data, Optimizer* optimizer,
                 const StepOptions& options, Monitor& monitor);

  const Sums& sums() const { return sums_; }               // of the last step
  const std::string& culprit() const { return culprit_; }  // what became non-finite
  const std::string& where() const { return where_; }      // the first layer that did, and the row
  Index bad_row() const { return bad_row_; }
  // Of the last watched step, three numbers a tensor: the sums of squares of its gradient, of what
  // the step changed, and of its weights thereafter; 0 where it is not trained.
  const std::vector<double>& norms() const { return norms_; }
  std::size_t bytes() const;

 private:
  StepResult step(const Batch& batch, const Data& data, Optimizer* optimizer,
                  const StepOptions& options, Monitor& monitor);
  bool weigh(const Batch& batch, const Data& data);
  typename ObjectiveRunner<T>::Gradient loss_gradient(int thread, std::size_t head, Index row);
  void run_losses(int thread, Range rows, const Batch& batch, const Data& data);
  void finish_losses(const Batch& batch, const Data& data);
  bool loss_is_finite();
  bool run_rows(const Batch& batch, const Data& data, Monitor& monitor);
  template <class Task>
  bool for_tiles(Task&& task);
  void share_tiles(int threads);
  StepResult update(Optimizer& optimizer, bool watch);
  void note_gradients(const Update<T>& update);
  void note_weights();
  const Tensor& tensor(const Tile& tile) const {
    return model_.graph().parameters.tensors[static_cast<std::size_t>(tile.tensor)];
  }
  const Op<T>& op(int i) const {
    return static_cast<const Op<T>&>(*model_.graph().ops[static_cast<std::size_t>(i)]);
  }
  void gradient(int thread, const Tile& tile, T* out) const;
  void store_gradients(T* stored);
  void accumulate_gradients(Optimizer& optimizer);
  bool update_tiles(const Update<T>& update, bool collected);
  std::string find_culprit(const T* stored) const;

  ModelOf<T>& model_;
  const Objective& objective_;
  Plan plan_;
  ThreadChooser chooser_;
  int threads_;  // of the current step
  Workspace<T> space_;
  std::vector<ObjectiveRunner<T>> losses_;  // by head
  Buffer<double> weight_, share_;           // by batch row; share = weight / sum of weights
  std::vector<Buffer<double>> scale_;       // by head: share * its weight; empty where that is 1
  Index weighed_alike_ = -1;                // rows they were last filled for without weights
  std::vector<const Tensor*> without_gradient_;  // of outputs that are not trained
  std::vector<std::size_t> first_tile_;          // by thread: tiles are owned statically
  std::vector<Buffer<T>> tile_;                  // by thread
  Buffer<T> before_;                             // the weights, of a watched step
  std::vector<double> norms_;
  std::vector<double> stage_seconds_;
  bool step_is_short_ = false;  // so that whoever wants to stop may wait for some
  unsigned steps_ = 0;
  Sums sums_;
  std::string culprit_, where_;
  Index bad_row_ = -1;
};

}  // namespace lamina
