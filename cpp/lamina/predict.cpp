#include "lamina/predict.hpp"

#include "lamina/io/model_file.hpp"
#include "lamina/nn/frozen_model.hpp"

namespace lamina {

struct Predictor::State {
  std::unique_ptr<FrozenModel> model;
  std::vector<Input> inputs;
  std::vector<Output> outputs;

  bool plain() const { return inputs.size() == 1 && outputs.size() == 1; }
  void require_plain(const char* call) const {
    require(plain(), call, ": for models of one input and one output, this one has ", inputs.size(),
            " and ", outputs.size(), "; use inputs(), outputs() and predict(x, rows, y)");
  }
};

namespace {

ArrayView view(const Predictor::Matrix& matrix, const Predictor::Input& input, std::size_t rows) {
  ArrayView v;
  v.data = matrix.floats    ? static_cast<const void*>(matrix.floats)
           : matrix.doubles ? static_cast<const void*>(matrix.doubles)
                            : static_cast<const void*>(matrix.codes);
  require(v.data != nullptr || rows == 0, "Predictor: an input is a null pointer ('", input.name,
          "')");
  v.dtype = matrix.floats ? DType::float32 : matrix.doubles ? DType::float64 : DType::int32;
  v.rows = static_cast<Index>(rows);
  v.columns = static_cast<Index>(input.columns);
  v.column_stride = matrix.doubles ? 8 : 4;
  v.row_stride = v.columns * v.column_stride;
  return v;
}

std::unique_ptr<FrozenModel> frozen(const std::string& path, Folding folding) {
  const LoadedModel loaded = load_model(path);
  try {
    return FrozenModel::freeze(*loaded.model, folding);
  } catch (const StateError& error) {
    throw StateError(concat(path, ": ", error.what()));
  }
}

template <class T>
void require_type(const FrozenModel& model) {
  constexpr bool wide = sizeof(T) == 8;
  require(wide == (model.graph().dtype == DataType::float64), "Predictor: the model computes in ",
          wide ? "float32" : "float64", ": give it ", wide ? "float" : "double",
          " for the answers");
}

}  // namespace

Predictor::Predictor(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Predictor::Predictor(Predictor&&) noexcept = default;
Predictor& Predictor::operator=(Predictor&&) noexcept = default;
Predictor::~Predictor() = default;

Predictor Predictor::load(const std::string& path, const Options& options) {
  require(options.calls >= 0, "Predictor: calls must be at least 0, got ", options.calls);
  auto state = std::make_unique<State>();
  state->model = frozen(path, options.fold ? Folding::full : Folding::none);
  const Graph& graph = state->model->graph();
  for (const Port& p : graph.ports)
    state->inputs.push_back({p.name, static_cast<std::size_t>(p.value.width), p.codes});
  for (std::size_t i = 0; i < graph.outputs.size(); ++i)
    state->outputs.push_back(
        {graph.output_names[i], static_cast<std::size_t>(graph.outputs[i].width)});
  state->model->make_ready(options.calls);
  return Predictor(std::move(state));
}

const std::vector<Predictor::Input>& Predictor::inputs() const { return state_->inputs; }
const std::vector<Predictor::Output>& Predictor::outputs() const { return state_->outputs; }

bool Predictor::is_double() const { return state_->model->graph().dtype == DataType::float64; }

std::size_t Predictor::input_size() const {
  state_->require_plain("input_size");
  return state_->inputs[0].columns;
}

std::size_t Predictor::output_size() const {
  state_->require_plain("output_size");
  return state_->outputs[0].columns;
}

template <class T>
void Predictor::predict_rows(std::span<const T> x, std::span<T> y, int num_threads) const {
  state_->require_plain("predict(x, y)");
  const Input& input = state_->inputs[0];
  const std::size_t columns = input.columns, outputs = state_->outputs[0].columns;
  require(x.size() % columns == 0, "predict: expected whole rows of ", columns, " numbers in x ('",
          input.name, "'), got ", x.size(), " numbers");
  const std::size_t rows = x.size() / columns;
  require(y.size() == rows * outputs, "predict: expected room for ", rows, " rows of ", outputs,
          " numbers in y ('", state_->outputs[0].name, "'), ", rows * outputs, ", got ", y.size());
  require_type<T>(*state_->model);
  const Matrix matrix = x.data();
  T* const out = y.data();
  predict_all<T>({&matrix, 1}, rows, {&out, 1}, num_threads);
}

template <class T>
void Predictor::predict_all(std::span<const Matrix> x, std::size_t rows, std::span<T* const> y,
                            int num_threads) const {
  constexpr std::size_t kFew = 4;  // on the stack
  const State& s = *state_;
  require_type<T>(*s.model);
  require(x.size() == s.inputs.size(), "Predictor: the model has ", s.inputs.size(),
          " inputs, got ", x.size());
  require(y.size() == s.outputs.size(), "Predictor: the model has ", s.outputs.size(),
          " outputs, got ", y.size());
  ArrayView few[kFew];
  void* few_out[kFew];
  std::vector<ArrayView> many(x.size() > kFew ? x.size() : 0);
  std::vector<void*> many_out(y.size() > kFew ? y.size() : 0);
  ArrayView* views = many.empty() ? few : many.data();
  void** out = many_out.empty() ? few_out : many_out.data();
  for (std::size_t i = 0; i < y.size(); ++i) {
    require(y[i] != nullptr || rows == 0, "Predictor: an output is a null pointer ('",
            s.outputs[i].name, "')");
    out[i] = y[i];
  }
  for (std::size_t i = 0; i < x.size(); ++i) views[i] = view(x[i], s.inputs[i], rows);
  s.model->predict({views, x.size()}, {out, y.size()}, {.num_threads = num_threads});
}

void Predictor::predict(std::span<const float> x, std::span<float> y, int num_threads) const {
  predict_rows(x, y, num_threads);
}

void Predictor::predict(std::span<const double> x, std::span<double> y, int num_threads) const {
  predict_rows(x, y, num_threads);
}

void Predictor::predict(const std::vector<Matrix>& x, std::size_t rows,
                        const std::vector<float*>& y, int num_threads) const {
  predict_all<float>(x, rows, y, num_threads);
}

void Predictor::predict(const std::vector<Matrix>& x, std::size_t rows,
                        const std::vector<double*>& y, int num_threads) const {
  predict_all<double>(x, rows, y, num_threads);
}

std::vector<float> Predictor::predict_one(const std::vector<float>& row) const {
  require(row.size() == input_size(), "predict_one: expected ", input_size(), " columns, got ",
          row.size());
  std::vector<float> y(output_size());
  predict(row, y);
  return y;
}

}  // namespace lamina
