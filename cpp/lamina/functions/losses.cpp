#include "lamina/functions/losses.hpp"

#include <array>
#include <cmath>
#include <concepts>

namespace lamina {
namespace {

template <class L>
concept RowLoss = requires { &L::template row<OneRow<float>, float>; };

template <class L, class T>
void run_rows(const L& loss, Index rows, Index n, const T* p, Target<T> y, const double* scale,
              double* values, T* gradient) {
  alignas(64) double plain[kLanes], factor[kLanes], argument[kLanes];
  for (Index r = 0; r < rows; r += kLanes) {
    const Index count = std::min(kLanes, rows - r);
    for_rows<T>(count, n, [&]<class View>(const View& view, Index i) {
      using Number = typename View::Number;
      const Index at = (r + i) * n;
      const Number share = scale ? view.numbers(scale + r + i) : Number(1.0);
      const RowValue<Number> v = loss.row(view, n, p + at, y.at(r + i, n), share, gradient + at);
      view.store(v.plain, plain + i);
      view.store(v.factor, factor + i);
      view.store(v.argument, argument + i);
    });
    for_packets<double>(count, [&](auto part, Index i, Index) {
      const Vec<double> logarithm = log(part.load(argument + i));
      part.store(fma(part.load(factor + i), logarithm, part.load(plain + i)), values + r + i);
    });
  }
}

// Rows that fill registers take one pass. Narrow ones are computed as one array, then added up and
// scaled.
template <class L, class T>
void run_elements(const L& loss, Index rows, Index n, const T* p, const T* y, const double* scale,
                  double* values, T* gradient, T* scratch) {
  const double mean = 1.0 / static_cast<double>(n);
  const auto factor = [&](Index r) { return T((scale ? scale[r] : 1.0) * mean); };
  if (n >= kLanes) {
    for (Index r = 0; r < rows; ++r) {
      const Index at = r * n;
      const Vec<T> f(factor(r));
      values[r] = mean * OneRow<T>(n).sum([&](const auto& at_j) {
        const Index j = at + at_j.j;
        const Pair<T> l = loss.element(at_j.part.load(p + j), at_j.part.load(y + j));
        at_j.part.store(l.derivative * f, gradient + j);
        return l.value;
      });
    }
    return;
  }
  for_packets<T>(rows * n, [&](auto part, Index j, Index) {
    const Pair<T> l = loss.element(part.load(p + j), part.load(y + j));
    part.store(l.value, scratch + j);
    part.store(l.derivative, gradient + j);
  });
  for (Index r = 0; r < rows; ++r) {
    double sum = 0;
    const T f = factor(r);
    for (Index j = r * n; j < (r + 1) * n; ++j) {
      sum += scratch[j];
      gradient[j] *= f;
    }
    values[r] = sum * mean;
  }
}

// A loss in double, without its type: one of the two functions, for (rows, n) elements or a row.
struct WideLoss {
  const void* loss;
  void (*elements)(const void* loss, Index n, const double* p, const double* y, double* values,
                   double* derivatives);
  double (*row)(const void* loss, Index n, const double* p, const double* y, double* derivatives);
};

template <class L>
void wide_elements(const void* loss, Index n, const double* p, const double* y, double* values,
                   double* derivatives) {
  const L f = *static_cast<const L*>(loss);
  CompactRow(n).each([&](const auto& at) {
    const Pair<double> l = f.element(at.load(p), at.load(y));
    at.store(l.value, values);
    at.store(l.derivative, derivatives);
  });
}

template <class L>
double wide_row(const void* loss, Index n, const double* p, const double* y, double* derivatives) {
  return static_cast<const L*>(loss)->row(n, p, y, derivatives);
}

constexpr Index kTogether = 512;  // elements that are widened at a time
constexpr Index kWideArrays = 4;  // predictions, targets, values, derivatives

Index wide_length(Index n) { return (std::max(n, kTogether) + kLanes - 1) / kLanes * kLanes; }

double row_mean(Index n, const double* values) {
  double sum = 0;
  if (n >= kLanes)
    sum = CompactRow(n).sum([&](const auto& at) { return at.load(values); });
  else
    for (Index j = 0; j < n; ++j) sum += values[j];
  return sum / static_cast<double>(n);
}

template <class T>
void run_wide(const WideLoss& loss, Index targets, Index rows, Index n, const T* p, Target<T> y,
              const double* scale, double* values, T* gradient, std::byte* scratch) {
  const Index length = wide_length(n);
  double* const wide_p = reinterpret_cast<double*>(scratch);
  double *const wide_y = wide_p + length, *const value = wide_y + length, *const d = value + length;
  const Index together = loss.elements ? std::max<Index>(1, kTogether / n) : 1;
  for (Index first = 0; first < rows; first += together) {
    const Index count = std::min(together, rows - first);
    std::copy_n(p + first * n, count * n, wide_p);
    if (y.labels) {
      std::fill_n(wide_y, n, 0.0);
      wide_y[y.labels[first]] = 1;
    } else {
      std::copy_n(y.values + first * targets, count * targets, wide_y);
    }
    if (loss.elements)
      loss.elements(loss.loss, count * n, wide_p, wide_y, value, d);
    else
      values[first] = loss.row(loss.loss, n, wide_p, wide_y, d);
    for (Index r = 0; r < count; ++r) {
      if (loss.elements) values[first + r] = row_mean(n, value + r * n);
      const double factor =
          (scale ? scale[first + r] : 1.0) / (loss.elements ? static_cast<double>(n) : 1.0);
      T* const out = gradient + (first + r) * n;
      for (Index j = 0; j < n; ++j) out[j] = static_cast<T>(d[r * n + j] * factor);
    }
  }
}

template <class L>
concept ElementLoss = requires { &L::template element<float>; };
template <class L>
concept WideElementLoss = requires(const L& loss, Vec<double> x) {
  { loss.element(x, x) } -> std::same_as<Pair<double>>;
} && !ElementLoss<L>;

template <class L>
LossTraits traits_of(const double* parameters) {
  if constexpr (requires { L::traits(parameters); })
    return L::traits(parameters);
  else
    return {};
}

template <class L, class T>
void run(const double* parameters, bool fused, Index rows, Index n, const T* p, Target<T> y,
         const double* scale, double* values, T* gradient, std::byte* scratch) {
  if constexpr (requires { L::is_rare(parameters); })
    if (L::is_rare(parameters))
      return run<typename L::Rare, T>(parameters, fused, rows, n, p, y, scale, values, gradient,
                                      scratch);
  const L loss(parameters, Input{fused, kProbabilityEpsilon<T>});
  if constexpr (RowLoss<L>) {
    run_rows(loss, rows, n, p, y, scale, values, gradient);
  } else if constexpr (ElementLoss<L>) {
    run_elements(loss, rows, n, p, y.values, scale, values, gradient,
                 reinterpret_cast<T*>(scratch));
  } else {
    WideLoss wide{&loss, nullptr, nullptr};
    if constexpr (WideElementLoss<L>)
      wide.elements = &wide_elements<L>;
    else
      wide.row = &wide_row<L>;
    run_wide(wide, n / traits_of<L>(parameters).outputs_per_target, rows, n, p, y, scale, values,
             gradient, scratch);
  }
}

template <class T, class... L>
constexpr std::array<LossKernel<T>, sizeof...(L)> table(List<L...>) {
  return {&run<L, T>...};
}

const Info& info_of(const Choice& loss) {
  return Losses::infos()[static_cast<std::size_t>(loss.index)];
}

// "between 0 and 1", "above 0": the targets that the loss admits.
std::string range_text(const LossTraits& t) {
  const std::string kind = t.whole ? "whole numbers " : "";
  if (std::isfinite(t.high)) return concat(kind, "between ", t.low, " and ", t.high);
  return concat(kind, t.above ? "above " : "of at least ", t.low);
}

}  // namespace

template <class T>
std::size_t loss_scratch(Index rows, Index n) {
  return std::max(sizeof(T) * static_cast<std::size_t>(rows * n),
                  sizeof(double) * static_cast<std::size_t>(kWideArrays * wide_length(n)));
}

LossTraits loss_traits(const Choice& loss) {
  return Losses::visit(loss.index, [&]<class L>() { return traits_of<L>(loss.parameters.data()); });
}

Index check_outputs(const Choice& loss, Index outputs) {
  const LossTraits t = loss_traits(loss);
  const Info& info = info_of(loss);
  require(outputs % t.outputs_per_target == 0, info.name, " needs ", t.outputs_per_target,
          " outputs a target, got ", outputs, " outputs");
  require(t.outputs == 0 || outputs == t.outputs, info.name, " has ", t.outputs, " ",
          info.parameters.empty() ? "" : info.parameters[0].name, ", one an output, got ", outputs,
          " outputs");
  require(outputs >= t.least_outputs, info.name, " needs at least ", t.least_outputs,
          t.targets == Targets::numbers ? " outputs, got " : " outputs, one a class, got ",
          outputs);
  return outputs / t.outputs_per_target;
}

void check_targets(const char* what, const Choice& loss, const LossTraits& traits, Index row,
                   Index n, const double* y) {
  for (Index j = 0; j < n; ++j)
    if (!traits.admits(y[j]))
      fail(what, ": ", info_of(loss).name, " expects targets ", range_text(traits), ", got ", y[j],
           " in row ", row);
}

template <class T>
LossKernel<T> loss_kernel(int index) {
  static constexpr auto all = table<T>(Losses{});
  return all[static_cast<std::size_t>(index)];
}

template std::size_t loss_scratch<float>(Index, Index);
template std::size_t loss_scratch<double>(Index, Index);
template LossKernel<float> loss_kernel<float>(int);
template LossKernel<double> loss_kernel<double>(int);

}  // namespace lamina
