#include "lamina/train/optimizer.hpp"

#include "array.hpp"
#include "bindings.hpp"

namespace lamina::bindings {
namespace {

template <class T>
void update_of(Optimizer& optimizer, const std::vector<py::array>& parameters,
               const std::vector<py::array>& gradients) {
  std::vector<T*> p;
  std::vector<const T*> g;
  std::vector<Index> sizes;
  std::vector<Dense<T>> kept;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    py::array array = parameters[i];
    require(py::isinstance<py::array_t<T>>(array) && (array.flags() & py::array::c_style) &&
                array.writeable(),
            "update: parameter ", i,
            " must be a writable C-contiguous array of the first one's dtype (float32 or float64)");
    require(gradients[i].size() == array.size(), "update: gradient ", i, " has ",
            gradients[i].size(), " elements, the parameter ", array.size());
    kept.push_back(Dense<T>(gradients[i]));
    p.push_back(static_cast<T*>(array.mutable_data()));
    g.push_back(kept.back().data());
    sizes.push_back(array.size());
  }
  optimizer.update(p, g, sizes);
}

void update(Optimizer& optimizer, const std::vector<py::array>& parameters,
            const std::vector<py::array>& gradients) {
  require(!parameters.empty() && parameters.size() == gradients.size(),
          "update: expected as many gradients as parameters, got ", parameters.size(), " and ",
          gradients.size());
  if (py::isinstance<py::array_t<float>>(parameters[0]))
    update_of<float>(optimizer, parameters, gradients);
  else
    update_of<double>(optimizer, parameters, gradients);
}

// Copies share the function and need no GIL; the last one takes it.
ScheduleFunction schedule_function(const py::function& function) {
  const std::shared_ptr<py::function> shared(new py::function(function), [](py::function* p) {
    const py::gil_scoped_acquire acquire;
    delete p;
  });
  return [shared](double t) {
    const py::gil_scoped_acquire acquire;
    const py::object value =
        t == std::floor(t) ? (*shared)(py::int_(static_cast<Index>(t))) : (*shared)(t);
    try {
      return py::float_(value).cast<double>();
    } catch (const py::error_already_set&) {
      throw py::type_error("a schedule's function must return a number, got " +
                           py::repr(value).cast<std::string>());
    }
  };
}

}  // namespace

ScheduleFunctions schedule_functions(const py::list& functions) {
  ScheduleFunctions out;
  for (const py::handle& function : functions)
    out.push_back(schedule_function(py::reinterpret_borrow<py::function>(function)));
  return out;
}

void bind_optimizer(py::module_& m) {
  using namespace py::literals;
  py::class_<Optimizer, std::shared_ptr<Optimizer>>(m, "Optimizer")
      .def(py::init([](const std::string& spec, const py::list& functions) {
             return std::make_shared<Optimizer>(parse_json("optimizer", spec),
                                                schedule_functions(functions));
           }),
           "spec"_a, "functions"_a = py::list())
      .def_property_readonly(
          "spec", [](const Optimizer& self) { return write_optimizer(self.settings).dump(); })
      .def_property_readonly("iterations", [](const Optimizer& self) { return self.iterations; })
      .def_property_readonly("batches", &Optimizer::batches)
      .def_readwrite("epoch", &Optimizer::epoch)
      .def_readwrite("rate_scale", &Optimizer::rate_scale)
      .def_property_readonly("learning_rate", &Optimizer::learning_rate)
      .def_property_readonly("last_learning_rate", &Optimizer::last_learning_rate)
      .def("current", &Optimizer::current, "name"_a)
      .def("update", &update, "parameters"_a, "gradients"_a)
      .def("step", &Optimizer::step, "model"_a)
      .def("reset", &Optimizer::reset);
}

}  // namespace lamina::bindings
