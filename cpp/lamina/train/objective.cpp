#include "lamina/train/objective.hpp"

#include <algorithm>
#include <cmath>

#include "lamina/nn/ops/activation_op.hpp"

namespace lamina {
namespace {

const Choice* output_choice(const Model& model) {
  const int i = output_activation(model.graph());
  if (i < 0) return nullptr;
  const OpBase* op = model.graph().ops[static_cast<std::size_t>(i)].get();
  if (const auto* f = dynamic_cast<const ActivationOp<float>*>(op)) return &f->choice;
  return &dynamic_cast<const ActivationOp<double>*>(op)->choice;
}

std::string output_name(const Model& model) {
  const Choice* choice = output_choice(model);
  return choice ? Activations::infos()[static_cast<std::size_t>(choice->index)].name : "linear";
}

std::string loss_name(const Objective& o) {
  return o.custom ? "custom" : Losses::infos()[static_cast<std::size_t>(o.loss.index)].name;
}

bool categorical(const Objective& o) { return loss_name(o) == "categorical_crossentropy"; }

// The first parameter of both cross-entropies.
bool from_logits(const Objective& o) {
  return !o.custom && !o.loss.parameters.empty() && o.loss.parameters[0] != 0;
}

void check_output(const Model& model, const Objective& o) {
  const std::string name = loss_name(o), output = output_name(model);
  const Info& info = Losses::infos()[static_cast<std::size_t>(o.loss.index)];
  if (categorical(o)) {
    require(
        o.outputs > 1,
        "categorical_crossentropy needs one output a class, the model has 1: for two classes end "
        "the model with "
        "lm.Dense(1, activation='sigmoid') and use 'binary_crossentropy', or give it 2 outputs");
    require(
        output != "sigmoid",
        "categorical_crossentropy expects a distribution: end the model with activation='softmax' "
        "(sigmoid goes with 'binary_crossentropy')");
  }
  if (name == "binary_crossentropy")
    require(output != "softmax",
            "binary_crossentropy expects one probability an output: end the model with "
            "activation='sigmoid' "
            "(softmax goes with 'categorical_crossentropy')");
  if (!categorical(o) && name != "binary_crossentropy") return;
  require(from_logits(o) || (output != "linear" && output != "relu" && output != "leaky_relu" &&
                             output != "tanh"),
          name, " expects probabilities: end the model with activation='",
          loss_kernel<float>(o.loss.index).fused_activation, "' or use ", info.class_name,
          "(from_logits=True)");
  require(!from_logits(o) || output == "linear", name,
          "(from_logits=True) expects a linear output, the model ends with activation='", output,
          "'");
}

}  // namespace

std::vector<std::string> Objective::names() const {
  std::vector<std::string> out = {"loss"};
  for (const int m : metrics) out.push_back(Metrics::infos()[static_cast<std::size_t>(m)].name);
  return out;
}

bool Objective::classes() const {
  return !custom &&
         (categorical(*this) || (loss_name(*this) == "binary_crossentropy" && outputs == 1));
}

Objective read_objective(const Model& model, const Json& loss, const Json& metrics) {
  Objective o;
  o.outputs = model.graph().output.width;
  const std::string output = output_name(model);
  require(!(output == "softmax" && o.outputs == 1),
          "softmax over 1 output is always 1: end the model with "
          "lm.Dense(1, activation='sigmoid') and use 'binary_crossentropy'");
  if (!loss.is_null()) {
    o.loss = read_choice("loss", Losses::infos(), loss);
    check_output(model, o);
    o.fused = output == loss_kernel<float>(o.loss.index).fused_activation;
    o.logits = o.fused || from_logits(o);
    const bool bce = loss_name(o) == "binary_crossentropy";
    o.binary = bce || o.outputs == 1;
  } else {
    o.binary = o.outputs == 1 || output == "sigmoid";
  }
  for (const Json& metric : metrics) {
    require(metric.is_string(), "a metric is a name, got ", metric.dump());
    o.metrics.push_back(find("metric", Metrics::infos(), metric.get<std::string>()));
  }
  return o;
}

namespace {

// Is every element finite as a T?
template <class T, class S>
bool all_finite(Index n, const S* x) {
  // Sums apart, so that they fill registers: 0 * inf and 0 * NaN are NaN.
  constexpr Index kSums = 32;
  T sums[kSums] = {};
  Index j = 0;
  for (; j + kSums <= n; j += kSums)
    for (Index i = 0; i < kSums; ++i) sums[i] += static_cast<T>(x[j + i]) * T(0);
  for (; j < n; ++j) sums[0] += static_cast<T>(x[j]) * T(0);
  T sum = 0;
  for (const T part : sums) sum += part;
  return sum == 0;
}

// The first row of [begin, end) with a NaN, an infinity or a number that T cannot hold, or -1.
template <class T>
Index first_bad_row(const ArrayView& view, Index begin, Index end) {
  const Index n = view.columns;
  const Index at_a_time = std::max<Index>(1, 2048 / std::max<Index>(1, n));
  const bool direct = view.dtype == DType::float32 && view.row_stride == 4 * n &&
                      (view.column_stride == 4 || n == 1) && !view.swapped &&
                      reinterpret_cast<std::uintptr_t>(view.data) % 4 == 0;
  Buffer<double> copy(direct ? 0 : at_a_time * n);
  for (Index r = begin; r < end; r += at_a_time) {
    const Index rows = std::min(at_a_time, end - r);
    const float* values = static_cast<const float*>(view.data) + r * n;
    if (!direct) gather_rows(view, Selection{nullptr, 0, view.rows}, r, r + rows, copy.data());
    const auto good = [&](Index first, Index count) {
      return direct ? all_finite<T>(count * n, values + first * n)
                    : all_finite<T>(count * n, copy.data() + first * n);
    };
    if (good(0, rows)) continue;
    for (Index i = 0; i < rows; ++i)
      if (!good(i, 1)) return r + i;
  }
  return -1;
}

// The same over all rows, on several threads.
template <class T>
Index first_bad_row(const ArrayView& view, int threads) {
  if (view.dtype != DType::float32 && view.dtype != DType::float64 && view.dtype != DType::float16)
    return -1;
  // Waking threads costs more than reading a few million numbers.
  constexpr Index kWorthThreads = Index{1} << 24;
  threads = view.rows * view.columns < kWorthThreads ? 1 : threads;
  std::vector<Index> bad(static_cast<std::size_t>(threads), -1);
  parallel(threads, [&](int thread) {
    const Range mine = share(view.rows, thread, threads);
    bad[static_cast<std::size_t>(thread)] = first_bad_row<T>(view, mine.begin, mine.end);
  });
  for (const Index r : bad)
    if (r >= 0) return r;
  return -1;
}

void refuse_bad_rows(const std::string& what, DataType dtype, const ArrayView& view, int threads) {
  const bool narrow = dtype == DataType::float32;
  const Index row =
      narrow ? first_bad_row<float>(view, threads) : first_bad_row<double>(view, threads);
  if (row < 0) return;
  for (Index j = 0; j < view.columns; ++j) {
    const double x = read_element(view, row, j);
    if (std::isfinite(x) && !(narrow && std::abs(x) > std::numeric_limits<float>::max())) continue;
    fail(what, ": column ", j, " holds ",
         std::isnan(x)   ? std::string("NaN")
         : std::isinf(x) ? "infinity"
                         : concat(x, ", too large for float32,"),
         " in row ", row);
  }
  fail(what, ": row ", row, " holds a value that is not finite");
}

// Calls check(row, values) for all rows, read some at a time.
template <class F>
void for_rows(const ArrayView& y, F&& check) {
  constexpr Index kRows = 64;
  Buffer<double> block(kRows * y.columns);
  const Selection all{nullptr, 0, y.rows};
  for (Index first = 0; first < y.rows; first += kRows) {
    const Index end = std::min(y.rows, first + kRows);
    gather_rows(y, all, first, end, block.data());
    for (Index r = first; r < end; ++r) check(r, block.data() + (r - first) * y.columns);
  }
}

// Labels are below 2^31, so a whole number survives the way through an int32.
bool is_label(double y, Index classes) {
  return y >= 0 && y < static_cast<double>(classes) &&
         y == static_cast<double>(static_cast<std::int32_t>(y));
}

void check_labels(const Data& data, Index classes) {
  for_rows(data.target, [&](Index r, const double* y) {
    require(is_label(*y, classes), "y: label ", *y, " in row ", r,
            " is not a whole number in 0 ... ", classes - 1, " (the model has ", classes,
            " outputs)");
  });
}

void check_range(const ArrayView& y, double low, double high, const char* loss) {
  for_rows(y, [&](Index r, const double* row) {
    for (Index j = 0; j < y.columns; ++j)
      require(row[j] >= low && row[j] <= high, "y: ", loss, " expects targets between ", low,
              " and ", high, ", got ", row[j], " in row ", r);
  });
}

void check_distributions(const ArrayView& y) {
  for_rows(y, [&](Index r, const double* row) {
    double sum = 0;
    bool valid = true;
    for (Index j = 0; j < y.columns; ++j) sum += row[j], valid = valid && row[j] >= 0;
    require(valid && std::abs(sum - 1) < 1e-3, "y: row ", r,
            " is not a distribution over the classes (it sums to ", sum,
            "); give class numbers (n,) or rows that sum to 1");
  });
}

}  // namespace

void check_data(const Model& model, const Objective& o, Data& data, bool check_inputs,
                int threads) {
  const Index n = model.check_inputs(data.inputs);
  require(n > 0, "X has no rows");
  for (const std::int64_t row : data.subset)
    require(row >= 0 && row < n, "row ", row, " is not in 0 ... ", n - 1);
  const ArrayView& y = data.target;
  require(y.rows == n, "X has ", n, " rows, y has ", y.rows);
  data.labels = categorical(o) && y.columns == 1;
  require(data.labels || y.columns == o.outputs, "y: expected shape ", shape_text({n, o.outputs}),
          ", got ", shape_text({y.rows, y.columns}));
  if (!data.weights.empty()) {
    require(data.weights.rows == n && data.weights.columns == 1, "sample_weight: expected shape ",
            shape_text({n}), ", got ", shape_text({data.weights.rows, data.weights.columns}));
    double sum = 0;
    for (Index r = 0; r < n; ++r) {
      const double w = read_element(data.weights, r, 0);
      require(std::isfinite(w) && w >= 0,
              "sample_weight: expected finite numbers of at least 0, got ", w, " in row ", r);
    }
    for (Index i = 0; i < data.rows(); ++i) sum += data.weight(data.source(i));
    require(sum > 0, "sample_weight: all weights are 0");
  }
  refuse_bad_rows("y", model.dtype(), y, threads);
  if (data.labels)
    check_labels(data, o.outputs);
  else if (categorical(o))
    check_distributions(y);
  else if (loss_name(o) == "binary_crossentropy")
    check_range(y, 0, 1, "binary_crossentropy");
  if (!check_inputs) return;
  for (const ArrayView& x : data.inputs) {
    if (x.streamed) continue;
    refuse_bad_rows("X", model.dtype(), x, threads);
  }
}

void Sums::add(const Sums& other) {
  values.resize(other.values.size(), 0);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += other.values[i];
  weight += other.weight;
}

std::vector<double> Sums::means(const Objective& objective) const {
  std::vector<double> out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double mean = weight > 0 ? values[i] / weight : std::nan("");
    out.push_back(i == 0 ? mean : metric_kernel<double>(objective.metrics[i - 1]).finish(mean));
  }
  return out;
}

template <class T>
ObjectiveRunner<T>::ObjectiveRunner(const Model& model, const Objective& objective, Index capacity,
                                    Index block, int threads)
    : objective_(objective),
      outputs_(objective.outputs),
      capacity_(round_up(capacity, kRowStep)),
      block_(std::min(round_up(block, kRowStep), capacity_)) {
  if (objective.fused) {
    output_activation_ = *output_choice(model);
  } else if (objective.logits) {
    const char* name = loss_kernel<T>(objective.loss.index).fused_activation;
    output_activation_.index = find("activation", Activations::infos(), name);
  }
  spaces_.resize(static_cast<std::size_t>(threads));
  for (Space& s : spaces_) {
    const Index rows = objective.custom && &s == spaces_.data() ? capacity_ : block_;
    s.target.allocate(rows * outputs_);
    s.scratch.allocate(block_ * outputs_);
    s.gradient.allocate(block_ * outputs_);
    s.labels.allocate(rows);
    if (objective.logits) s.activated.allocate(block_ * outputs_);
  }
  results_.allocate(capacity_ * static_cast<Index>(1 + objective.metrics.size()));
}

template <class T>
Target<T> ObjectiveRunner<T>::gather(Space& space, Range rows, const Batch& batch,
                                     const Data& data) {
  if (data.labels)
    gather_rows(data.target, batch, rows.begin, rows.end, space.labels.data());
  else
    gather_rows(data.target, batch, rows.begin, rows.end, space.target.data());
  if (data.labels) return {nullptr, space.labels.data()};
  return {space.target.data(), nullptr};
}

template <class T>
void ObjectiveRunner<T>::measure(Space& space, Range rows, const T* p, Target<T> y) {
  bool logits = objective_.logits;
  for (std::size_t m = 0; m < objective_.metrics.size(); ++m) {
    const MetricKernel<T> metric = metric_kernel<T>(objective_.metrics[m]);
    if (logits && !metric.works_on_logits) {  // the outputs themselves, once
      activation_kernels<T>(output_activation_.index)
          .forward(output_activation_.parameters.data(), rows.size(), outputs_, p,
                   space.activated.data());
      p = space.activated.data();
      logits = false;
    }
    double* values = results_.data() + static_cast<Index>(1 + m) * capacity_ + rows.begin;
    for (Index r = 0; r < rows.size(); ++r)
      values[r] =
          metric.row(outputs_, p + r * outputs_, y.at(r, outputs_), logits, objective_.binary);
  }
}

template <class T>
void ObjectiveRunner<T>::run(int thread, Range rows, const Batch& batch, const Data& data,
                             const T* prediction, const double* scale, T* gradient) {
  Space& space = spaces_[static_cast<std::size_t>(thread)];
  const Range real{rows.begin, std::min(rows.end, batch.rows)};
  if (real.size() <= 0) {
    if (gradient) std::fill_n(gradient, rows.size() * outputs_, T(0));
    return;
  }
  const Target<T> target = gather(space, real, batch, data);
  T* d = gradient ? gradient : space.gradient.data();
  if (!objective_.custom)
    loss_kernel<T>(objective_.loss.index)
        .run(objective_.loss.parameters.data(), objective_.fused, real.size(), outputs_, prediction,
             target, scale ? scale + real.begin : nullptr, results_.data() + real.begin, d,
             space.scratch.data());
  if (gradient)
    std::fill_n(gradient + real.size() * outputs_, (rows.end - real.end) * outputs_, T(0));
  measure(space, real, prediction, target);
}

template <class T>
void ObjectiveRunner<T>::run_custom(const Batch& batch, const Data& data, const T* prediction,
                                    const double* scale, T* gradient) {
  Space& space = spaces_[0];
  const Target<T> target = gather(space, {0, batch.rows}, batch, data);
  if (!gradient) {  // nothing below is trained
    space.gradient.reserve(capacity_ * outputs_);
    gradient = space.gradient.data();
  }
  objective_.custom(batch.rows, outputs_, prediction, target.values, results_.data(), gradient);
  if (!scale) return measure_all(batch, prediction, target);
  for (Index r = 0; r < batch.rows; ++r)
    for (Index j = 0; j < outputs_; ++j) gradient[r * outputs_ + j] *= T(scale[r]);
  const Index padded = round_up(batch.rows, kRowStep);
  std::fill_n(gradient + batch.rows * outputs_, (padded - batch.rows) * outputs_, T(0));
  measure_all(batch, prediction, target);
}

template <class T>
void ObjectiveRunner<T>::measure_all(const Batch& batch, const T* prediction, Target<T> target) {
  for (Index r = 0; r < batch.rows; r += block_) {
    const Range rows{r, std::min(batch.rows, r + block_)};
    measure(spaces_[0], rows, prediction + r * outputs_, target.at(r, outputs_));
  }
}

template <class T>
void ObjectiveRunner<T>::reduce(Index n, const double* weights, Sums& out) const {
  out.weight = 0;
  out.values.assign(1 + objective_.metrics.size(), 0);
  for (Index r = 0; r < n; r += kRowStep) {
    const Index end = std::min(n, r + kRowStep);
    for (std::size_t m = 0; m < out.values.size(); ++m) {
      const double* values = results_.data() + static_cast<Index>(m) * capacity_;
      double chunk = 0;
      for (Index i = r; i < end; ++i) chunk += (weights ? weights[i] : 1.0) * values[i];
      out.values[m] += chunk;
    }
    double chunk = 0;
    for (Index i = r; i < end; ++i) chunk += weights ? weights[i] : 1.0;
    out.weight += chunk;
  }
}

template class ObjectiveRunner<float>;
template class ObjectiveRunner<double>;

}  // namespace lamina
