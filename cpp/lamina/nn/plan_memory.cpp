// Where a plan's matrices lie. When each is used is noted; those whose times do not overlap share a
// place, and an op that may work in place takes over its input's.
#include <algorithm>
#include <numeric>

#include "lamina/nn/plan.hpp"

namespace lamina {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

// When a matrix is used: stages and places in the order of execution.
struct Use {
  int first_stage = -1, last_stage = -1, first = 0, last = 0;
  Index width = 0;
  bool wanted() const { return first_stage >= 0; }
  void touch(int stage, int place) {
    if (first_stage < 0 || place < first) first_stage = stage, first = place;
    last_stage = std::max(last_stage, stage);
    last = std::max(last, place);
  }
};

}  // namespace

class Plan::Memory {
 public:
  explicit Memory(Plan& plan)
      : p_(plan), values_(plan.graph.value_count()), uses_(at(2 * values_)), group_(uses_.size()) {
    std::iota(group_.begin(), group_.end(), 0);
    for (const Port& port : p_.graph.ports) set_width(port.value);
    for (const auto& op : p_.graph.ops) set_width(op->output);
  }

  void assign() {
    for (stage_ = 0; stage_ < static_cast<int>(p_.stages.size()); ++stage_) {
      for (const Action& action : p_.stages[at(stage_)].actions) {
        ++place_;
        touch_action(action);
      }
      ++place_;
      if (p_.stages[at(stage_)].finish == Finish::loss) touch_python_loss();
    }
    touch_behind_stages();
    share_in_place();
    place_stores(merged());
  }

 private:
  // Matrices are numbered: value v is v, its gradient is value_count + v.
  int gradient(int value) const { return values_ + value; }
  Use& use(int value) { return uses_[at(value)]; }

  void set_width(const Value& v) { use(v.id).width = use(gradient(v.id)).width = v.width; }

  void touch_gradient(int value, int stage, int place) {
    if (p_.wants_gradient_[at(value)]) use(gradient(value)).touch(stage, place);
  }
  void touch_outputs(int stage, int place) {
    for (const Value& y : p_.outputs) use(y.id).touch(stage, place);
  }
  void touch_output_gradients(int stage, int place) {
    for (const Value& y : p_.outputs) touch_gradient(y.id, stage, place);
  }
  void touch_inputs(const OpBase& op, int stage) {
    for (const Value& x : op.inputs)
      if (use(p_.resolve(x.id)).wanted()) use(p_.resolve(x.id)).touch(stage, place_);
  }

  void touch_action(const Action& action) {
    if (action.kind == ActionKind::gather)
      for (const Port& port : p_.graph.ports)
        if (port.dense() && p_.narrow_[at(port.value.id)]) use(port.value.id).touch(stage_, place_);
    if (action.kind == ActionKind::loss) {
      touch_outputs(stage_, place_);
      touch_output_gradients(stage_, place_);
    }
    if (action.op >= 0) touch_op(p_.op(action.op), action.kind);
  }

  void touch_op(const OpBase& op, ActionKind kind) {
    if (kind == ActionKind::keep_gradient) return touch_gradient(op.output.id, stage_, place_);
    const bool back = kind == ActionKind::backward || kind == ActionKind::backward_sums;
    if (!back || op.flags.needs_inputs) touch_inputs(op, stage_);
    if (p_.narrow_[at(op.output.id)] &&
        (kind == ActionKind::forward || (back && op.flags.needs_output)))
      use(op.output.id).touch(stage_, place_);
    if (!back) return;
    touch_gradient(op.output.id, stage_, place_);
    if (kind == ActionKind::backward)
      for (const Value& x : op.inputs) touch_gradient(p_.resolve(x.id), stage_, place_);
  }

  // It sees all rows at once, which a block's memory does not hold.
  void touch_python_loss() {
    touch_outputs(stage_ + 1, place_);
    touch_output_gradients(stage_, place_);
  }

  void touch_behind_stages() {
    const int last = static_cast<int>(p_.stages.size());
    // Whoever copies the outputs of a block, behind its last action.
    ++place_;
    if (!p_.options.loss && !p_.options.backward) touch_outputs(last - 1, place_);
    // After the last stage: the parameters phase, and whoever reads outputs or input gradients.
    ++place_;
    if (p_.options.keep_output) touch_outputs(last, place_);
    if (!p_.options.backward) return;
    if (!p_.options.loss) touch_output_gradients(0, 0);
    for (const Port& port : p_.graph.ports) touch_gradient(port.value.id, last, place_);
    for (const int i : p_.run_) {
      const OpBase& op = p_.op(i);
      if (!p_.trainable(op)) continue;
      if (!op.flags.keeps_gradient) touch_gradient(op.output.id, last, place_);
      if (op.flags.needs_inputs) touch_inputs(op, last);
    }
  }

  // The output takes over its input's memory where nobody else wants the input.
  void share_in_place() {
    std::vector<int> consumers(at(values_), 0), producer(at(values_), -1);
    for (const int i : p_.run_) {
      producer[at(p_.op(i).output.id)] = i;
      for (const Value& x : p_.op(i).inputs) ++consumers[at(p_.resolve(x.id))];
    }
    for (const Value& y : p_.outputs) ++consumers[at(y.id)];
    for (const int i : p_.run_) {
      const OpBase& op = p_.op(i);
      if (!op.flags.in_place) continue;
      const int x = p_.resolve(op.inputs[0].id), y = op.output.id;
      const int maker = producer[at(x)];
      if (consumers[at(x)] != 1 || maker < 0 || !p_.narrow_[at(x)]) continue;
      if (p_.op(maker).flags.needs_output && !op.flags.identity) continue;
      group_[at(y)] = group_[at(x)];
      if (p_.wants_gradient_[at(x)]) group_[at(gradient(x))] = group_[at(gradient(y))];
    }
  }

  // By the first member of each group: when any of it is used.
  std::vector<Use> merged() {
    for (int& m : group_)  // chains of in-place ops
      while (m != group_[at(m)]) m = group_[at(m)];
    std::vector<Use> merged(uses_.size());
    for (std::size_t m = 0; m < uses_.size(); ++m) {
      if (!uses_[m].wanted()) continue;
      Use& into = merged[at(group_[m])];
      into.width = uses_[m].width;
      into.touch(uses_[m].first_stage, uses_[m].first);
      into.touch(uses_[m].last_stage, uses_[m].last);
    }
    return merged;
  }

  void place_stores(const std::vector<Use>& uses) {
    std::vector<int> order, store_of(uses.size(), -1);
    for (int m = 0; m < 2 * values_; ++m)
      if (uses[at(m)].wanted()) order.push_back(m);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return uses[at(a)].first < uses[at(b)].first; });
    for (const int m : order) store_of[at(m)] = store_for(uses[at(m)]);
    p_.value_store.assign(at(values_), -1);
    p_.gradient_store.assign(at(values_), -1);
    for (int v = 0; v < values_; ++v) {
      const int value = p_.resolve(v);
      p_.value_store[at(v)] = store_of[at(group_[at(value)])];
      if (p_.wants_gradient_[at(value)])
        p_.gradient_store[at(v)] = store_of[at(group_[at(gradient(value))])];
    }
  }

  // A place that is free by then, or a new one. What is kept from stage to stage shares with none.
  int store_for(const Use& use) {
    const bool batch = use.first_stage != use.last_stage;
    for (std::size_t s = 0; s < p_.stores.size() && !batch; ++s) {
      if (p_.stores[s].batch || p_.stores[s].width != use.width || free_after_[s] >= use.first)
        continue;
      free_after_[s] = use.last;
      return static_cast<int>(s);
    }
    Index& total = batch ? p_.batch_width : p_.block_width;
    p_.stores.push_back({use.width, batch, total});
    total += use.width;
    free_after_.push_back(use.last);
    return static_cast<int>(p_.stores.size()) - 1;
  }

  Plan& p_;
  int values_, stage_ = 0, place_ = 0;
  std::vector<Use> uses_;
  std::vector<int> group_;       // by matrix: the one whose memory it shares
  std::vector<int> free_after_;  // by store: the last place that uses it
};

void Plan::assign_memory() { Memory(*this).assign(); }

}  // namespace lamina
