#include "lamina/nn/model.hpp"

#include <algorithm>

#include "lamina/base/fork.hpp"
#include "lamina/functions/initializers.hpp"
#include "lamina/nn/ops/merge_ops.hpp"
#include "lamina/nn/unit_variance.hpp"

namespace lamina {
namespace {

// The value that an output is in inference, where dropout and other shapes are left out.
int root(const Graph& graph, int value) {
  for (auto op = graph.ops.rbegin(); op != graph.ops.rend(); ++op)
    if ((*op)->output.id == value && ((*op)->flags.view || (*op)->flags.training_only))
      value = (*op)->inputs[0].id;
  return value;
}

// Would a look at data serve the op? Frozen kernels are left as they are.
bool served(const Graph& graph, const OpBase& op) {
  return op.flags.adapts || std::any_of(op.tensors.begin(), op.tensors.end(), [&](int t) {
           const Tensor& tensor = graph.parameters.tensors[static_cast<std::size_t>(t)];
           return data_rows(tensor.initializer) > 0 && tensor.trainable;
         });
}

// Two outputs that are the same matrix would share its gradient: the second becomes a copy.
void keep_outputs_apart(Graph& graph, Builder& builder) {
  std::vector<int> roots;
  for (Value& y : graph.outputs) {
    const int mine = root(graph, y.id);
    if (std::find(roots.begin(), roots.end(), mine) != roots.end())
      y = builder.op<AddOp>({y}, y.width);
    roots.push_back(mine);
  }
}

}  // namespace

int looking_threads(const Model& model, int requested, Index rows) {
  constexpr Index kPerNumber = 64;  // of taking its column's mean or quantiles
  Index columns = 0;
  for (const Port& port : model.graph().ports) columns += port.value.width;
  return worthwhile_threads(requested, rows, model.flops_per_row() + kPerNumber * columns);
}

std::unique_ptr<Model> Model::create(const Json& spec, const ScheduleFunctions& functions,
                                     Index most) {
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
  m.network_ = read_network(spec, names);
  m.graph_.parameters.most = most;
  require(!m.network_.layers.empty() && m.network_.layers[0]->is_input(),
          "Model: the first element must be lm.Input(columns), e.g. lm.Input(64)");
  Builder builder(m.graph_);
  m.graph_.outputs = build_network(m.network_, builder, &m.graph_.output_names);
  for (std::size_t i = 0; i < m.graph_.outputs.size(); ++i)
    require(!m.graph_.outputs[i].codes, "Model: the output '", m.graph_.output_names[i],
            "' is category codes; put an Embedding behind");
  for (std::size_t i = 0; i < m.graph_.outputs.size(); ++i)
    require(!m.graph_.outputs[i].sparse, "Model: the output '", m.graph_.output_names[i],
            "' is a sparse input; put a Dense behind");
  keep_outputs_apart(m.graph_, builder);
  require(!m.graph_.parameters.tensors.empty(), "Model: no layer has parameters; add a lm.Dense");
  m.freeze(fields.at("layers"), write_layers(m.network_.layers));
  m.adapts_ = adapts(m.graph_);
  m.set_waiting(spec);
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
    for (const auto& op : graph_.ops)
      if (op->layer == layer.at("name") && op->frozen) layer["trainable"] = false;
  }
}

Json Model::spec() const {
  Json out = {{"name", name_},
              {"dtype", dtype() == DataType::float32 ? "float32" : "float64"},
              {"seed", seed_}};
  write_network(network_, out);
  note_trainable(out["layers"]);
  if (!has_data_driven()) return out;
  Json waiting = Json::array();
  for (const auto& op : graph_.ops)
    if (op->waits && (waiting.empty() || waiting.back() != op->layer)) waiting.push_back(op->layer);
  out["initialized"] = waiting.empty();
  if (!waiting.empty()) out["waiting"] = waiting;
  return out;
}

bool Model::has_data_driven() const {
  return std::any_of(graph_.ops.begin(), graph_.ops.end(),
                     [this](const auto& op) { return learns_from_data(graph_, *op); });
}

void Model::set_waiting(const Json& spec) {
  const bool initialized = spec.value("initialized", false);
  const Json* names = spec.contains("waiting") ? &spec.at("waiting") : nullptr;
  for (const auto& op : graph_.ops)
    op->waits = !initialized && learns_from_data(graph_, *op) &&
                (!names || std::find(names->begin(), names->end(), op->layer) != names->end());
  count_waiting();
}

void Model::note_data_seen() {
  for (const auto& op : graph_.ops) op->waits = op->waits && !served(graph_, *op);
  count_waiting();
}

void Model::note_data_seen(const std::string& layer) {
  for (const auto& op : graph_.ops)
    if (op->layer == layer) op->waits = false;
  count_waiting();
}

void Model::count_waiting() {
  bool any = false, statistics = false;
  for (const auto& op : graph_.ops) {
    any = any || (op->waits && served(graph_, *op));
    statistics = statistics || (op->waits && op->flags.adapts);
  }
  awaits_data_ = any;
  unadapted_ = statistics;
}

void Model::refuse_unadapted() const {
  std::vector<std::string> layers;
  for (const auto& op : graph_.ops)
    if (op->flags.adapts && op->waits) layers.push_back(concat("'", op->layer, "'"));
  throw StateError(
      concat(join(layers), layers.size() > 1 ? " have" : " has",
             " not seen data yet: call model.adapt(X) with the training data, or fit"));
}

void Model::set_trainable(const std::string& layer, bool trainable) {
  const OwnGuard guard(*this);
  for (auto& tensor : graph_.parameters.tensors) {
    if (tensor.layer != layer || tensor.role == Role::statistic) continue;
    tensor.trainable = trainable;
  }
  for (auto& op : graph_.ops)
    if (op->layer == layer && !op->flags.row_local) op->frozen = !trainable;
  count_waiting();
  ++version_;
}

Model::Guard::Guard(Model& model) : model_(model) {
  std::thread::id nobody;
  if (!model.trained_by_.compare_exchange_strong(nobody, std::this_thread::get_id()))
    throw StateError(
        "the model is being trained: wait until fit returns (predict may be called meanwhile)");
}
Model::Guard::~Guard() { model_.trained_by_ = std::thread::id(); }

template <class T>
void ModelOf<T>::initialize() {
  parameters_.allocate(graph_.parameters.size);
  initialize_parameters(graph_.parameters, seed_, parameters_.data());
  inference_ = std::make_unique<Inference<T>>(graph_);
}

template <class T>
void* ModelOf<T>::gradients() {
  if (gradients_.empty()) gradients_.allocate(graph_.parameters.size);
  has_gradients_ = true;
  return gradients_.data();
}

template <class T>
void ModelOf<T>::publish(const T* weights, std::shared_ptr<Buffer<T>>& held, void (*wait)()) {
  {
    const NoFork whole;
    const std::lock_guard<std::mutex> lock(mutex_);
    const long ours = published_ == held ? 2 : 1;
    if (!held || held.use_count() > ours) held = std::make_shared<Buffer<T>>(parameters_.size());
    std::copy_n(weights, parameters_.size(), held->data());
    published_ = held;
  }
  while (live_readers_ > 0 && !in_forked_child()) wait ? wait() : std::this_thread::yield();
}

template <class T>
void ModelOf<T>::unpublish() {
  const NoFork whole;
  const std::lock_guard<std::mutex> lock(mutex_);
  published_ = nullptr;
}

template <class T>
ModelOf<T>::Changing::Changing(ModelOf& model, bool calls_out, std::shared_ptr<Buffer<T>>& held,
                               void (*wait)())
    : model_(model) {
  {
    const std::lock_guard<std::mutex> lock(model_.mutex_);
    published_ = calls_out || model_.live_readers_ > 0;
    if (!published_) model_.changing_ = true;
  }
  if (published_) model_.publish(model_.weights(), held, wait);
}

template <class T>
ModelOf<T>::Changing::~Changing() {
  if (published_)
    model_.unpublish();
  else
    model_.changing_ = false;
}

template <class T>
ModelOf<T>::Reading::Reading(const ModelOf& model) : model_(model) {
  for (;; std::this_thread::yield()) {
    const std::lock_guard<std::mutex> lock(model_.mutex_);
    if (model_.changing_ && !in_forked_child()) continue;  // for the time of a step
    snapshot_ = model_.published_;
    if (!snapshot_) ++model_.live_readers_;
    return;
  }
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

template <class T>
void ModelOf<T>::predict(const std::vector<ArrayView>& inputs, const std::vector<void*>& out,
                         const PredictOptions& options) const {
  const Index n = check_inputs(inputs);
  require_adapted();
  check_codes(inputs);
  const Reading reading(*this);
  inference_->predict(reading.weights(), inputs, n, out, options);
}

template <class T>
void ModelOf<T>::predict_values(const Values& values, const std::vector<ArrayView>& inputs,
                                const std::vector<void*>& out,
                                const PredictOptions& options) const {
  const Index n = check_inputs(inputs);
  require_adapted();
  check_codes(inputs);
  const Inference<T> inference(graph_, values);
  const Reading reading(*this);
  inference.predict(reading.weights(), inputs, n, out, options);
}

template <class T>
void ModelOf<T>::input_gradient(Value value, Index column, const std::vector<ArrayView>& inputs,
                                const std::vector<void*>& out,
                                const PredictOptions& options) const {
  const Index n = check_inputs(inputs);
  require(column >= 0 && column < value.width, "input_gradient: output must be in 0 ... ",
          value.width - 1, ", got ", column);
  require_adapted();
  if (n == 0) return;
  check_codes(inputs);
  const int threads = worthwhile_threads(options.num_threads, n, 2 * flops_per_row());
  const Reading reading(*this);
  lamina::input_gradient(graph_, reading.weights(), inputs, n, value, column, out, threads,
                         options.tick);
}

template <class T>
void ModelOf<T>::forward(const std::vector<ArrayView>& inputs, bool training,
                         const std::vector<void*>& out) {
  const Index n = check_inputs(inputs);
  require(n > 0, "forward: expected at least one row, got none");
  require_adapted();
  check_codes(inputs);
  const bool moves = training && std::any_of(graph_.ops.begin(), graph_.ops.end(), [](auto& op) {
                       return !op->flags.row_local && !op->frozen;
                     });
  const auto guard = moves ? std::make_unique<Guard>(*this) : nullptr;
  by_hand_.forward(parameters_.data(), inputs, n, training, seed_, version_, out);
}

template <class T>
void ModelOf<T>::backward(const std::vector<const void*>& gradients,
                          const std::vector<void*>& input_gradients) {
  if (by_hand_.rows() == 0)
    throw StateError(
        "backward: call model.forward(x) first; backward uses its intermediate values");
  const Guard guard(*this);  // the gradients are those that a fit may store
  by_hand_.backward(gradients, stored_gradients(), input_gradients);
}

template <class T>
Buffer<T> ModelOf<T>::learned_from(const Batch& rows, int threads, FirstLook what) const {
  Buffer<T> out(parameters_.size());
  out.copy_from(parameters_);
  learn_from_data(graph_, rows, seed_, threads, what, out.data());
  return out;
}

template <class T>
void ModelOf<T>::look_at(const std::vector<ArrayView>& inputs, int num_threads, FirstLook what) {
  const Index n = check_inputs(inputs);
  check_codes(inputs);
  const Guard guard(*this);
  const Buffer<T> start =
      learned_from(Batch{{nullptr, 0, n}, &inputs}, looking_threads(*this, num_threads, n), what);
  std::shared_ptr<Buffer<T>> held;
  publish(start.data(), held);  // predictions of other threads see all of it or nothing
  std::copy_n(start.data(), start.size(), parameters_.data());
  note_data_seen();
  unpublish();
}

template <class T>
void ModelOf<T>::initialize_from(const std::vector<ArrayView>& inputs, int num_threads) {
  require(wants_data(graph_.parameters),
          "initialize: no trainable kernel has an initializer that wants data, as in "
          "lm.Dense(64, kernel_initializer='unit_variance')");
  require(check_inputs(inputs) > 0, "initialize: expected at least one row, got none");
  look_at(inputs, num_threads, {Look::waiting, Look::all});
}

template <class T>
void ModelOf<T>::adapt_to(const std::vector<ArrayView>& inputs, int num_threads) {
  require(adapts_,
          "adapt: no layer of this model adapts to data, as lm.Normalization() behind the input "
          "does (one with given statistics has nothing to learn)");
  require(check_inputs(inputs) > 0, "adapt: expected at least one row, got none");
  look_at(inputs, num_threads, {Look::all, Look::waiting});
}

template class ModelOf<float>;
template class ModelOf<double>;

}  // namespace lamina
