// What a model and a predictor share: rows in, arrays out.
#pragma once

#include "array.hpp"

namespace lamina::bindings {

// Arrays for values of a graph: (rows, *shape), or of a row alone (*shape).
std::vector<py::array> arrays_for(const Graph& graph, const Values& values,
                                  std::optional<Index> rows);
std::vector<void*> memory(std::vector<py::array>& arrays);
// One array as it is, several as a list.
py::object one_or_list(std::vector<py::array>& arrays);

constexpr Index kShown = 5000000000;  // operations: less is done before anybody needs a bar

// Predictor: a Model or a FrozenModel. Fills the arrays and returns them; `show` is told how many
// rows are done.
template <class Predictor>
py::object run_into(const Predictor& model, const std::vector<ArrayView>& x, Index rows,
                    std::vector<py::array> out, PredictOptions options,
                    const py::object& show = py::none()) {
  const std::vector<void*> y = memory(out);
  // Below some tens of microseconds nobody gains from the GIL, or waits for a signal; but while
  // another call changes the weights this one may have to wait for the end of its step.
  bool waits = false;
  if constexpr (requires { model.busy(); }) waits = model.busy();
  if (!waits && rows <= 256 && rows * model.flops_per_row() < 1000000) {
    model.predict(x, y, options);
    return one_or_list(out);
  }
  options.tick = signals_and(show);
  {
    const py::gil_scoped_release release;
    model.predict(x, y, options);
  }
  return one_or_list(out);
}

template <class Predictor>
py::object run_predict(const Predictor& model, const std::vector<ArrayView>& x,
                       std::optional<Index> batch_size, std::optional<int> num_threads,
                       bool exact_threads, const py::object& show = py::none()) {
  const Graph& graph = model.graph();
  const Index rows = check_inputs(graph, x);
  return run_into(model, x, rows, arrays_for(graph, graph.outputs, rows),
                  {batch_size.value_or(256), num_threads.value_or(0), exact_threads, {}}, show);
}

template <class Predictor>
py::object predict(const Predictor& model, const Inputs& inputs, std::optional<Index> batch_size,
                   std::optional<int> num_threads, bool exact_threads, const py::object& show) {
  return run_predict(model, views(inputs), batch_size, num_threads, exact_threads, show);
}

// The short way for a model with one input and an array that it can read as it is; None
// otherwise, and then Python converts or says what is wrong; and for what may take a second.
template <class Predictor>
py::object predict_rows(const Predictor& model, const py::handle& x,
                        std::optional<Index> batch_size, std::optional<int> num_threads,
                        bool exact_threads) {
  const auto& ports = model.graph().ports;
  std::vector<ArrayView> views(1);
  if (ports.size() != 1 || !plain_rows(x, ports[0].value.width, views[0])) return py::none();
  if (views[0].rows * model.flops_per_row() > kShown) return py::none();
  return run_predict(model, views, batch_size, num_threads, exact_threads);
}

template <class Predictor>
py::object run_row(const Predictor& model, const std::vector<ArrayView>& x) {
  const Graph& graph = model.graph();
  return run_into(model, x, 1, arrays_for(graph, graph.outputs, {}), {1, 0, false, {}});
}

// The short way for one row, likewise.
template <class Predictor>
py::object predict_row(const Predictor& model, const py::handle& x) {
  const auto& ports = model.graph().ports;
  std::vector<ArrayView> views(1);
  if (ports.size() != 1 || !plain_row(x, ports[0].value.width, views[0])) return py::none();
  return run_row(model, views);
}

// Matrices of one row each.
template <class Predictor>
py::object predict_one(const Predictor& model, const Inputs& inputs) {
  const std::vector<ArrayView> x = views(inputs);
  const Index rows = check_inputs(model.graph(), x);
  require(rows == 1, "predict_one: expected one row, got ", rows);
  return run_row(model, x);
}

}  // namespace lamina::bindings
