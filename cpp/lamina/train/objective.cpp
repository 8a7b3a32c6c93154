#include "lamina/train/objective.hpp"

#include <algorithm>
#include <cmath>

#include "lamina/functions/activations.hpp"

namespace lamina {

void Sums::add(const Sums& other) {
  values.resize(other.values.size(), 0);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += other.values[i];
  weight += other.weight;
  activity += other.activity;
}

std::vector<double> Sums::means(const Objective& objective) const {
  std::vector<double> out;
  means(objective, out);
  return out;
}

void Sums::means(const Objective& objective, std::vector<double>& out) const {
  out.clear();
  if (values.empty()) return;
  const auto mean = [&](double sum) { return weight > 0 ? sum / weight : std::nan(""); };
  out.push_back(-0.0);  // adds nothing to anything, not even to -0
  auto sum = values.begin();
  for (const Head& head : objective.heads) {
    if (head.trained) {
      const double loss = mean(*sum);
      out[0] += head.weight * loss;
      if (objective.several()) out.push_back(loss);
    }
    sum += static_cast<std::ptrdiff_t>(head.values());
  }
  sum = values.begin();
  for (const Head& head : objective.heads) {
    ++sum;
    for (const Measure& m : head.metrics)
      out.push_back(metric_traits(m.choice.index).finish(mean(*sum++)));
  }
}

double sum_of_rows(Index n, const double* values, const double* weights, double sum) {
  for (Index r = 0; r < n; r += kRowStep) {
    double chunk = 0;
    for (Index i = r; i < std::min(n, r + kRowStep); ++i)
      chunk += weights ? weights[i] * values[i] : values[i];
    sum += chunk;
  }
  return sum;
}

template <class T>
std::vector<ObjectiveRunner<T>> runners(const Objective& objective, Index capacity, Index block,
                                        int threads) {
  std::vector<ObjectiveRunner<T>> out;
  out.reserve(objective.heads.size());
  for (std::size_t h = 0; h < objective.heads.size(); ++h)
    out.emplace_back(objective, h, capacity, block, threads);
  return out;
}

template <class T>
void reduce(const std::vector<ObjectiveRunner<T>>& runners, const Objective& objective, Index n,
            const double* weights, Sums& out, bool further) {
  std::size_t count = 0;
  for (const Head& head : objective.heads) count += head.values();
  if (!further) out.values.assign(count, 0), out.weight = 0;
  out.values.resize(count, 0);
  double* values = out.values.data();
  for (std::size_t h = 0; h < runners.size(); ++h) {
    runners[h].add_sums(n, weights, values);
    values += objective.heads[h].values();
  }
  out.weight =
      weights ? sum_of_rows(n, weights, nullptr, out.weight) : out.weight + static_cast<double>(n);
}

template <class T>
ObjectiveRunner<T>::ObjectiveRunner(const Objective& objective, std::size_t place, Index capacity,
                                    Index block, int threads)
    : head_(objective.heads[place]),
      place_(place),
      outputs_(head_.outputs),
      targets_(head_.targets),
      capacity_(round_up(capacity, kRowStep)),
      block_(std::min(round_up(block, kRowStep), capacity_)) {
  spaces_.resize(static_cast<std::size_t>(head_.measured() ? threads : 0));
  for (Space& s : spaces_) {
    const Index rows = head_.custom && &s == spaces_.data() ? capacity_ : block_;
    s.target.allocate(rows * targets_);
    s.scratch.allocate(static_cast<Index>(loss_scratch<T>(block_, outputs_)));
    s.gradient.allocate(block_ * outputs_);
    s.labels.allocate(rows);
    if (head_.logits) s.activated.allocate(block_ * outputs_);
  }
  results_.allocate(capacity_ * static_cast<Index>(head_.values()));
}

template <class T>
Target<T> ObjectiveRunner<T>::gather(Space& space, Range rows, const Batch& batch,
                                     const Data& data) {
  const ArrayView& target = data.targets[place_];
  if (data.labels[place_]) {
    std::int32_t* labels = space.labels.data();
    gather_rows(target, batch, rows.begin, rows.end, labels);
    // An array may have changed since it was checked: what is no class any more becomes class 0.
    const auto classes = static_cast<std::uint32_t>(outputs_);
    for (Index r = 0; r < rows.size(); ++r)
      labels[r] = static_cast<std::uint32_t>(labels[r]) < classes ? labels[r] : 0;
    return {nullptr, labels};
  }
  gather_rows(target, batch, rows.begin, rows.end, space.target.data());
  return {space.target.data(), nullptr};
}

template <class T>
void ObjectiveRunner<T>::outputs(Index rows, const T* prediction, T* out) const {
  if (head_.logits)
    activation_kernels<T>(head_.activation.index)
        .forward(head_.activation.parameters.data(), rows, outputs_, prediction, out);
  else
    std::copy_n(prediction, rows * outputs_, out);
}

template <class T>
void ObjectiveRunner<T>::measure(Space& space, Range rows, const T* p, Target<T> y) {
  const T* activated = head_.logits ? nullptr : p;
  for (std::size_t m = 0; m < head_.metrics.size(); ++m) {
    const Choice& metric = head_.metrics[m].choice;
    const bool logits = head_.logits && metric_traits(metric.index).works_on_logits;
    if (!logits && !activated) {  // the outputs themselves, once
      outputs(rows.size(), p, space.activated.data());
      activated = space.activated.data();
    }
    metric_values<T>(metric,
                     {rows.size(), outputs_, targets_, logits ? p : activated, y, logits,
                      head_.binary, space.gradient.data(), space.scratch.data()},
                     results_.data() + static_cast<Index>(1 + m) * capacity_ + rows.begin);
  }
}

// Row losses of real rows, and their gradient.
template <class T>
void ObjectiveRunner<T>::run_loss(Space& space, Range rows, const T* prediction, Target<T> target,
                                  const Gradient& gradient) {
  T* d = gradient.data ? gradient.data : space.gradient.data();
  loss_kernel<T>(head_.loss.index)(head_.loss.parameters.data(), head_.fused, rows.size(), outputs_,
                                   prediction, target,
                                   gradient.scale ? gradient.scale + rows.begin : nullptr,
                                   results_.data() + rows.begin, d, space.scratch.data());
}

template <class T>
void ObjectiveRunner<T>::run(int thread, Range rows, const Batch& batch, const Data& data,
                             const T* prediction, const Gradient& gradient) {
  const Range real{rows.begin, std::max(rows.begin, std::min(rows.end, batch.rows))};
  if (gradient.data) {
    const Index kept = head_.trained ? real.size() : 0;
    std::fill_n(gradient.data + kept * outputs_, (rows.size() - kept) * outputs_, T(0));
  }
  if (real.size() == 0 || !head_.measured()) return;
  Space& space = spaces_[static_cast<std::size_t>(thread)];
  const Target<T> target = gather(space, real, batch, data);
  if (head_.trained) run_loss(space, real, prediction, target, gradient);
  measure(space, real, prediction, target);
}

template <class T>
void ObjectiveRunner<T>::run_custom(const Batch& batch, const T* prediction, Target<T> target,
                                    const Gradient& gradient) {
  Space& space = spaces_[0];
  const Index n = batch.rows * outputs_;
  if (!gradient.data) space.gradient.reserve(capacity_ * outputs_);
  T* d = gradient.data ? gradient.data : space.gradient.data();
  head_.custom(batch.rows, outputs_, prediction, target.values, results_.data(), d);
  if (!gradient.data) return;  // nothing below is trained, or nobody asked
  for (Index r = 0; r < batch.rows; ++r)
    for (Index j = 0; j < outputs_; ++j) d[r * outputs_ + j] *= T(gradient.scale[r]);
  std::fill_n(d + n, round_up(batch.rows, kRowStep) * outputs_ - n, T(0));
}

template <class T>
void ObjectiveRunner<T>::run_batch(const Batch& batch, const Data& data, const T* prediction,
                                   const Gradient& gradient) {
  Target<T> target;
  if (head_.custom) {
    target = gather(spaces_[0], {0, batch.rows}, batch, data);
    run_custom(batch, prediction, target, gradient);
  }
  const Index padded = round_up(batch.rows, kRowStep);
  for (Index r = 0; r < padded; r += block_) {
    const Range rows{r, std::min(padded, r + block_)};
    const Index at = r * outputs_;
    if (head_.custom)
      measure(spaces_[0], {r, std::min(rows.end, batch.rows)}, prediction + at,
              target.at(r, outputs_));
    else
      run(0, rows, batch, data, prediction + at,
          {gradient.data ? gradient.data + at : nullptr, gradient.scale});
  }
}

template <class T>
void ObjectiveRunner<T>::add_sums(Index n, const double* weights, double* values) const {
  for (std::size_t m = 0; m < head_.values(); ++m)
    values[m] =
        sum_of_rows(n, results_.data() + static_cast<Index>(m) * capacity_, weights, values[m]);
}

template class ObjectiveRunner<float>;
template class ObjectiveRunner<double>;
template std::vector<ObjectiveRunner<float>> runners(const Objective&, Index, Index, int);
template std::vector<ObjectiveRunner<double>> runners(const Objective&, Index, Index, int);
template void reduce(const std::vector<ObjectiveRunner<float>>&, const Objective&, Index,
                     const double*, Sums&, bool);
template void reduce(const std::vector<ObjectiveRunner<double>>&, const Objective&, Index,
                     const double*, Sums&, bool);

}  // namespace lamina
