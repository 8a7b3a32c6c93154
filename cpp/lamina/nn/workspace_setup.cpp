// How a Workspace is made: apart from what runs every step, since it may be compiled for size.
#include <algorithm>

#include "lamina/nn/workspace.hpp"

namespace lamina {

template <class T>
Workspace<T>::Workspace(const Plan& plan, Index capacity, Index block, int threads)
    : plan_(plan),
      capacity_(round_up(capacity, kRowStep)),
      block_(std::min(round_up(block, kRowStep), capacity_)) {
  const Graph& graph = plan.graph;
  batch_.allocate(capacity_ * plan.batch_width);
  const bool keeps_state = plan.options.training || plan.options.backward;
  for (const auto& op : graph.ops)
    state_.emplace_back(keeps_state ? static_cast<Index>(op->state_bytes(capacity_)) : 0);
  for (auto& state : state_) state_pointers_.push_back(state.size() > 0 ? state.data() : nullptr);
  for (const auto& op : graph.ops)
    if (op->scheduled()) scheduled_.resize(graph.ops.size());
  for (const Port& port : graph.ports)
    codes_.emplace_back(port.codes && plan.options.backward ? capacity_ * port.value.width : 0);
  const bool of_batch = plan.options.backward;
  sparse_ = sparse_ports<T>(graph, of_batch ? 1 : threads, of_batch ? capacity_ : block_,
                            of_batch && plan.options.parameter_gradients);
  for (const Port& port : graph.ports) takes_missing_.push_back(takes_missing(graph, port));
  spaces_.resize(static_cast<std::size_t>(threads));
  const auto values = static_cast<std::size_t>(graph.value_count());
  for (Space& space : spaces_) {
    space.block.allocate(block_ * plan.block_width);
    space.wide_block.allocate(block_ * plan.wide_width);
    space.wide.resize(values);
    space.values.resize(values);
    space.gradients.resize(values);
    space.codes.resize(values);
    if (sparse_)
      space.sparse = &sparse_[of_batch ? 0 : static_cast<std::size_t>(&space - spaces_.data())];
    const auto rows_of = [&](int store) -> Rows<T> {
      if (store < 0) return {};
      const Store& s = plan.stores[static_cast<std::size_t>(store)];
      return {
          s.batch ? batch_.data() + capacity_ * s.offset : space.block.data() + block_ * s.offset,
          0, s.width};
    };
    for (std::size_t v = 0; v < values; ++v) {
      space.values[v] = rows_of(plan.value_store[v]);
      space.gradients[v] = rows_of(plan.gradient_store[v]);
      const Store& wide = plan.wide_stores[v];
      if (wide.width > 0)
        space.wide[v] = {space.wide_block.data() + block_ * wide.offset, 0, wide.width};
    }
    for (std::size_t p = 0; p < graph.ports.size(); ++p) {
      const Port& port = graph.ports[p];
      const bool of_block = port.codes && !plan.options.backward;
      space.code_memory.emplace_back(of_block ? block_ * port.value.width : 0);
      space.codes[static_cast<std::size_t>(port.value.id)] = {
          of_block ? space.code_memory[p].data() : codes_[p].data(), 0,
          of_block ? block_ : capacity_};
    }
    Context<T>& c = space.context;
    c.values = space.values.data();
    c.gradients = space.gradients.data();
    c.wide = space.wide.data();
    c.codes = space.codes.data();
    c.sparse = sparse_ ? space.sparse->rows() : nullptr;
    c.state = state_pointers_.data();
    c.scheduled = scheduled_.data();
    c.scratch = &space.scratch;
  }
}

template <class T>
std::size_t Workspace<T>::bytes() const {
  std::size_t sum = batch_.bytes();
  for (std::size_t i = 0; sparse_ && i < (plan_.options.backward ? 1 : spaces_.size()); ++i)
    sum += sparse_[i].bytes();
  for (const auto& state : state_) sum += state.bytes();
  for (const auto& codes : codes_) sum += codes.bytes();
  for (const Space& space : spaces_)
    for (const auto& codes : space.code_memory) sum += codes.bytes();
  for (const Space& space : spaces_)
    sum += space.block.bytes() + space.wide_block.bytes() + space.scratch.a.bytes() +
           space.scratch.b.bytes() + space.scratch.c.bytes();
  return sum;
}

template Workspace<float>::Workspace(const Plan&, Index, Index, int);
template Workspace<double>::Workspace(const Plan&, Index, Index, int);
template std::size_t Workspace<float>::bytes() const;
template std::size_t Workspace<double>::bytes() const;

}  // namespace lamina
