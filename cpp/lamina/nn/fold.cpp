#include "lamina/nn/fold.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "lamina/nn/ops/product_op.hpp"

namespace lamina {
namespace {

// Scaling before a product moves into it unless a shift is larger than so many times the scaled
// numbers' own size (1): x would lose the digits that the difference x - mean has. At 4 a sum
// begins with two bits less.
constexpr double kMostShift = 4;
// Nor do scales move that would take weights near the ends of float32.
constexpr double kMostScale = 1e12;

// What an op does to its columns in inference.
struct Line {
  std::vector<double> scale, shift;

  bool moves() const {
    return std::all_of(scale.begin(), scale.end(), [](double s) {
      return s == 0 || (std::abs(s) <= kMostScale && std::abs(s) >= 1 / kMostScale);
    });
  }
  bool shifts_little() const {
    return std::all_of(shift.begin(), shift.end(),
                       [](double t) { return std::abs(t) <= kMostShift; });
  }
};

template <class T>
class Folder {
 public:
  Folder(const Graph& graph, const T* weights) : from_(weights) {
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

  Folded<T> operator()(Folding folding) {
    drop_identities();
    if (folding == Folding::full) move_scales();
    pack();
    for (std::size_t i = 0; i < ops().size(); ++i) ops()[i]->index = static_cast<int>(i);
    out_.weights.allocate(static_cast<Index>(weights_.size()));
    std::copy(weights_.begin(), weights_.end(), out_.weights.data());
    return std::move(out_);
  }

 private:
  std::vector<std::unique_ptr<OpBase>>& ops() { return out_.graph.ops; }

  // Backward first: what scales both what one product gives and what another reads is gone then.
  void move_scales() {
    for (std::size_t i = 0; i < ops().size();)
      if (!fold_into_maker(i)) ++i;
    for (std::size_t i = ops().size(); i-- > 0;) fold_into_readers(i);
  }

  // Readers of the op's output read its input instead.
  void drop(std::size_t i) {
    const auto gone = static_cast<std::size_t>(ops()[i]->output.id);
    const Value stays = ops()[i]->inputs[0];
    for (auto& op : ops())
      for (Value& x : op->inputs)
        if (x.id == static_cast<int>(gone)) x.id = stays.id;
    for (Value& y : out_.graph.outputs) {
      if (y.id != static_cast<int>(gone)) continue;
      y.id = stays.id;
      auto& shapes = out_.graph.shapes;  // a Reshape between the two may be gone already
      shapes[static_cast<std::size_t>(stays.id)] = shapes[gone];
    }
    ops().erase(ops().begin() + static_cast<std::ptrdiff_t>(i));
  }

  // What only training does, and other shapes of the same rows (an output keeps its own).
  void drop_identities() {
    for (std::size_t i = 0; i < ops().size();) {
      const OpBase& op = *ops()[i];
      if (op.flags.training_only || (op.flags.view && !is_output(op.output.id)))
        drop(i);
      else
        ++i;
    }
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

  std::optional<Line> line(const OpBase& op) const {
    Line out;
    out.scale.resize(static_cast<std::size_t>(op.output.width));
    out.shift.resize(out.scale.size());
    const auto& typed = static_cast<const Op<T>&>(op);
    if (!typed.affine(from_, out.scale.data(), out.shift.data()) || !out.moves()) return {};
    return out;
  }

  // Into the product before it, if nobody else reads what that gives. However far the shift, no
  // digits are lost that the product's own rounding leaves.
  bool fold_into_maker(std::size_t i) {
    const OpBase& op = *ops()[i];
    const int x = op.inputs[0].id;
    ProductOp<T>* maker = product_that_makes(x);
    if (!maker || is_output(x) || readers(x).size() != 1) return false;
    const auto what = line(op);
    if (!what) return false;
    fold_behind(*maker, *what);
    drop(i);
    return true;
  }

  // Into the products behind it, if only products read what it gives.
  void fold_into_readers(std::size_t i) {
    const OpBase& op = *ops()[i];
    const int y = op.output.id;
    std::vector<ProductOp<T>*> products;
    for (OpBase* reader : readers(y)) {
      products.push_back(dynamic_cast<ProductOp<T>*>(reader));
      if (!products.back()) return;
    }
    if (products.empty() || is_output(y)) return;
    const auto what = line(op);
    if (!what || !what->shifts_little()) return;
    for (ProductOp<T>* product : products) fold_before(*product, *what);
    drop(i);
  }

  Index place(Index size) {
    const auto offset = static_cast<Index>(weights_.size());
    weights_.resize(static_cast<std::size_t>(offset + round_up(size, kLine / Index{sizeof(T)})));
    return offset;
  }

  T* bias(ProductOp<T>& product) {
    if (product.bias_offset() < 0) product.set_bias_offset(place(product.output.width));
    return weights_.data() + product.bias_offset();
  }

  // (x W + b) scale + shift
  void fold_behind(ProductOp<T>& product, const Line& line) {
    const Index n = product.output.width;
    T* b = bias(product);
    T* w = weights_.data() + product.kernel_offset();
    for (Index j = 0; j < n; ++j) {
      const auto c = static_cast<std::size_t>(j);
      b[j] = T(double(b[j]) * line.scale[c] + line.shift[c]);
      for (Index k = 0; k < product.inputs(); ++k)
        w[k * n + j] = T(double(w[k * n + j]) * line.scale[c]);
    }
  }

  // (x scale + shift) W + b
  void fold_before(ProductOp<T>& product, const Line& line) {
    const Index n = product.output.width;
    T* b = bias(product);
    T* w = weights_.data() + product.kernel_offset();
    std::vector<double> sum(b, b + n);
    for (Index k = 0; k < product.inputs(); ++k) {
      const auto c = static_cast<std::size_t>(k);
      for (Index j = 0; j < n; ++j) {
        sum[static_cast<std::size_t>(j)] += line.shift[c] * double(w[k * n + j]);
        w[k * n + j] = T(double(w[k * n + j]) * line.scale[c]);
      }
    }
    for (Index j = 0; j < n; ++j) b[j] = T(sum[static_cast<std::size_t>(j)]);
  }

  void pack() {
    for (auto& op : ops()) {
      auto* product = dynamic_cast<ProductOp<T>*>(op.get());
      if (!product || !product->reads_panels()) continue;
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
Folded<T> fold(const Graph& graph, const T* weights, Folding folding) {
  return Folder<T>(graph, weights)(folding);
}

template Folded<float> fold<float>(const Graph&, const float*, Folding);
template Folded<double> fold<double>(const Graph&, const double*, Folding);

}  // namespace lamina
