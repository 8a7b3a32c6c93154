#include "array.hpp"

#include <map>
#include <string>

namespace lamina::bindings {
namespace {

DType read_dtype(const char* what, const py::dtype& dtype) {
  static const std::map<std::string, DType> known = {
      {"f4", DType::float32}, {"f8", DType::float64}, {"f2", DType::float16},
      {"i1", DType::int8},    {"i2", DType::int16},   {"i4", DType::int32},
      {"i8", DType::int64},   {"u1", DType::uint8},   {"u2", DType::uint16},
      {"u4", DType::uint32},  {"u8", DType::uint64},  {"b1", DType::boolean}};
  const auto found = known.find(std::string(1, dtype.kind()) + std::to_string(dtype.itemsize()));
  if (found == known.end())
    throw py::type_error(concat(what, ": dtype ", py::str(dtype).cast<std::string>(),
                                " is not supported; use a float, integer or bool array"));
  return found->second;
}

}  // namespace

ArrayView view(const char* what, const py::array& array) {
  require(array.ndim() == 1 || array.ndim() == 2, what, ": expected a 1-D or 2-D array, got ",
          array.ndim(), " dimensions");
  ArrayView v;
  const py::dtype dtype = array.dtype();
  v.data = array.data();
  v.dtype = read_dtype(what, dtype);
  v.rows = array.shape(0);
  v.columns = array.ndim() == 2 ? array.shape(1) : 1;
  v.row_stride = array.strides(0);
  v.column_stride = array.ndim() == 2 ? array.strides(1) : dtype.itemsize();
  const char order = dtype.byteorder();
  v.swapped = order == '>';
  v.streamed = py::isinstance(array, py::module_::import("numpy").attr("memmap"));
  return v;
}

std::vector<ArrayView> views(const std::vector<py::array>& arrays) {
  std::vector<ArrayView> out;
  for (const auto& array : arrays) out.push_back(view("X", array));
  return out;
}

Data data(const std::vector<py::array>& inputs, const py::array& target,
          const std::optional<py::array>& weights,
          const std::optional<std::vector<std::int64_t>>& rows) {
  Data out;
  out.inputs = views(inputs);
  out.target = view("y", target);
  if (weights) out.weights = view("sample_weight", *weights);
  if (rows) {
    require(!rows->empty(), "there are no rows");
    out.subset = *rows;
  }
  return out;
}

py::dtype numpy_dtype(DataType dtype) {
  return dtype == DataType::float32 ? py::dtype::of<float>() : py::dtype::of<double>();
}

py::array empty(DataType dtype, std::vector<Index> shape) {
  return py::array(numpy_dtype(dtype), std::move(shape));
}

py::array borrowed(DataType dtype, const std::vector<Index>& shape, void* memory,
                   const py::object& owner) {
  return py::array(numpy_dtype(dtype), shape, memory, owner);
}

}  // namespace lamina::bindings
