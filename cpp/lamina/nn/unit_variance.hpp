// The data-driven start: what kernels with UnitVariance make of the first rows of data gets
// variance 1, unit by unit, layer after layer in the network's order. Mishkin & Matas, All you need
// is a good init, arXiv 1511.06422 (there a layer at a time); a unit at a time as in arXiv
// 2407.04491.
#pragma once

#include "lamina/nn/workspace.hpp"

namespace lamina {

// Does a trainable kernel wait for data? (Frozen ones are left as they are.)
bool wants_data(const ParameterTable& table);

// Rescales such kernels of the ops with places in `ops`, or those of them whose op waits for data,
// in `parameters`. A unit whose
// pre-activations are all the same, or nearly, is left alone. Dropout is off; batch normalisation
// goes by the mean and variance of these rows and its running statistics stay. `rows`: those of the
// data, of which each kernel looks at the first so many as its initialiser says. The bits do not
// depend on `threads`. Raises, with `parameters` in no particular state, if pre-activations are not
// finite.
template <class T>
void scale_to_unit_variance(const Graph& graph, const Batch& rows, std::uint64_t seed, int threads,
                            Range ops, bool waiting, T* parameters);

}  // namespace lamina
