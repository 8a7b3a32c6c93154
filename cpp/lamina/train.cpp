#include "lamina/train.hpp"

#include <algorithm>
#include <random>

#include "lamina/io/model_file.hpp"
#include "lamina/train/trainer.hpp"

namespace lamina::train {
namespace {

Json parsed(const Setting& setting) { return Json::parse(setting.json()); }

// What the catalogues say of the arguments of a class; empty if none has it.
std::vector<std::string> arguments_of(const std::string& class_name) {
  std::vector<std::string> names;
  const auto look_into = [&](const Json& room) {
    for (const Json& one : room)
      if (one.at("class") == class_name)
        for (const Json& p : one.at("parameters")) names.push_back(p.at("name").get<std::string>());
    return !names.empty();
  };
  if (look_into(layer_catalogue())) return names;
  const Json all = catalogue();
  for (const auto& [name, room] : all.items()) {
    if (name == "schedules" || !look_into(room)) continue;
    if (name != "optimizers") return names;
    const Json whole = write_optimizer(read_optimizer({{"class", class_name}}));
    for (const auto& [key, value] : whole.items()) names.push_back(key);
    return names;
  }
  return names;
}

// Python's signatures refuse an argument that nobody knows; the core would ignore it.
void check_arguments(const std::string& class_name, const Arguments& arguments) {
  if (arguments.empty()) return;
  const std::vector<std::string> known = arguments_of(class_name);
  if (known.empty()) return;  // a schedule, or a class that the core will refuse
  for (const auto& [name, value] : arguments)
    require(std::find(known.begin(), known.end(), name) != known.end(), class_name,
            ": there is no argument '", name, "'.", did_you_mean(name, known),
            " Known: ", join(known), ".");
}

template <class F>
auto checked_json(F&& f) {
  try {
    return f();
  } catch (const Json::exception& error) {
    fail("an argument is of the wrong kind: ", error.what());
  }
}

ArrayView matrix(const Numbers& numbers, Index rows, Index columns) {
  constexpr DType types[] = {DType::float32, DType::float64, DType::int32, DType::int64};
  constexpr Index widths[] = {4, 8, 4, 8};
  const auto type = static_cast<std::size_t>(numbers.type);
  return {numbers.data, types[type], rows, columns, columns * widths[type], widths[type]};
}

// Whole rows, of which there is at least one.
ArrayView rows_of(const char* what, const Numbers& numbers, Index columns) {
  const auto size = static_cast<Index>(numbers.size);
  require(size % columns == 0, what, ": expected whole rows of ", columns, " numbers, got ", size);
  return matrix(numbers, size / columns, columns);
}

// One column, or several of each row.
ArrayView targets(const Numbers& y, Index rows) {
  const auto size = static_cast<Index>(y.size);
  require(rows > 0, "x has no rows");
  require(size > 0 && size % rows == 0, "y: expected as many numbers as x has rows, ", rows,
          ", or a multiple of that, got ", size);
  return matrix(y, rows, size / rows);
}

}  // namespace

Setting::Setting(std::nullptr_t) : json_("null") {}
Setting::Setting(bool flag) : json_(flag ? "true" : "false") {}
Setting::Setting(std::int64_t number) : json_(std::to_string(number)) {}
Setting::Setting(double number) : json_(Json(number).dump()) {}
Setting::Setting(const std::string& word) : json_(Json(word).dump()) {}
Setting::Setting(const List& list) {
  for (const Setting& one : list) json_ += (json_.empty() ? "[" : ",") + one.json();
  json_ += json_.empty() ? "[]" : "]";
}

Object::Object(const std::string& class_name, const Arguments& arguments) : Setting(class_name) {
  check_arguments(class_name, arguments);
  Json out = {{"class", class_name}};
  for (const auto& [name, value] : arguments) out[name] = parsed(value);
  json_ = out.dump();
}

namespace {

Arguments of_dense(std::int64_t units, const Setting& activation, Arguments more) {
  more.emplace_back("units", units);
  if (activation.json() != "null") more.emplace_back("activation", activation);
  return more;
}

}  // namespace

Input::Input(std::int64_t columns) : Object("Input", {{"shape", List{columns}}}) {}
Dense::Dense(std::int64_t units, const Setting& activation, Arguments more)
    : Object("Dense", of_dense(units, activation, std::move(more))) {}
Dropout::Dropout(double rate) : Object("Dropout", {{"rate", rate}}) {}

struct Model::State {
  std::shared_ptr<lamina::Model> core;
  Index inputs = 0, outputs = 0;

  explicit State(std::shared_ptr<lamina::Model> model) : core(std::move(model)) {
    const Graph& graph = core->graph();
    require(graph.ports.size() == 1 && graph.outputs.size() == 1 && !graph.ports[0].codes,
            "lamina::train: for networks of one numeric input and one output, this one has ",
            graph.ports.size(), " and ", graph.outputs.size());
    inputs = graph.ports[0].value.width;
    outputs = graph.outputs[0].width;
  }

  template <class T>
  void predict(const Numbers& x, std::span<T> y, int num_threads) const {
    const DataType dtype = sizeof(T) == 4 ? DataType::float32 : DataType::float64;
    require(core->dtype() == dtype, "predict: the model computes in ",
            sizeof(T) == 4 ? "float64: give it double" : "float32: give it float",
            " for the answers");
    const ArrayView rows = rows_of("predict: x", x, inputs);
    require(static_cast<Index>(y.size()) == rows.rows * outputs, "predict: expected room for ",
            rows.rows, " rows of ", outputs, " numbers in y, got ", y.size());
    core->predict({rows}, {y.data()}, {.num_threads = num_threads});
  }
};

Model::Model(const std::vector<Object>& layers, const ModelOptions& options) {
  Json spec = {{"dtype", options.dtype}, {"layers", Json::array()}};
  spec["seed"] = options.seed ? *options.seed : std::random_device()();
  for (const Object& layer : layers) spec["layers"].push_back(parsed(layer));
  state_ = std::make_shared<State>(checked_json([&] { return lamina::Model::create(spec); }));
}

Model Model::load(const std::string& path) {
  std::shared_ptr<lamina::Model> core = load_model(path).model;
  return Model(std::make_shared<State>(std::move(core)));
}

void Model::save(const std::string& path) const { save_model(path, *state_->core, ""); }

std::size_t Model::input_size() const { return static_cast<std::size_t>(state_->inputs); }
std::size_t Model::output_size() const { return static_cast<std::size_t>(state_->outputs); }
std::size_t Model::num_parameters() const {
  std::size_t sum = 0;
  for (const Tensor& t : state_->core->graph().parameters.tensors)
    sum += static_cast<std::size_t>(t.size);
  return sum;
}

void Model::predict(Numbers x, std::span<float> y, int num_threads) const {
  state_->predict(x, y, num_threads);
}
void Model::predict(Numbers x, std::span<double> y, int num_threads) const {
  state_->predict(x, y, num_threads);
}

std::string Model::fingerprint() const { return lamina::fingerprint(*state_->core); }

struct Trainer::State {
  std::shared_ptr<Model::State> model;
  std::unique_ptr<lamina::Trainer> core;
  int num_threads = 0;

  Data data(const Numbers& x, const Numbers& y) const {
    Data out;
    out.inputs = {rows_of("x", x, model->inputs)};
    out.targets = {targets(y, out.inputs[0].rows)};
    return out;
  }
  Logs named(const std::vector<double>& means, const std::string& prefix = "") const {
    const std::vector<std::string> names = core->objective().names();
    Logs out;
    for (std::size_t i = 0; i < means.size(); ++i) out[prefix + names[i]] = means[i];
    return out;
  }
  std::vector<double> measure(const Data& data) const {
    return core->evaluate(data, 256, num_threads, {});
  }
  void run(const FitOptions& options, const Data* held_out, History& history);
};

Trainer::Trainer(const Model& model, const TrainerOptions& options)
    : state_(std::make_shared<State>()) {
  require(options.num_threads >= 0, "Trainer: num_threads must be at least 0, got ",
          options.num_threads);
  State& s = *state_;
  s.model = model.state_;
  s.num_threads = options.num_threads;
  s.core = checked_json([&] {
    return lamina::Trainer::create(s.model->core,
                                   std::make_shared<Optimizer>(parsed(options.optimizer)),
                                   {{parsed(options.loss), parsed(options.metrics)}},
                                   options.seed.value_or(s.model->core->seed()));
  });
}

// The epochs of a fit that has begun.
void Trainer::State::run(const FitOptions& options, const Data* held_out, History& history) {
  Monitor nobody;
  for (std::uint64_t i = 0; i < options.epochs; ++i) {
    const std::uint64_t epoch = core->state.epoch;
    const EpochResult result = core->run_epoch(nobody);
    if (result.end == EpochEnd::diverged) {
      history.stop_reason = "diverged: " + result.reason;
      return;
    }
    Logs logs = named(result.means);
    if (result.penalty != 0) logs["penalty"] = result.penalty;
    if (held_out) logs.merge(named(measure(*held_out), "val_"));
    history.epochs.push_back(logs);
    if (options.on_epoch && !options.on_epoch(epoch, logs)) {
      history.stop_reason = "stopped";
      return;
    }
  }
  history.stop_reason = "all epochs done";
}

History Trainer::fit(Numbers x, Numbers y, const FitOptions& options) {
  State& s = *state_;
  require(options.epochs >= 1, "fit: epochs must be at least 1, got 0");
  Data data = s.data(x, y);
  if (options.sample_weight)
    data.weights =
        matrix(*options.sample_weight, static_cast<Index>(options.sample_weight->size), 1);
  std::optional<Data> held_out;
  if (options.validation) {
    held_out = s.data(options.validation->first, options.validation->second);
    s.core->check(*held_out, s.num_threads);
  }
  if (s.core->fitting()) throw StateError("fit: the model is being trained");
  s.core->begin_fit(std::move(data),
                    {options.batch_size, options.epochs, options.shuffle, s.num_threads, true, {}});
  struct End {
    lamina::Trainer& core;
    ~End() { core.end_fit(); }
  } end{*s.core};
  History history;
  s.run(options, held_out ? &*held_out : nullptr, history);
  return history;
}

Logs Trainer::evaluate(Numbers x, Numbers y) const {
  Data data = state_->data(x, y);
  return state_->named(state_->measure(data));
}

void Trainer::keep_best(double value) { state_->core->keep_best(value, state_->core->state.epoch); }
bool Trainer::restore_best() { return state_->core->restore_best(); }

}  // namespace lamina::train
