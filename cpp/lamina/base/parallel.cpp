#include "lamina/base/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#include "lamina/base/fork.hpp"
#include "lamina/base/processors.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#define LAMINA_X86 1
#endif

namespace lamina {
namespace {

// libgomp's pool does not survive fork(): a region in the child would wait for ever.
std::atomic<bool> forked{false};
std::mutex forking;  // held by whoever forks, and by whoever must not be interrupted by that

[[maybe_unused]] const bool fork_watched = [] {
#if defined(__unix__) || defined(__APPLE__)
  pthread_atfork([] { forking.lock(); }, [] { forking.unlock(); },
                 [] {
                   forked = true;
                   forking.unlock();
                 });
#endif
  return true;
}();

}  // namespace

bool has_openmp() {
#ifdef _OPENMP
  return true;
#else
  return false;
#endif
}

int thread_count(int requested) {
#ifdef _OPENMP
  if (forked) return 1;
  const int most = std::min(omp_get_max_threads(), processors());
  return requested > 0 ? std::min(requested, most) : most;
#else
  (void)requested;
  return 1;
#endif
}

bool in_forked_child() { return forked; }

NoFork::NoFork() { forking.lock(); }
NoFork::~NoFork() { forking.unlock(); }

void detail::run_region(int threads, void (*call)(void*, int), void* body) {
  std::exception_ptr error;
  std::mutex mutex;
  // The shares first, first + step, ...: a runtime may give fewer threads than were asked for.
  const auto run_shares = [&](int first, int step) {
    FlushDenormals flush;
    try {
      for (int share = first; share < threads; share += step) call(body, share);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!error) error = std::current_exception();
    }
  };
#ifdef _OPENMP
  if (threads > 1 && !forked) {
    // What OpenMP orders anyway, said in terms that ThreadSanitizer understands.
    std::atomic<int> begun{0}, ended{0};
    begun.fetch_add(1, std::memory_order_release);
#pragma omp parallel num_threads(threads)
    {
      begun.load(std::memory_order_acquire);
      run_shares(omp_get_thread_num(), omp_get_num_threads());
      ended.fetch_add(1, std::memory_order_release);
    }
    ended.load(std::memory_order_acquire);
  } else {
    run_shares(0, 1);
  }
#else
  run_shares(0, 1);
#endif
  if (error) std::rethrow_exception(error);
}

void release_threads() {
#if defined(_OPENMP) && (_OPENMP >= 201811 || __GNUC__ >= 9)  // libgomp has had it since GCC 9
  if (!forked) omp_pause_resource_all(omp_pause_soft);
#endif
}

FlushDenormals::FlushDenormals() {
#ifdef LAMINA_X86
  saved_ = _mm_getcsr();
  _mm_setcsr(saved_ | 0x8040);  // flush to zero, denormals are zero
#endif
}

FlushDenormals::~FlushDenormals() {
#ifdef LAMINA_X86
  _mm_setcsr(saved_);
#endif
}

}  // namespace lamina
