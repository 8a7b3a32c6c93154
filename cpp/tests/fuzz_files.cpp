// Files that somebody has damaged, or made to do harm: what reads a model or the state of a
// training accepts them or refuses them, and nothing else. Each input is made from its number
// alone, out of good files: bytes are flipped, cut, doubled; numbers, names and lists in their JSON
// are replaced by others that are huge, negative, deep or of the wrong kind; the checksum is then
// put right, so that what is behind it is reached.
//
//   fuzz_files                        some seconds of it, as a test
//   fuzz_files --seconds 600          as long as one likes (of the sanitizers' presets)
//   fuzz_files --only 1234 --trace    one input again
//
// With clang and -DLAMINA_SANITIZE=address,undefined,fuzzer-no-link: libfuzzer_files, the same
// reader under libFuzzer.
#include <chrono>
#include <cstring>
#include <new>

#include "check.hpp"
#include "lamina/base/sha256.hpp"
#include "lamina/io/model_file.hpp"
#include "lamina/io/train_state.hpp"

using namespace lamina;

// No input here describes more than some kilobytes: who asks for a hundred megabytes believed it.
namespace {
constexpr std::size_t kMostBytes = std::size_t{100} << 20;
bool too_much = false;
void* allocated(std::size_t size, std::size_t alignment) {
  if (size > kMostBytes) {
    too_much = true;
    throw std::bad_alloc();
  }
  if (void* p = std::aligned_alloc(alignment, (size + alignment) / alignment * alignment)) return p;
  throw std::bad_alloc();
}
}  // namespace
void* operator new(std::size_t size) { return allocated(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocated(size, static_cast<std::size_t>(alignment));
}
// std::stable_sort's; else it would be AddressSanitizer's, and not match our delete.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace {

std::uint64_t current = 0;  // the number of the input
struct Count {
  long refused = 0, accepted = 0;
};
Count counts;

// ---- what is read
// -----------------------------------------------------------------------------------

constexpr Index kRows = 20, kColumns = 4;

const char* const kModels[] = {
    R"({"seed": 1, "layers": [
      {"class": "Input", "shape": [4]},
      {"class": "Normalization", "mean": [0, 1, 2, 3], "variance": [1, 1, 2, 2]},
      {"class": "Dense", "units": 6, "activation": {"class": "LeakyReLU", "negative_slope": 0.1},
       "kernel_regularizer": {"class": "L2", "l2": 0.01}, "kernel_constraint": {"class": "NonNeg"}},
      {"class": "BatchNormalization"}, {"class": "Dropout", "rate": 0.25},
      {"class": "Parallel", "layers": [[{"class": "Dense", "units": 2}],
                                       [{"class": "LayerNormalization"}]]},
      {"class": "Residual", "layers": [{"class": "Dense", "units": 3, "trainable": false}]},
      {"class": "Dense", "units": 3, "activation": "softmax"}]})",
    R"({"seed": 2, "dtype": "float64", "layers": [
      {"class": "Input", "shape": [2], "kind": "codes", "cardinalities": [7, 5], "name": "codes"},
      {"class": "Embedding", "output_dim": [3, 2]}, {"class": "OneHot"},
      {"class": "Input", "shape": [2, 2], "name": "picture"}, {"class": "Flatten"},
      {"class": "Concatenate"}, {"class": "Reshape", "target_shape": [-1]},
      {"class": "Dense", "units": 2, "activation": "tanh"}, {"class": "Dense", "units": 1}],
      "wiring": [[], [[0, 0]], [[0, 0]], [], [[3, 0]], [[1, 0], [2, 0], [4, 0]], [[5, 0]], [[6, 0]],
                 [[6, 0]]],
      "outputs": [[7, 0], [8, 0]]})",
    R"({"seed": 3, "layers": [{"class": "Input", "shape": [9], "kind": "sparse"},
      {"class": "Dense", "units": 4, "kernel_initializer": "unit_variance"}, {"class": "Scale"},
      {"class": "GaussianNoise", "stddev": 0.1}]})"};

struct Rows {
  std::vector<float> x = std::vector<float>(kRows * kColumns), y = std::vector<float>(kRows);
  Rows() {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) - 3;
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(i % 3);
  }
  Data data() const {
    Data out;
    out.inputs = {{x.data(), DType::float32, kRows, kColumns, 4 * kColumns, 4}};
    out.targets = {{y.data(), DType::float32, kRows, 1, 4, 4}};
    return out;
  }
};
const Rows rows;
constexpr Index kBatch = 4;

// With all that a state can hold: slots, two averages, collected gradients, an open epoch, a best.
std::unique_ptr<Trainer> make_trainer() {
  std::shared_ptr<Model> model = Model::create(parse_json("model", kModels[0]));
  const auto optimizer = std::make_shared<Optimizer>(parse_json("optimizer", R"(
      {"class": "Adam", "use_ema": true, "gradient_accumulation_steps": 2, "clipnorm": 1.0,
       "learning_rate": {"class": "CosineRestarts", "learning_rate": 0.01, "t_mul": 2,
                         "first_decay_steps": 3}})"));
  HeadSpec head{parse_json("loss", R"("cce")")};
  head.metrics = parse_json("metrics", R"(["accuracy", "top_k_accuracy"])");
  return Trainer::create(model, optimizer, {head}, 7);
}

// A training that was interrupted behind so many batches.
std::string state_after(int batches) {
  const auto trainer = make_trainer();
  Monitor monitor;
  int left = batches;
  monitor.on_batch = [&](std::uint64_t, const Sums&) { return --left > 0; };
  trainer->begin_fit(rows.data(), {.batch_size = kBatch, .epochs = 3, .scheduling = {}});
  while (left > 0) {
    trainer->run_epoch(monitor);
    trainer->keep_best(1, trainer->state.epoch);
  }
  trainer->end_fit();
  return encode_state(*trainer);
}

std::vector<std::string> good_files() {
  std::vector<std::string> out;
  for (const char* spec : kModels)
    out.push_back(
        encode_model(*Model::create(parse_json("model", spec)), R"({"table": {"columns": []}})"));
  out.push_back(state_after(7));
  out.push_back(state_after(10));
  return out;
}

// ---- reading
// -----------------------------------------------------------------------------------------

// Predictions of a few rows, if they have a size that one would compute here.
void use(Model& model) {
  const Graph& graph = model.graph();
  Index width = 0;
  for (const auto& op : graph.ops) width = std::max(width, op->output.width);
  for (const Port& port : graph.ports) width = std::max(width, port.value.width);
  if (width > 10000 || graph.parameters.size > 1000000) return;
  const std::vector<float> zeros(static_cast<std::size_t>(3 * width));
  std::vector<ArrayView> inputs;
  for (const Port& port : graph.ports) {
    const Index n = port.value.width;
    inputs.push_back({zeros.data(), DType::float32, 3, n, 4 * n, 4});
  }
  std::vector<std::vector<double>> room;
  std::vector<void*> out;
  for (const Value& y : graph.outputs) room.emplace_back(static_cast<std::size_t>(3 * y.width));
  for (auto& one : room) out.push_back(one.data());
  model.predict(inputs, out, {.num_threads = 1});
}

void go_on(Trainer& trainer) {
  Monitor monitor;
  int left = 3;
  monitor.on_batch = [&](std::uint64_t, const Sums&) { return --left > 0; };
  trainer.begin_fit(rows.data(), {.batch_size = kBatch,
                                  .epochs = 1,
                                  .num_threads = 1,
                                  .scheduling = {},
                                  .begin = Begin::resumed});
  try {
    trainer.run_epoch(monitor);
  } catch (const std::invalid_argument&) {
  }
  trainer.end_fit();
}

template <class F>
bool accepted(F&& read) {
  try {
    read();
    return true;
  } catch (const std::invalid_argument&) {
  } catch (const StateError&) {
  } catch (const FileError&) {
  } catch (const std::exception& error) {
    std::fprintf(stderr, "input %llu: %s%s\n", static_cast<unsigned long long>(current),
                 too_much ? "memory for what is not there: " : "an exception of another kind: ",
                 error.what());
    std::exit(1);
  }
  return false;
}

// `good`: the file that the bytes were, if they are to be refused unless they still mean the same.
void read(std::span<const char> bytes, const std::string* good) {
  too_much = false;
  const bool model = accepted([&] {
    const LoadedModel loaded = decode_model("file", bytes);
    if (good) CHECK(fingerprint(*loaded.model) == fingerprint(*decode_model("", *good).model));
    CHECK(decode_model("again", encode_model(*loaded.model, loaded.extra)).extra == loaded.extra);
    use(*loaded.model);
  });
  const bool state = accepted([&] {
    const auto trainer = make_trainer();
    load_state(*trainer, decode_state("file", bytes));
    if (good) CHECK(encode_state(*trainer) == *good);
    go_on(*trainer);
  });
  CHECK(!too_much);
  ++(model || state ? counts.accepted : counts.refused);
}

// ---- what is done to files
// ----------------------------------------------------------------------------

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull + 1) {}
  std::uint64_t operator()() {  // splitmix64
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>((*this)() % n); }
  bool one_in(std::size_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

constexpr const char* kDeep =
    "@deep@";  // stands for many brackets: Json itself could not hold them

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

Json hostile_value(Dice& dice) {
  static const Json values[] = {0,
                                -1,
                                1,
                                2,
                                65536,
                                1 << 20,
                                2147483647,
                                4294967296,
                                -4294967297,
                                std::int64_t{1} << 44,
                                std::int64_t{1} << 53,
                                std::int64_t{1} << 62,
                                std::numeric_limits<std::int64_t>::max(),
                                std::numeric_limits<std::int64_t>::min(),
                                std::uint64_t{1} << 63,
                                std::numeric_limits<std::uint64_t>::max(),
                                1e300,
                                -1e300,
                                5e-324,
                                0.5,
                                -0.0,
                                nullptr,
                                true,
                                false,
                                "",
                                "relu",
                                "Dense",
                                std::string(3000, 'x'),
                                "a/b",
                                Json::array(),
                                Json::object(),
                                Json::array({-1}),
                                Json::array({1 << 30, 1 << 30, 1 << 30}),
                                std::vector<int>(1000, 1),
                                {{"class", "Dense"}, {"units", 1000000000}},
                                {{"class", "Concatenate"}},
                                {{"class", "OneHot"}},
                                {{"class", "Reshape"}, {"target_shape", {-1, 1 << 20, 1 << 20}}},
                                kDeep};
  return values[dice.below(std::size(values))];
}

void collect(Json& node, std::vector<Json*>& out) {
  out.push_back(&node);
  if (node.is_structured())
    for (Json& one : node) collect(one, out);
}

void change_list(Json& list, Dice& dice) {
  const std::size_t i = dice.below(list.size());
  const Json one = list[i];
  if (dice.one_in(3))
    list.erase(i);
  else if (dice.one_in(2))
    for (std::size_t n = dice.one_in(10) ? 300 : 1; n > 0; --n) list.push_back(one);
  else
    std::swap(list[i], list[dice.below(list.size())]);
}

void change_object(Json& object, Dice& dice) {
  auto at = object.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(dice.below(object.size())));
  const std::string key = at.key();
  const Json value = at.value();
  if (!dice.one_in(4)) object.erase(key);
  if (dice.one_in(2)) object[key + "_"] = value;
}

void change_json(Json& root, Dice& dice) {
  std::vector<Json*> nodes;
  collect(root, nodes);
  Json& node = *nodes[dice.below(nodes.size())];
  if (node.is_array() && !node.empty() && dice.one_in(2)) return change_list(node, dice);
  if (node.is_object() && !node.empty() && dice.one_in(2)) return change_object(node, dice);
  if (node.is_number_integer() && dice.one_in(3)) {
    const auto next = node.get<std::uint64_t>() + (dice.one_in(2) ? 1 : ~0ull);
    node = static_cast<std::int64_t>(next);
    return;
  }
  const Json copy = dice.one_in(4) ? *nodes[dice.below(nodes.size())] : hostile_value(dice);
  node = copy;
}

void change_bytes(std::string& bytes, Dice& dice) {
  if (bytes.empty()) return;
  const std::size_t at = dice.below(bytes.size());
  const std::size_t n = std::min(bytes.size() - at, std::size_t{1} << dice.below(12));
  const std::string piece = bytes.substr(at, n);
  switch (dice.below(8)) {
    case 0:
      bytes.resize(at);
      return;
    case 1:
      bytes += piece;
      return;
    case 2:
      bytes.insert(dice.below(bytes.size()), piece);
      return;
    case 3:
      bytes.erase(at, n);
      return;
    case 4:
      for (std::size_t i = at; i < at + n; ++i) bytes[i] = static_cast<char>(dice());
      return;
    case 5:
      std::memset(bytes.data() + at, dice.one_in(2) ? 0 : 255, n);
      return;
    default:
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << dice.below(8)));
  }
}

struct Parts {
  Json header;
  std::string data;
};

Parts apart(const std::string& file) {
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  return {Json::parse(file.substr(8, length)), file.substr(8 + length)};
}

// What a reader would compute, if header and data allow it: written apart from io/tensor_file.cpp.
std::string checksum_of(const Json& header, const std::string& data) {
  Sha256 sum;
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : header.at("__metadata__").items())
    metadata[key] = value.get<std::string>();
  for (const auto& [key, value] : metadata)
    if (key != "sha256") sum.add(key + "=" + value + "\n");
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const auto begin = entry.at("data_offsets").at(0).get<std::size_t>(),
               end = entry.at("data_offsets").at(1).get<std::size_t>();
    if (begin > end || end > data.size()) return "";
    sum.add(name + entry.at("dtype").get<std::string>() +
            shape_text(entry.at("shape").get<std::vector<Index>>()));
    sum.add(data.data() + begin, end - begin);
  }
  return sum.hex();
}

std::string together(Json header, const std::string& data, const std::string& deep) {
  try {
    header.at("__metadata__")["sha256"] = checksum_of(header, data);
  } catch (const Json::exception&) {  // nobody could
  }
  std::string text = replaced(header.dump(), '"' + std::string(kDeep) + '"', deep);
  std::string out(8, '\0');
  const std::uint64_t length = text.size();
  std::memcpy(out.data(), &length, sizeof length);
  return out + text + data;
}

std::string brackets(Dice& dice) {
  const std::size_t depth = std::size_t{1} << dice.below(18);
  const bool lists = dice.one_in(2);
  std::string out;
  for (std::size_t i = 0; i < depth; ++i) out += lists ? "[" : "{\"layers\":";
  out += "1";
  if (!dice.one_in(4)) out += std::string(depth, lists ? ']' : '}');
  return out;
}

// JSON that lies as text in the metadata: the specs, the counters.
void change_description(Json& metadata, Dice& dice, const std::string& deep) {
  std::vector<std::string> keys;
  for (const char* key : {"spec", "spec", "spec", "state", "state", "optimizer", "extra"})
    if (metadata.contains(key)) keys.push_back(key);
  Json& text = metadata[keys[dice.below(keys.size())]];
  if (dice.one_in(8)) {
    auto bytes = text.get<std::string>();
    change_bytes(bytes, dice);
    for (char& c : bytes) c = static_cast<char>(c & 127);  // a header is UTF-8
    text = bytes;
    return;
  }
  Json json = Json::parse(text.get<std::string>());
  for (std::size_t n = 1 + dice.below(3); n > 0; --n) change_json(json, dice);
  text = replaced(json.dump(), '"' + std::string(kDeep) + '"', deep);
}

void run_input(std::uint64_t number, const std::vector<std::string>& files) {
  current = number;
  Dice dice(number);
  const std::string& file = files[dice.below(files.size())];
  if (dice.one_in(4)) {  // as chance damages a file
    std::string bytes = file;
    for (std::size_t n = 1 + dice.below(3); n > 0; --n) change_bytes(bytes, dice);
    return read(bytes, &file);
  }
  Parts parts = apart(file);
  const std::string deep = brackets(dice);
  const std::size_t what = dice.below(8);
  if (what < 5) change_description(parts.header["__metadata__"], dice, deep);
  if (what >= 4)
    for (std::size_t n = 1 + dice.below(3); n > 0; --n) change_json(parts.header, dice);
  if (what == 7) change_bytes(parts.data, dice);
  read(together(parts.header, parts.data, deep), nullptr);
}

}  // namespace

#ifdef LAMINA_LIBFUZZER

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  read(bytes, nullptr);
  try {  // the same with a checksum that is right
    const Parts parts = apart(bytes.substr(0, std::max<std::size_t>(8, bytes.size())));
    read(together(parts.header, parts.data, ""), nullptr);
  } catch (const std::exception&) {
  }
  return 0;
}

#else

extern "C" void __asan_on_error() {
  std::fprintf(stderr, "input %llu\n", static_cast<unsigned long long>(current));
}

int main(int argc, char** argv) {
  double seconds = 0;
  std::uint64_t first = 0, count = 1500;
  bool trace = false;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "0";
    if (option == "--seconds") seconds = std::atof(value), count = ~0ull, ++i;
    if (option == "--seed") first = std::strtoull(value, nullptr, 10), ++i;
    if (option == "--only") first = std::strtoull(value, nullptr, 10), count = 1, ++i;
    if (option == "--iterations") count = std::strtoull(value, nullptr, 10), ++i;
    if (option == "--trace") trace = true;
  }
  using Steady = std::chrono::steady_clock;
  const auto since = [](Steady::time_point t) {
    return std::chrono::duration<double>(Steady::now() - t).count();
  };
  const std::vector<std::string> files = good_files();
  for (const std::string& file : files) read(file, &file);
  CHECK(counts.accepted == static_cast<long>(files.size()));
  const auto start = Steady::now();
  double longest = 0;
  std::uint64_t slowest = first, done = 0;
  for (; done < count && (seconds == 0 || since(start) < seconds); ++done) {
    if (trace) std::fprintf(stderr, "input %llu\n", static_cast<unsigned long long>(first + done));
    const auto begin = Steady::now();
    run_input(first + done, files);
    if (since(begin) > longest) longest = since(begin), slowest = first + done;
  }
  std::printf(
      "%llu inputs from %llu on in %.0f s: %ld refused, %ld accepted; the slowest, %llu, took "
      "%.2f s\n",
      static_cast<unsigned long long>(done), static_cast<unsigned long long>(first), since(start),
      counts.refused, counts.accepted, static_cast<unsigned long long>(slowest), longest);
  CHECK(count == 1 || counts.refused > 0);
  return 0;
}

#endif
