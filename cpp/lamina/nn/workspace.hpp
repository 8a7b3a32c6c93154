// Workspace: the memory of one run of a plan, and the loop that passes row blocks through a stage.
// It belongs to a call; two threads can run one plan with two workspaces.
#pragma once

#include "lamina/base/array.hpp"
#include "lamina/nn/observer.hpp"

namespace lamina {

// The rows of a batch and the arrays they are rows of.
struct Batch : Selection {
  const std::vector<ArrayView>* inputs = nullptr;
};

template <class T>
class Workspace {
 public:
  // `capacity`: most rows of a batch; `block`: most rows that a thread takes at a time.
  Workspace(const Plan& plan, Index capacity, Index block, int threads);

  // Points the contexts at a batch. parameters: the weights to run with; seed and batch_number:
  // what random numbers are drawn by.
  void begin(const T* parameters, const Batch& batch, bool training, std::uint64_t seed,
             const Clock& clock, std::uint64_t batch_number);

  // Passes rows [part.begin, part.end) through a stage on `threads` threads; loss(thread, rows)
  // runs the loss action. begin() must have been called.
  template <class Loss>
  void run_stage(const Stage& stage, Range part, int threads, Loss&& loss) {
    // A part smaller than all threads' blocks is still shared among all.
    const Index block = std::min(block_, round_up((part.size() + threads - 1) / threads, kRowStep));
    const Index blocks = (part.size() + block - 1) / block;
    const int used = static_cast<int>(std::min<Index>(threads, blocks));
    running_ = threads;
    parallel(used, [&](int thread) {
      for (Index b = thread; b < blocks; b += used) {
        const Range rows{part.begin + b * block, std::min(part.end, part.begin + (b + 1) * block)};
        enter_block(thread, rows);
        for (const Action& action : stage.actions) {
          if (action.kind == ActionKind::loss)
            loss(thread, rows);
          else
            act(action, thread, rows);
        }
      }
    });
  }
  // On as many threads as the last stage ran.
  void finish_stage(const Stage& stage);
  // After the rows of a step: averages of batches, which are among the parameters, move.
  void update_statistics(T* parameters);

  // Moves the block stores of a thread to these rows.
  void enter_block(int thread, Range rows);
  void act(const Action& action, int thread, Range rows);
  // The same on several threads, for few rows of the first one's block.
  void act_together(const Action& action, int threads, Range rows);

  const Context<T>& context(int thread) const {
    return spaces_[static_cast<std::size_t>(thread)].context;
  }
  Context<T>& context(int thread) { return spaces_[static_cast<std::size_t>(thread)].context; }
  const Rows<T>& values(int thread, Value v) const {
    return spaces_[static_cast<std::size_t>(thread)].values[static_cast<std::size_t>(v.id)];
  }
  // Where the plan keeps a value in double; data null: it does not.
  const Rows<double>& wide(int thread, Value v) const {
    return spaces_[static_cast<std::size_t>(thread)].wide[static_cast<std::size_t>(v.id)];
  }
  const Rows<T>& gradients(int thread, Value v) const {
    return spaces_[static_cast<std::size_t>(thread)].gradients[static_cast<std::size_t>(v.id)];
  }

  // From here on rows of the next step are asked for (those that follow the thread's last block),
  // if there are many: those of a small step stay in the cache from the moment that this one's are
  // gathered.
  void look_ahead(int thread) {
    Space& space = spaces_[static_cast<std::size_t>(thread)];
    if (!space.many_follow) return;
    space.scratch.rows = space.following;
    space.many_follow = false;  // once a step
  }

  // Row of the arrays that held NaN or infinity in a streamed input, the first in batch order; -1.
  Index bad_row() const;

  // Who looks at the outputs of ops that act() runs forward; null: nobody.
  Observer<T>* observer = nullptr;

  Index padded_rows() const { return padded_; }
  Index block() const { return block_; }
  int threads() const { return static_cast<int>(spaces_.size()); }
  std::size_t bytes() const;

 private:
  struct Space {  // of one thread
    Buffer<T> block;
    Buffer<double> wide_block;
    ProductScratch<T> scratch;
    std::vector<Rows<T>> values, gradients;
    std::vector<Rows<double>> wide;
    std::vector<Codes> codes;                       // by value id
    std::vector<Buffer<std::int32_t>> code_memory;  // by port, of a block
    SparsePorts<T>* sparse = nullptr;               // of the batch, or its own of a block
    Context<T> context;
    RowsAhead following, asked_for;  // the next step's rows; those of this one, by the last
    bool many_follow = false;
    Index bad_row = -1;
  };
  void gather(Space& space, Range rows);
  void gather_codes(Space& space, const Port& port, const ArrayView& view, Range rows) const;
  void gather_sparse(Space& space, Range rows) const;
  template <class S>
  void gather_port(Space& space, std::size_t port, Range rows, Index real, S* x, bool asked_for);

  const Plan& plan_;
  Index capacity_, block_, padded_ = 0;
  int running_ = 1;
  Buffer<T> batch_;
  std::vector<Buffer<std::int32_t>> codes_;   // by port, of the batch: kept for the gradients
  std::unique_ptr<SparsePorts<T>[]> sparse_;  // of the batch if there are gradients, else by thread
  std::vector<Buffer<std::byte>> state_;
  std::vector<std::byte*> state_pointers_;
  std::vector<double> scheduled_;    // by op index; empty if nothing is scheduled
  std::vector<bool> takes_missing_;  // by port
  std::vector<Space> spaces_;
  Batch rows_;
};

}  // namespace lamina
