#include "array.hpp"

#include <string>

namespace lamina::bindings {
namespace {

// By NumPy's type numbers: no string and no attribute, since a prediction of one row takes a
// microsecond.
bool read_dtype(int type_number, DType& out) {
  using api = py::detail::npy_api;
  constexpr int kHalf = 23;  // NPY_HALF, which pybind11 does not name
  switch (type_number) {
    case api::NPY_BOOL_:
      return out = DType::boolean, true;
    case api::NPY_BYTE_:
      return out = DType::int8, true;
    case api::NPY_UBYTE_:
      return out = DType::uint8, true;
    case api::NPY_SHORT_:
      return out = DType::int16, true;
    case api::NPY_USHORT_:
      return out = DType::uint16, true;
    case api::NPY_INT_:
      return out = DType::int32, true;
    case api::NPY_UINT_:
      return out = DType::uint32, true;
    case api::NPY_LONG_:
      return out = sizeof(long) == 8 ? DType::int64 : DType::int32, true;
    case api::NPY_ULONG_:
      return out = sizeof(long) == 8 ? DType::uint64 : DType::uint32, true;
    case api::NPY_LONGLONG_:
      return out = DType::int64, true;
    case api::NPY_ULONGLONG_:
      return out = DType::uint64, true;
    case api::NPY_FLOAT_:
      return out = DType::float32, true;
    case api::NPY_DOUBLE_:
      return out = DType::float64, true;
    case kHalf:
      return out = DType::float16, true;
    default:
      return false;
  }
}

bool is_memmap(const py::array& array) {
  if (Py_TYPE(array.ptr()) == py::detail::npy_api::get().PyArray_Type_) return false;
  return py::isinstance(array, py::module_::import("numpy").attr("memmap"));
}

// The view of an array with one or two dimensions and a known dtype; false for others.
bool read_view(const py::handle& array, ArrayView& v) {
  const auto* a = py::detail::array_proxy(array.ptr());
  const py::handle descriptor(a->descr);
  const auto* d = py::detail::array_descriptor_proxy(descriptor.ptr());
  if (a->nd < 1 || a->nd > 2 || !read_dtype(d->type_num, v.dtype)) return false;
  v.data = a->data;
  v.rows = a->dimensions[0];
  v.columns = a->nd == 2 ? a->dimensions[1] : 1;
  v.row_stride = a->strides[0];
  v.column_stride = a->nd == 2 ? a->strides[1] : 0;
  v.swapped = d->byteorder == '>';
  return true;
}

}  // namespace

ArrayView view(const char* what, const py::array& array) {
  require(array.ndim() == 1 || array.ndim() == 2, what, ": expected a 1-D or 2-D array, got ",
          array.ndim(), " dimensions");
  ArrayView v;
  if (!read_view(array, v))
    throw py::type_error(concat(what, ": dtype ", py::str(array.dtype()).cast<std::string>(),
                                " is not supported; use a float, integer or bool array"));
  if (array.ndim() == 1) v.column_stride = array.itemsize();
  v.streamed = is_memmap(array);
  return v;
}

bool plain_rows(const py::handle& object, Index columns, ArrayView& v) {
  if (!py::detail::npy_api::get().PyArray_Check_(object.ptr())) return false;
  return py::detail::array_proxy(object.ptr())->nd == 2 && read_view(object, v) &&
         v.columns == columns;
}

bool plain_row(const py::handle& object, Index columns, ArrayView& v) {
  if (!py::detail::npy_api::get().PyArray_Check_(object.ptr())) return false;
  if (py::detail::array_proxy(object.ptr())->nd != 1 || !read_view(object, v)) return false;
  std::swap(v.rows, v.columns);
  v.column_stride = v.row_stride;
  v.row_stride *= v.columns;
  return v.columns == columns;
}

bool plain_array(const py::handle& object, ArrayView& v) {
  const auto& api = py::detail::npy_api::get();
  if (Py_TYPE(object.ptr()) != api.PyArray_Type_ || !read_view(object, v)) return false;
  if (py::detail::array_proxy(object.ptr())->nd == 1)
    v.column_stride = py::reinterpret_borrow<py::array>(object).itemsize();
  return true;
}

// What are places in a CSR matrix: the first, and whether they are of int64.
static const void* places(const char* what, const py::handle& given, bool& wide, Index& count) {
  const auto array = py::cast<py::array>(given);
  const ArrayView v = view(what, array);
  require(array.ndim() == 1 && (v.dtype == DType::int32 || v.dtype == DType::int64) && !v.swapped &&
              (v.rows < 2 || v.row_stride == array.itemsize()),
          what, ": expected a contiguous array of int32 or int64");
  wide = v.dtype == DType::int64;
  count = v.rows;
  return v.data;
}

static ArrayView sparse_view(const py::tuple& csr) {
  require(csr.size() == 4, "X: a CSR matrix is (indptr, indices, data, columns)");
  const auto values = py::cast<py::array>(csr[2]);
  ArrayView v = view("data", values);
  const Index count = v.rows;
  require(values.ndim() == 1 && (count < 2 || v.row_stride == values.itemsize()),
          "data: expected a contiguous array of one dimension");
  Index starts = 0, columns = 0;
  v.row_starts = places("indptr", csr[0], v.wide_starts, starts);
  v.places = places("indices", csr[1], v.wide_places, columns);
  require(starts >= 1, "indptr: expected an array of rows + 1 places");
  v.rows = starts - 1;
  v.columns = py::cast<Index>(csr[3]);
  v.column_stride = values.itemsize();
  v.row_stride = 0;
  v.streamed = false;
  v.entries = v.wide_starts ? static_cast<const std::int64_t*>(v.row_starts)[v.rows]
                            : static_cast<const std::int32_t*>(v.row_starts)[v.rows];
  require(v.entries >= 0 && v.entries <= std::min(count, columns), "indptr ends with ", v.entries,
          ", but there are ", count, " values of ", columns, " columns");
  return v;
}

std::vector<ArrayView> views(const Inputs& inputs) {
  std::vector<ArrayView> out;
  for (const py::object& input : inputs) {
    const bool sparse = py::isinstance<py::tuple>(input);
    out.push_back(sparse ? sparse_view(py::reinterpret_borrow<py::tuple>(input))
                         : view("X", py::cast<py::array>(input)));
  }
  return out;
}

Data data(const Inputs& inputs, const std::vector<std::optional<py::array>>& targets,
          const std::optional<py::array>& weights,
          const std::optional<std::vector<std::int64_t>>& rows) {
  Data out;
  out.inputs = views(inputs);
  for (const auto& target : targets)
    out.targets.push_back(target ? view("y", *target) : ArrayView{});
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
