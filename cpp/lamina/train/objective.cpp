#include "lamina/train/objective.hpp"

#include <algorithm>
#include <cmath>

#include "lamina/nn/ops/activation_op.hpp"

namespace lamina {
namespace {

const Choice* output_choice(const Model& model) {
  const int i = output_activation(model.graph(), true);
  if (i < 0) return nullptr;
  const OpBase* op = model.graph().ops[static_cast<std::size_t>(i)].get();
  if (const auto* f = dynamic_cast<const ActivationOp<float>*>(op)) return &f->choice;
  return &dynamic_cast<const ActivationOp<double>*>(op)->choice;
}

std::string output_name(const Model& model) {
  const Choice* choice = output_choice(model);
  return choice ? Activations::infos()[static_cast<std::size_t>(choice->index)].name : "linear";
}

// The first parameter of both cross-entropies.
bool from_logits(const Objective& o) {
  return !o.custom && !o.loss.parameters.empty() && o.loss.parameters[0] != 0;
}

void check_output(const Model& model, const Objective& o) {
  const std::string name = o.loss_name(), output = output_name(model);
  const Info& info = Losses::infos()[static_cast<std::size_t>(o.loss.index)];
  if (o.categorical()) {
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
  if (!o.categorical() && name != "binary_crossentropy") return;
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

std::string Objective::loss_name() const {
  return custom ? "custom" : Losses::infos()[static_cast<std::size_t>(loss.index)].name;
}

bool Objective::categorical() const { return loss_name() == "categorical_crossentropy"; }

bool Objective::classes() const {
  return categorical() || (loss_name() == "binary_crossentropy" && outputs == 1);
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
    o.fused = output == loss_kernel<float>(o.loss.index).fused_activation &&
              output_activation(model.graph()) >= 0;
    o.logits = o.fused || from_logits(o);
    const bool bce = o.loss_name() == "binary_crossentropy";
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

void Sums::add(const Sums& other) {
  values.resize(other.values.size(), 0);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += other.values[i];
  weight += other.weight;
  activity += other.activity;
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
