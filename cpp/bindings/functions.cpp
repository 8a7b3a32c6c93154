#include "array.hpp"
#include "bindings.hpp"
#include "lamina/functions/activations.hpp"
#include "lamina/functions/initializers.hpp"
#include "lamina/functions/losses.hpp"
#include "lamina/nn/schedule_spec.hpp"

namespace lamina::bindings {
namespace {

Choice activation_choice(const std::string& spec) {
  return read_choice("activation", Activations::infos(), parse_json("activation", spec));
}

template <class T>
std::vector<Index> shape_of(const Dense<T>& x) {
  return {x.shape(), x.shape() + x.ndim()};
}

template <class T>
Index last_axis(const Dense<T>& x) {
  return x.ndim() == 0 ? 1 : std::max<Index>(1, x.shape(x.ndim() - 1));
}

py::array activation(const std::string& spec, const py::array& array) {
  const Choice choice = activation_choice(spec);
  return with_floats(array, [&]<class T>(const Dense<T>& x) -> py::array {
    Dense<T> y(shape_of(x));
    const Index n = last_axis(x);
    activation_kernels<T>(choice.index)
        .forward(choice.parameters.data(), x.size() / n, n, x.data(), y.mutable_data());
    return y;
  });
}

// f'(x), elementwise.
py::array activation_derivative(const std::string& spec, const py::array& array) {
  const Choice choice = activation_choice(spec);
  return with_floats(array, [&]<class T>(const Dense<T>& x) -> py::array {
    const auto& kernels = activation_kernels<T>(choice.index);
    require(!is_row_wise(choice),
            "this activation is row-wise: it has a Jacobian, not an elementwise derivative");
    Dense<T> y(shape_of(x)), dx(shape_of(x));
    const std::vector<T> ones(static_cast<std::size_t>(x.size()), T(1));
    const Index n = x.size();
    kernels.forward(choice.parameters.data(), 1, n, x.data(), y.mutable_data());
    kernels.backward(choice.parameters.data(), 1, n, x.data(), y.data(), ones.data(),
                     dx.mutable_data());
    return dx;
  });
}

// The product of dy with each row's Jacobian, from the outputs y.
py::array activation_backward(const std::string& spec, const py::array& gradient,
                              const py::array& array) {
  const Choice choice = activation_choice(spec);
  return with_floats(array, [&]<class T>(const Dense<T>& y) -> py::array {
    const auto& kernels = activation_kernels<T>(choice.index);
    require(kernels.needs != Needs::input,
            "this activation's derivative cannot be found from its output");
    const Dense<T> dy(gradient);
    require(dy.size() == y.size(), "backward: dy has ", dy.size(), " elements, y has ", y.size());
    Dense<T> dx(shape_of(y));
    const Index n = last_axis(y);
    kernels.backward(choice.parameters.data(), y.size() / n, n, y.data(), y.data(), dy.data(),
                     dx.mutable_data());
    return dx;
  });
}

struct LossCall {
  Choice choice;
  explicit LossCall(const std::string& spec)
      : choice(read_choice("loss", Losses::infos(), parse_json("loss", spec))) {}

  // Row losses into values; gradients, scaled, into gradient.
  template <class T>
  void run(const py::array& y_true, const Dense<T>& p, const double* scale, double* values,
           T* gradient) const {
    require(p.ndim() == 1 || p.ndim() == 2, "y_pred: expected a 1-D or 2-D array, got ", p.ndim(),
            " dimensions");
    const Index rows = p.shape(0), n = p.ndim() == 2 ? p.shape(1) : 1;
    const LossTraits traits = loss_traits(choice);
    const Index targets = check_outputs(choice, n);
    const bool labels = traits.targets == Targets::labels &&
                        (y_true.ndim() == 1 || (y_true.ndim() == 2 && y_true.shape(1) == 1));
    require(y_true.ndim() >= 1 && y_true.shape(0) == rows &&
                (labels || y_true.size() == rows * targets),
            "y_true has shape ", py::str(y_true.attr("shape")).cast<std::string>(), ", y_pred ",
            py::str(p.attr("shape")).cast<std::string>(),
            targets == n ? "" : concat(": expected ", targets, " targets a row"));
    const Dense<T> dense(y_true);
    std::vector<std::int32_t> codes;
    Target<T> target{dense.data(), nullptr};
    if (labels) {
      codes = class_numbers(dense, rows, n);
      target = {nullptr, codes.data()};
    } else if (traits.targets == Targets::numbers) {
      const Dense<double> exact(y_true);
      for (Index r = 0; r < rows; ++r)
        check_targets("y_true", choice, traits, r, targets, exact.data() + r * targets);
    }
    Buffer<std::byte> scratch(static_cast<Index>(loss_scratch<T>(rows, n)));
    loss_kernel<T>(choice.index)(choice.parameters.data(), false, rows, n, p.data(), target, scale,
                                 values, gradient, scratch.data());
  }

 private:
  template <class T>
  static std::vector<std::int32_t> class_numbers(const Dense<T>& labels, Index rows,
                                                 Index classes) {
    std::vector<std::int32_t> out;
    for (Index r = 0; r < rows; ++r) {
      const T label = labels.data()[r];
      require(
          label >= 0 && label < T(classes) && label == static_cast<T>(static_cast<Index>(label)),
          "y_true: label ", label, " in row ", r, " is not a whole number in 0 ... ", classes - 1);
      out.push_back(static_cast<std::int32_t>(label));
    }
    return out;
  }
};

std::vector<double> row_weights(Index rows, const std::optional<py::array>& weights) {
  if (!weights) return std::vector<double>(static_cast<std::size_t>(rows), 1.0);
  const Dense<double> w(*weights);
  require(w.size() == rows, "sample_weight has ", w.size(), " elements, y_pred ", rows, " rows");
  return {w.data(), w.data() + rows};
}

py::array loss_values(const std::string& spec, const py::array& y_true, const py::array& y_pred) {
  const LossCall call(spec);
  return with_floats(y_pred, [&]<class T>(const Dense<T>& p) -> py::array {
    Dense<double> values(std::vector<Index>{p.ndim() ? p.shape(0) : 0});
    Buffer<T> gradient(p.size());
    call.run(y_true, p, nullptr, values.mutable_data(), gradient.data());
    return values;
  });
}

double loss_mean(const std::string& spec, const py::array& y_true, const py::array& y_pred,
                 const std::optional<py::array>& weights) {
  const Dense<double> values(loss_values(spec, y_true, y_pred));
  const auto w = row_weights(values.size(), weights);
  double sum = 0, total = 0;
  for (Index r = 0; r < values.size(); ++r)
    sum += w[static_cast<std::size_t>(r)] * values.data()[r],
        total += w[static_cast<std::size_t>(r)];
  require(total > 0, "loss: the weights' sum must be above 0, got ", total);
  return sum / total;
}

py::array loss_gradient(const std::string& spec, const py::array& y_true, const py::array& y_pred,
                        const std::optional<py::array>& weights) {
  const LossCall call(spec);
  return with_floats(y_pred, [&]<class T>(const Dense<T>& p) -> py::array {
    auto scale = row_weights(p.ndim() ? p.shape(0) : 0, weights);
    double total = 0;
    for (const double w : scale) total += w;
    require(total > 0, "loss: the weights' sum must be above 0, got ", total);
    for (double& w : scale) w /= total;
    Dense<T> gradient(shape_of(p));
    std::vector<double> values(scale.size());
    call.run(y_true, p, scale.data(), values.data(), gradient.mutable_data());
    return gradient;
  });
}

py::array schedule(const std::string& spec, const py::list& functions, const py::array& times) {
  const Schedule schedule =
      read_schedule(parse_json("schedule", spec), schedule_functions(functions));
  const Dense<double> t(times);
  Dense<double> values(shape_of(t));
  for (Index i = 0; i < t.size(); ++i) {
    require(t.data()[i] >= 0, schedule.info().class_name, ": t must be at least 0, got ",
            t.data()[i]);
    values.mutable_data()[i] = schedule.at(t.data()[i], 0);
  }
  return values;
}

py::array initialize_array(const std::string& spec, const std::vector<Index>& shape,
                           std::uint64_t seed, const std::string& dtype) {
  const Choice choice =
      read_choice("initializer", Initializers::infos(), parse_json("initializer", spec));
  require(dtype == "float32" || dtype == "float64", "dtype must be 'float32' or 'float64', got '",
          dtype, "'");
  Fans fans;
  if (!shape.empty())
    fans = {static_cast<double>(shape.front()), static_cast<double>(shape.back())};
  const auto fill = [&]<class T>(Dense<T> out) -> py::array {
    initialize(choice, seed, 0u, shape, fans, out.mutable_data());
    return out;
  };
  return dtype == "float32" ? fill(Dense<float>(shape)) : fill(Dense<double>(shape));
}

}  // namespace

void bind_functions(py::module_& m) {
  using namespace py::literals;
  m.def("activation", &activation, "spec"_a, "x"_a);
  m.def("activation_backward", &activation_backward, "spec"_a, "dy"_a, "y"_a);
  m.def("activation_derivative", &activation_derivative, "spec"_a, "x"_a);
  m.def("loss_values", &loss_values, "spec"_a, "y_true"_a, "y_pred"_a);
  m.def("loss_mean", &loss_mean, "spec"_a, "y_true"_a, "y_pred"_a, "sample_weight"_a = py::none());
  m.def("loss_gradient", &loss_gradient, "spec"_a, "y_true"_a, "y_pred"_a,
        "sample_weight"_a = py::none());
  m.def("schedule", &schedule, "spec"_a, "functions"_a, "t"_a);
  m.def("initialize", &initialize_array, "spec"_a, "shape"_a, "seed"_a, "dtype"_a);
}

}  // namespace lamina::bindings
