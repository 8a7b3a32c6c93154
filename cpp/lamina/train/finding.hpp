// Where the numbers of a step stopped being finite: the first layer whose output is NaN or
// infinite, and for which row. For when it has happened: it takes the memory and time of a step.
#pragma once

#include "lamina/train/step.hpp"

namespace lamina {

// Runs the ops of a step's plan forward once more, and says ": layer dense_1 gives inf for row 17
// of X, row 3 of the batch", behind what is not finite; or that there is none.
template <class T>
std::string first_not_finite(const Plan& of_step, const T* weights, const Batch& batch,
                             const StepOptions& options, const double* row_share);

}  // namespace lamina
