#include "lamina/nn/frozen_model.hpp"

#include "bindings.hpp"
#include "predicting.hpp"

namespace lamina::bindings {
namespace {

// A row as a matrix of one.
ArrayView as_row(const py::array& row) {
  require(row.ndim() == 1, "predict_one: expected one row, shape (columns,), got an array of ",
          row.ndim(), " axes; predict(X) takes several");
  ArrayView v = view("predict_one", row);
  std::swap(v.rows, v.columns);
  std::swap(v.row_stride, v.column_stride);
  return v;
}

py::object predict_one(const FrozenModel& model, const std::vector<py::array>& inputs) {
  std::vector<ArrayView> x;
  for (const py::array& row : inputs) x.push_back(as_row(row));
  check_inputs(model.graph(), x);
  const Graph& graph = model.graph();
  std::vector<py::array> out;
  for (const Value& y : graph.outputs) out.push_back(empty(graph.dtype, graph.shape(y)));
  model.predict(x, memory(out), {1, 1, false, {}});
  return one_or_list(out);
}

}  // namespace

std::vector<py::array> arrays_for(const Graph& graph, const Values& values, Index rows) {
  std::vector<py::array> out;
  for (const Value& y : values) {
    std::vector<Index> shape = {rows};
    for (const Index n : graph.shape(y)) shape.push_back(n);
    out.push_back(empty(graph.dtype, shape));
  }
  return out;
}

std::vector<void*> memory(std::vector<py::array>& arrays) {
  std::vector<void*> out;
  for (py::array& array : arrays) out.push_back(array.mutable_data());
  return out;
}

py::object one_or_list(std::vector<py::array>& arrays) {
  if (arrays.size() == 1) return std::move(arrays[0]);
  return py::cast(arrays);
}

void bind_predictor(py::module_& m) {
  using namespace py::literals;
  py::class_<FrozenModel>(m, "Predictor")
      .def(py::init([](const Model& model) {
             return std::unique_ptr<FrozenModel>(FrozenModel::freeze(model));
           }),
           "model"_a)
      .def_property_readonly("bytes", &FrozenModel::bytes)
      .def("operations",
           [](const FrozenModel& self) {
             std::vector<std::string> kinds;
             for (const auto& op : self.graph().ops) kinds.push_back(op->kind);
             return kinds;
           })
      .def("predict", &predict<FrozenModel>, "inputs"_a, "batch_size"_a, "num_threads"_a,
           "exact_threads"_a)
      .def("predict_rows", &predict_rows<FrozenModel>, "x"_a, "batch_size"_a, "num_threads"_a,
           "exact_threads"_a)
      .def("predict_one", &predict_one, "inputs"_a);
}

}  // namespace lamina::bindings
