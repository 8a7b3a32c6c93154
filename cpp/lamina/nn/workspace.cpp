#include "lamina/nn/workspace.hpp"

#include <algorithm>
#include <cmath>

namespace lamina {
namespace {

constexpr Index kFewBytes = 65536;  // of the rows of a block, beside a second-level cache

}  // namespace

template <class T>
void Workspace<T>::begin(const T* parameters, const Batch& batch, bool training, std::uint64_t seed,
                         const Clock& clock, std::uint64_t batch_number) {
  for (std::size_t i = 0; training && plan_.options.noise && i < scheduled_.size(); ++i)
    if (const Scheduled* parameter = plan_.graph.ops[i]->scheduled())
      scheduled_[i] = parameter->value(clock);
  rows_ = batch;
  padded_ = round_up(batch.rows, kRowStep);
  if (sparse_ && plan_.options.backward) sparse_[0].prepare(*batch.inputs, batch, {0, padded_});
  for (Space& space : spaces_) {
    space.bad_row = -1;
    space.asked_for = space.scratch.rows;
    space.following = space.scratch.rows = {};  // nothing is read of a selection that may be gone
    space.many_follow = false;
    Context<T>& c = space.context;
    c.parameters = parameters;
    c.rows = batch.rows;
    c.padded_rows = padded_;
    c.training = training;
    c.seed = seed;
    c.step = batch_number;
  }
}

template <class T>
void Workspace<T>::enter_block(int thread, Range rows) {
  Space& space = spaces_[static_cast<std::size_t>(thread)];
  const auto move = [&](Rows<T>& r, int store) {
    if (store >= 0 && !plan_.stores[static_cast<std::size_t>(store)].batch)
      r.first_row = rows.begin;
  };
  for (std::size_t v = 0; v < space.values.size(); ++v) {
    move(space.values[v], plan_.value_store[v]);
    move(space.gradients[v], plan_.gradient_store[v]);
    space.wide[v].first_row = rows.begin;
    if (!plan_.options.backward) space.codes[v].first_row = rows.begin;
  }
}

// An array may have changed since it was checked: what is no code any more becomes 0, unseen.
template <class T>
void Workspace<T>::gather_codes(Space& space, const Port& port, const ArrayView& view,
                                Range rows) const {
  const Index real = std::clamp(rows_.rows, rows.begin, rows.end);
  ArrayView column = view;
  column.columns = 1;
  for (Index j = 0; j < port.value.width; ++j) {
    column.data = static_cast<const std::byte*>(view.data) + j * view.column_stride;
    std::int32_t* code = space.codes[static_cast<std::size_t>(port.value.id)].column(j, rows.begin);
    gather_rows(column, rows_, rows.begin, real, code);
    const auto n = static_cast<std::uint32_t>(port.cardinalities[static_cast<std::size_t>(j)]);
    for (Index r = 0; r < real - rows.begin; ++r)
      code[r] = static_cast<std::uint32_t>(code[r]) < n ? code[r] : 0;
    std::fill_n(code + real - rows.begin, rows.end - real, 0);
  }
}

template <class T>
void Workspace<T>::gather_sparse(Space& space, Range rows) const {
  const bool own = !plan_.options.backward;
  if (own) space.sparse->prepare(*rows_.inputs, rows_, rows);
  space.sparse->gather(*rows_.inputs, rows_, rows);
  if (own && space.bad_row < 0) space.bad_row = space.sparse->bad_row();
}

template <class T>
void Workspace<T>::gather(Space& space, Range rows) {
  if (sparse_) gather_sparse(space, rows);
  for (std::size_t p = 0; p < plan_.graph.ports.size(); ++p) {
    const Port& port = plan_.graph.ports[p];
    const ArrayView& view = (*rows_.inputs)[p];
    if (port.codes) {
      gather_codes(space, port, view, rows);
      continue;
    }
    if (port.sparse) continue;
    const Index real = std::clamp(rows_.rows, rows.begin, rows.end);
    const Rows<T>& narrow = space.values[static_cast<std::size_t>(port.value.id)];
    const Rows<double>& wide = space.wide[static_cast<std::size_t>(port.value.id)];
    const bool asked_for = space.asked_for.reached(view, rows_, rows.begin, real);
    if (wide.data) gather_port(space, p, rows, real, wide.row(rows.begin), asked_for);
    if (narrow.data)
      gather_port(space, p, rows, real, narrow.row(rows.begin), asked_for || wide.data);
    if (rows_.following > 0 && !view.sparse()) {
      space.following = RowsAhead(view, rows_, rows_.rows + rows.begin, rows_.rows + rows.end);
      space.many_follow = space.following.bytes() >= kFewBytes;
      if (!space.many_follow) space.scratch.rows = space.following;
    }
  }
}

// Rows of a port into x, zeros behind the last; what streams in is checked on the way.
template <class T>
template <class S>
void Workspace<T>::gather_port(Space& space, std::size_t port, Range rows, Index real, S* x,
                               bool asked_for) {
  const ArrayView& view = (*rows_.inputs)[port];
  const Index width = view.columns;
  if (view.sparse())
    scatter_rows(view, rows_, rows.begin, real, x);
  else
    gather_rows(view, rows_, rows.begin, real, x, asked_for);
  std::fill_n(x + (real - rows.begin) * width, (rows.end - real) * width, S(0));
  if (!view.streamed || space.bad_row >= 0) return;
  const bool missing = takes_missing_[port];
  for (Index r = rows.begin; r < real && space.bad_row < 0; ++r, x += width) {
    T sum = 0;
    for (Index j = 0; j < width; ++j) {
      const T value = static_cast<T>(x[j]);
      sum += (missing && value != value ? T(0) : value) * T(0);
    }
    if (sum != 0) space.bad_row = r;
  }
}

template <class T>
Index Workspace<T>::bad_row() const {
  Index first = -1;
  for (const Space& space : spaces_)
    if (space.bad_row >= 0 && (first < 0 || space.bad_row < first)) first = space.bad_row;
  const Index sparse = sparse_ && plan_.options.backward ? sparse_[0].bad_row() : -1;
  if (sparse >= 0 && (first < 0 || sparse < first)) first = sparse;
  return first < 0 ? -1 : rows_.source(first);
}

template <class T>
void Workspace<T>::act(const Action& action, int thread, Range rows) {
  Space& space = spaces_[static_cast<std::size_t>(thread)];
  const Context<T>& c = space.context;
  if (action.kind == ActionKind::gather) return gather(space, rows);
  space.scratch.rows.go_on();
  const auto i = static_cast<std::size_t>(action.op);
  const Op<T>& op = static_cast<const Op<T>&>(*plan_.graph.ops[i]);
  switch (action.kind) {
    case ActionKind::forward:
      op.forward(c, rows);
      if (observer && values(thread, op.output).data)
        observer->see(thread, action.op, rows, values(thread, op.output).row(rows.begin));
      return;
    case ActionKind::forward_sums:
      return op.forward_sums(c, rows);
    case ActionKind::keep_gradient:
      return op.keep_gradient(c, rows);
    case ActionKind::backward:
      return op.backward(c, rows, plan_.add[i]);
    case ActionKind::backward_sums:
      return op.backward_sums(c, rows);
    case ActionKind::gather:
    case ActionKind::loss:
      return;
  }
}

template <class T>
void Workspace<T>::act_together(const Action& action, int threads, Range rows) {
  if (action.kind != ActionKind::forward) return act(action, 0, rows);
  const auto& op = static_cast<const Op<T>&>(*plan_.graph.ops[static_cast<std::size_t>(action.op)]);
  if (!op.shares_columns(rows.size())) return act(action, 0, rows);
  parallel(threads, [&](int thread) {
    op.forward_share(context(0), *context(thread).scratch, rows, thread, threads);
  });
}

template <class T>
void Workspace<T>::finish_stage(const Stage& stage) {
  if (sparse_ && plan_.options.backward && plan_.options.parameter_gradients &&
      &stage == &plan_.stages.back())
    sparse_[0].order(running_);  // what the parameters phase reads
  if (stage.op < 0) return;
  const Op<T>& op = static_cast<const Op<T>&>(*plan_.graph.ops[static_cast<std::size_t>(stage.op)]);
  if (stage.finish == Finish::forward) op.forward_finish(spaces_[0].context);
  if (stage.finish == Finish::backward) op.backward_finish(spaces_[0].context);
}

template <class T>
void Workspace<T>::update_statistics(T* parameters) {
  Context<T>& context = spaces_[0].context;
  context.statistics = parameters;
  for (const int i : plan_.running())
    static_cast<const Op<T>&>(*plan_.graph.ops[static_cast<std::size_t>(i)])
        .update_statistics(context);
}

template class Workspace<float>;
template class Workspace<double>;

}  // namespace lamina
