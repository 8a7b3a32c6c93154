#include "lamina/train/objective.hpp"

#include <algorithm>
#include <cmath>

#include "lamina/nn/ops/activation_op.hpp"

namespace lamina {
namespace {

const Choice* output_choice(const Model& model) {
  const int i = output_activation(model.graph(), 0, true);
  if (i < 0) return nullptr;
  const OpBase* op = model.graph().ops[static_cast<std::size_t>(i)].get();
  if (const auto* f = dynamic_cast<const ActivationOp<float>*>(op)) return &f->choice;
  return &dynamic_cast<const ActivationOp<double>*>(op)->choice;
}

// What an output activation makes of any number: found by trying, so that it holds for every one.
struct OutputKind {
  std::string name = "linear";
  bool linear = true;
  double low = -kInfinity, high = kInfinity;
  bool distribution = false;  // a row's sum is 1
};

OutputKind output_kind(const Model& model) {
  const Choice* choice = output_choice(model);
  if (!choice) return {};
  constexpr Index kTries = 161;
  double x[kTries], y[kTries], sum = 0;
  for (Index i = 0; i < kTries; ++i) x[i] = static_cast<double>(i - kTries / 2) / 8;
  activation_kernels<double>(choice->index).forward(choice->parameters.data(), 1, kTries, x, y);
  for (const double value : y) sum += value;
  const auto [low, high] = std::minmax_element(y, y + kTries);
  return {Activations::infos()[static_cast<std::size_t>(choice->index)].name,
          std::equal(x, x + kTries, y), *low, *high, std::abs(sum - 1) < 1e-9};
}

// What the loss reads, in words; "" if the output may be so.
const char* refused(Reads reads, const OutputKind& output) {
  const bool probabilities = output.low >= 0 && output.high <= 1;
  switch (reads) {
    case Reads::numbers:
      return "";
    case Reads::scores:
      return output.low < 0 && output.high > 0 ? "" : "scores of either sign";
    case Reads::nonnegative:
      return output.low >= 0 ? "" : "predictions of at least 0";
    case Reads::probabilities:
      if (!probabilities) return "probabilities";
      return output.distribution ? "one probability an output" : "";
    case Reads::distribution:
      if (!probabilities) return "probabilities";
      return output.distribution ? "" : "a distribution";
    case Reads::logits:
      return output.linear ? "" : "a linear output";
  }
  return "";
}

bool known_activation(const std::string& name) {
  const std::vector<Info>& all = Activations::infos();
  return std::any_of(all.begin(), all.end(), [&](const Info& info) { return name == info.name; });
}

// "Loss(from_logits=True)", or "" if the loss has no such flag.
std::string from_input(const Info& info) {
  for (const Parameter& p : info.parameters)
    if (p.kind == ParameterKind::flag) return concat(info.class_name, "(", p.name, "=True)");
  return "";
}

// How to end the model, or what loss to use.
std::string remedy(const LossTraits& traits, const Info& info, const OutputKind& output) {
  if (traits.reads == Reads::scores) return "end the model with a linear layer";
  const std::string flagged = from_input(info);
  std::string text;
  if (known_activation(traits.activation))
    text = concat("end the model with activation='", traits.activation, "'");
  if (output.linear && !flagged.empty())
    text += concat(text.empty() ? "" : " or ", "use ", flagged);
  if (output.low >= 0 && output.high <= 1 && traits.reads == Reads::distribution)
    text += concat(" (", output.name, " goes with 'binary_crossentropy')");
  if (output.distribution && traits.reads == Reads::probabilities)
    text += concat(" (", output.name, " goes with 'categorical_crossentropy')");
  return text;
}

void check_output(const Objective& o, const OutputKind& output) {
  const Info& info = Losses::infos()[static_cast<std::size_t>(o.loss.index)];
  const LossTraits& t = o.traits;
  require(t.targets != Targets::labels || o.outputs > 1, info.name,
          " needs one output a class, the model has 1: for two classes end the model with "
          "lm.Dense(1, activation='sigmoid') and use 'binary_crossentropy', or give it 2 outputs");
  const char* wanted = refused(t.reads, output);
  if (*wanted == 0) return;
  if (t.reads == Reads::logits)
    fail(from_input(info), " expects a linear output, the model ends with activation='",
         output.name, "'");
  fail(info.name, " expects ", wanted, ": ", remedy(t, info, output));
}

Measure read_measure(const Objective& o, const Json& json) {
  const Choice choice = read_choice("metric", Metrics::infos(), json);
  const Info& info = Metrics::infos()[static_cast<std::size_t>(choice.index)];
  const MetricTraits traits = metric_traits(choice.index);
  require(!traits.needs_classes || (o.outputs > 1 && !o.binary), info.name,
          " needs one output a class, of which one is right; the model has ", o.outputs,
          o.outputs > 1 ? " that answer yes or no" : "");
  require(!traits.needs_probabilities || o.probabilities, info.name,
          " expects probabilities: end the model with activation='sigmoid' or 'softmax'");
  require(traits.many_a_target || o.targets == o.outputs, info.name,
          " compares a target with one prediction; the model has ", o.outputs, " outputs for ",
          o.targets, " targets");
  for (std::size_t i = 0; i < info.parameters.size(); ++i) {
    if (info.parameters[i].kind != ParameterKind::list) continue;
    const auto n =
        static_cast<Index>(list_at(choice.parameters.data(), static_cast<int>(i)).size());
    require(n * o.targets == o.outputs, info.class_name, ": ", n, " ", info.parameters[i].name,
            " of ", o.targets, " targets make ", n * o.targets, " predictions; the model has ",
            o.outputs, " outputs");
  }
  return {choice,
          json.is_object() && json.contains("key") ? json.at("key").get<std::string>() : info.name};
}

}  // namespace

std::vector<std::string> Objective::names() const {
  std::vector<std::string> out = {"loss"};
  for (const Measure& m : metrics) out.push_back(m.key);
  return out;
}

std::string Objective::loss_name() const {
  return custom ? "custom" : Losses::infos()[static_cast<std::size_t>(loss.index)].name;
}

bool Objective::classes() const {
  return traits.targets == Targets::labels || (traits.binary && outputs == 1);
}

Objective read_objective(const Model& model, const Json& loss, const Json& metrics) {
  Objective o;
  o.outputs = model.graph().outputs[0].width;
  o.targets = o.outputs;
  const OutputKind output = output_kind(model);
  require(!(output.distribution && o.outputs == 1),
          "softmax over 1 output is always 1: end the model with "
          "lm.Dense(1, activation='sigmoid') and use 'binary_crossentropy'");
  if (!loss.is_null()) {
    o.loss = read_choice("loss", Losses::infos(), loss);
    o.traits = loss_traits(o.loss);
    check_output(o, output);
    o.targets = check_outputs(o.loss, o.outputs);
    o.fused = output.name == o.traits.activation && output_activation(model.graph(), 0) >= 0;
    o.logits = o.fused || o.traits.reads == Reads::logits || o.traits.reads == Reads::scores;
    o.binary = o.traits.binary || o.outputs == 1;
  } else {
    o.binary = o.outputs == 1 || output.name == "sigmoid";
  }
  const bool sure = output.low >= 0 && output.high <= 1;
  const std::string expected = o.traits.activation;
  o.probabilities =
      o.traits.reads == Reads::logits ? expected == "sigmoid" || expected == "softmax" : sure;
  for (const Json& metric : metrics) o.metrics.push_back(read_measure(o, metric));
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
    out.push_back(i == 0 ? mean
                         : metric_traits(objective.metrics[i - 1].choice.index).finish(mean));
  }
  return out;
}

template <class T>
ObjectiveRunner<T>::ObjectiveRunner(const Model& model, const Objective& objective, Index capacity,
                                    Index block, int threads)
    : objective_(objective),
      outputs_(objective.outputs),
      targets_(objective.targets),
      capacity_(round_up(capacity, kRowStep)),
      block_(std::min(round_up(block, kRowStep), capacity_)) {
  if (objective.fused) {
    output_activation_ = *output_choice(model);
  } else if (objective.logits) {
    const char* name = objective.traits.activation;  // none: the outputs are as they are
    if (known_activation(name))
      output_activation_ =
          default_choice(Activations::infos(), find("activation", Activations::infos(), name));
  }
  spaces_.resize(static_cast<std::size_t>(threads));
  for (Space& s : spaces_) {
    const Index rows = objective.custom && &s == spaces_.data() ? capacity_ : block_;
    s.target.allocate(rows * targets_);
    s.scratch.allocate(static_cast<Index>(loss_scratch<T>(block_, outputs_)));
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
void ObjectiveRunner<T>::outputs(Index rows, const T* prediction, T* out) const {
  if (objective_.logits)
    activation_kernels<T>(output_activation_.index)
        .forward(output_activation_.parameters.data(), rows, outputs_, prediction, out);
  else
    std::copy_n(prediction, rows * outputs_, out);
}

template <class T>
void ObjectiveRunner<T>::measure(Space& space, Range rows, const T* p, Target<T> y) {
  const T* activated = objective_.logits ? nullptr : p;
  for (std::size_t m = 0; m < objective_.metrics.size(); ++m) {
    const Choice& metric = objective_.metrics[m].choice;
    const bool logits = objective_.logits && metric_traits(metric.index).works_on_logits;
    if (!logits && !activated) {  // the outputs themselves, once
      outputs(rows.size(), p, space.activated.data());
      activated = space.activated.data();
    }
    metric_values<T>(metric,
                     {rows.size(), outputs_, objective_.targets, logits ? p : activated, y, logits,
                      objective_.binary, space.gradient.data(), space.scratch.data()},
                     results_.data() + static_cast<Index>(1 + m) * capacity_ + rows.begin);
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
    loss_kernel<T>(objective_.loss.index)(objective_.loss.parameters.data(), objective_.fused,
                                          real.size(), outputs_, prediction, target,
                                          scale ? scale + real.begin : nullptr,
                                          results_.data() + real.begin, d, space.scratch.data());
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
