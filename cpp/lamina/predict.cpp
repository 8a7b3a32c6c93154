#include "lamina/predict.hpp"

#include "lamina/io/model_file.hpp"
#include "lamina/nn/frozen_model.hpp"

namespace lamina {

struct Predictor::State {
  std::unique_ptr<FrozenModel> model;
  std::vector<Input> inputs;
  std::vector<Output> outputs;
};

namespace {

ArrayView view(const Predictor::Matrix& matrix, Index rows, Index columns) {
  ArrayView v;
  v.data = matrix.floats    ? static_cast<const void*>(matrix.floats)
           : matrix.doubles ? static_cast<const void*>(matrix.doubles)
                            : static_cast<const void*>(matrix.codes);
  require(v.data != nullptr || rows == 0, "Predictor: an input is a null pointer");
  v.dtype = matrix.floats ? DType::float32 : matrix.doubles ? DType::float64 : DType::int32;
  v.rows = rows;
  v.columns = columns;
  v.column_stride = matrix.doubles ? 8 : 4;
  v.row_stride = columns * v.column_stride;
  return v;
}

}  // namespace

Predictor::Predictor(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Predictor::Predictor(Predictor&&) noexcept = default;
Predictor& Predictor::operator=(Predictor&&) noexcept = default;
Predictor::~Predictor() = default;

Predictor Predictor::load(const std::string& path) {
  const LoadedModel loaded = load_model(path);
  auto state = std::make_unique<State>();
  state->model = FrozenModel::freeze(*loaded.model);
  const Graph& graph = state->model->graph();
  for (const Port& p : graph.ports)
    state->inputs.push_back({p.name, static_cast<std::size_t>(p.value.width), p.codes});
  for (std::size_t i = 0; i < graph.outputs.size(); ++i)
    state->outputs.push_back(
        {graph.output_names[i], static_cast<std::size_t>(graph.outputs[i].width)});
  return Predictor(std::move(state));
}

const std::vector<Predictor::Input>& Predictor::inputs() const { return state_->inputs; }
const std::vector<Predictor::Output>& Predictor::outputs() const { return state_->outputs; }

void Predictor::run(const std::vector<Matrix>& x, std::size_t rows, const std::vector<void*>& y,
                    bool wide, int num_threads) const {
  const Graph& graph = state_->model->graph();
  require(wide == (graph.dtype == DataType::float64), "Predictor: the model computes in ",
          wide ? "float32" : "float64", ": give it outputs of that type");
  require(x.size() == graph.ports.size(), "Predictor: the model has ", graph.ports.size(),
          " inputs, got ", x.size());
  require(y.size() == graph.outputs.size(), "Predictor: the model has ", graph.outputs.size(),
          " outputs, got ", y.size());
  for (const void* out : y)
    require(out != nullptr || rows == 0, "Predictor: an output is a null pointer");
  std::vector<ArrayView> views;
  for (std::size_t i = 0; i < x.size(); ++i)
    views.push_back(view(x[i], static_cast<Index>(rows), graph.ports[i].value.width));
  state_->model->predict(views, y, {.num_threads = num_threads});
}

void Predictor::predict(const std::vector<Matrix>& x, std::size_t rows,
                        const std::vector<float*>& y, int num_threads) const {
  run(x, rows, {y.begin(), y.end()}, false, num_threads);
}

void Predictor::predict(const std::vector<Matrix>& x, std::size_t rows,
                        const std::vector<double*>& y, int num_threads) const {
  run(x, rows, {y.begin(), y.end()}, true, num_threads);
}

std::vector<float> Predictor::predict_one(const std::vector<float>& row, int num_threads) const {
  require(inputs().size() == 1 && outputs().size() == 1,
          "predict_one: for models of one input and one output");
  require(row.size() == inputs()[0].columns, "predict_one: expected ", inputs()[0].columns,
          " columns, got ", row.size());
  std::vector<float> y(outputs()[0].columns);
  predict(row.data(), 1, y.data(), num_threads);
  return y;
}

}  // namespace lamina
