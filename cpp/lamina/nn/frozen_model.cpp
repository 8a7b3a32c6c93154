#include "lamina/nn/frozen_model.hpp"

namespace lamina {
namespace {

template <class T>
class FrozenModelOf final : public FrozenModel {
 public:
  explicit FrozenModelOf(Folded<T> folded)
      : folded_(std::move(folded)), inference_(folded_.graph) {}
  const Graph& graph() const override { return folded_.graph; }
  Index flops_per_row() const override { return inference_.plan().flops_per_row; }
  std::size_t bytes() const override { return folded_.weights.bytes(); }
  void predict(std::span<const ArrayView> inputs, std::span<void* const> out,
               const PredictOptions& options) const override {
    const Index n = check_inputs(folded_.graph, inputs);
    check_codes(folded_.graph, inputs);
    inference_.predict(folded_.weights.data(), inputs, n, out, options);
  }

  void make_ready(int calls) const override {
    inference_.make_ready(folded_.weights.data(), calls);
  }

 private:
  const Folded<T> folded_;
  const Inference<T> inference_;
};

template <class T>
std::unique_ptr<FrozenModel> frozen(const Model& model, Folding folding) {
  model.require_adapted();
  const auto weights = model.still_weights();
  return std::make_unique<FrozenModelOf<T>>(
      fold(model.graph(), static_cast<const T*>(weights.get()), folding));
}

}  // namespace

std::unique_ptr<FrozenModel> FrozenModel::freeze(const Model& model, Folding folding) {
  model.require_adapted();
  return model.dtype() == DataType::float32 ? frozen<float>(model, folding)
                                            : frozen<double>(model, folding);
}

}  // namespace lamina
