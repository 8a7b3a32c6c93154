#include "lamina/nn/fold.hpp"

#include <algorithm>
#include <cmath>

#include "lamina/nn/ops/product_op.hpp"

namespace lamina {
namespace {

// Scaling before a product moves into it unless a shift is larger than so many times the scaled
// numbers' own size (1): x would lose digits that the difference x - mean has.
constexpr double kMostShift = 16;

template <class T>
class Folding {
 public:
  Folding(const Graph& graph, const T* weights) : from_(weights) {
    Graph& g = out_.graph;
    g.dtype = graph.dtype;
    g.ports = graph.ports;
    g.parameters = graph.parameters;
    g.shapes = graph.shapes;
    g.outputs = graph.outputs;
    g.output_names = graph.output_names;
    weights_.assign(weights, weights + graph.parameters.size);
    for (const auto& op : graph.ops) g.ops.push_back(op->clone());
  }

  Folded<T> operator()() {
    drop_training_ops();
    for (std::size_t i = 0; i < ops().size();) {
      const bool gone = fold_affine(i);
      if (!gone) ++i;
    }
    pack();
    for (std::size_t i = 0; i < ops().size(); ++i) ops()[i]->index = static_cast<int>(i);
    out_.weights.allocate(static_cast<Index>(weights_.size()));
    std::copy(weights_.begin(), weights_.end(), out_.weights.data());
    return std::move(out_);
  }

 private:
  std::vector<std::unique_ptr<OpBase>>& ops() { return out_.graph.ops; }

  // Readers of the op's output read its input instead.
  void drop(std::size_t i) {
    const int gone = ops()[i]->output.id, stays = ops()[i]->inputs[0].id;
    for (auto& op : ops())
      for (Value& x : op->inputs)
        if (x.id == gone) x.id = stays;
    for (Value& y : out_.graph.outputs)
      if (y.id == gone) y.id = stays;
    ops().erase(ops().begin() + static_cast<std::ptrdiff_t>(i));
  }

  void drop_training_ops() {
    for (std::size_t i = 0; i < ops().size();)
      if (ops()[i]->flags.training_only)
        drop(i);
      else
        ++i;
  }

  bool is_output(int value) const {
    const Values& all = out_.graph.outputs;
    return std::any_of(all.begin(), all.end(), [&](const Value& y) { return y.id == value; });
  }

  std::vector<OpBase*> readers(int value) {
    std::vector<OpBase*> out;
    for (auto& op : ops())
      for (const Value& x : op->inputs)
        if (x.id == value) out.push_back(op.get());
    return out;
  }

  ProductOp<T>* product_that_makes(int value) {
    for (auto& op : ops())
      if (op->output.id == value) return dynamic_cast<ProductOp<T>*>(op.get());
    return nullptr;
  }

  bool fold_affine(std::size_t i) {
    const OpBase& op = *ops()[i];
    const Index n = op.output.width;
    std::vector<T> scale(static_cast<std::size_t>(n)), shift(scale.size());
    if (!static_cast<const Op<T>&>(op).affine(from_, scale.data(), shift.data())) return false;
    const int x = op.inputs[0].id, y = op.output.id;
    ProductOp<T>* before = product_that_makes(x);
    if (before && !is_output(x) && readers(x).size() == 1) {
      fold_behind(*before, scale, shift);
      drop(i);
      return true;
    }
    std::vector<ProductOp<T>*> behind;
    for (OpBase* reader : readers(y)) behind.push_back(dynamic_cast<ProductOp<T>*>(reader));
    const bool small =
        std::all_of(shift.begin(), shift.end(), [](T t) { return std::abs(t) <= T(kMostShift); });
    if (!small || behind.empty() || is_output(y) ||
        std::find(behind.begin(), behind.end(), nullptr) != behind.end())
      return false;
    for (ProductOp<T>* product : behind) fold_before(*product, scale, shift);
    drop(i);
    return true;
  }

  Index place(Index size) {
    const auto offset = static_cast<Index>(weights_.size());
    weights_.resize(static_cast<std::size_t>(offset + round_up(size, kLine / Index{sizeof(T)})));
    return offset;
  }

  // The product's bias, of its own from now on: several ops may share nothing that changes.
  T* bias(ProductOp<T>& product) {
    if (product.bias_offset() < 0) product.set_bias_offset(place(product.output.width));
    return weights_.data() + product.bias_offset();
  }

  // (x W + b) scale + shift
  void fold_behind(ProductOp<T>& product, const std::vector<T>& scale,
                   const std::vector<T>& shift) {
    const Index n = product.output.width;
    T* b = bias(product);
    T* w = weights_.data() + product.kernel_offset();
    for (Index j = 0; j < n; ++j) {
      const auto c = static_cast<std::size_t>(j);
      b[j] = b[j] * scale[c] + shift[c];
      for (Index k = 0; k < product.inputs(); ++k) w[k * n + j] *= scale[c];
    }
  }

  // (x scale + shift) W + b
  void fold_before(ProductOp<T>& product, const std::vector<T>& scale,
                   const std::vector<T>& shift) {
    const Index n = product.output.width;
    T* b = bias(product);
    T* w = weights_.data() + product.kernel_offset();
    std::vector<double> sum(b, b + n);
    for (Index k = 0; k < product.inputs(); ++k) {
      const auto c = static_cast<std::size_t>(k);
      for (Index j = 0; j < n; ++j) {
        sum[static_cast<std::size_t>(j)] += double(shift[c]) * double(w[k * n + j]);
        w[k * n + j] *= scale[c];
      }
    }
    for (Index j = 0; j < n; ++j) b[j] = T(sum[static_cast<std::size_t>(j)]);
  }

  void pack() {
    for (auto& op : ops()) {
      auto* product = dynamic_cast<ProductOp<T>*>(op.get());
      if (!product) continue;
      const Index depth = product->inputs(), n = product->output.width;
      const Index panels = place(panels_size<T>(depth, n));
      Buffer<T> kernel(depth * n);  // read beyond its end, as every Buffer may be
      std::copy_n(weights_.data() + product->kernel_offset(), depth * n, kernel.data());
      pack_panel_rows<T>(depth, n, kernel.data(), n, 0, depth, weights_.data() + panels);
      product->set_panels_offset(panels);
    }
  }

  const T* from_;
  Folded<T> out_;
  std::vector<T> weights_;
};

}  // namespace

template <class T>
Folded<T> fold(const Graph& graph, const T* weights) {
  return Folding<T>(graph, weights)();
}

template Folded<float> fold<float>(const Graph&, const float*);
template Folded<double> fold<double>(const Graph&, const double*);

}  // namespace lamina
