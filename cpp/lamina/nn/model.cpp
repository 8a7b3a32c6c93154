#include "lamina/nn/model.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "lamina/functions/initializers.hpp"
#include "lamina/nn/layer.hpp"
#include "lamina/nn/unit_variance.hpp"

namespace lamina {
namespace {

constexpr double kLong = 1e9;  // operations: some milliseconds, beside which a region is nothing

double clock_seconds() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

}  // namespace

int worthwhile_threads(int requested, Index rows, Index flops_per_row, double least) {
  const double work = static_cast<double>(rows) * static_cast<double>(flops_per_row);
  return work < least ? 1 : thread_count(requested);
}

std::unique_ptr<Model> Model::create(const Json& spec, const ScheduleFunctions& functions) {
  const Fields fields("Model", spec);
  const std::string dtype = fields.text("dtype", "float32");
  require(dtype == "float32" || dtype == "float64",
          "Model: dtype must be 'float32' or 'float64', got '", dtype, "'");
  std::unique_ptr<Model> model;
  if (dtype == "float32")
    model = std::make_unique<ModelOf<float>>();
  else
    model = std::make_unique<ModelOf<double>>();
  Model& m = *model;
  m.graph_.dtype = dtype == "float32" ? DataType::float32 : DataType::float64;
  m.seed_ = static_cast<std::uint64_t>(fields.whole("seed", 0));
  m.name_ = fields.text("name", "model");
  Names names;
  names.functions = &functions;
  m.layers_ = read_layers(fields.at("layers"), names);
  require(!m.layers_.empty() && m.layers_[0]->is_input(),
          "Model: the first element must be lm.Input(columns), e.g. lm.Input(64)");
  Builder builder(m.graph_);
  m.graph_.output = build_all(m.layers_, builder, Value{});
  require(!m.graph_.parameters.tensors.empty(), "Model: no layer has parameters; add a lm.Dense");
  m.freeze(fields.at("layers"), write_layers(m.layers_));
  m.awaits_data_ = m.has_data_driven() && !fields.flag("initialized", false);
  if (auto* f = dynamic_cast<ModelOf<float>*>(model.get()))
    f->initialize();
  else
    static_cast<ModelOf<double>&>(*model).initialize();
  return model;
}

// Freezes the layers that `given` says are not trainable; `built` has their names.
void Model::freeze(const Json& given, const Json& built) {
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i].is_array()) {
      freeze(given[i], built[i]);
      continue;
    }
    if (built[i].is_array()) {  // a branch of one layer, given without its list
      freeze(Json::array({given[i]}), built[i]);
      continue;
    }
    if (given[i].contains("layers")) freeze(given[i].at("layers"), built[i].at("layers"));
    if (given[i].contains("trainable") && given[i].at("trainable") == false)
      set_trainable(built[i].at("name").get<std::string>(), false);
  }
}

// Writes into each described layer with parameters whether it is trainable now.
void Model::note_trainable(Json& layers) const {
  for (Json& layer : layers) {
    if (layer.is_array()) {
      note_trainable(layer);
      continue;
    }
    if (layer.contains("layers")) note_trainable(layer.at("layers"));
    for (const Tensor& t : graph_.parameters.tensors)
      if (t.layer == layer.at("name") && t.role != Role::statistic)
        layer["trainable"] = t.trainable;
  }
}

Json Model::spec() const {
  Json layers = write_layers(layers_);
  note_trainable(layers);
  Json out = {{"name", name_},
              {"dtype", dtype() == DataType::float32 ? "float32" : "float64"},
              {"seed", seed_},
              {"layers", layers}};
  if (has_data_driven()) out["initialized"] = !awaits_data_;
  return out;
}

bool Model::has_data_driven() const {
  const auto& all = graph_.parameters.tensors;
  return std::any_of(all.begin(), all.end(),
                     [](const Tensor& t) { return data_rows(t.initializer) > 0; });
}

std::vector<LayerSummary> Model::summary() const {
  std::vector<LayerSummary> out;
  for (const auto& layer : layers_) {
    LayerSummary row{layer->name, layer->class_name, "", 0, 0};
    Index width = 0;
    for (const auto& op : graph_.ops)
      if (op->layer == layer->name) row.flops += op->flops_per_row(), width = op->output.width;
    for (const auto& port : graph_.ports)
      if (port.name == layer->name) width = port.value.width;
    if (width == 0 && !out.empty())
      row.output_shape = out.back().output_shape;
    else
      row.output_shape = "(n, " + std::to_string(width) + ")";
    for (const auto& tensor : graph_.parameters.tensors)
      if (tensor.layer == layer->name) row.parameters += tensor.size;
    out.push_back(row);
  }
  return out;
}

Index Model::check_inputs(const std::vector<ArrayView>& inputs) const {
  const auto& ports = graph_.ports;
  require(inputs.size() == ports.size(), "the model has ", ports.size(), " inputs, got ",
          inputs.size());
  for (std::size_t p = 0; p < ports.size(); ++p) {
    require(inputs[p].columns == ports[p].value.width, ports[p].name, ": expected ",
            ports[p].value.width, " columns, got ", inputs[p].columns);
    require(inputs[p].rows == inputs[0].rows, "inputs have ", inputs[0].rows, " and ",
            inputs[p].rows, " rows");
    if (!ports[p].codes) continue;
    for (Index r = 0; r < inputs[p].rows; ++r) {
      const double code = read_element(inputs[p], r, 0);
      require(code >= 0 && code < static_cast<double>(ports[p].cardinality) &&
                  code == static_cast<double>(static_cast<Index>(code)),
              ports[p].name, ": code ", code, " in row ", r, " is not a whole number in 0 ... ",
              ports[p].cardinality - 1);
    }
  }
  return inputs[0].rows;
}

void Model::set_trainable(const std::string& layer, bool trainable) {
  for (auto& tensor : graph_.parameters.tensors) {
    if (tensor.layer != layer || tensor.role == Role::statistic) continue;
    tensor.trainable = trainable;
  }
  ++version_;
}

Model::Guard::Guard(Model& model) : model_(model) {
  if (model.busy_.exchange(true))
    throw StateError(
        "the model is being trained: wait until fit returns (predict may be called meanwhile)");
}
Model::Guard::~Guard() { model_.busy_ = false; }

template <class T>
void ModelOf<T>::initialize() {
  parameters_.allocate(graph_.parameters.size);
  initialize_parameters(graph_.parameters, seed_, parameters_.data());
  inference_ = std::make_unique<Plan>(graph_, PlanOptions{});
  const auto shares = [this](const auto& op) {
    return static_cast<const Op<T>&>(*op).shares_columns(shared_from_);
  };
  while (shared_from_ <= kRowStep && std::none_of(graph_.ops.begin(), graph_.ops.end(), shares))
    ++shared_from_;
}

template <class T>
void* ModelOf<T>::gradients() {
  if (gradients_.empty()) gradients_.allocate(graph_.parameters.size);
  has_gradients_ = true;
  return gradients_.data();
}

template <class T>
void ModelOf<T>::publish(const T* weights, std::shared_ptr<Buffer<T>>& held) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const long ours = published_ == held ? 2 : 1;
    if (!held || held.use_count() > ours) held = std::make_shared<Buffer<T>>(parameters_.size());
    std::copy_n(weights, parameters_.size(), held->data());
    published_ = held;
  }
  while (live_readers_ > 0 && !in_forked_child()) std::this_thread::yield();
}

template <class T>
void ModelOf<T>::unpublish() {
  const std::lock_guard<std::mutex> lock(mutex_);
  published_ = nullptr;
}

template <class T>
ModelOf<T>::Reading::Reading(const ModelOf& model) : model_(model) {
  const std::lock_guard<std::mutex> lock(model_.mutex_);
  snapshot_ = model_.published_;
  if (!snapshot_) ++model_.live_readers_;
}

template <class T>
ModelOf<T>::Reading::~Reading() {
  if (!snapshot_) {
    --model_.live_readers_;
    return;
  }
  // Under the lock: publish() writes into a snapshot that it finds let go, after what we read.
  const std::lock_guard<std::mutex> lock(model_.mutex_);
  snapshot_ = nullptr;
}

template <class T>
std::shared_ptr<const void> ModelOf<T>::still_weights() const {
  auto copy = std::make_shared<Buffer<T>>(parameters_.size());
  const Reading reading(*this);
  std::copy_n(reading.weights(), copy->size(), copy->data());
  return {copy, copy->data()};
}

// Memory for inference in blocks of at least `block` rows: some call's before this one, or new.
template <class T>
std::unique_ptr<Workspace<T>> ModelOf<T>::borrow_space(Index block, int threads) const {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto i = idle_.begin(); i != idle_.end(); ++i) {
      if ((*i)->block() < block || (*i)->threads() < threads) continue;
      auto space = std::move(*i);
      idle_.erase(i);
      return space;
    }
  }
  // Calls with few rows share a small one.
  Index capacity = kRowStep;
  while (capacity < std::min<Index>(block, 256)) capacity *= 4;
  capacity = std::max(capacity, round_up(block, kRowStep));
  return std::make_unique<Workspace<T>>(*inference_, capacity, capacity, threads);
}

template <class T>
void ModelOf<T>::return_space(std::unique_ptr<Workspace<T>> space) const {
  if (idle_.size() < 4) return idle_.push_back(std::move(space));
  const auto smallest = std::min_element(idle_.begin(), idle_.end(),
                                         [](auto& a, auto& b) { return a->block() < b->block(); });
  if ((*smallest)->block() < space->block()) *smallest = std::move(space);
}

template <class T>
void ModelOf<T>::predict(const std::vector<ArrayView>& inputs, void* out,
                         const PredictOptions& options) const {
  const Index n = check_inputs(inputs);
  if (n == 0) return;
  const Index block = std::clamp<Index>(options.block_rows, 1, n);
  const Index flops = inference_->flops_per_row;
  const bool by_columns = n <= std::min(block, kRowStep) && n >= shared_from_;
  int threads = by_columns || options.exact_threads
                    ? thread_count(options.num_threads)
                    : worthwhile_threads(options.num_threads, n, flops);
  std::unique_ptr<Workspace<T>> space = borrow_space(block, threads);
  // A long call takes all threads at once; short ones are watched.
  const bool watched = threads > 1 && !options.exact_threads &&
                       static_cast<double>(n) * static_cast<double>(flops) < kLong;
  ThreadChooser* chooser = !watched ? nullptr : by_columns ? &of_columns_ : &of_rows_;
  const double start = chooser ? clock_seconds() : 0;
  if (chooser) {
    const std::lock_guard<std::mutex> lock(mutex_);
    threads = std::min(threads, chooser->next());
  }
  {
    const Reading reading(*this);
    space->begin(reading.weights(), Batch{{nullptr, 0, n}, &inputs}, false, seed_, {}, 0);
    run_prediction(*space, n, block, threads, by_columns, options.tick, static_cast<T*>(out));
  }
  const double now = chooser ? clock_seconds() : 0;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (chooser) chooser->took(now - start, now, static_cast<double>(n + 6));
  return_space(std::move(space));
}

template <class T>
void ModelOf<T>::run_prediction(Workspace<T>& space, Index n, Index block, int threads,
                                bool by_columns, const std::function<void()>& tick, T* y) const {
  const Value output = inference_->output;
  const auto copy = [&](int thread, Range rows) {
    std::copy_n(space.values(thread, output).row(rows.begin), rows.size() * output.width,
                y + rows.begin * output.width);
  };
  if (!by_columns || threads == 1)
    return run_inference(space, *inference_, n, block, threads, tick, copy);
  const FlushDenormals flush;  // as within a region
  space.enter_block(0, {0, n});
  for (const Action& action : inference_->stages[0].actions)
    space.act_together(action, threads, {0, n});
  copy(0, {0, n});
}

template <class T>
void ModelOf<T>::forward(const std::vector<ArrayView>& inputs, bool training, void* out) {
  const Index n = check_inputs(inputs);
  require(n > 0, "forward: expected at least one row, got none");
  if (!by_hand_ || !hand_space_ || by_hand_training_ != training || by_hand_version_ != version_ ||
      hand_capacity_ < n) {
    PlanOptions options;
    options.backward = options.input_gradients = options.keep_output = true;
    options.training = training;
    hand_space_.reset();
    by_hand_ = std::make_unique<Plan>(graph_, options);
    hand_capacity_ = round_up(n, kRowStep);
    hand_space_ = std::make_unique<Workspace<T>>(*by_hand_, hand_capacity_, hand_capacity_, 1);
    by_hand_training_ = training;
    by_hand_version_ = version_;
  }
  forward_rows_ = n;
  Workspace<T>& space = *hand_space_;
  space.begin(parameters_.data(), Batch{{nullptr, 0, n}, &inputs}, training, seed_,
              {forward_calls_}, forward_calls_);
  ++forward_calls_;
  const auto no_loss = [](int, Range) {};
  for (const Stage& stage : by_hand_->stages) {
    space.run_stage(stage, {0, space.padded_rows()}, 1, no_loss);
    space.finish_stage(stage);
    if (stage.finish == Finish::nothing) break;  // the gradient comes next
  }
  std::copy_n(space.values(0, by_hand_->output).row(0), n * by_hand_->output.width,
              static_cast<T*>(out));
}

template <class T>
void ModelOf<T>::backward(const void* gradient, void* input_gradient) {
  if (!hand_space_ || forward_rows_ == 0)
    throw StateError(
        "backward: call model.forward(x) first; backward uses its intermediate values");
  const Guard guard(*this);  // the gradients are those that a fit may store
  Workspace<T>& space = *hand_space_;
  const Plan& plan = *by_hand_;
  const Index width = plan.output.width;
  const Rows<T>& d = space.gradients(0, plan.output);
  if (d.data) {
    std::copy_n(static_cast<const T*>(gradient), forward_rows_ * width, d.row(0));
    std::fill_n(d.row(forward_rows_), (space.padded_rows() - forward_rows_) * width, T(0));
  }
  const auto no_loss = [](int, Range) {};
  bool past_forward = false;
  for (const Stage& stage : plan.stages) {
    if (past_forward) {
      space.run_stage(stage, {0, space.padded_rows()}, 1, no_loss);
      space.finish_stage(stage);
    }
    past_forward = past_forward || stage.finish == Finish::nothing;
  }
  T* g = stored_gradients();
  std::fill_n(g, gradients_.size(), T(0));
  for (const Tile& tile : plan.tiles) {
    const Op<T>& op = static_cast<const Op<T>&>(*graph_.ops[static_cast<std::size_t>(tile.op)]);
    op.parameter_gradient(space.context(0), tile.tensor, tile.rows, g + tile.offset);
  }
  if (!input_gradient) return;
  const Rows<T>& dx = space.gradients(0, graph_.ports[0].value);
  require(dx.data != nullptr, "backward: the first input has no gradient (integer codes)");
  std::copy_n(dx.row(0), forward_rows_ * dx.width, static_cast<T*>(input_gradient));
}

template <class T>
Buffer<T> ModelOf<T>::initialized_from(const Batch& rows, int threads) const {
  Buffer<T> out(parameters_.size());
  out.copy_from(parameters_);
  scale_to_unit_variance(graph_, rows, seed_, threads, out.data());
  return out;
}

template <class T>
void ModelOf<T>::initialize_from(const std::vector<ArrayView>& inputs, int num_threads) {
  const Index n = check_inputs(inputs);
  require(n > 0, "initialize: expected at least one row, got none");
  require(wants_data(graph_.parameters),
          "initialize: no trainable kernel has an initializer that wants data, as in "
          "lm.Dense(64, kernel_initializer='unit_variance')");
  const Guard guard(*this);
  const Buffer<T> start = initialized_from(Batch{{nullptr, 0, n}, &inputs},
                                           worthwhile_threads(num_threads, n, flops_per_row()));
  std::copy_n(start.data(), start.size(), parameters_.data());
  awaits_data_ = false;
}

template class ModelOf<float>;
template class ModelOf<double>;

}  // namespace lamina
