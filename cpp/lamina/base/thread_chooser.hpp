// ThreadChooser: how many threads the next step (of training, or a prediction) uses. Steps give the
// same bits on any number, so the engine may watch itself: where another process holds a core, a
// step on all threads waits for it and takes longer than on one; then it runs on one for a while
// and tries again.
#pragma once

#include <algorithm>
#include <limits>

namespace lamina {

class ThreadChooser {
 public:
  // exact: always all of them. Steps of different sizes tell the seconds a unit of work.
  explicit ThreadChooser(int most, bool exact) : most_(most), exact_(exact) {}
  ThreadChooser()
      : ThreadChooser(std::numeric_limits<int>::max(), false) {}  // or as few as there are

  bool chooses() const { return most_ > 1 && !exact_; }
  int next() const { return !exact_ && alone() ? 1 : most_; }

  // Tells how long the step on next() threads took, what a clock says now (seconds), and how much
  // work it was, in any unit.
  void took(double seconds, double now, double work) {
    if (!chooses()) return;
    const double rate = seconds / work;
    if (probing()) {                 // the first steps, on one thread: what it takes alone
      if (measured_++ == 0) return;  // the first one warms caches and is not counted
      single_ = measured_ == 2 ? rate : std::min(single_, rate);
      probe_ += seconds;
      return;
    }
    if (waits_) {  // on one thread for a while
      single_ += 0.1 * (rate - single_);
      waits_ = now < until_;
      if (!waits_) wakes_ = true, sum_ = alone_ = 0;
      return;
    }
    if (wakes_) {  // the first one wakes the others and is not counted
      wakes_ = false;
      return;
    }
    sum_ += seconds;
    alone_ += single_ * work;
    const double window = std::max(kWindow * single_ * work, kShortestWindow);
    if (sum_ <= window && alone_ < window) return;  // else we need not wait for the rest
    const bool slower = sum_ > alone_;
    pause_ = slower ? std::min(kLongestPause, 2 * pause_) : kShortestPause;
    if (slower)
      waits_ = true, until_ = now + pause_;
    else
      sum_ = alone_ = 0;
  }

 private:
  bool probing() const { return measured_ < kProbe || probe_ < kShortestProbe; }
  bool alone() const { return probing() || waits_; }

  static constexpr int kProbe = 4, kWindow = 8;                             // steps
  static constexpr double kShortestProbe = 0.0005, kShortestWindow = 0.01;  // seconds
  static constexpr double kShortestPause = 0.05, kLongestPause = 2.0;
  int most_;
  bool exact_, wakes_ = true, waits_ = false;
  int measured_ = 0;
  double probe_ = 0, single_ = 0;  // seconds; seconds a unit of work, on one thread
  double sum_ = 0, alone_ = 0;     // of the window: what its steps took, and would have taken alone
  double until_ = 0, pause_ = kShortestPause;
};

}  // namespace lamina
