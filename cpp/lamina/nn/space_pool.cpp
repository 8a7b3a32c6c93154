#include "lamina/nn/space_pool.hpp"

#include <algorithm>

namespace lamina {
namespace {

using Owned = SpacePool::Owned;

// 0, 1, ... in the order in which threads ask.
unsigned number_of_this_thread() {
  static std::atomic<unsigned> next{0};
  thread_local const unsigned mine = next.fetch_add(1, std::memory_order_relaxed);
  return mine;
}

Owned empty(std::atomic<SpacePool::Space*>& place) {
  return Owned(place.exchange(nullptr, std::memory_order_acq_rel));
}

bool fits(const SpacePool::Space& space, Index rows, int threads) {
  return space.rows >= rows && space.threads >= threads;
}

bool smaller(const Owned& a, const Owned& b) { return a->rows < b->rows; }

}  // namespace

SpacePool::~SpacePool() {
  for (Place& place : places_) empty(place.space);
}

SpacePool::Place& SpacePool::own_place() {
  return places_[number_of_this_thread() % places_.size()];
}

Owned SpacePool::take(Index rows, int threads) {
  Owned own = empty(own_place().space);
  if (own && fits(*own, rows, threads)) return own;
  return search(std::move(own), rows, threads);
}

Owned SpacePool::search(Owned own, Index rows, int threads) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (own) keep(std::move(own));
  if (Owned found = find(rows, threads)) return found;
  for (Place& place : places_)  // of other threads, which are not at work
    if (Owned idle = empty(place.space)) keep(std::move(idle));
  if (Owned found = find(rows, threads)) return found;
  ++alive_;
  most_used_ = std::max(most_used_, alive_ - idle_.size());
  idle_.reserve(most_kept() + 1);
  return nullptr;
}

void SpacePool::give_back(Owned space) {
  Owned other(own_place().space.exchange(space.release(), std::memory_order_acq_rel));
  if (!other) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  keep(std::move(other));
}

// Too many: the smallest goes.
void SpacePool::keep(Owned space) {
  idle_.push_back(std::move(space));
  if (idle_.size() <= most_kept()) return;
  take_out(std::min_element(idle_.begin(), idle_.end(), smaller));
  --alive_;
}

Owned SpacePool::find(Index rows, int threads) {
  auto best = idle_.end();
  for (auto i = idle_.begin(); i != idle_.end(); ++i)
    if (fits(**i, rows, threads) && (best == idle_.end() || smaller(*i, *best))) best = i;
  return best == idle_.end() ? nullptr : take_out(best);
}

Owned SpacePool::take_out(std::vector<Owned>::iterator at) {
  std::swap(*at, idle_.back());
  Owned space = std::move(idle_.back());
  idle_.pop_back();
  return space;
}

}  // namespace lamina
