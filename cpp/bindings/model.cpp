#include "lamina/nn/model.hpp"

#include "array.hpp"
#include "bindings.hpp"
#include "lamina/io/model_file.hpp"

namespace lamina::bindings {
namespace {

using Pointer = std::shared_ptr<Model>;

py::array run_predict(const Model& model, const std::vector<ArrayView>& x,
                      std::optional<Index> batch_size, std::optional<int> num_threads,
                      bool exact_threads) {
  const Index rows = model.check_inputs(x);
  py::array out = empty(model.dtype(), {rows, model.graph().output.width});
  void* y = out.mutable_data();
  PredictOptions options{batch_size.value_or(256), num_threads.value_or(0), exact_threads, {}};
  // Below some tens of microseconds nobody gains from the GIL, or waits for a signal.
  if (rows <= 256 && rows * model.flops_per_row() < 1000000) {
    model.predict(x, y, options);
    return out;
  }
  options.tick = check_signals;
  const py::gil_scoped_release release;
  model.predict(x, y, options);
  return out;
}

py::array predict(const Model& model, const std::vector<py::array>& inputs,
                  std::optional<Index> batch_size, std::optional<int> num_threads,
                  bool exact_threads) {
  return run_predict(model, views(inputs), batch_size, num_threads, exact_threads);
}

// The short way for a model with one numeric input and an array that it can read as it is; None
// otherwise, and then Python converts or says what is wrong.
py::object predict_rows(const Model& model, const py::handle& x, std::optional<Index> batch_size,
                        std::optional<int> num_threads, bool exact_threads) {
  const auto& ports = model.graph().ports;
  std::vector<ArrayView> views(1);
  if (ports.size() != 1 || ports[0].codes || !plain_rows(x, ports[0].value.width, views[0]))
    return py::none();
  return run_predict(model, views, batch_size, num_threads, exact_threads);
}

py::array forward(Model& model, const std::vector<py::array>& inputs, bool training) {
  const auto x = views(inputs);
  py::array out = empty(model.dtype(), {model.check_inputs(x), model.graph().output.width});
  model.forward(x, training, out.mutable_data());
  return out;
}

template <class T>
py::object backward_of(Model& model, const py::array& gradient) {
  const Dense<T> g(gradient);
  const Index rows = model.forward_rows(), width = model.graph().output.width;
  require(g.size() == rows * width, "backward: expected a gradient of shape ",
          shape_text({rows, width}), " (like forward's output), got ",
          py::str(gradient.attr("shape")).cast<std::string>());
  const Port& port = model.graph().ports[0];
  if (port.codes) {
    model.backward(g.data(), nullptr);
    return py::none();
  }
  py::array dx = empty(model.dtype(), {rows, port.value.width});
  model.backward(g.data(), dx.mutable_data());
  return dx;
}

py::object backward(Model& model, const py::array& gradient) {
  return model.dtype() == DataType::float32 ? backward_of<float>(model, gradient)
                                            : backward_of<double>(model, gradient);
}

void initialize(Model& model, const std::vector<py::array>& inputs,
                std::optional<int> num_threads) {
  const auto x = views(inputs);
  const py::gil_scoped_release release;
  model.initialize_from(x, num_threads.value_or(0));
}

py::array tensor_view(const py::object& self, const std::string& name, bool gradient) {
  Model& model = *self.cast<Pointer>();
  const Tensor& tensor = model.graph().parameters.at(name);
  if (gradient && !model.has_gradients())
    throw StateError(
        "the model has no gradients yet: call model.backward(...) or trainer.compute_gradients(X, "
        "y)");
  auto* base = static_cast<std::byte*>(gradient ? model.gradients() : model.parameters());
  const Index width = model.dtype() == DataType::float32 ? 4 : 8;
  return borrowed(model.dtype(), tensor.shape, base + tensor.offset * width, self);
}

py::list tensors(const Model& model) {
  py::list out;
  for (const Tensor& t : model.graph().parameters.tensors) {
    py::dict row;
    row["name"] = t.name;
    row["layer"] = t.layer;
    row["role"] = role_name(t.role);
    row["shape"] = py::tuple(py::cast(t.shape));
    row["size"] = t.size;
    row["trainable"] = t.trainable;
    out.append(row);
  }
  return out;
}

py::list ports(const Model& model) {
  py::list out;
  for (const Port& p : model.graph().ports) {
    py::dict row;
    row["name"] = p.name;
    row["shape"] = py::tuple(py::cast(p.shape));
    row["kind"] = p.codes ? "codes" : "numeric";
    out.append(row);
  }
  return out;
}

py::list summary(const Model& model) {
  py::list out;
  for (const LayerSummary& s : model.summary()) {
    py::dict row;
    row["name"] = s.name;
    row["class"] = s.class_name;
    row["output_shape"] = s.output_shape;
    row["parameters"] = s.parameters;
    row["flops"] = s.flops;
    out.append(row);
  }
  return out;
}

py::list operations(const Model& model) {
  py::list out;
  for (const auto& op : model.graph().ops) {
    py::dict row;
    row["kind"] = op->kind;
    row["layer"] = op->layer;
    row["width"] = op->output.width;
    row["flops"] = op->flops_per_row();
    out.append(row);
  }
  return out;
}

py::tuple loaded(LoadedModel model) {
  return py::make_tuple(Pointer(std::move(model.model)), model.extra);
}

}  // namespace

void bind_model(py::module_& m) {
  using namespace py::literals;
  py::class_<Model, Pointer>(m, "Model")
      .def(
          py::init([](const std::string& spec, const py::list& functions) {
            return Pointer(Model::create(parse_json("model", spec), schedule_functions(functions)));
          }),
          "spec"_a, "functions"_a = py::list())
      .def_property_readonly("spec", [](const Model& self) { return self.spec().dump(); })
      .def_property_readonly("seed", &Model::seed)
      .def_property_readonly("busy", &Model::busy)
      .def_property_readonly("outputs", [](const Model& self) { return self.graph().output.width; })
      .def_property_readonly("num_parameters",
                             [](const Model& self) { return self.graph().parameters.count(); })
      .def_property_readonly(
          "num_trainable",
          [](const Model& self) { return self.graph().parameters.trainable_count(); })
      .def("tensors", &tensors)
      .def("ports", &ports)
      .def("summary", &summary)
      .def("operations", &operations)
      .def("predict", &predict, "inputs"_a, "batch_size"_a = py::none(),
           "num_threads"_a = py::none(), "exact_threads"_a = false)
      .def("predict_rows", &predict_rows, "x"_a, "batch_size"_a, "num_threads"_a, "exact_threads"_a)
      .def("forward", &forward, "inputs"_a, "training"_a)
      .def("backward", &backward, "gradient"_a)
      .def("initialize", &initialize, "inputs"_a, "num_threads"_a = py::none())
      .def("set_trainable", &Model::set_trainable, "layer"_a, "trainable"_a)
      .def("fingerprint", [](Model& self) { return fingerprint(self); })
      .def(
          "save",
          [](Model& self, const std::string& path, const std::string& extra) {
            save_model(path, self, extra);
          },
          "path"_a, "extra"_a)
      .def("to_bytes", [](Model& self) { return py::bytes(encode_model(self, "")); });
  m.attr("Model").attr("view") =
      py::cpp_function([](const py::object& self,
                          const std::string& name) { return tensor_view(self, name, false); },
                       py::name("view"), py::is_method(m.attr("Model")), "name"_a);
  m.attr("Model").attr("gradient_view") = py::cpp_function(
      [](const py::object& self, const std::string& name) { return tensor_view(self, name, true); },
      py::name("gradient_view"), py::is_method(m.attr("Model")), "name"_a);
  m.def("load_model", [](const std::string& path) { return loaded(load_model(path)); }, "path"_a);
  m.def(
      "model_from_bytes",
      [](const py::bytes& bytes) {
        const std::string_view text = bytes;
        return loaded(decode_model("model", {text.data(), text.size()}));
      },
      "data"_a);
}

}  // namespace lamina::bindings
