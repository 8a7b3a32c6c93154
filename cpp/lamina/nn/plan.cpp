#include "lamina/nn/plan.hpp"

#include <algorithm>
#include <numeric>

#include "lamina/nn/ops/activation_op.hpp"

namespace lamina {
namespace {

// A tile's gradient should still be in the cache when it is used. But every tile reads the
// gradients of the whole batch: where no near cache holds those, tiles are fewer and larger.
constexpr Index kTileElements = 16384, kLargestTile = 1 << 18, kTilesOfLarge = 32;
constexpr Index kFarBatch = 1 << 21;  // elements

Index tile_elements(const PlanOptions& options, const Tensor& tensor, Index width) {
  if (options.tile_elements > 0) return options.tile_elements;
  if (options.batch_rows * width <= kFarBatch) return kTileElements;
  return std::clamp(tensor.size / kTilesOfLarge, kTileElements, kLargestTile);
}

std::size_t at(int i) { return static_cast<std::size_t>(i); }

// By value: is one of these outputs made of it?
std::vector<bool> needed_for(const Values& outputs, const Graph& graph) {
  std::vector<bool> needed(at(graph.value_count()), false);
  for (const Value& y : outputs) needed[at(y.id)] = true;
  for (auto op = graph.ops.rbegin(); op != graph.ops.rend(); ++op)
    if (needed[at((*op)->output.id)])
      for (const Value& x : (*op)->inputs) needed[at(x.id)] = true;
  return needed;
}

}  // namespace

int output_activation(const Graph& graph, std::size_t output, bool behind_penalty) {
  const std::vector<bool> needed = needed_for(graph.outputs, graph);
  const auto readers = [&](int value) {
    Index n = 0;
    for (const Value& y : graph.outputs) n += y.id == value;
    for (const auto& op : graph.ops)
      if (needed[at(op->output.id)])
        for (const Value& x : op->inputs) n += x.id == value;
    return n;
  };
  int value = graph.outputs[output].id;
  for (auto i = graph.ops.rbegin(); i != graph.ops.rend(); ++i) {
    const OpBase& op = **i;
    if (op.output.id != value) continue;
    if (readers(value) != 1) return -1;  // somebody else reads what it gives
    if (op.flags.view || (behind_penalty && op.flags.identity)) {
      value = op.inputs[0].id;
      continue;
    }
    const bool is_activation = dynamic_cast<const ActivationOp<float>*>(&op) != nullptr ||
                               dynamic_cast<const ActivationOp<double>*>(&op) != nullptr;
    return is_activation && readers(op.inputs[0].id) == 1 ? op.index : -1;
  }
  return -1;
}

Plan::Plan(const Graph& the_graph, const PlanOptions& the_options)
    : graph(the_graph), options(the_options) {
  choose_ops();
  choose_gradients();
  choose_width();
  write_stages();
  assign_memory();
  if (options.backward) cut_tiles();
}

bool Plan::trainable(const OpBase& op) const {
  return options.parameter_gradients &&
         std::any_of(op.tensors.begin(), op.tensors.end(),
                     [&](int t) { return graph.parameters.tensors[at(t)].trainable; });
}

void Plan::choose_ops() {
  alias_.resize(at(graph.value_count()));
  std::iota(alias_.begin(), alias_.end(), 0);
  outputs = options.outputs.empty() ? graph.outputs : options.outputs;
  std::vector<int> fused;
  for (std::size_t i = 0; i < options.fuse.size(); ++i)
    if (options.fuse[i]) fused.push_back(output_activation(graph, i));
  const std::vector<bool> wanted = needed_for(outputs, graph);
  for (const auto& op : graph.ops) {
    if (!wanted[at(op->output.id)]) continue;
    const bool identity = op->flags.view ||
                          (op->flags.training_only && !(options.training && options.noise)) ||
                          std::find(fused.begin(), fused.end(), op->index) != fused.end();
    if (identity) {
      alias_[at(op->output.id)] = resolve(op->inputs[0].id);
    } else {
      run_.push_back(op->index);
      flops_per_row += op->flops_per_row();
    }
  }
  for (Value& y : outputs) y.id = resolve(y.id);
}

void Plan::choose_gradients() {
  wants_gradient_.assign(at(graph.value_count()), false);
  if (!options.backward) return;
  std::vector<bool> pulled(at(graph.value_count()), false);  // by an output that is trained
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (i >= options.idle.size() || !options.idle[i]) pulled[at(outputs[i].id)] = true;
  for (auto i = run_.rbegin(); i != run_.rend(); ++i)
    for (const Value& x : op(*i).inputs)
      pulled[at(resolve(x.id))] = pulled[at(resolve(x.id))] || pulled[at(op(*i).output.id)];
  for (const Port& port : graph.ports)
    wants_gradient_[at(port.value.id)] = options.input_gradients && port.dense();
  for (const int i : run_) {
    bool wanted = trainable(op(i));
    for (const Value& x : op(i).inputs) wanted = wanted || wants_gradient_[at(resolve(x.id))];
    wants_gradient_[at(op(i).output.id)] = wanted && pulled[at(op(i).output.id)];
  }
}

// Preprocessing behind an input port goes in double and comes first: the rows are at hand then. Of
// a timestamp, float32 holds no more than minutes.
void Plan::choose_width() {
  const auto n = at(graph.value_count());
  wide_stores.assign(n, {});
  narrow_.assign(n, true);
  if (graph.dtype == DataType::float64) return;
  std::vector<bool> exact(n, false), read_wide(n, false), read_narrow(n, false);
  std::vector<Index> width(n, 0);
  for (const Port& port : graph.ports) {
    exact[at(port.value.id)] = port.dense();
    width[at(port.value.id)] = port.value.width;
  }
  const auto reads_wide = [&](int i) {
    return op(i).flags.reads_wide && exact[at(resolve(op(i).inputs[0].id))];
  };
  for (const int i : run_) {
    const bool wide = reads_wide(i);
    for (const Value& x : op(i).inputs) (wide ? read_wide : read_narrow)[at(resolve(x.id))] = true;
    exact[at(op(i).output.id)] = wide;
    width[at(op(i).output.id)] = op(i).output.width;
  }
  for (const Value& y : outputs)
    (options.wide_outputs && exact[at(y.id)] ? read_wide : read_narrow)[at(y.id)] = true;
  for (std::size_t v = 0; v < n; ++v) {
    if (!read_wide[v]) continue;
    wide_stores[v] = {width[v], false, wide_width};
    wide_width += width[v];
    narrow_[v] = read_narrow[v] || wants_gradient_[v];
  }
  for (std::size_t v = 0; v < n; ++v) wide_stores[v] = wide_stores[at(alias_[v])];
  std::stable_partition(run_.begin(), run_.end(), reads_wide);
}

void Plan::write_stages() {
  stages.emplace_back();
  const auto cut = [&](Finish finish, int op) {
    stages.back().finish = finish;
    stages.back().op = op;
    stages.emplace_back();
  };
  stages.back().actions.push_back({ActionKind::gather});
  for (const int i : run_) {
    if (!op(i).flags.row_local && !op(i).frozen && options.training) {
      stages.back().actions.push_back({ActionKind::forward_sums, i});
      cut(Finish::forward, i);
    }
    stages.back().actions.push_back({ActionKind::forward, i});
  }
  if (options.loss) {
    if (options.loss_is_stage)
      cut(Finish::loss, -1);
    else
      stages.back().actions.push_back({ActionKind::loss});
  }
  if (!options.backward) return;
  if (!options.loss) cut(Finish::nothing, -1);  // the caller hands in the gradient
  std::vector<bool> written(at(graph.value_count()), false);
  for (const Value& y : outputs) written[at(y.id)] = true;  // by the loss, or the caller
  add.resize(graph.ops.size());
  for (auto i = run_.rbegin(); i != run_.rend(); ++i) {
    const OpBase& o = op(*i);
    if (!wants_gradient_[at(o.output.id)]) continue;
    if (!o.flags.row_local && !o.frozen) {
      stages.back().actions.push_back({ActionKind::backward_sums, *i});
      cut(Finish::backward, *i);
    }
    if (o.flags.keeps_gradient && trainable(o))
      stages.back().actions.push_back({ActionKind::keep_gradient, *i});
    bool any = false;
    for (const Value& x : o.inputs) {
      const int id = resolve(x.id);
      add[at(*i)].push_back(written[at(id)]);
      any = any || wants_gradient_[at(id)];
      written[at(id)] = true;
    }
    if (any) stages.back().actions.push_back({ActionKind::backward, *i});
  }
  for (const Port& port : graph.ports)  // that no output depends on
    if (!written[at(port.value.id)]) wants_gradient_[at(port.value.id)] = false;
}

void Plan::cut_tiles() {
  for (const int i : run_) {
    if (!wants_gradient_[at(op(i).output.id)]) continue;
    for (const int t : op(i).tensors) {
      const Tensor& tensor = graph.parameters.tensors[at(t)];
      if (!tensor.trainable) continue;
      const bool matrix = tensor.shape.size() > 1;
      const Index rows = matrix ? tensor.shape[0] : tensor.size,
                  width = matrix ? tensor.size / rows : 1;
      const Index step =
          round_up(std::max<Index>(1, tile_elements(options, tensor, width) / width), kRowStep);
      for (Index r = 0; r < rows; r += step) {
        Tile tile{i, t, {r, std::min(rows, r + step)}};
        tile.offset = tensor.offset + r * width;
        tile.size = tile.rows.size() * width;
        tile.cost = static_cast<double>(tile.size);
        tiles.push_back(tile);
      }
    }
  }
}

}  // namespace lamina
