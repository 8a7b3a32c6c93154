// For C++ programs that train a network: link lamina::lamina and include this alone.
//
//   namespace lm = lamina::train;
//   lm::Model model({lm::Input(64), lm::Dense(32, "relu"), lm::Dense(10, "softmax")}, {.seed = 0});
//   const auto adam = lm::Object("Adam", {{"learning_rate", 0.01}});
//   lm::Trainer trainer(model, {.loss = "categorical_crossentropy", .optimizer = adam});
//   trainer.fit(x, y, {.epochs = 20});
//   model.save("digits.lamina");  // lm.load() in Python, lamina::Predictor in C++
//
// Names, arguments, defaults, and the results to the last bit are those of the Python package,
// whose documentation holds here. For networks of one input and one output. What cannot be meant
// throws std::invalid_argument before anything changes; what the state forbids, std::runtime_error.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lamina::train {

// What an argument can be: a number, true or false, a word, None (nullptr), an Object, a List.
class Setting {
 public:
  using List = std::vector<Setting>;
  Setting(std::nullptr_t);
  Setting(bool flag);
  Setting(std::integral auto number) : Setting(static_cast<std::int64_t>(number)) {}
  Setting(std::int64_t number);
  Setting(std::floating_point auto number) : Setting(static_cast<double>(number)) {}
  Setting(double number);
  Setting(const char* word) : Setting(std::string(word)) {}
  Setting(const std::string& word);
  Setting(const List& list);
  const std::string& json() const { return json_; }

 protected:
  std::string json_;
};
using List = Setting::List;
using Arguments = std::vector<std::pair<std::string, Setting>>;

// A layer, optimizer, loss, schedule, ... by its class in Python and its arguments. A layer that
// holds others takes them as "layers": Object("Residual", {{"layers", List{Dense(8), Dense(8)}}}).
struct Object : Setting {
  explicit Object(const std::string& class_name, const Arguments& arguments = {});
};

struct Input : Object {
  explicit Input(std::int64_t columns);
};
struct Dense : Object {
  explicit Dense(std::int64_t units, const Setting& activation = nullptr, Arguments more = {});
};
struct Dropout : Object {
  explicit Dropout(double rate);
};

// Somebody's numbers where they are, one row after another.
struct Numbers {
  enum class Type { float32, float64, int32, int64 };
  template <class T>
  Numbers(const std::vector<T>& all) : Numbers(std::span<const T>(all)) {}
  template <class T, std::size_t N>
  Numbers(std::span<T, N> all)
      : data(all.data()), size(all.size()), type(type_of(std::span<const T>())) {}
  const void* data;
  std::size_t size;
  Type type;

 private:
  static Type type_of(std::span<const float>) { return Type::float32; }
  static Type type_of(std::span<const double>) { return Type::float64; }
  static Type type_of(std::span<const std::int32_t>) { return Type::int32; }
  static Type type_of(std::span<const std::int64_t>) { return Type::int64; }
};

struct ModelOptions {
  std::optional<std::uint64_t> seed = {};  // without one: drawn from the system
  std::string dtype = "float32";           // or "float64"
};

// Copies share one network.
class Model {
 public:
  explicit Model(const std::vector<Object>& layers, const ModelOptions& options = {});
  static Model load(const std::string& path);
  void save(const std::string& path) const;

  std::size_t input_size() const;  // numbers of a row
  std::size_t output_size() const;
  std::size_t num_parameters() const;
  // Whole rows, y of the model's dtype. (Predictor is what to serve with.)
  void predict(Numbers x, std::span<float> y, int num_threads = 0) const;
  void predict(Numbers x, std::span<double> y, int num_threads = 0) const;
  std::string fingerprint() const;  // equal for equal networks and weights

  struct State;

 private:
  explicit Model(std::shared_ptr<State> state) : state_(std::move(state)) {}
  friend class Trainer;
  std::shared_ptr<State> state_;
};

using Logs = std::map<std::string, double>;  // "loss", the metrics, "val_loss", ...

struct TrainerOptions {
  Setting loss;
  Setting optimizer = "adam";
  List metrics = {};
  std::optional<std::uint64_t> seed = {};  // of shuffling and dropout; without one: the model's
  int num_threads = 0;                     // at most so many, 0 for all there are
};

struct FitOptions {
  std::uint64_t epochs = 20;
  std::int64_t batch_size = 128;
  bool shuffle = true;
  std::optional<Numbers> sample_weight = {};
  std::optional<std::pair<Numbers, Numbers>> validation = {};                // x and y
  std::function<bool(std::uint64_t epoch, const Logs& logs)> on_epoch = {};  // false: stop
};

struct History {
  std::vector<Logs> epochs;
  std::string stop_reason;  // "all epochs done", "stopped", "diverged: ..."
};

class Trainer {
 public:
  Trainer(const Model& model, const TrainerOptions& options);
  // x: whole rows; y: a number or class for each row, or as many as the network has outputs.
  History fit(Numbers x, Numbers y, const FitOptions& options = {});
  Logs evaluate(Numbers x, Numbers y) const;
  void keep_best(double value);  // a copy of the weights, e.g. in on_epoch
  bool restore_best();           // false: none was kept

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lamina::train
