#include "lamina/nn/unit_variance.hpp"

#include <algorithm>
#include <cmath>

#include "lamina/functions/initializers.hpp"
#include "lamina/nn/moments.hpp"

namespace lamina {
namespace {

// A unit that deviates by less than this share of its mean is constant: in float32 the rest may be
// rounding, and is no reason for large weights in float64.
constexpr double kConstant = 1e-5;

Index rows_wanted(const Tensor& t) {
  return t.trainable && t.role == Role::kernel ? data_rows(t.initializer) : 0;
}

Index rows_wanted(const ParameterTable& table) {
  Index most = 0;
  for (const Tensor& t : table.tensors) most = std::max(most, rows_wanted(t));
  return most;
}

// The kernel that an op multiplies by if data scale it, or null.
const Tensor* scaled_kernel(const Graph& graph, const OpBase& op, bool waiting) {
  if (waiting && !op.waits) return nullptr;
  for (const int t : op.tensors) {
    const Tensor& tensor = graph.parameters.tensors[static_cast<std::size_t>(t)];
    if (rows_wanted(tensor) > 0) return &tensor;
  }
  return nullptr;
}

// Divides each column of a kernel by the deviation of its pre-activations, constant ones apart.
template <class T>
void divide_columns(const ColumnMoments& moments, const Tensor& t, T* kernel) {
  for (Index j = 0; j < t.columns(); ++j) {
    const auto i = static_cast<std::size_t>(j);
    const double mean = moments.mean[i], variance = moments.variance(j);
    const double least = std::max(kConstant * kConstant * mean * mean,
                                  static_cast<double>(std::numeric_limits<T>::min()));
    require(std::isfinite(variance), t.name,
            ": its pre-activations are not finite: X holds NaN, infinity or too large numbers");
    if (variance <= least) continue;
    const double scale = 1 / std::sqrt(variance);
    for (Index r = 0; r < t.rows(); ++r)
      kernel[r * t.columns() + j] = T(scale * kernel[r * t.columns() + j]);
  }
}

bool any_scaled(const Graph& graph, Range ops, bool waiting) {
  for (Index i = ops.begin; i < ops.end; ++i)
    if (scaled_kernel(graph, *graph.ops[static_cast<std::size_t>(i)], waiting)) return true;
  return false;
}

}  // namespace

bool wants_data(const ParameterTable& table) { return rows_wanted(table) > 0; }

template <class T>
void scale_to_unit_variance(const Graph& graph, const Batch& rows, std::uint64_t seed, int threads,
                            Range ops, bool waiting, T* parameters) {
  if (!any_scaled(graph, ops, waiting)) return;
  Batch batch = rows;
  batch.rows = std::min(rows.rows, rows_wanted(graph.parameters));
  batch.following = 0;
  if (batch.rows == 0) return;
  PlanOptions options;
  options.training = true;
  options.noise = false;
  const Plan plan(graph, options);
  Workspace<T> space(plan, batch.rows, batch.rows, 1);  // one block: all rows are at hand
  space.begin(parameters, batch, true, seed, {}, 0);
  const Range all{0, space.padded_rows()};
  std::vector<ProductScratch<T>> scratch(static_cast<std::size_t>(threads));
  const auto act = [&](const Action& action) {
    const auto& op = static_cast<const Op<T>&>(*graph.ops[static_cast<std::size_t>(action.op)]);
    if (action.kind != ActionKind::forward || !op.shares_columns(all.size()))
      return space.act(action, 0, all);
    parallel(threads, [&](int thread) {
      op.forward_share(space.context(0), scratch[static_cast<std::size_t>(thread)], all, thread,
                       threads);
    });
  };
  const FlushDenormals flush;
  for (const Stage& stage : plan.stages) {
    space.enter_block(0, all);
    for (const Action& action : stage.actions) {
      if (action.kind == ActionKind::gather) {
        space.act(action, 0, all);
        require(space.bad_row() < 0, "X: row ", space.bad_row(), " holds NaN or infinity");
        continue;
      }
      act(action);
      const OpBase& op = *graph.ops[static_cast<std::size_t>(action.op)];
      const Tensor* kernel =
          action.kind == ActionKind::forward && action.op >= ops.begin && action.op < ops.end
              ? scaled_kernel(graph, op, waiting)
              : nullptr;
      if (!kernel) continue;
      const Index n = std::min(batch.rows, rows_wanted(*kernel));
      ColumnMoments moments(op.output.width);
      moments.add(space.values(0, op.output).row(0), n);
      divide_columns(moments, *kernel, parameters + kernel->offset);
      act(action);  // with the new kernel
    }
    space.finish_stage(stage);
  }
}

template void scale_to_unit_variance<float>(const Graph&, const Batch&, std::uint64_t, int, Range,
                                            bool, float*);
template void scale_to_unit_variance<double>(const Graph&, const Batch&, std::uint64_t, int, Range,
                                             bool, double*);

}  // namespace lamina
