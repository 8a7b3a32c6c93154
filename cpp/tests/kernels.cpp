// Every elementwise and row kernel, by enumeration of the lists: an element's bits do not depend on
// where in an array it stands (shifts of 0 to 15 elements, lengths of 1 to 67), nor on what lies
// beside it, and nothing beyond the end is written. With an argument the program prints one SHA-256
// of all results: the same for instruction sets with the same contract (v3 and v4).
#include <cmath>
#include <cstring>
#include <vector>

#include "check.hpp"
#include "lamina/base/sha256.hpp"
#include "lamina/functions/activations.hpp"
#include "lamina/functions/losses.hpp"
#include "lamina/functions/optimizers.hpp"
#include "lamina/nn/ops/dropout_op.hpp"
#include "lamina/nn/spec.hpp"

using namespace lamina;

namespace {

constexpr Index kLength = 67, kShifts = 16;

Sha256 results;

// Inputs on both sides of 0, with exact zeros and large ones among them.
template <class T>
T sample(Index i) {
  if (i % 13 == 5) return T(0);
  if (i % 17 == 3) return T(i % 2 ? 40 : -40);
  return T(std::sin(1.7 * static_cast<double>(i)) * 2.5);
}

template <class T>
std::vector<T> samples(Index n, Index from) {
  std::vector<T> out(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) out[static_cast<std::size_t>(i)] = sample<T>(i + from);
  return out;
}

template <class T>
bool same(const T* a, const T* b, Index n) {
  return std::memcmp(a, b, sizeof(T) * static_cast<std::size_t>(n)) == 0;
}

// run(n, a, b, out) for arrays of 1 to 67 elements, shifted by 0 to 15: out[0 ... n) is what
// expected(n) points to, and what follows is as it was.
template <class T, class Run, class Expected>
void check_everywhere(const char* name, Run run, Expected expected) {
  const auto a = samples<T>(kLength, 0), b = samples<T>(kLength, 100);
  std::vector<T> x(kLength + kShifts), y(kLength + kShifts), out(kLength + kShifts + 1);
  for (Index n = 1; n <= kLength; ++n) {
    const T* wanted = expected(n, a.data(), b.data());
    results.add(wanted, sizeof(T) * static_cast<std::size_t>(n));
    for (Index shift = 0; shift < kShifts; ++shift) {
      std::copy_n(a.begin(), n, x.begin() + shift);
      std::copy_n(b.begin(), n, y.begin() + shift);
      T* to = out.data() + shift;
      to[n] = T(77);
      run(n, x.data() + shift, y.data() + shift, to);
      if (same(to, wanted, n) && to[n] == T(77)) continue;
      std::fprintf(stderr, "%s: %d elements shifted by %d differ\n", name, static_cast<int>(n),
                   static_cast<int>(shift));
      std::exit(1);
    }
  }
}

// An elementwise kernel gives what it gives each element alone.
template <class T, class Run>
void check_shifts(const char* name, Run run) {
  std::vector<T> alone(kLength);
  check_everywhere<T>(name, run, [&](Index n, const T* a, const T* b) {
    for (Index i = 0; i < n; ++i) run(Index{1}, a + i, b + i, &alone[static_cast<std::size_t>(i)]);
    return alone.data();
  });
}

constexpr Index kManyRows = 21;  // more than a register has lanes

// A row kernel gives what it gives as one of many rows, whose neighbours differ: first, last, and
// in between. run(rows, at, n, a, b, out)
template <class T, class Run>
void check_rows(const char* name, Run run) {
  std::vector<T> many(kManyRows * kLength);
  for (const Index at : {Index{0}, Index{6}, Index{15}, kManyRows - 1})
    check_everywhere<T>(
        name, [&](Index n, const T* a, const T* b, T* out) { run(Index{1}, at, n, a, b, out); },
        [&](Index n, const T* a, const T* b) {
          auto x = samples<T>(kManyRows * n, 300), y = samples<T>(kManyRows * n, 500);
          std::copy_n(a, n, x.begin() + at * n);
          std::copy_n(b, n, y.begin() + at * n);
          run(kManyRows, at, n, x.data(), y.data(), many.data());
          return many.data() + at * n;
        });
}

template <class T>
void check_activations() {
  for (int i = 0; i < Activations::size; ++i) {
    const auto& kernels = activation_kernels<T>(i);
    const char* name = Activations::infos()[static_cast<std::size_t>(i)].name;
    const Choice f = read_choice("activation", Activations::infos(), name);
    if (is_row_wise(f)) {
      check_rows<T>(name, [&](Index rows, Index, Index n, const T* x, const T*, T* y) {
        kernels.forward(f.parameters.data(), rows, n, x, y);
      });
      check_rows<T>(name, [&](Index rows, Index, Index n, const T* y, const T* dy, T* dx) {
        kernels.backward(f.parameters.data(), rows, n, y, y, dy, dx);
      });
      continue;
    }
    check_shifts<T>(name, [&](Index n, const T* x, const T*, T* y) {
      kernels.forward(f.parameters.data(), 1, n, x, y);
    });
    check_shifts<T>(name, [&](Index n, const T* x, const T* dy, T* dx) {
      kernels.backward(f.parameters.data(), 1, n, x, x, dy, dx);
    });
  }
}

// The forms of a loss that differ in their code: each flag set and each word chosen.
std::vector<Choice> forms(int i) {
  const Info& info = Losses::infos()[static_cast<std::size_t>(i)];
  std::vector<Choice> out = {default_choice(Losses::infos(), i)};
  for (std::size_t k = 0; k < info.parameters.size(); ++k) {
    const Parameter& p = info.parameters[k];
    Choice other = out[0];
    if (p.kind == ParameterKind::list)
      set_list(other, k, {0.1, 0.5, 0.9});
    else if (p.kind == ParameterKind::number)
      other.parameters[k] = p.maximum <= 1 ? 0.1 : std::clamp(2.0, p.minimum, p.maximum);
    else if (p.kind == ParameterKind::optional)
      other.parameters[k] = 0.3;
    const int count = p.kind == ParameterKind::choice ? static_cast<int>(words(p).size()) : 2;
    for (int word = 1; word < count; ++word) {
      if (p.kind == ParameterKind::choice || p.kind == ParameterKind::flag)
        other.parameters[k] = word;
      out.push_back(other);
    }
  }
  return out;
}

template <class T>
void check_loss(const Choice& loss, bool fused, bool labels) {
  const LossTraits traits = loss_traits(loss);
  const Index per = traits.outputs_per_target;
  const char* name = Losses::infos()[static_cast<std::size_t>(loss.index)].name;
  std::vector<double> scale;
  for (Index r = 0; r < kManyRows; ++r) scale.push_back(0.3 + 0.1 * static_cast<double>(r));
  // One row has the label and the factor of its place among many. The arrays hold `per` outputs
  // for each of n targets.
  const auto run = [&](Index rows, Index at, Index n, const T* p, const T* y, double* values,
                       T* gradient) {
    Buffer<std::byte> scratch(static_cast<Index>(loss_scratch<T>(rows, n * per)));
    std::vector<std::int32_t> codes;
    for (Index r = 0; r < kManyRows; ++r)
      codes.push_back(static_cast<std::int32_t>((r * 5 + 1) % n));
    const Index first = rows == 1 ? at : 0;
    const Target<T> target =
        labels ? Target<T>{nullptr, codes.data() + first} : Target<T>{y, nullptr};
    loss_kernel<T>(loss.index)(loss.parameters.data(), fused, rows, n * per, p, target,
                               scale.data() + first, values, gradient, scratch.data());
  };
  // Predictions and gradients are as wide as targets here: wider ones are made from them.
  const auto widened = [&](Index rows, Index at, Index n, const T* p, const T* y, double* values,
                           std::vector<T>& gradient) {
    std::vector<T> all(static_cast<std::size_t>(rows * n * per));
    for (Index r = 0; r < rows; ++r)
      for (Index k = 0; k < n * per; ++k)
        all[static_cast<std::size_t>(r * n * per + k)] = p[r * n + k % n] + T(k / n);
    gradient.resize(all.size());
    run(rows, at, n, all.data(), y, values, gradient.data());
  };
  check_rows<T>(name, [&](Index rows, Index at, Index n, const T* p, const T* y, T* out) {
    std::vector<double> values(static_cast<std::size_t>(rows));
    if (per == 1) return run(rows, at, n, p, y, values.data(), out);
    std::vector<T> gradient;
    widened(rows, at, n, p, y, values.data(), gradient);
    for (Index k = 0; k < rows * n; ++k) {
      out[k] = T(0);
      for (Index i = 0; i < per; ++i)
        out[k] += gradient[static_cast<std::size_t>(k / n * n * per + i * n + k % n)];
    }
  });
  check_rows<T>(name, [&](Index rows, Index at, Index n, const T* p, const T* y, T* out) {
    std::vector<double> values(static_cast<std::size_t>(rows));
    std::vector<T> gradient;
    widened(rows, at, n, p, y, values.data(), gradient);
    for (Index k = 0; k < rows * n; ++k) out[k] = T(values[static_cast<std::size_t>(k / n)]);
  });
  if (per > 1 || labels || traits.least_outputs > 1) return;
  check_shifts<T>(name, [&](Index n, const T* p, const T* y, T* gradient) {
    std::vector<double> values(static_cast<std::size_t>(n));
    Buffer<std::byte> scratch(static_cast<Index>(loss_scratch<T>(n, 1)));
    loss_kernel<T>(loss.index)(loss.parameters.data(), fused, n, 1, p, {y, nullptr}, nullptr,
                               values.data(), gradient, scratch.data());
  });
}

template <class T>
void check_losses() {
  for (int i = 0; i < Losses::size; ++i)
    for (const Choice& loss : forms(i))
      for (const bool fused : {false, true}) {
        const LossTraits traits = loss_traits(loss);
        if (traits.outputs > 0) continue;  // a list an output: not of any length
        check_loss<T>(loss, fused, false);
        if (traits.targets == Targets::labels) check_loss<T>(loss, fused, true);
      }
}

// Dropout keeps what the generator says element by element, wherever the rows lie.
template <class T>
void check_dropout() {
  constexpr double kRate = 0.3;
  constexpr T kScale = T(65536.0 / (65536 - 19661));
  constexpr std::uint64_t kSeed = 12345678901, kStep = 7;
  constexpr Index kFirst = 16, kRows = 32;  // rows 16 ... 47 of the batch, in chunks of 16
  for (Index n = 1; n <= kLength; ++n) {
    DropoutOp<T> op(DropoutKind::zero, kRate);
    op.index = 0;
    op.inputs = {Value{0, n}};
    op.output = Value{1, n};
    Buffer<std::byte> state(static_cast<Index>(op.state_bytes(kFirst + kRows)));
    std::byte* const states[1] = {state.data()};
    const auto x = samples<T>(kRows * n, 0), g = samples<T>(kRows * n, 100);
    std::vector<T> y(x.size()), d(x.size());
    for (Index i = 0; i < kRows * n; ++i) {
      const Index row = kFirst + i / n, element = row % 16 * n + i % n, half = element % 32;
      const Index unit = element / 128 * 16 + half / 2;
      const auto block = Philox(kSeed)(Philox::counter(Stream::dropout, 0, kStep,
                                                       static_cast<std::uint32_t>(row / 16),
                                                       static_cast<std::uint32_t>(unit)));
      const std::uint32_t word = block[static_cast<std::size_t>(element % 128 / 32)];
      const bool keep = (half % 2 ? word >> 16 : word & 0xFFFF) >= std::uint32_t{19661};  // 0.3
      const auto at = static_cast<std::size_t>(i);
      y[at] = keep ? x[at] * kScale : T(0);
      d[at] = x[at] + (keep ? g[at] * kScale : T(0));
    }
    for (Index shift = 0; shift < kShifts; ++shift) {
      std::vector<T> in(static_cast<std::size_t>(kRows * n + shift)), gradient = in;
      std::copy(x.begin(), x.end(), in.begin() + shift);
      std::copy(g.begin(), g.end(), gradient.begin() + shift);
      std::vector<T> added = in;
      const Rows<T> values[2] = {{in.data() + shift, kFirst, n}, {in.data() + shift, kFirst, n}};
      const Rows<T> gradients[2] = {{added.data() + shift, kFirst, n},
                                    {gradient.data() + shift, kFirst, n}};
      Context<T> c;
      c.values = values;
      c.gradients = gradients;
      c.state = states;
      c.seed = kSeed;
      c.step = kStep;
      op.forward(c, {kFirst, kFirst + kRows});
      CHECK(same(in.data() + shift, y.data(), kRows * n));
      op.backward(c, {kFirst, kFirst + kRows}, {true});
      CHECK(same(added.data() + shift, d.data(), kRows * n));
    }
    results.add(d.data(), sizeof(T) * d.size());
  }
}

template <class T>
void check_optimizers() {
  for (int i = 0; i < Optimizers::size; ++i) {
    const auto& kernels = optimizer_kernels<T>(i);
    const Choice method = default_choice(Optimizers::infos(), i);
    const char* name = Optimizers::infos()[static_cast<std::size_t>(i)].name;
    double scalars[kMaxScalars] = {};
    kernels.prepare(method.parameters.data(), 0.01, 3, scalars);
    for (const bool everything : {false, true}) {
      check_shifts<T>(name, [&](Index n, const T* p, const T* g, T* out) {
        std::copy_n(p, n, out);
        std::vector<T> first(static_cast<std::size_t>(n), T(0.25)),
            second(static_cast<std::size_t>(n), T(0.5)), third(static_cast<std::size_t>(n), T(2));
        UpdateRange<T> range;
        range.p = out;
        range.g = g;
        if (kernels.uses(0, method.parameters.data())) range.slot[0] = first.data();
        if (kernels.uses(1, method.parameters.data())) range.slot[1] = second.data();
        if (kernels.uses(2, method.parameters.data())) range.slot[2] = third.data();
        range.n = n;
        range.scalars = scalars;
        if (everything) {
          range.l2 = 0.1, range.l1 = 0.05, range.threshold = 0.01;
          range.clip_scale = 0.7, range.clip_value = 1.5, range.decay = 0.001;
        }
        CHECK(kernels.update(range));
      });
    }
  }
}

// A weight that becomes infinite or NaN is noticed, in the body and in the tail.
void check_bad_weights() {
  double scalars[kMaxScalars] = {1, 0, 0, 0, 0, 0};
  for (Index at = 0; at < kLength; ++at) {
    auto p = samples<float>(kLength, 0), g = samples<float>(kLength, 1);
    g[static_cast<std::size_t>(at)] =
        at % 2 ? std::numeric_limits<float>::infinity() : std::nanf("");
    UpdateRange<float> range;
    range.p = p.data();
    range.g = g.data();
    range.n = kLength;
    range.scalars = scalars;
    CHECK(!optimizer_kernels<float>(0).update(range));
  }
}

}  // namespace

int main(int arguments, char**) {
  check_activations<float>();
  check_activations<double>();
  check_losses<float>();
  check_losses<double>();
  check_dropout<float>();
  check_dropout<double>();
  check_optimizers<float>();
  check_optimizers<double>();
  check_bad_weights();
  if (arguments > 1) std::printf("%s\n", results.hex().c_str());
  return 0;
}
