#include "lamina/nn/adapt.hpp"

#include <algorithm>

#include "lamina/nn/columns.hpp"
#include "lamina/nn/unit_variance.hpp"

namespace lamina {

bool adapts(const Graph& graph) {
  return std::any_of(graph.ops.begin(), graph.ops.end(),
                     [](const auto& op) { return op->flags.adapts; });
}

template <class T>
void learn_from_data(const Graph& graph, const Batch& rows, std::uint64_t seed, int threads,
                     FirstLook what, T* parameters) {
  Index done = 0;
  const auto scale_kernels = [&](Index end) {
    if (what.kernels)
      scale_to_unit_variance(graph, rows, seed, threads, Range{done, end}, parameters);
    done = end;
  };
  for (const auto& op : graph.ops) {
    if (!what.statistics || !op->flags.adapts) continue;
    scale_kernels(op->index);
    const ColumnsOf<T> data(graph, *op, rows, parameters, threads);
    static_cast<const Op<T>&>(*op).learn(data, parameters);
  }
  scale_kernels(static_cast<Index>(graph.ops.size()));
}

template void learn_from_data<float>(const Graph&, const Batch&, std::uint64_t, int, FirstLook,
                                     float*);
template void learn_from_data<double>(const Graph&, const Batch&, std::uint64_t, int, FirstLook,
                                      double*);

}  // namespace lamina
