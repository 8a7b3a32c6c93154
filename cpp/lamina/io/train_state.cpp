#include "lamina/io/train_state.hpp"

#include <optional>

namespace lamina {
namespace {

constexpr const char* kFormat = "lamina-checkpoint";
constexpr const char* kInFit = "in_fit";

// Calls f(name, buffer) for each flat buffer of a trainer, empty ones too.
template <class T, class F>
void for_buffers(TrainerOf<T>& trainer, F&& f) {
  Slots<T>& slots = trainer.optimizer->template slots<T>();
  for (int k = 0; k < kMaxSlots; ++k) f("slot" + std::to_string(k), slots.slot[k]);
  f("accumulated", slots.accumulated);
  f("average", slots.average);
  f("best", trainer.best());
  f("raw", trainer.raw());
}

Json counters(const Trainer& t) {
  const TrainState& s = t.state;
  return {{"numerics_version", s.numerics_version},
          {"seed", s.seed},
          {"epoch", s.epoch},
          {"cursor", s.cursor},
          {"open_values", s.open.values},
          {"open_weight", s.open.weight},
          {"open_activity", s.open.activity},
          {"norms", s.norms},
          {"data_signature", s.data_signature},
          {"has_best", s.has_best},
          {"best_value", s.best_value},
          {"best_epoch", s.best_epoch},
          {"shows_best", s.shows_best},
          {"good_epochs", s.good_epochs},
          {"iterations", t.optimizer->iterations},
          {"collected", t.optimizer->collected},
          {"planned_steps", t.optimizer->planned_steps},
          {"planned_epochs", t.optimizer->planned_epochs},
          {"rate_scale", t.optimizer->rate_scale}};
}

// Hands the description of a state on, whose tensors lie in the trainer.
template <class T>
void describe_of(TrainerOf<T>& trainer, const std::function<void(TensorFile&)>& to) {
  const ParameterTable& table = trainer.model->graph().parameters;
  Slots<T>& slots = trainer.optimizer->template slots<T>();
  std::vector<Index> start;
  place_state(table, start);
  std::optional<Slots<T>> as_found;
  if (!slots.empty() && slots.start != start) {  // others are frozen now
    as_found = slots.copy();
    trainer.optimizer->prepare(table, static_cast<const T*>(trainer.model->parameters()),
                               layout_of(*trainer.model));
  }
  TensorFile file;
  Json state = counters(trainer);
  state["since"] = slots.since;
  file.metadata = {{"format", kFormat},
                   {"format_version", std::to_string(kStateVersion)},
                   {"state", state.dump()},
                   {"spec", trainer.model->spec().dump()},
                   {"optimizer", write_optimizer(trainer.optimizer->settings).dump()}};
  const auto add = [&](const std::string& name, const void* data, Index size) {
    file.tensors.push_back(
        {name, trainer.model->dtype(), {size}, data, static_cast<std::size_t>(size) * sizeof(T)});
  };
  add("parameters", trainer.model->parameters(), table.size);
  for_buffers(trainer, [&](const std::string& name, Buffer<T>& b) {
    if (!b.empty()) add(name, b.data(), b.size());
  });
  if (trainer.state.cursor > 0 && trainer.good())  // where a divergence in this epoch leads
    add("good", trainer.good()->data(), trainer.good()->size());
  if (trainer.kept()) add("kept", trainer.kept()->data(), trainer.kept()->size());
  struct Unchanged {  // whoever saves changes nothing
    Slots<T>& slots;
    std::optional<Slots<T>>& as_found;
    ~Unchanged() {
      if (as_found) slots = std::move(*as_found);
    }
  } const unchanged{slots, as_found};
  to(file);
}

// What a buffer of that name must be: state has places for trainable tensors alone.
template <class T>
StoredTensor expected(const TrainerOf<T>& trainer, const std::string& name) {
  const ParameterTable& table = trainer.model->graph().parameters;
  std::vector<Index> start;
  const bool state = name.starts_with("slot") || name == "accumulated";
  const Index n = state ? place_state(table, start) : table.size;
  return {name, trainer.model->dtype(), {n}, nullptr, static_cast<std::size_t>(n) * sizeof(T)};
}

// Checks that the file has every buffer that a run with so many steps needs, each whole.
template <class T>
void check_buffers(const TrainerOf<T>& trainer, const TensorFile& file, bool stepped) {
  const OptimizerSettings& settings = trainer.optimizer->settings;
  const auto check = [&](const std::string& name, bool needed) {
    const StoredTensor tensor = expected(trainer, name);
    if ((needed && tensor.bytes > 0) || file.find(name)) file.checked(tensor);
  };
  check("parameters", true);
  for (int k = 0; k < kMaxSlots; ++k)
    check("slot" + std::to_string(k), stepped && settings.uses<T>(k));
  check("accumulated", stepped && settings.accumulates());
  check("average", stepped && settings.use_ema);
  check("best", false);
  check("raw", false);
  check("good", false);
  check("kept", false);
}

template <class T>
void load_buffers(TrainerOf<T>& trainer, const TensorFile& file, bool stepped,
                  const std::vector<std::uint64_t>& since) {
  file.read(expected(trainer, "parameters"), trainer.model->parameters());
  trainer.optimizer->reset();
  for_buffers(trainer, [&](const std::string& name, Buffer<T>& b) {
    b = {};
    if (!file.find(name)) return;
    const auto entry = expected(trainer, name);
    b.allocate(entry.shape[0]);
    file.read(entry, b.data());
  });
  const auto load_shared = [&](const std::string& name, std::shared_ptr<Buffer<T>>& b) {
    b = nullptr;
    if (!file.find(name)) return;
    b = std::make_shared<Buffer<T>>(trainer.model->graph().parameters.size);
    file.read(expected(trainer, name), b->data());
  };
  load_shared("good", trainer.good());
  load_shared("kept", trainer.kept());
  Slots<T>& slots = trainer.optimizer->template slots<T>();
  if (!stepped) {  // the next fit makes them
    slots = {};
    return;
  }
  slots.size = trainer.model->graph().parameters.size;
  place_state(trainer.model->graph().parameters, slots.start);
  slots.since = since;
  slots.since.resize(slots.start.size());
}

// The counters of a state, read before anything changes.
struct Counters {
  TrainState state;
  std::uint64_t iterations = 0, collected = 0, planned_steps = 0, planned_epochs = 0;
  std::vector<std::uint64_t> since;
  double rate_scale = 1;
  int numerics_version = 0;  // of whoever wrote them
  Json spec;                 // of the model
};

// Whole numbers of at least 0, which JSON's others would be turned into.
std::uint64_t count(const Json& json, const char* name) {
  const Json& value = json.at(name);
  require(value.is_number_unsigned(), "train state: ", name,
          " must be a whole number of at least 0, got ", value.dump());
  return value.get<std::uint64_t>();
}

Counters read_counters(const Json& json, const Objective& objective, std::size_t tensors) {
  Counters c;
  TrainState& s = c.state;
  c.numerics_version = static_cast<int>(count(json, "numerics_version"));
  require(c.numerics_version <= kNumericsVersion, "the state was written by a newer Lamina ",
          "(numerics_version ", c.numerics_version, ", this one has ", kNumericsVersion,
          "): pip install --upgrade lamina");
  s.seed = count(json, "seed");
  s.epoch = count(json, "epoch");
  s.cursor = static_cast<Index>(count(json, "cursor"));
  require(s.cursor >= 0, "train state: cursor must be a number of rows, got ",
          json.at("cursor").dump());
  s.open.values = json.at("open_values").get<std::vector<double>>();
  std::size_t values = 0;
  for (const Head& head : objective.heads) values += head.values();
  require(s.open.values.empty() || s.open.values.size() == values, "train state: it has ",
          s.open.values.size(), " sums of an epoch that is not complete, the trainer makes ",
          values, ": give it the same loss and metrics");
  s.open.weight = json.at("open_weight");
  s.open.activity = json.value("open_activity", 0.0);
  s.norms = json.value("norms", s.norms);
  require(s.norms.empty() || s.norms.size() == 3 * tensors, "train state: it has ", s.norms.size(),
          " norms of a step, the model has ", tensors, " tensors");
  s.data_signature = count(json, "data_signature");
  s.has_best = json.at("has_best");
  s.best_value =
      json.at("best_value").is_null() ? std::nan("") : json.at("best_value").get<double>();
  s.best_epoch = count(json, "best_epoch");
  s.shows_best = json.value("shows_best", false);
  if (json.contains("good_epochs")) s.good_epochs = count(json, "good_epochs");
  c.iterations = count(json, "iterations");
  if (json.contains("collected")) c.collected = count(json, "collected");
  c.since = json.value("since", c.since);
  for (const std::uint64_t step : c.since)
    require(step <= c.iterations, "train state: a tensor's state begins in step ", step, " of ",
            c.iterations);
  c.planned_steps = count(json, "planned_steps");
  c.planned_epochs = count(json, "planned_epochs");
  c.rate_scale = json.at("rate_scale");
  return c;
}

template <class T>
void decode_of(TrainerOf<T>& trainer, const TensorFile& file, const Counters& counters) {
  const bool stepped = counters.iterations > 0 || counters.collected > 0;
  check_buffers(trainer, file, stepped);
  const Model::Guard guard(*trainer.model);
  load_buffers(trainer, file, stepped, counters.since);
  trainer.state = counters.state;
  trainer.model->set_waiting(counters.spec);
  trainer.model->set_seed(counters.spec.value("seed", trainer.model->seed()));
  trainer.optimizer->iterations = counters.iterations;
  trainer.optimizer->collected = counters.collected;
  trainer.optimizer->epoch = counters.state.epoch;
  trainer.optimizer->planned_steps = counters.planned_steps;
  trainer.optimizer->planned_epochs = counters.planned_epochs;
  trainer.optimizer->rate_scale = counters.rate_scale;
  if (file.metadata.count(kInFit)) trainer.use_average();
}

void describe(Trainer& trainer, const std::function<void(TensorFile&)>& to) {
  if (auto* f = dynamic_cast<TrainerOf<float>*>(&trainer)) return describe_of(*f, to);
  describe_of(static_cast<TrainerOf<double>&>(trainer), to);
}

}  // namespace

std::string encode_state(Trainer& trainer) {
  const Model::OwnGuard guard(*trainer.model);
  std::string out;
  describe(trainer, [&](const TensorFile& file) { out = encode(file); });
  return out;
}

void save_state(const std::string& path, Trainer& trainer, const std::string& extra) {
  const Model::OwnGuard guard(*trainer.model);
  describe(trainer, [&](TensorFile& file) {
    file.metadata["extra"] = extra;
    if (trainer.fitting()) file.metadata[kInFit] = "true";
    write_atomically(path, file);
  });
}

TensorFile decode_state(const std::string& what, std::span<const char> bytes) {
  TensorFile file = decode(what, bytes);
  check_format(file, kFormat, kStateVersion);
  if (file.metadata.count("extra")) check_nesting(what + ": its extra", metadata(file, "extra"));
  return file;
}

bool load_state(Trainer& trainer, const TensorFile& file) {
  if (trainer.fitting()) throw StateError("a fit is running: load a state before or after it");
  const auto parsed = [&](const char* key) { return parse_json(file.what, metadata(file, key)); };
  Counters counters;
  try {
    counters = read_counters(parsed("state"), trainer.objective(),
                             trainer.model->graph().parameters.tensors.size());
    counters.spec = parsed("spec");
    counters.spec.value("seed", std::uint64_t{0});  // refuse other types before anything changes
    counters.spec.value("initialized", false);
    require(counters.spec.at("layers") == trainer.model->spec().at("layers"), file.what,
            ": the state belongs to another model");
    require(parsed("optimizer") == write_optimizer(trainer.optimizer->settings), file.what,
            ": the state belongs to another optimizer: ", metadata(file, "optimizer"));
  } catch (const Json::exception& error) {
    fail(file.what, ": not of the expected form: ", error.what());
  }
  if (auto* f = dynamic_cast<TrainerOf<float>*>(&trainer))
    decode_of(*f, file, counters);
  else
    decode_of(static_cast<TrainerOf<double>&>(trainer), file, counters);
  return counters.numerics_version == kNumericsVersion;
}

}  // namespace lamina
