#include "lamina/nn/ops/impute_op.hpp"

namespace lamina {

template class PreprocessOp<float, ImputeOp<float>>;
template class PreprocessOp<double, ImputeOp<double>>;
template class ImputeOp<float>;
template class ImputeOp<double>;

}  // namespace lamina
