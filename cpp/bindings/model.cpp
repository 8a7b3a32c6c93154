#include "lamina/nn/model.hpp"

#include "bindings.hpp"
#include "lamina/io/model_file.hpp"
#include "predicting.hpp"

namespace lamina::bindings {
namespace {

using Pointer = std::shared_ptr<Model>;

// What a layer gives.
py::object predict_layer(const Model& model, const Inputs& inputs, const std::string& layer,
                         std::optional<Index> batch_size, std::optional<int> num_threads,
                         const py::object& show) {
  const auto x = views(inputs);
  const Values& values = model.graph().layer(layer).outputs;
  for (const Value& y : values)
    require(!y.codes && !y.sparse, layer, ": it gives ", y.codes ? "category codes" : "sparse rows",
            ", which are X itself");
  std::vector<py::array> out = arrays_for(model.graph(), values, model.check_inputs(x));
  const auto y = memory(out);
  {
    const py::gil_scoped_release release;
    model.predict_values(
        values, x, y,
        {batch_size.value_or(256), num_threads.value_or(0), false, signals_and(show)});
  }
  return one_or_list(out);
}

// Gradients by port: arrays, None for codes and sparse rows; a single port's alone.
py::object input_gradients(const Model& model, Index rows, std::vector<void*>& pointers,
                           py::list& list) {
  for (const Port& port : model.graph().ports) {
    if (!port.dense()) {
      list.append(py::none());
      pointers.push_back(nullptr);
      continue;
    }
    py::array dx = arrays_for(model.graph(), {port.value}, rows)[0];
    pointers.push_back(dx.mutable_data());
    list.append(std::move(dx));
  }
  return list.size() == 1 ? py::object(list[0]) : py::object(list);
}

py::object input_gradient(const Model& model, const Inputs& inputs, Index output,
                          const std::optional<std::string>& layer, std::optional<int> num_threads) {
  const auto x = views(inputs);
  const Graph& graph = model.graph();
  const Values& values = layer ? graph.layer(*layer).outputs : graph.outputs;
  require(!layer || values.size() == 1, "input_gradient: the layer '", layer.value_or(""), "' has ",
          values.size(), " outputs; name one within it that makes the one you mean");
  require(values.size() == 1, "input_gradient: there are ", values.size(), " outputs (",
          join(graph.output_names), "): say which by layer=");
  const auto& ports = graph.ports;
  require(std::none_of(ports.begin(), ports.end(), [](const Port& p) { return p.sparse; }) ||
              std::any_of(ports.begin(), ports.end(), [](const Port& p) { return p.dense(); }),
          "input_gradient: rows of a sparse input have no gradient; lm.Input(columns) without "
          "kind='sparse' takes the same matrix and has one");
  std::vector<void*> pointers;
  py::list list;
  const py::object out = input_gradients(model, model.check_inputs(x), pointers, list);
  const py::object nobody = py::none();
  const py::gil_scoped_release release;
  model.input_gradient(values[0], output, x, pointers,
                       {256, num_threads.value_or(0), false, signals_and(nobody)});
  return out;
}

py::object forward(Model& model, const Inputs& inputs, bool training) {
  const auto x = views(inputs);
  std::vector<py::array> out =
      arrays_for(model.graph(), model.graph().outputs, model.check_inputs(x));
  model.forward(x, training, memory(out));
  return one_or_list(out);
}

template <class T>
py::object backward_of(Model& model, const std::vector<py::array>& gradients) {
  const Values& outputs = model.graph().outputs;
  require(gradients.size() == outputs.size(), "backward: expected ", outputs.size(),
          " gradients, one an output, got ", gradients.size());
  const Index rows = model.forward_rows();
  std::vector<Dense<T>> kept;
  std::vector<const void*> pointers;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    kept.emplace_back(gradients[i]);
    std::vector<Index> shape = {rows};
    for (const Index n : model.graph().shape(outputs[i])) shape.push_back(n);
    require(gradients[i].ndim() > 0 && gradients[i].shape(0) == rows &&
                kept[i].size() == rows * outputs[i].width,
            "backward: expected a gradient of shape ", shape_text(shape),
            " (like forward's output), got ",
            py::str(gradients[i].attr("shape")).template cast<std::string>());
    pointers.push_back(kept[i].data());
  }
  std::vector<void*> inputs;
  py::list list;
  py::object out = input_gradients(model, rows, inputs, list);
  model.backward(pointers, inputs);
  return out;
}

py::object backward(Model& model, const std::vector<py::array>& gradients) {
  return model.dtype() == DataType::float32 ? backward_of<float>(model, gradients)
                                            : backward_of<double>(model, gradients);
}

void initialize(Model& model, const Inputs& inputs, std::optional<int> num_threads) {
  const auto x = views(inputs);
  const py::gil_scoped_release release;
  model.initialize_from(x, num_threads.value_or(0));
}

void adapt(Model& model, const Inputs& inputs, std::optional<int> num_threads) {
  const auto x = views(inputs);
  const py::gil_scoped_release release;
  model.adapt_to(x, num_threads.value_or(0));
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
    row["kind"] = p.kind();
    out.append(row);
  }
  return out;
}

py::list numbers(const Values& values) {
  py::list out;
  for (const Value& x : values)
    if (x.id >= 0) out.append(x.id);
  return out;
}

py::list shapes(const Model& model, const Values& values) {
  py::list out;
  for (const Value& x : values)
    if (x.id >= 0) out.append(py::tuple(py::cast(model.graph().shape(x))));
  return out;
}

// A dict a layer, a container before what is in it.
py::list layers(const Model& model) {
  const Graph& graph = model.graph();
  py::list out;
  for (const LayerRecord& layer : graph.layers) {
    Index parameters = 0, flops = 0;
    for (Index i = layer.tensors.begin; i < layer.tensors.end; ++i)
      parameters += graph.parameters.tensors[static_cast<std::size_t>(i)].size;
    for (Index i = layer.ops.begin; i < layer.ops.end; ++i)
      flops += graph.ops[static_cast<std::size_t>(i)]->flops_per_row();
    py::dict row;
    row["name"] = layer.name;
    row["class"] = layer.class_name;
    row["depth"] = layer.depth;
    row["inputs"] = numbers(layer.inputs);
    row["outputs"] = numbers(layer.outputs);
    row["output_shapes"] = shapes(model, layer.outputs);
    row["parameters"] = parameters;
    row["flops"] = flops;
    row["waits"] = std::any_of(graph.ops.begin(), graph.ops.end(), [&](const auto& op) {
      return op->layer == layer.name && op->waits;
    });
    out.append(row);
  }
  return out;
}

py::list outputs(const Model& model) {
  const Graph& graph = model.graph();
  py::list out;
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    py::dict row;
    row["name"] = graph.output_names[i];
    row["shape"] = py::tuple(py::cast(graph.shape(graph.outputs[i])));
    const int activation = output_activation(graph, i, true);
    row["activation"] =
        activation < 0 ? "linear" : graph.ops[static_cast<std::size_t>(activation)]->kind;
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
      .def_property_readonly("num_parameters",
                             [](const Model& self) { return self.graph().parameters.count(); })
      .def_property_readonly(
          "num_trainable",
          [](const Model& self) { return self.graph().parameters.trainable_count(); })
      .def("tensors", &tensors)
      .def("ports", &ports)
      .def("outputs", &outputs)
      .def("layers", &layers)
      .def("operations", &operations)
      .def("predict", &predict<Model>, "inputs"_a, "batch_size"_a = py::none(),
           "num_threads"_a = py::none(), "exact_threads"_a = false, "show"_a = py::none())
      .def("predict_rows", &predict_rows<Model>, "x"_a, "batch_size"_a, "num_threads"_a,
           "exact_threads"_a)
      .def("predict_row", &predict_row<Model>, "x"_a)
      .def("predict_one", &predict_one<Model>, "inputs"_a)
      .def("predict_layer", &predict_layer, "inputs"_a, "layer"_a, "batch_size"_a, "num_threads"_a,
           "show"_a = py::none())
      .def("input_gradient", &input_gradient, "inputs"_a, "output"_a, "layer"_a, "num_threads"_a)
      .def("forward", &forward, "inputs"_a, "training"_a)
      .def("backward", &backward, "gradients"_a)
      .def("initialize", &initialize, "inputs"_a, "num_threads"_a = py::none())
      .def("adapt", &adapt, "inputs"_a, "num_threads"_a = py::none())
      .def(
          "note_data_seen",
          [](Model& self, const std::string& layer) { self.note_data_seen(layer); }, "layer"_a)
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
