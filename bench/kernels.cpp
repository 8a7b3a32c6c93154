// Every kernel alone, on one thread, in arrays that stay in the second-level cache: activations,
// losses and optimizers by enumeration of their lists, layers of the catalogue that keep their
// input's shape, the gather by dtype, products by shape. Prints a table, or JSON.
//
//   bench_kernels [--json] [--peak GFLOP/s] [--bandwidth GB/s] [--only NAME]
//
// The limits are those that bench_peak measures; without them shares are left out.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/functions/activations.hpp"
#include "lamina/functions/losses.hpp"
#include "lamina/functions/optimizers.hpp"
#include "lamina/nn/model.hpp"
#include "lamina/nn/product.hpp"

using namespace lamina;

namespace {

constexpr Index kRows = 256, kWidth = 128, kElements = kRows * kWidth;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds a call: the best of some repetitions that last a millisecond each.
double best_seconds(const std::function<void()>& call) {
  constexpr int kRepetitions = 7;
  constexpr double kShortest = 1e-3;
  call();
  long calls = 1;
  double best = 1e9;
  for (int i = 0; i < kRepetitions;) {
    const double start = now();
    for (long k = 0; k < calls; ++k) call();
    const double seconds = now() - start;
    if (seconds < kShortest) {
      calls *= 2;
      continue;
    }
    best = std::min(best, seconds / static_cast<double>(calls));
    ++i;
  }
  return best;
}

struct Settings {
  bool json = false;
  double peak = 0, bandwidth = 0;  // of one thread, float32; 0: unknown
  std::string only;
};

// What is measured goes out at once.
class Report {
 public:
  explicit Report(const Settings& settings) : settings_(settings) {
    if (!settings_.json)
      std::printf("%-52s %10s %9s %9s %7s\n", "", "ns/element", "GB/s", "GFLOP/s", "share");
  }
  bool wants(const std::string& name) const {
    return settings_.only.empty() || name.find(settings_.only) != std::string::npos;
  }

  // `bytes` and `flops` are those that the call cannot do without; 0: not a measure of it.
  template <class T>
  void time(const std::string& group, const std::string& thing, double elements, double bytes,
            double flops, const std::function<void()>& call) {
    const std::string type = sizeof(T) == 4 ? "float32" : "float64";
    const std::string name = group + ": " + thing + ", " + type;
    if (!wants(name)) return;
    const double ns = best_seconds(call) * 1e9;
    const double gigabytes = bytes / ns, gigaflops = flops / ns;
    const double peak = settings_.peak * 4 / sizeof(T);
    const double share = flops > 0 ? ratio(gigaflops, peak) : ratio(gigabytes, settings_.bandwidth);
    if (settings_.json)
      out_.push_back({{"group", group},
                      {"name", thing},
                      {"dtype", type},
                      {"ns_per_element", ns / elements},
                      {"gb_per_s", bytes > 0 ? Json(gigabytes) : Json()},
                      {"gflops", flops > 0 ? Json(gigaflops) : Json()},
                      {"share", share > 0 ? Json(share) : Json()}});
    else
      std::printf("%-52s %10.3f %9.1f %9.1f %6.1f%%\n", name.c_str(), ns / elements, gigabytes,
                  gigaflops, 100 * share);
    std::fflush(stdout);
  }
  void end() const {
    if (settings_.json) std::printf("%s\n", out_.dump(1).c_str());
  }

 private:
  static double ratio(double value, double limit) { return limit > 0 ? value / limit : 0; }
  Settings settings_;
  Json out_ = Json::array();
};

// Numbers on both sides of 0, or those between 0.05 and 0.95.
template <class T>
Buffer<T> numbers(Index n, bool probabilities = false) {
  Buffer<T> out(n);
  for (Index i = 0; i < n; ++i) {
    const double x = std::sin(1.7 * static_cast<double>(i));
    out[i] = static_cast<T>(probabilities ? 0.5 + 0.45 * x : 2.5 * x);
  }
  return out;
}

template <class T>
void activations(Report& report) {
  const Buffer<T> x = numbers<T>(kElements), dy = numbers<T>(kElements);
  Buffer<T> y(kElements), dx(kElements);
  for (int i = 0; i < Activations::size; ++i) {
    const Choice f = default_choice(Activations::infos(), i);
    if (blend_of(f)) continue;  // learned: its function and a blend
    const auto& kernels = activation_kernels<T>(i);
    const std::string name = Activations::infos()[static_cast<std::size_t>(i)].name;
    report.time<T>("activation", name, kElements, 2.0 * sizeof(T) * kElements, 0, [&] {
      kernels.forward(f.parameters.data(), kRows, kWidth, x.data(), y.data());
    });
    report.time<T>("derivative", name, kElements, 3.0 * sizeof(T) * kElements, 0, [&] {
      kernels.backward(f.parameters.data(), kRows, kWidth, x.data(), y.data(), dy.data(),
                       dx.data());
    });
  }
}

// Values and gradients of one loss; a classification has ten classes.
template <class T>
void loss(Report& report, const Choice& chosen, bool fused) {
  constexpr Index kOutputs = 10, kLossRows = 2048;
  const LossTraits traits = loss_traits(chosen);
  const Index n = traits.outputs > 0 ? traits.outputs : kOutputs * traits.outputs_per_target;
  const Index targets = n / traits.outputs_per_target;
  const Buffer<T> p = numbers<T>(kLossRows * n, !fused);
  Buffer<T> y = numbers<T>(kLossRows * targets, true), gradient(kLossRows * n);
  const bool whole = traits.binary || traits.whole;
  for (Index i = 0; whole && i < y.size(); ++i) y[i] = static_cast<T>(i % 2);
  std::vector<std::int32_t> labels;
  for (Index r = 0; r < kLossRows; ++r) labels.push_back(static_cast<std::int32_t>(r % targets));
  const bool by_label = traits.targets == Targets::labels;
  const Target<T> target =
      by_label ? Target<T>{nullptr, labels.data()} : Target<T>{y.data(), nullptr};
  Buffer<double> values(kLossRows);
  Buffer<std::byte> scratch(static_cast<Index>(loss_scratch<T>(kLossRows, n)));
  const auto elements = static_cast<double>(kLossRows * n);
  const double read = by_label ? 4.0 * kLossRows : sizeof(T) * static_cast<double>(y.size());
  const std::string name = Losses::infos()[static_cast<std::size_t>(chosen.index)].name;
  report.time<T>("loss", name + (fused ? " with its activation" : ""), elements,
                 2 * sizeof(T) * elements + read + 8.0 * kLossRows, 0, [&] {
                   loss_kernel<T>(chosen.index)(chosen.parameters.data(), fused, kLossRows, n,
                                                p.data(), target, nullptr, values.data(),
                                                gradient.data(), scratch.data());
                 });
}

template <class T>
void losses(Report& report) {
  for (int i = 0; i < Losses::size; ++i) {
    const Choice chosen = default_choice(Losses::infos(), i);
    loss<T>(report, chosen, false);
    if (*loss_traits(chosen).activation) loss<T>(report, chosen, true);
  }
}

template <class T>
void optimizers(Report& report) {
  const Buffer<T> g = numbers<T>(kElements);
  for (int i = 0; i < Optimizers::size; ++i) {
    const auto& kernels = optimizer_kernels<T>(i);
    const Choice method = default_choice(Optimizers::infos(), i);
    double scalars[kMaxScalars] = {};
    kernels.prepare(method.parameters.data(), 1e-4, 3, scalars);
    Buffer<T> p = numbers<T>(kElements), slots[kMaxSlots];
    UpdateRange<T> range;
    range.p = p.data();
    range.g = g.data();
    range.n = kElements;
    range.scalars = scalars;
    int used = 0;
    for (int k = 0; k < kMaxSlots; ++k) {
      if (!kernels.uses(k, method.parameters.data())) continue;
      slots[k].allocate(kElements);
      std::fill_n(slots[k].data(), kElements, T(0.5));
      range.slot[k] = slots[k].data();
      ++used;
    }
    const std::string name = Optimizers::infos()[static_cast<std::size_t>(i)].name;
    report.time<T>("update", name, kElements, (3.0 + 2 * used) * sizeof(T) * kElements, 0, [&] {
      if (!kernels.update(range)) std::abort();
    });
  }
}

// Layers of the catalogue that take and give (rows, width) numbers, by hand behind a Scale (a model
// must have a parameter): it and the copies of rows in and out are part of each; the first line is
// these alone.
template <class T>
void layers(Report& report) {
  const Buffer<T> x = numbers<T>(kElements);
  Buffer<T> y(kElements), dx(kElements);
  constexpr auto kSize = static_cast<Index>(sizeof(T));
  const ArrayView rows{
      x.data(), kSize == 4 ? DType::float32 : DType::float64, kRows, kWidth, kWidth * kSize, kSize};
  Json candidates = layer_catalogue();
  candidates.insert(candidates.begin(), nullptr);
  for (const Json& entry : candidates) {
    Json described = {{{"class", "Input"}, {"shape", {kWidth}}}, {{"class", "Scale"}}};
    if (!entry.is_null()) {
      Json layer = {{"class", entry["class"]}};
      for (const Json& parameter : entry["parameters"])  // shares and deviations
        if (parameter["required"].get<bool>()) layer[parameter["name"].get<std::string>()] = 0.3;
      described.push_back(layer);
    }
    std::shared_ptr<Model> model;
    try {
      model = Model::create(
          {{"seed", 0}, {"dtype", kSize == 4 ? "float32" : "float64"}, {"layers", described}});
      if (model->awaits_data()) model->adapt_to({rows}, 1);
      model->forward({rows}, true, {y.data()});
      model->backward({y.data()}, {dx.data()});
    } catch (const std::exception&) {
      continue;  // it wants other inputs or arguments
    }
    const std::string name = entry.is_null() ? "nothing" : entry["class"].get<std::string>();
    const double bytes = 2.0 * kSize * kElements;
    report.time<T>("layer forward", name, kElements, bytes, 0,
                   [&] { model->forward({rows}, true, {y.data()}); });
    report.time<T>("layer backward", name, kElements, bytes, 0,
                   [&] { model->backward({y.data()}, {dx.data()}); });
  }
}

// Shuffled rows of any dtype, converted to T.
template <class T>
void gathers(Report& report) {
  const struct {
    const char* name;
    Index size;
  } types[] = {{"float32", 4}, {"float64", 8}, {"float16", 2}, {"int8", 1},
               {"int16", 2},   {"int32", 4},   {"int64", 8},   {"uint8", 1},
               {"uint16", 2},  {"uint32", 4},  {"uint64", 8},  {"boolean", 1}};
  Buffer<std::byte> data(kElements * 8);
  Buffer<T> out(kElements);
  std::vector<std::int64_t> order;
  for (Index r = 0; r < kRows; ++r) order.push_back(r * 37 % kRows);
  for (int i = 0; i <= static_cast<int>(DType::boolean); ++i) {
    const Index size = types[i].size;
    const ArrayView view{data.data(), static_cast<DType>(i), kRows, kWidth, kWidth * size, size};
    report.time<T>("gather", types[i].name, kElements,
                   static_cast<double>(size + static_cast<Index>(sizeof(T))) * kElements, 0,
                   [&] { gather_rows(view, {order.data(), 0, kRows}, 0, kRows, out.data()); });
  }
}

template <class T>
void one_product(Report& report, ProductKind kind, const std::string& name, Index rows, Index cols,
                 Index depth) {
  const Buffer<T> a = numbers<T>(rows * depth), b = numbers<T>(cols * depth);
  Buffer<T> c(rows * cols);
  ProductScratch<T> scratch;
  const Product<T> p{kind,
                     rows,
                     cols,
                     depth,
                     {a.data(), kind == ProductKind::kernel_grad ? rows : depth},
                     {b.data(), kind == ProductKind::input_grad ? depth : cols},
                     c.data(),
                     cols};
  const auto outputs = static_cast<double>(rows * cols);
  report.time<T>("product", name, outputs, 0, 2 * outputs * static_cast<double>(depth),
                 [&] { product(p, scratch); });
}

// Of a layer inputs -> units with so many rows: forward, the input's gradient, a tile of the
// kernel's.
template <class T>
void products(Report& report) {
  struct Shape {
    Index batch, inputs, units;
  };
  for (const Shape& s : {Shape{1, 64, 64},
                         {32, 64, 32},
                         {32, 32, 10},
                         {128, 20, 64},
                         {64, 64, 64},
                         {256, 50, 256},
                         {256, 256, 256},
                         {256, 256, 1},
                         {128, 784, 512},
                         {128, 512, 256},
                         {128, 256, 10},
                         {256, 1024, 2048},
                         {32, 2048, 2048}}) {
    const std::string shape = std::to_string(s.batch) + " x " + std::to_string(s.inputs) + " -> " +
                              std::to_string(s.units);
    const Index tile = std::min<Index>(s.inputs, 64);
    one_product<T>(report, ProductKind::forward, "forward " + shape, s.batch, s.units, s.inputs);
    one_product<T>(report, ProductKind::input_grad, "input gradient " + shape, s.batch, s.inputs,
                   s.units);
    one_product<T>(report, ProductKind::kernel_grad, "kernel gradient " + shape, tile, s.units,
                   s.batch);
  }
}

template <class T>
void all(Report& report) {
  products<T>(report);
  activations<T>(report);
  losses<T>(report);
  optimizers<T>(report);
  layers<T>(report);
  gathers<T>(report);
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--json") {
      settings.json = true;
      continue;
    }
    if (option == "--peak")
      settings.peak = std::atof(value);
    else if (option == "--bandwidth")
      settings.bandwidth = std::atof(value);
    else if (option == "--only")
      settings.only = value;
    else {
      std::fprintf(stderr, "usage: kernels [--json] [--peak G] [--bandwidth G] [--only NAME]\n");
      return 2;
    }
    ++i;
  }
  Report report(settings);
  all<float>(report);
  all<double>(report);
  report.end();
  return 0;
}
