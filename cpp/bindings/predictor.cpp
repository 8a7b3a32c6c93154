#include "lamina/nn/frozen_model.hpp"

#include "bindings.hpp"
#include "predicting.hpp"

namespace lamina::bindings {

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
           "exact_threads"_a, "show"_a = py::none())
      .def("predict_rows", &predict_rows<FrozenModel>, "x"_a, "batch_size"_a, "num_threads"_a,
           "exact_threads"_a)
      .def("predict_row", &predict_row<FrozenModel>, "x"_a)
      .def("predict_one", &predict_one<FrozenModel>, "inputs"_a);
}

}  // namespace lamina::bindings
