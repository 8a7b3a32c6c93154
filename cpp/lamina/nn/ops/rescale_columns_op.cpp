#include "lamina/nn/ops/rescale_columns_op.hpp"

namespace lamina {

template class PreprocessOp<float, RescaleColumnsOp<float>>;
template class PreprocessOp<double, RescaleColumnsOp<double>>;
template class RescaleColumnsOp<float>;
template class RescaleColumnsOp<double>;

}  // namespace lamina
