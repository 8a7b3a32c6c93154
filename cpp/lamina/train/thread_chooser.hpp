// ThreadChooser: how many threads the next step uses. Steps give the same bits on any number, so
// the engine may watch itself: where another process holds a core, a step on all threads waits for
// it and takes longer than on one; then it runs on one for a while and tries again.
#pragma once

#include <algorithm>

namespace lamina {

class ThreadChooser {
 public:
  // exact: always all of them.
  explicit ThreadChooser(int most, bool exact) : most_(most), exact_(exact) {}

  bool chooses() const { return most_ > 1 && !exact_; }
  int next() const { return !exact_ && alone() ? 1 : most_; }

  // Tells how long the step on next() threads took.
  void took(double seconds) {
    if (!chooses()) return;
    if (measured_ < kProbe) {  // the first steps, on one thread: what it takes alone
      // The first one warms caches and is not counted.
      if (measured_++ == 1)
        single_ = seconds;
      else if (measured_ > 2)
        single_ = std::min(single_, seconds);
      return;
    }
    if (wait_ > 0) {  // on one thread for a while
      single_ += 0.1 * (seconds - single_);
      wait_ -= seconds;
      if (wait_ <= 0) steps_ = 0, sum_ = 0;
      return;
    }
    sum_ += seconds;
    const bool slower = sum_ > single_ * kWindow;  // need not wait for the rest
    if (++steps_ < kWindow && !slower) return;
    steps_ = 0, sum_ = 0;
    pause_ = slower ? std::min(kLongestPause, 2 * pause_) : kShortestPause;
    if (slower) wait_ = pause_;
  }

 private:
  bool alone() const { return measured_ < kProbe || wait_ > 0; }

  static constexpr int kProbe = 4, kWindow = 8;
  static constexpr double kShortestPause = 0.05, kLongestPause = 2.0;  // seconds
  int most_;
  bool exact_;
  int measured_ = 0, steps_ = 0;
  double single_ = 0, sum_ = 0, wait_ = 0, pause_ = kShortestPause;
};

}  // namespace lamina
