#include "lamina/nn/frozen_model.hpp"

#include "bindings.hpp"
#include "predicting.hpp"

namespace lamina::bindings {
namespace {

py::object run_row(const FrozenModel& model, const std::vector<ArrayView>& x) {
  const Graph& graph = model.graph();
  return run_into(model, x, 1, arrays_for(graph, graph.outputs, {}), {1, 0, false, {}});
}

// The short way for a model with one input and an array that it can read as it is; None otherwise,
// and then Python converts or says what is wrong.
py::object predict_row(const FrozenModel& model, const py::handle& x) {
  const auto& ports = model.graph().ports;
  std::vector<ArrayView> views(1);
  if (ports.size() != 1 || !plain_row(x, ports[0].value.width, views[0])) return py::none();
  return run_row(model, views);
}

// Matrices of one row each.
py::object predict_one(const FrozenModel& model, const std::vector<py::array>& inputs) {
  const std::vector<ArrayView> x = views(inputs);
  const Index rows = check_inputs(model.graph(), x);
  require(rows == 1, "predict_one: expected one row, got ", rows);
  return run_row(model, x);
}

}  // namespace

std::vector<py::array> arrays_for(const Graph& graph, const Values& values,
                                  std::optional<Index> rows) {
  std::vector<py::array> out;
  for (const Value& y : values) {
    std::vector<Index> shape;
    if (rows) shape.push_back(*rows);
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
      .def("predict_row", &predict_row, "x"_a)
      .def("predict_one", &predict_one, "inputs"_a);
}

}  // namespace lamina::bindings
