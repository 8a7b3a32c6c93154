// Reading a model while another thread trains it: predictions, copies of the weights as for a file,
// evaluations; when a fit begins, during it, at the end of every epoch, after it (for
// ThreadSanitizer). Each prediction is that of one epoch's weights; what would change the training
// is refused.
#include <atomic>
#include <cmath>
#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "check.hpp"
#include "lamina/io/train_state.hpp"
#include "lamina/train/trainer.hpp"

using namespace lamina;

namespace {

constexpr Index kRows = 64, kColumns = 20;

const char* kModel = R"({"seed": 1, "layers": [
  {"class": "Input", "shape": [20]},
  {"class": "Dense", "units": 64, "activation": "relu"},
  {"class": "BatchNormalization"},
  {"class": "Dense", "units": 3, "activation": "softmax"}]})";

// Calls `read` again and again in a thread of its own.
class Reader {
 public:
  explicit Reader(std::function<void()> read)
      : thread_([this, read = std::move(read)] {
          while (!stop_) {
            read();
            calls_.fetch_add(1, std::memory_order_relaxed);  // orders nothing
          }
        }) {}
  ~Reader() {
    stop_ = true;
    thread_.join();
  }
  // Returns after a call that was begun later than this one: with no fit, of the live weights.
  void await_call() const {
    const int enough = calls_.load(std::memory_order_relaxed) + 2;
    while (calls_.load(std::memory_order_relaxed) < enough) std::this_thread::yield();
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int> calls_{0};
  std::thread thread_;
};

// What one of several threads that predict has seen.
struct Seen {
  std::vector<float> out = std::vector<float>(kRows * 3);
  std::set<std::vector<float>> answers;
};

constexpr int kPredicting = 8;

// What only the thread that fits may do: in another one it is done between fits, or refused.
void meddle(Trainer& trainer) {
  const auto attempt = [](auto&& act) {
    try {
      act();
    } catch (const StateError&) {
    }
  };
  attempt([&] { trainer.keep_best(0, 0); });
  attempt([&] { CHECK(!encode_state(trainer).empty()); });
  attempt([&] { trainer.model->set_trainable("dense_1", true); });
}

// Until nobody else has the model.
void begin_fit(Trainer& trainer, const Data& data) {
  for (;; std::this_thread::yield()) {
    try {
      return trainer.begin_fit(data, {16, 10, true, 2, true, {.exact_threads = true}});
    } catch (const StateError&) {
    }
  }
}

std::unique_ptr<Trainer> make_trainer(const std::shared_ptr<Model>& model) {
  auto optimizer =
      std::make_shared<Optimizer>(parse_json("optimizer", R"({"class": "Adam", "use_ema": true})"));
  return Trainer::create(model, optimizer, {{parse_json("loss", R"("cce")")}}, 7);
}

}  // namespace

int main() {
  std::vector<float> x(kRows * kColumns), y(kRows);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(std::sin(0.7 * static_cast<double>(i)));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(i % 3);
  std::shared_ptr<Model> model = Model::create(parse_json("model", kModel));
  const auto trainer = make_trainer(model), watcher = make_trainer(model);
  Data data;
  data.inputs = {{x.data(), DType::float32, kRows, kColumns, 4 * kColumns, 4}};
  data.targets = {{y.data(), DType::float32, kRows, 1, 4, 4}};

  const auto evaluate = [&](Trainer& t) { return t.evaluate(data, 256, 1, {}); };
  const auto predict = [&](Seen& seen) {
    model->predict(data.inputs, {seen.out.data()}, {.num_threads = 1});
    seen.answers.insert(seen.out);
  };
  std::vector<Seen> seen(kPredicting);
  Seen epochs;
  predict(epochs);
  std::vector<std::unique_ptr<Reader>> predicting;
  for (Seen& one : seen) predicting.push_back(std::make_unique<Reader>([&] { predict(one); }));
  const Reader copying([&] { CHECK(model->still_weights() != nullptr); });
  const Reader evaluating([&] {
    CHECK(std::isfinite(evaluate(*watcher)[0]));
    CHECK(std::isfinite(evaluate(*trainer)[0]));
  });
  const Reader meddling([&] { meddle(*trainer); });
  Monitor nobody;
  for (int fit = 0; fit < 4; ++fit) {
    predicting[0]->await_call();
    for (const Reader* reader : {&copying, &evaluating}) reader->await_call();
    begin_fit(*trainer, data);
    std::vector<double> last;
    for (int epoch = 0; epoch < 10; ++epoch) {
      CHECK(trainer->run_epoch(nobody).end == EpochEnd::complete);
      last = evaluate(*trainer);  // by the thread that trains
      predict(epochs);
    }
    trainer->end_fit();
    CHECK(evaluate(*watcher) == last);
    predict(epochs);
  }
  predicting.clear();
  for (const Seen& one : seen)
    for (const auto& answer : one.answers) CHECK(epochs.answers.count(answer) == 1);
  return 0;
}
