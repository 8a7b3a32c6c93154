// SpacePool: the memory of finished calls, kept for the next ones of any thread. A thread gets what
// it used last without a lock, as long as that is large enough.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "lamina/base/error.hpp"

namespace lamina {

class SpacePool {
 public:
  struct Space {
    Space(Index most_rows, int most_threads) : rows(most_rows), threads(most_threads) {}
    virtual ~Space() = default;
    Space(const Space&) = delete;
    Space& operator=(const Space&) = delete;
    const Index rows;
    const int threads;
  };
  using Owned = std::unique_ptr<Space>;

  SpacePool() = default;
  ~SpacePool();
  SpacePool(const SpacePool&) = delete;
  SpacePool& operator=(const SpacePool&) = delete;

  // A kept space of at least so many rows and threads; null: none is idle, and the caller makes
  // one.
  Owned take(Index rows, int threads);
  void give_back(Owned space);

 private:
  struct alignas(64) Place {  // of the threads that share it
    std::atomic<Space*> space{nullptr};
  };

  Place& own_place();
  Owned search(Owned own, Index rows, int threads);
  void keep(Owned space);
  Owned find(Index rows, int threads);
  Owned take_out(std::vector<Owned>::iterator at);
  std::size_t most_kept() const { return 4 * most_used_; }  // sizes, of each call at a time

  std::array<Place, 32> places_;
  std::mutex mutex_;                       // of the rest
  std::vector<Owned> idle_;                // in nobody's place
  std::size_t alive_ = 0, most_used_ = 1;  // spaces there are; most in use at a time
};

}  // namespace lamina
