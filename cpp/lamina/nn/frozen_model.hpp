// FrozenModel: a model that only predicts, folded and unchanging. Any threads may share one.
#pragma once

#include "lamina/nn/fold.hpp"
#include "lamina/nn/model.hpp"

namespace lamina {

class FrozenModel {
 public:
  // The model's weights as they are now, or after the last epoch of a fit that runs. Raises
  // StateError if layers that adapt have not seen data.
  static std::unique_ptr<FrozenModel> freeze(const Model& model, Folding folding = Folding::full);
  virtual ~FrozenModel() = default;
  virtual const Graph& graph() const = 0;
  virtual Index flops_per_row() const = 0;
  virtual std::size_t bytes() const = 0;
  // Checks the inputs. out: by output, (rows, its width) of the dtype.
  virtual void predict(std::span<const ArrayView> inputs, std::span<void* const> out,
                       const PredictOptions& options) const = 0;
  void predict(const std::vector<ArrayView>& inputs, const std::vector<void*>& out,
               const PredictOptions& options) const {
    predict(std::span(inputs), std::span(out), options);
  }
  // So many calls at once, each on one thread, allocate nothing from now on.
  virtual void make_ready(int calls) const = 0;
};

}  // namespace lamina
