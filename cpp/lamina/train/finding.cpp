#include "lamina/train/finding.hpp"

#include <algorithm>
#include <cmath>

namespace lamina {
namespace {

// The same ops, and all that they give is kept.
PlanOptions keeping_all(const Plan& of_step) {
  PlanOptions options;
  options.training = options.keep_output = true;
  for (const int i : of_step.running())
    options.outputs.push_back(of_step.graph.ops[static_cast<std::size_t>(i)]->output);
  return options;
}

bool input_is_finite(const Batch& batch, Index row) {
  for (const ArrayView& x : *batch.inputs)
    for (Index j = 0; !x.sparse() && j < x.columns; ++j)
      if (!std::isfinite(read_element(x, batch.source(row), j))) return false;
  return true;
}

std::string text(const OpBase& op, double value, const Batch& batch, Index row) {
  return concat(": layer ", op.layer, " gives ",
                std::isnan(value) ? "nan"
                : value > 0       ? "inf"
                                  : "-inf",
                " for row ", batch.source(row) + batch.inputs->front().first_row, " of X, row ",
                row, " of the batch", input_is_finite(batch, row) ? "" : ", which is not finite");
}

}  // namespace

template <class T>
std::string first_not_finite(const Plan& of_step, const T* weights, const Batch& batch,
                             const StepOptions& options, const double* row_share) {
  const Plan plan(of_step.graph, keeping_all(of_step));
  Workspace<T> space(plan, batch.rows, batch.rows, 1);
  space.context(0).row_share = row_share;
  space.begin(weights, batch, true, options.seed, options.clock, options.batch);
  space.enter_block(0, {0, space.padded_rows()});
  for (const Stage& stage : plan.stages) {
    for (const Action& action : stage.actions) space.act(action, 0, {0, space.padded_rows()});
    space.finish_stage(stage);
  }
  for (const int i : plan.running()) {
    const OpBase& op = *plan.graph.ops[static_cast<std::size_t>(i)];
    const T* values = space.values(0, op.output).row(0);
    for (Index k = 0; k < batch.rows * op.output.width; ++k)
      if (!std::isfinite(values[k]))
        return text(op, static_cast<double>(values[k]), batch, k / op.output.width);
  }
  return ", though all layers' outputs are finite";
}

template std::string first_not_finite(const Plan&, const float*, const Batch&, const StepOptions&,
                                      const double*);
template std::string first_not_finite(const Plan&, const double*, const Batch&, const StepOptions&,
                                      const double*);

}  // namespace lamina
