// Threads. parallel.cpp is the only file that says OpenMP; without OpenMP everything runs on one
// thread. Thread counts belong to the call; there is no global state but the fork flag.
#pragma once

#include <type_traits>

#include "lamina/base/error.hpp"

namespace lamina {

bool has_openmp();

// The number of threads a call may use: the least of `requested` (if above 0), OpenMP's own maximum
// (so that threadpoolctl and OMP_NUM_THREADS limit us), CPU affinity and the control groups' quota.
// 1 in a forked child.
int thread_count(int requested);

// OpenMP's threads do not survive fork(); nor do those of whoever was predicting.
bool in_forked_child();

namespace detail {
void run_region(int threads, void (*call)(void* body, int thread), void* body);
}

// Runs body(share) for each share of `threads`, on so many threads if they can be had, and waits.
// Shares must not wait for each other. Denormals are flushed to zero inside. The first exception is
// rethrown on the calling thread. Allocates nothing.
template <class Body>
void parallel(int threads, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  detail::run_region(
      threads, [](void* b, int thread) { (*static_cast<Plain*>(b))(thread); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// Lets the helpers of the last region sleep at once instead of spinning on.
void release_threads();

// Sets flush-to-zero for the calling thread and restores the caller's mode.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned saved_ = 0;
};

// The part of [0, n) that belongs to `thread` of `threads`: contiguous, as even as can be.
struct Range {
  Index begin = 0, end = 0;
  Index size() const { return end - begin; }
};
inline Range share(Index n, int thread, int threads) {
  return {n * thread / threads, n * (thread + 1) / threads};
}

}  // namespace lamina
