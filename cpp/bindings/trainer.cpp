#include "lamina/train/trainer.hpp"

#include <thread>

#include "array.hpp"
#include "bindings.hpp"
#include "lamina/io/train_state.hpp"

namespace lamina::bindings {
namespace {

using ModelPointer = std::shared_ptr<Model>;
using OptimizerPointer = std::shared_ptr<Optimizer>;
using Targets = std::vector<std::optional<py::array>>;  // by output

// A Python loss: (y_true, y_pred) -> (values (n,), gradient (n, outputs)), called with the GIL.
CustomLoss custom_loss(const py::function& function, DataType dtype) {
  return [function, dtype](Index rows, Index n, const void* prediction, const void* target,
                           double* values, void* gradient) {
    const py::gil_scoped_acquire acquire;
    const std::size_t width = dtype == DataType::float32 ? 4 : 8,
                      bytes = static_cast<std::size_t>(rows * n) * width;
    py::array p = empty(dtype, {rows, n}), y = empty(dtype, {rows, n});
    std::memcpy(p.mutable_data(), prediction, bytes);
    std::memcpy(y.mutable_data(), target, bytes);
    const py::object result = function(y, p);
    require(py::isinstance<py::tuple>(result) && py::len(result) == 2,
            "loss: the function must return (values, gradient)");
    const Dense<double> v(result[py::int_(0)]);
    require(v.size() == rows, "loss: expected ", rows, " values, got ", v.size());
    std::copy_n(v.data(), rows, values);
    const auto copy = [&]<class T>(const Dense<T>& g) {
      require(g.size() == rows * n, "loss: expected a gradient of shape ", shape_text({rows, n}),
              ", got ", py::str(g.attr("shape")).template cast<std::string>());
      std::memcpy(gradient, g.data(), bytes);
    };
    if (dtype == DataType::float32)
      copy(Dense<float>(result[py::int_(1)]));
    else
      copy(Dense<double>(result[py::int_(1)]));
  };
}

// By output: the description of a loss ("null": none) or a function, metrics, the loss's weight.
std::unique_ptr<Trainer> make(const ModelPointer& model, const OptimizerPointer& optimizer,
                              const std::vector<py::object>& losses,
                              const std::vector<std::string>& metrics,
                              const std::vector<double>& weights, std::uint64_t seed) {
  std::vector<HeadSpec> heads(losses.size());
  require(metrics.size() == heads.size() && weights.size() == heads.size(),
          "Trainer: expected losses, metrics and weights of as many outputs");
  for (std::size_t i = 0; i < heads.size(); ++i) {
    if (py::isinstance<py::function>(losses[i]))
      heads[i].custom = custom_loss(losses[i], model->dtype());
    else
      heads[i].loss = parse_json("loss", losses[i].cast<std::string>());
    heads[i].metrics = parse_json("metrics", metrics[i]);
    heads[i].weight = weights[i];
  }
  return Trainer::create(model, optimizer, heads, seed);
}

py::dict named(const Trainer& trainer, const std::vector<double>& means) {
  py::dict out;
  const auto names = trainer.objective().names();
  for (std::size_t i = 0; i < means.size(); ++i) out[py::str(names[i])] = means[i];
  return out;
}

// Of a stream; its first row's number there, if so.
Data window(Data data, std::optional<Index> first_row) {
  data.window = first_row.has_value();
  for (std::vector<ArrayView>* arrays : {&data.inputs, &data.targets})
    for (ArrayView& one : *arrays) one.first_row = first_row.value_or(0);
  data.weights.first_row = first_row.value_or(0);
  return data;
}

void begin_fit(Trainer& trainer, const Inputs& inputs, const Targets& targets,
               const std::optional<py::array>& weights,
               const std::optional<std::vector<std::int64_t>>& rows, Index batch_size,
               std::uint64_t epochs, bool shuffle, std::optional<int> num_threads, bool check_input,
               Index block_rows, Index tile_elements, bool exact_threads,
               std::optional<Index> first_row, Index stream_rows, int begin,
               std::uint32_t window_number, Index window_begin, bool watch) {
  Data d = window(data(inputs, targets, weights, rows), first_row);
  const py::gil_scoped_release release;
  trainer.begin_fit(std::move(d), {batch_size,
                                   epochs,
                                   shuffle,
                                   num_threads.value_or(0),
                                   check_input,
                                   {block_rows, tile_elements, exact_threads},
                                   stream_rows,
                                   Begin{begin},
                                   window_number,
                                   window_begin,
                                   watch});
}

std::uint64_t signature_of(const Inputs& inputs, const Targets& targets,
                           const std::optional<py::array>& weights,
                           const std::optional<std::vector<std::int64_t>>& rows, Index batch_size,
                           bool shuffle) {
  return signature(data(inputs, targets, weights, rows), batch_size, shuffle);
}

py::dict memory(const Trainer& trainer, Index batch_size, bool shuffle,
                std::optional<int> num_threads, Index rows, Index validation_rows, bool keeps_best,
                bool watch) {
  FitOptions options;
  options.watch = watch;
  options.batch_size = batch_size;
  options.shuffle = shuffle;
  options.num_threads = num_threads.value_or(0);
  py::dict out;
  for (const MemoryPart& part : trainer.memory(options, rows, validation_rows, keeps_best))
    out[part.what] = part.bytes;
  return out;
}

py::dict epoch_dict(const Trainer& trainer, const EpochResult& result) {
  py::dict out;
  constexpr const char* ends[] = {"complete", "stopped", "diverged"};
  out["end"] = ends[static_cast<int>(result.end)];
  out["reason"] = result.reason;
  out["means"] = named(trainer, result.means);
  out["penalty"] = result.penalty;
  py::dict layers;
  for (const LayerNorms& one : result.norms) {
    py::dict norms;
    norms["gradient_norm"] = one.gradient;
    norms["update_norm"] = one.update;
    norms["weight_norm"] = one.weight;
    layers[py::str(one.layer)] = norms;
  }
  out["layers"] = layers;
  return out;
}

// `run`: Trainer::run_epoch or run_window. `tick` returns what Tick says. on_batch is called after
// each `every`-th batch of the training (0: none), and after the one in which a tick asked for it.
// After about so many `seconds` it stops between two steps; one at least is made.
enum class Tick { stop, go_on, call_on_batch };

py::dict run(Trainer& trainer, EpochResult (Trainer::*run)(Monitor&), const py::object& tick,
             const py::object& on_batch, std::uint64_t every, std::optional<double> seconds) {
  Monitor monitor;
  if (seconds)
    monitor.deadline =
        Monitor::Clock::now() + std::chrono::duration_cast<Monitor::Clock::duration>(
                                    std::chrono::duration<double>(std::min(*seconds, 1e9)));
  bool asked = false;
  monitor.tick = [&] {
    const py::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (tick.is_none()) return true;
    const Tick answer{tick(trainer.state.cursor).cast<int>()};
    asked = asked || answer == Tick::call_on_batch;
    return answer != Tick::stop;
  };
  if (!on_batch.is_none())
    monitor.on_batch = [&](std::uint64_t, const Sums& sums) {
      const bool due = every > 0 && trainer.optimizer->batches() % every == 0;
      if (!due && !asked) return true;
      asked = false;
      const py::gil_scoped_acquire acquire;
      return on_batch(named(trainer, sums.means(trainer.objective()))).cast<bool>();
    };
  EpochResult result;
  {
    const py::gil_scoped_release release;
    result = (trainer.*run)(monitor);
  }
  return epoch_dict(trainer, result);
}

py::dict run_epoch(Trainer& trainer, const py::object& tick, const py::object& on_batch,
                   std::uint64_t every) {
  return run(trainer, &Trainer::run_epoch, tick, on_batch, every, {});
}

py::dict run_window(Trainer& trainer, const py::object& tick, const py::object& on_batch,
                    std::uint64_t every, std::optional<double> seconds) {
  return run(trainer, &Trainer::run_window, tick, on_batch, every, seconds);
}

void next_window(Trainer& trainer, const Inputs& inputs, const Targets& targets,
                 const std::optional<py::array>& weights, Index first_row) {
  Data d = window(data(inputs, targets, weights, std::nullopt), first_row);
  const py::gil_scoped_release release;
  trainer.next_window(std::move(d));
}

// The means by name, and by output all predictions or None; `predictions` says of which they are
// wanted. `running`: of the windows of a stream before this one, which begins with row `first_row`.
// `show` is told how many rows are done.
py::tuple evaluate(Trainer& trainer, const Inputs& inputs, const Targets& targets,
                   const std::optional<py::array>& weights,
                   const std::optional<std::vector<std::int64_t>>& rows, Index batch_size,
                   std::optional<int> num_threads, const std::vector<bool>& predictions,
                   bool looking, std::optional<Sums*> running, std::optional<Index> first_row,
                   const py::object& show) {
  Data d = window(data(inputs, targets, weights, rows), first_row);
  const std::vector<Head>& heads = trainer.objective().heads;
  std::vector<double> means;
  std::vector<void*> values;
  py::list out;
  for (std::size_t h = 0; h < heads.size(); ++h) {
    values.push_back(nullptr);
    if (h < predictions.size() && predictions[h]) {
      py::array array = empty(trainer.model->dtype(), {d.rows(), heads[h].outputs});
      values[h] = array.mutable_data();
      out.append(std::move(array));
    } else {
      out.append(py::none());
    }
  }
  {
    const py::gil_scoped_release release;
    means = trainer.evaluate(std::move(d), batch_size, num_threads.value_or(0), signals_and(show),
                             values, looking, running.value_or(nullptr));
  }
  return py::make_tuple(named(trainer, means), out);
}

py::tuple observe(Trainer& trainer, const Inputs& inputs, const Targets& targets,
                  const std::optional<py::array>& weights,
                  const std::optional<std::vector<std::int64_t>>& rows,
                  std::optional<int> num_threads, bool with_layers) {
  Data d = data(inputs, targets, weights, rows);
  std::vector<LayerStatistics> layers;
  std::vector<double> means;
  {
    const py::gil_scoped_release release;
    means = trainer.observe(std::move(d), num_threads.value_or(0), signals_and(py::none()),
                            with_layers ? &layers : nullptr);
  }
  py::dict out;
  for (const LayerStatistics& one : layers) {
    py::dict statistics;
    statistics["mean"] = one.mean;
    statistics["spread"] = one.spread;
    statistics["dead"] = one.dead;
    statistics["saturated"] = one.saturated;
    out[py::str(one.layer)] = statistics;
  }
  return py::make_tuple(named(trainer, means), out);
}

py::list heads(const Trainer& trainer) {
  py::list out;
  for (const Head& head : trainer.objective().heads) {
    py::dict row;
    row["name"] = head.name;
    row["classes"] = head.classes();
    row["multilabel"] = head.binary && head.outputs > 1;
    out.append(row);
  }
  return out;
}

void check(const Trainer& trainer, const Inputs& inputs, const Targets& targets,
           const std::optional<py::array>& weights,
           const std::optional<std::vector<std::int64_t>>& rows, std::optional<int> num_threads) {
  Data d = data(inputs, targets, weights, rows);
  const py::gil_scoped_release release;
  trainer.check(std::move(d), num_threads.value_or(0));
}

double compute_gradients(Trainer& trainer, const Inputs& inputs, const Targets& targets,
                         const std::optional<py::array>& weights, std::optional<int> num_threads) {
  Data d = data(inputs, targets, weights, std::nullopt);
  const py::gil_scoped_release release;
  return trainer.compute_gradients(std::move(d), num_threads.value_or(0));
}

// Waiting for predictions of other threads, which may want the GIL.
void wait_without_gil() {
  const py::gil_scoped_release release;
  std::this_thread::yield();
}

using Cuts = std::tuple<Index, Index, bool>;  // rows of a block, numbers of a tile, exactly threads

py::dict step(Trainer& trainer, Data& d, const py::tuple& names, std::optional<int> num_threads,
              const Cuts& cuts) {
  const auto [block_rows, tile_elements, exact_threads] = cuts;
  OnlineOptions options{num_threads.value_or(0), {block_rows, tile_elements, exact_threads}, {}};
  const std::vector<double>* means;
  // Below some hundred microseconds nobody gains from the GIL.
  if (d.rows() * trainer.model->flops_per_row() < 1000000) {
    options.wait = wait_without_gil;
    means = &trainer.train_on_batch(d, options);
  } else {
    const py::gil_scoped_release release;
    means = &trainer.train_on_batch(d, options);
  }
  py::dict out;
  for (std::size_t i = 0; i < means->size(); ++i) out[names[i]] = (*means)[i];
  return out;
}

// The short way for a model with one input and one output and arrays that it can read as they are;
// None otherwise, and then Python converts or says what is wrong.
py::object train_rows(Trainer& trainer, const py::handle& x, const py::handle& y,
                      const py::handle& weights, const py::tuple& names,
                      std::optional<int> num_threads, const Cuts& cuts) {
  Data d;
  d.inputs.resize(1);
  d.targets.resize(1);
  const auto& ports = trainer.model->graph().ports;
  if (ports.size() != 1 || trainer.objective().several() || !plain_array(x, d.inputs[0]) ||
      !plain_array(y, d.targets[0]) || (!weights.is_none() && !plain_array(weights, d.weights)))
    return py::none();
  if (py::detail::array_proxy(x.ptr())->nd != 2) return py::none();
  return step(trainer, d, names, num_threads, cuts);
}

py::dict train_on_batch(Trainer& trainer, const Inputs& inputs, const Targets& targets,
                        const std::optional<py::array>& weights, const py::tuple& names,
                        std::optional<int> num_threads, const Cuts& cuts) {
  Data d = data(inputs, targets, weights, std::nullopt);
  return step(trainer, d, names, num_threads, cuts);
}

}  // namespace

void bind_trainer(py::module_& m) {
  using namespace py::literals;
  const auto none = py::none();
  m.def("signature", &signature_of, "inputs"_a, "targets"_a, "sample_weight"_a, "rows"_a,
        "batch_size"_a, "shuffle"_a);
  py::class_<Sums>(m, "Sums").def(py::init<>()).def_readonly("weight", &Sums::weight);
  py::class_<Trainer>(m, "Trainer")
      .def(py::init(&make), "model"_a, "optimizer"_a, "losses"_a, "metrics"_a, "loss_weights"_a,
           "seed"_a)
      .def_property_readonly("names", [](const Trainer& self) { return self.objective().names(); })
      .def_property_readonly("seed", [](const Trainer& self) { return self.state.seed; })
      .def_property_readonly("epoch", [](const Trainer& self) { return self.state.epoch; })
      .def_property_readonly("cursor", [](const Trainer& self) { return self.state.cursor; })
      .def_property_readonly("data_signature",
                             [](const Trainer& self) { return self.state.data_signature; })
      .def("heads", &heads)
      .def_property_readonly("fitting", &Trainer::fitting)
      .def_property_readonly("nbytes", &Trainer::bytes)
      .def("memory", &memory, "batch_size"_a, "shuffle"_a, "num_threads"_a, "rows"_a,
           "validation_rows"_a, "keeps_best"_a, "watch"_a = false)
      .def("begin_fit", &begin_fit, "inputs"_a, "targets"_a, "sample_weight"_a, "rows"_a,
           "batch_size"_a, "epochs"_a, "shuffle"_a, "num_threads"_a, "check_input"_a,
           "block_rows"_a, "tile_elements"_a, "exact_threads"_a, "first_row"_a = none,
           "stream_rows"_a = 0, "begin"_a = 0, "window"_a = 0, "window_begin"_a = 0,
           "watch"_a = false)
      .def("run_epoch", &run_epoch, "tick"_a = none, "on_batch"_a = none, "every"_a = 1)
      .def("run_window", &run_window, "tick"_a = none, "on_batch"_a = none, "every"_a = 1,
           "seconds"_a = none)
      .def("next_window", &next_window, "inputs"_a, "targets"_a, "sample_weight"_a, "first_row"_a)
      .def("finish_epoch", [](Trainer& self) { return epoch_dict(self, self.finish_epoch()); })
      .def("end_fit", &Trainer::end_fit)
      .def(
          "means",
          [](const Trainer& self, const Sums& sums) {
            return named(self, sums.means(self.objective()));
          },
          "sums"_a)
      .def("check", &check, "inputs"_a, "targets"_a, "sample_weight"_a, "rows"_a, "num_threads"_a)
      .def("evaluate", &evaluate, "inputs"_a, "targets"_a, "sample_weight"_a, "rows"_a,
           "batch_size"_a, "num_threads"_a, "predictions"_a = std::vector<bool>(),
           "looking"_a = false, "running"_a = none, "first_row"_a = none, "show"_a = none)
      .def("observe", &observe, "inputs"_a, "targets"_a, "sample_weight"_a, "rows"_a,
           "num_threads"_a, "layers"_a = true)
      .def("compute_gradients", &compute_gradients, "inputs"_a, "targets"_a, "sample_weight"_a,
           "num_threads"_a)
      .def("train_rows", &train_rows, "x"_a, "y"_a, "sample_weight"_a, "names"_a, "num_threads"_a,
           "cuts"_a)
      .def("train_on_batch", &train_on_batch, "inputs"_a, "targets"_a, "sample_weight"_a, "names"_a,
           "num_threads"_a, "cuts"_a)
      .def("keep_best", &Trainer::keep_best, "value"_a, "epoch"_a)
      .def("restore_best", &Trainer::restore_best)
      .def_property_readonly("shows_best",
                             [](const Trainer& self) { return self.state.shows_best; })
      .def("keep_good", &Trainer::keep_good)
      .def("restore_good", &Trainer::restore_good)
      .def("reset", &Trainer::reset)
      .def("state", [](Trainer& self) { return py::bytes(encode_state(self)); })
      .def(
          "load_state",
          [](Trainer& self, const py::bytes& bytes) {
            load_state(self, decode_state("train state", std::string_view(bytes)));
          },
          "state"_a)
      .def(
          "save",
          [](Trainer& self, const std::string& path, const std::string& extra) {
            const py::gil_scoped_release release;
            save_state(path, self, extra);
          },
          "path"_a, "extra"_a);
  // trainer_for(metadata) returns the Trainer that is to have the state.
  m.def(
      "load_checkpoint",
      [](const std::string& path, const py::function& trainer_for) {
        const std::string bytes = read_file(path);
        const TensorFile file = decode_state(path, bytes);
        return load_state(trainer_for(file.metadata).cast<Trainer&>(), file);
      },
      "path"_a, "trainer_for"_a);
}

}  // namespace lamina::bindings
