// lamina/train.hpp: what it describes is what the engine trains, with the same bits; what cannot be
// meant is refused. (tests/test_cpp_consumer.py compares with Python.)
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "check.hpp"
#include "lamina/io/model_file.hpp"
#include "lamina/lamina.hpp"
#include "lamina/train/trainer.hpp"

namespace lm = lamina::train;

namespace {

constexpr std::size_t kRows = 200, kColumns = 6;

struct Rows {
  std::vector<double> x = std::vector<double>(kRows * kColumns);
  std::vector<std::int64_t> y = std::vector<std::int64_t>(kRows);
  Rows() {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(0.7 * static_cast<double>(i));
    for (std::size_t i = 0; i < kRows; ++i) y[i] = x[kColumns * i] > 0 ? 2 : i % 2;
  }
};

std::vector<lm::Object> layers() {
  return {lm::Input(kColumns),
          lm::Object("Residual", {{"layers", lm::List{lm::Dense(8, "relu"), lm::Dense(6)}}}),
          lm::Dense(16, lm::Object("LeakyReLU", {{"negative_slope", 0.1}}),
                    {{"use_bias", false}, {"name", "hidden"}}),
          lm::Object("BatchNormalization"),
          lm::Dropout(0.2),
          lm::Dense(3, "softmax")};
}

const char* kSpec = R"({"seed": 5, "layers": [
  {"class": "Input", "shape": [6]},
  {"class": "Residual", "layers": [
    {"class": "Dense", "units": 8, "activation": "relu"}, {"class": "Dense", "units": 6}]},
  {"class": "Dense", "units": 16, "activation": {"class": "LeakyReLU", "negative_slope": 0.1},
   "use_bias": false, "name": "hidden"},
  {"class": "BatchNormalization"}, {"class": "Dropout", "rate": 0.2},
  {"class": "Dense", "units": 3, "activation": "softmax"}]})";

std::string trained_by_the_engine(const Rows& rows) {
  std::shared_ptr<lamina::Model> model = lamina::Model::create(lamina::parse_json("model", kSpec));
  const auto trainer = lamina::Trainer::create(
      model, std::make_shared<lamina::Optimizer>(lamina::parse_json("optimizer", R"(
        {"class": "Adam", "learning_rate": 0.01, "clipnorm": 1.0})")),
      {{lamina::parse_json("loss", R"("cce")")}}, 5);
  lamina::Data data;
  data.inputs = {{rows.x.data(), lamina::DType::float64, kRows, kColumns, 8 * kColumns, 8}};
  data.targets = {{rows.y.data(), lamina::DType::int64, kRows, 1, 8, 8}};
  lamina::Monitor nobody;
  trainer->begin_fit(data, {.batch_size = 32, .epochs = 4, .scheduling = {}});
  for (int epoch = 0; epoch < 4; ++epoch) trainer->run_epoch(nobody);
  trainer->end_fit();
  return lamina::fingerprint(*model);
}

lm::TrainerOptions options() {
  return {.loss = "cce",
          .optimizer = lm::Object("Adam", {{"learning_rate", 0.01}, {"clipnorm", 1}}),
          .metrics = {"accuracy"}};
}

void same_bits_as_the_engine() {
  const Rows rows;
  const lm::Model model(layers(), {.seed = 5});
  lm::Trainer trainer(model, options());
  std::vector<std::uint64_t> seen;
  const auto history =
      trainer.fit(rows.x, rows.y,
                  {.epochs = 4,
                   .batch_size = 32,
                   .validation = {{rows.x, rows.y}},
                   .on_epoch = [&](std::uint64_t epoch, const lm::Logs& logs) {
                     CHECK(logs.at("val_loss") == trainer.evaluate(rows.x, rows.y).at("loss"));
                     return seen.push_back(epoch), true;
                   }});
  CHECK(model.fingerprint() == trained_by_the_engine(rows));
  CHECK(seen == (std::vector<std::uint64_t>{0, 1, 2, 3}));
  CHECK(history.epochs.size() == 4 && history.stop_reason == "all epochs done");
  CHECK(history.epochs[3].at("loss") < history.epochs[0].at("loss"));
  CHECK(history.epochs[0].size() == 4 && history.epochs[0].count("val_accuracy") == 1);
}

void saved_and_loaded() {
  const std::string path = "test_train_api_" LAMINA_LEVEL_NAME ".lamina";
  const Rows rows;
  const lm::Model model(layers(), {.seed = 1, .dtype = "float64"});
  model.save(path);
  const lm::Model again = lm::Model::load(path);
  CHECK(again.fingerprint() == model.fingerprint());
  CHECK(again.input_size() == kColumns && again.output_size() == 3);
  CHECK(again.num_parameters() == 6 * 8 + 8 + 8 * 6 + 6 + 6 * 16 + 4 * 16 + 16 * 3 + 3);
  std::vector<double> y(kRows * 3), served(kRows * 3);
  again.predict(rows.x, y);
  const auto predictor = lamina::Predictor::load(path, {.fold = false});
  predictor.predict(std::span<const double>(rows.x), served);
  CHECK(y == served);
  std::remove(path.c_str());
}

void stopping_and_the_best() {
  const Rows rows;
  const lm::Model model(layers(), {.seed = 1});
  lm::Trainer trainer(model, options());
  CHECK(!trainer.restore_best());
  std::string best;
  const auto history = trainer.fit(rows.x, rows.y, {.on_epoch = [&](auto epoch, auto& logs) {
                                     if (epoch == 1) trainer.keep_best(logs.at("loss"));
                                     if (epoch == 1) best = model.fingerprint();
                                     return epoch < 3;
                                   }});
  CHECK(history.epochs.size() == 4 && history.stop_reason == "stopped");
  CHECK(model.fingerprint() != best);
  CHECK(trainer.restore_best() && model.fingerprint() == best);
  const lm::Model wild(layers(), {.seed = 1});
  lm::Trainer diverging(wild,
                        {.loss = "cce", .optimizer = lm::Object("SGD", {{"learning_rate", 1e30}})});
  CHECK(diverging.fit(rows.x, rows.y).stop_reason.starts_with("diverged: "));
}

template <class F>
void refused(F&& f, const std::string& part) {
  try {
    f();
  } catch (const std::invalid_argument& error) {
    if (std::string(error.what()).find(part) != std::string::npos) return;
    std::fprintf(stderr, "'%s' is not in '%s'\n", part.c_str(), error.what());
    CHECK(false);
  }
  std::fprintf(stderr, "nobody refused: %s\n", part.c_str());
  CHECK(false);
}

void refusals() {
  const Rows rows;
  const auto with = [](lm::Object layer) { lm::Model({lm::Input(2), std::move(layer)}); };
  refused([&] { lm::Dense(3, "relu", {{"use_bais", true}}); },
          "Dense: there is no argument 'use_bais'. Did you mean 'use_bias'?");
  refused([&] { lm::Object("Adam", {{"lr", 0.1}}); }, "Adam: there is no argument 'lr'");
  refused([&] { with(lm::Object("Dens", {{"units", 3}})); }, "Did you mean 'Dense'?");
  refused([&] { with(lm::Object("Dense")); }, "units must be given");
  refused([&] { with(lm::Dense(3, "rleu")); }, "relu");
  refused([&] { with(lm::Object("Dense", {{"units", "three"}})); }, "units must be a whole number");
  refused([&] { with(lm::Object("Parallel", {{"layers", lm::List{3}}})); }, "a layer is an object");
  refused([&] { lm::Model({lm::Dense(3)}); }, "the first element must be");
  refused([&] { lm::Model(layers(), {.dtype = "float16"}); }, "dtype must be");

  const lm::Model model(layers(), {.seed = 1});
  const std::string before = model.fingerprint();
  refused([&] { lm::Trainer(model, {.loss = "cee"}); }, "unknown loss 'cee'");
  refused([&] { lm::Trainer(model, {.loss = "cce", .num_threads = -1}); }, "num_threads");
  lm::Trainer trainer(model, options());
  const std::vector<double> odd(kColumns + 1), none;
  refused([&] { trainer.fit(odd, rows.y); }, "x: expected whole rows of 6 numbers, got 7");
  refused([&] { trainer.fit(none, rows.y); }, "x has no rows");
  refused([&] { trainer.fit(rows.x, odd); }, "y: expected as many numbers as x has rows, 200");
  refused([&] { trainer.fit(rows.x, rows.y, {.epochs = 0}); }, "epochs must be at least 1");
  refused([&] { trainer.fit(rows.x, rows.y, {.sample_weight = odd}); }, "sample_weight");
  refused([&] { trainer.fit(rows.x, rows.y, {.validation = {{odd, rows.y}}}); }, "whole rows");
  std::vector<std::int64_t> wrong = rows.y;
  wrong[7] = 3;
  refused([&] { trainer.fit(rows.x, wrong); }, "row 7");
  std::vector<float> few(5);
  std::vector<double> wide(kRows * 3);
  refused([&] { model.predict(rows.x, few); }, "expected room for 200 rows of 3 numbers");
  refused([&] { model.predict(rows.x, wide); }, "computes in float32");
  CHECK(model.fingerprint() == before);
}

// The defaults stand in two headers: this one must not name the engine's types.
void defaults() {
  const lm::FitOptions ours;
  const lamina::FitOptions engine;
  CHECK(ours.epochs == engine.epochs && ours.batch_size == engine.batch_size);
  CHECK(ours.shuffle == engine.shuffle);
  CHECK(lm::Model(layers()).fingerprint() != lm::Model(layers()).fingerprint());
  CHECK(lm::Setting(lm::List{}).json() == "[]");
  CHECK(lm::Setting(lm::List{1, 0.5, "a\"b", true, nullptr}).json() ==
        R"([1,0.5,"a\"b",true,null])");
}

}  // namespace

int main() {
  same_bits_as_the_engine();
  saved_and_loaded();
  stopping_and_the_best();
  refusals();
  defaults();
  std::puts("train_api: ok");
}
