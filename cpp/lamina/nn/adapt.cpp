#include "lamina/nn/adapt.hpp"

#include <algorithm>

#include "lamina/functions/initializers.hpp"
#include "lamina/nn/columns.hpp"
#include "lamina/nn/unit_variance.hpp"

namespace lamina {

bool adapts(const Graph& graph) {
  return std::any_of(graph.ops.begin(), graph.ops.end(),
                     [](const auto& op) { return op->flags.adapts; });
}

bool learns_from_data(const Graph& graph, const OpBase& op) {
  return op.flags.adapts || std::any_of(op.tensors.begin(), op.tensors.end(), [&](int t) {
           return data_rows(graph.parameters.tensors[static_cast<std::size_t>(t)].initializer) > 0;
         });
}

template <class T>
void learn_from_data(const Graph& graph, const Batch& rows, std::uint64_t seed, int threads,
                     FirstLook what, T* parameters) {
  Index done = 0;
  const auto scale_kernels = [&](Index end) {
    scale_to_unit_variance(graph, rows, seed, threads, Range{done, end},
                           what.kernels == Look::waiting, parameters);
    done = end;
  };
  for (const auto& op : graph.ops) {
    if (!op->flags.adapts || (what.statistics == Look::waiting && !op->waits)) continue;
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
