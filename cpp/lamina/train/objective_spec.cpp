// Reads what a trainer is told to measure, and judges whether it can be meant of the model's
// output.
#include <algorithm>
#include <cmath>

#include "lamina/nn/ops/activation_op.hpp"
#include "lamina/train/objective.hpp"

namespace lamina {
namespace {

const Choice* output_choice(const Model& model, std::size_t output) {
  const int i = output_activation(model.graph(), output, true);
  if (i < 0) return nullptr;
  const OpBase* op = model.graph().ops[static_cast<std::size_t>(i)].get();
  if (const auto* f = dynamic_cast<const ActivationOp<float>*>(op)) return &f->choice;
  return &dynamic_cast<const ActivationOp<double>*>(op)->choice;
}

// What an output activation makes of numbers: sampled between -10 and 10, so that one added later
// needs no line here.
struct OutputKind {
  std::string name = "linear";
  bool linear = true;
  double low = -kInfinity, high = kInfinity;
  bool distribution = false;  // a row's sum is 1
};

OutputKind output_kind(const Model& model, std::size_t place) {
  const Choice* choice = output_choice(model, place);
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

void check_output(const Head& o, const OutputKind& output) {
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

Measure read_measure(const Head& o, const Json& json) {
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

// What the loss makes of the output.
void read_loss(const Model& model, std::size_t place, const Json& loss, const OutputKind& output,
               Head& h) {
  h.loss = read_choice("loss", Losses::infos(), loss);
  h.traits = loss_traits(h.loss);
  check_output(h, output);
  h.targets = check_outputs(h.loss, h.outputs);
  const std::string expected = h.traits.activation;
  h.fused = output.name == expected && output_activation(model.graph(), place) >= 0;
  h.logits = h.fused || h.traits.reads == Reads::logits || h.traits.reads == Reads::scores;
  h.binary = h.traits.binary || h.outputs == 1;
  if (h.fused)
    h.activation = *output_choice(model, place);
  else if (h.logits && known_activation(expected))  // else they are as they are
    h.activation =
        default_choice(Activations::infos(), find("activation", Activations::infos(), expected));
}

Head read_head(const Model& model, std::size_t place, const HeadSpec& spec) {
  Head h;
  h.name = model.graph().output_names[place];
  require(std::isfinite(spec.weight) && spec.weight >= 0,
          "loss_weights: expected finite numbers of at least 0, got ", spec.weight);
  h.weight = spec.weight;
  h.custom = spec.custom;
  h.trained = h.custom || !spec.loss.is_null();
  h.targets = h.outputs = model.graph().outputs[place].width;
  const OutputKind output = output_kind(model, place);
  require(!(output.distribution && h.outputs == 1),
          "softmax over 1 output is always 1: end the model with "
          "lm.Dense(1, activation='sigmoid') and use 'binary_crossentropy'");
  h.binary = h.outputs == 1 || output.name == "sigmoid";
  if (!h.custom && h.trained) read_loss(model, place, spec.loss, output, h);
  const std::string expected = h.traits.activation;
  h.probabilities = h.traits.reads == Reads::logits ? expected == "sigmoid" || expected == "softmax"
                                                    : output.low >= 0 && output.high <= 1;
  for (const Json& metric : spec.metrics) h.metrics.push_back(read_measure(h, metric));
  return h;
}

}  // namespace

bool Head::classes() const {
  return traits.targets == Targets::labels || (traits.binary && outputs == 1);
}

bool Head::takes_labels() const {
  return traits.targets == Targets::labels || (!trained && outputs > 1);
}

bool Objective::custom() const {
  return std::any_of(heads.begin(), heads.end(), [](const Head& h) { return bool(h.custom); });
}

std::vector<bool> Objective::fused() const {
  std::vector<bool> out;
  for (const Head& head : heads) out.push_back(head.fused);
  return out;
}

std::string Objective::loss_name(const Head& head) const {
  return several() ? head.name + "_loss" : "loss";
}

std::vector<std::string> Objective::names() const {
  std::vector<std::string> out = {"loss"};
  for (const Head& head : heads)
    if (several() && head.trained) out.push_back(loss_name(head));
  for (const Head& head : heads)
    for (const Measure& m : head.metrics)
      out.push_back(several() ? concat(head.name, "_", m.key) : m.key);
  return out;
}

Objective read_objective(const Model& model, const std::vector<HeadSpec>& specs) {
  const std::vector<std::string>& names = model.graph().output_names;
  require(specs.size() == names.size(), "expected a loss or none for each of the outputs ",
          join(names), ", got ", specs.size());
  Objective o;
  for (std::size_t i = 0; i < specs.size(); ++i) try {
      o.heads.push_back(read_head(model, i, specs[i]));
    } catch (const std::invalid_argument& error) {
      if (specs.size() == 1) throw;
      fail("output '", names[i], "': ", error.what());
    }
  require(std::any_of(o.heads.begin(), o.heads.end(), [](const Head& h) { return h.trained; }),
          "there is no loss: give one for at least one of the outputs ", join(names));
  return o;
}

}  // namespace lamina
