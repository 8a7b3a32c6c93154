// NumPy arrays as the core's views and back. The only file that knows NumPy.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "lamina/nn/model.hpp"
#include "lamina/train/objective.hpp"

namespace lamina::bindings {

namespace py = pybind11;

// A view of a 1-D (one column) or 2-D array, without a copy. `what` opens the errors.
ArrayView view(const char* what, const py::array& array);
// The view of a 2-D array of numbers with so many columns; false for anything else.
bool plain_rows(const py::handle& object, Index columns, ArrayView& view);
// The same of a 1-D array: as a matrix of one row.
bool plain_row(const py::handle& object, Index columns, ArrayView& view);
// The same of an array of 1 or 2 dimensions with any columns, unless it is a memmap.
bool plain_array(const py::handle& object, ArrayView& view);

// By port: an array, or (indptr, indices, data, columns) of a CSR matrix, which keeps its arrays.
using Inputs = std::vector<py::object>;
std::vector<ArrayView> views(const Inputs& inputs);
Data data(const Inputs& inputs, const std::vector<std::optional<py::array>>& targets,
          const std::optional<py::array>& weights,
          const std::optional<std::vector<std::int64_t>>& rows);

// For long calls without the GIL, between their parts: Ctrl-C ends them, and `show`, unless it is
// None, is told how many rows are done.
inline auto signals_and(const py::object& show) {
  return [&show](Index rows) {
    const py::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (!show.is_none()) show(rows);
  };
}

py::dtype numpy_dtype(DataType dtype);
// A new C-contiguous array of the model's dtype.
py::array empty(DataType dtype, std::vector<Index> shape);
// A writable view of the core's memory that keeps `owner` alive.
py::array borrowed(DataType dtype, const std::vector<Index>& shape, void* memory,
                   const py::object& owner);

// The array in float32 or float64, C-contiguous (a copy only if it is not).
template <class T>
using Dense = py::array_t<T, py::array::c_style | py::array::forcecast>;

// Calls f with the array as Dense<float> if it is float32, else as Dense<double>.
template <class F>
auto with_floats(const py::array& array, F&& f) {
  if (py::isinstance<py::array_t<float>>(array)) return f(Dense<float>(array));
  return f(Dense<double>(array));
}

}  // namespace lamina::bindings
