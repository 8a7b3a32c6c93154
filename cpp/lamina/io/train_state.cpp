#include "lamina/io/train_state.hpp"

namespace lamina {
namespace {

// Calls f(name, buffer) for each flat buffer of a trainer, empty ones too.
template <class T, class F>
void for_buffers(TrainerOf<T>& trainer, F&& f) {
  Slots<T>& slots = trainer.optimizer->template slots<T>();
  for (int k = 0; k < kMaxSlots; ++k) f("slot" + std::to_string(k), slots.slot[k]);
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
          {"data_signature", s.data_signature},
          {"has_best", s.has_best},
          {"best_value", s.best_value},
          {"best_epoch", s.best_epoch},
          {"iterations", t.optimizer->iterations},
          {"planned_steps", t.optimizer->planned_steps},
          {"rate_scale", t.optimizer->rate_scale}};
}

template <class T>
std::string encode_of(TrainerOf<T>& trainer) {
  TensorFile file;
  file.metadata = {{"format", "lamina-train-state"},
                   {"state", counters(trainer).dump()},
                   {"spec", trainer.model->spec().dump()},
                   {"optimizer", write_optimizer(trainer.optimizer->settings).dump()}};
  const Index n = trainer.model->graph().parameters.size;
  const auto add = [&](const std::string& name, const void* data, Index size) {
    file.tensors.push_back(
        {name, trainer.model->dtype(), {size}, data, static_cast<std::size_t>(size) * sizeof(T)});
  };
  add("parameters", trainer.model->parameters(), n);
  for_buffers(trainer, [&](const std::string& name, Buffer<T>& b) {
    if (!b.empty()) add(name, b.data(), b.size());
  });
  return encode(file);
}

template <class T>
void decode_of(TrainerOf<T>& trainer, const TensorFile& file, const Json& json) {
  const Index n = trainer.model->graph().parameters.size;
  file.read("parameters", trainer.model->parameters(), static_cast<std::size_t>(n) * sizeof(T));
  trainer.optimizer->reset();
  for_buffers(trainer, [&](const std::string& name, Buffer<T>& b) {
    b = {};
    if (!file.find(name)) return;
    b.allocate(n);
    file.read(name, b.data(), b.bytes());
  });
  if (json.at("iterations").get<std::uint64_t>() > 0 || file.find("slot0"))
    trainer.optimizer->template slots<T>().size = n;
}

}  // namespace

std::string encode_state(Trainer& trainer) {
  if (auto* f = dynamic_cast<TrainerOf<float>*>(&trainer)) return encode_of(*f);
  return encode_of(static_cast<TrainerOf<double>&>(trainer));
}

void decode_state(Trainer& trainer, std::span<const char> bytes) {
  if (trainer.fitting()) throw StateError("a fit is running: load a state before or after it");
  const TensorFile file = decode("train state", bytes);
  const Json json = parse_json("train state", file.metadata.at("state"));
  require(json.at("numerics_version") == kNumericsVersion,
          "the state was written by another version of the numerics (",
          json.at("numerics_version").dump(), ", this one is ", kNumericsVersion,
          "): resuming would not give the same bits");
  require(parse_json("train state", file.metadata.at("spec")).at("layers") ==
              trainer.model->spec().at("layers"),
          "the state belongs to another model");
  require(parse_json("train state", file.metadata.at("optimizer")) ==
              write_optimizer(trainer.optimizer->settings),
          "the state belongs to another optimizer: ", file.metadata.at("optimizer"));
  if (auto* f = dynamic_cast<TrainerOf<float>*>(&trainer))
    decode_of(*f, file, json);
  else
    decode_of(static_cast<TrainerOf<double>&>(trainer), file, json);
  TrainState& s = trainer.state;
  s.seed = json.at("seed");
  s.epoch = json.at("epoch");
  s.cursor = json.at("cursor");
  s.open.values = json.at("open_values").get<std::vector<double>>();
  s.open.weight = json.at("open_weight");
  s.data_signature = json.at("data_signature");
  s.has_best = json.at("has_best");
  s.best_value =
      json.at("best_value").is_null() ? std::nan("") : json.at("best_value").get<double>();
  s.best_epoch = json.at("best_epoch");
  trainer.optimizer->iterations = json.at("iterations");
  trainer.optimizer->planned_steps = json.at("planned_steps");
  trainer.optimizer->rate_scale = json.at("rate_scale");
}

}  // namespace lamina
