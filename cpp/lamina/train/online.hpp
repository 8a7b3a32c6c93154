// Single steps between fits, batch by batch: what Trainer::train_on_batch keeps from one to the
// next.
#pragma once

#include "lamina/train/step.hpp"

namespace lamina {

struct OnlineOptions {
  int num_threads = 0;
  Scheduling scheduling;
  void (*wait)() = nullptr;  // called again and again while predictions that read the weights end
};

template <class T>
class OnlineRunner {
 public:
  // A runner for steps of `rows` rows: the last one if it is large enough.
  StepRunner<T>& of(ModelOf<T>& model, const Objective& objective, Index rows,
                    const OnlineOptions& options);
  const StepRunner<T>& last() const { return *runner_; }
  std::size_t bytes() const {
    return (runner_ ? runner_->bytes() : 0) + (held ? held->bytes() : 0);
  }

  std::vector<Index> layout;        // the model's, for the optimizer
  std::vector<double> means;        // of the last step
  std::shared_ptr<Buffer<T>> held;  // weights that others read meanwhile, if they do
  Monitor nobody;

 private:
  std::unique_ptr<StepRunner<T>> runner_;
  unsigned version_ = 0;  // of the model
  Index capacity_ = 0;
  int threads_ = 0;
  Scheduling scheduling_;
};

}  // namespace lamina
