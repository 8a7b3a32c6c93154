// Answers rows of numbers with a saved model, on several threads that share one Predictor:
//   serve MODEL.lamina ROWS.f32 THREADS [folded] > answers
// ROWS.f32 holds float32 numbers, row after row (numpy: x.astype("float32").tofile("rows.f32")).
// The answers are written as hexadecimal floats, a row a line, so that no bit is lost; how many
// rows a second goes to the other stream. The answers are those of model.predict, bit for bit; with
// "folded" those of model.freeze_for_inference(), which is quicker where there is normalisation.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "lamina/predict.hpp"

namespace {

std::vector<float> read_rows(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<float> all(static_cast<std::size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(all.data()),
            static_cast<std::streamsize>(all.size() * sizeof(float)));
  return all;
}

// Each thread answers every threads-th block of rows, as requests would come in.
template <class T>
void answer(const lamina::Predictor& predictor, std::span<const T> x, std::span<T> y,
            std::size_t first, std::size_t threads) {
  const std::size_t inputs = predictor.input_size(), outputs = predictor.output_size();
  const std::size_t rows = x.size() / inputs;
  constexpr std::size_t kBlocks[] = {1, 32, 7, 300};  // of such sizes, one after another
  std::size_t block = 0;
  for (std::size_t row = 0; row < rows; ++block) {
    const std::size_t count = std::min(kBlocks[block % std::size(kBlocks)], rows - row);
    if (block % threads == first)
      predictor.predict(x.subspan(row * inputs, count * inputs),
                        y.subspan(row * outputs, count * outputs));
    row += count;
  }
}

template <class T>
void serve(const lamina::Predictor& predictor, const std::vector<float>& given,
           std::size_t threads) {
  const std::vector<T> x(given.begin(), given.end());
  const std::size_t rows = x.size() / predictor.input_size();
  if (x.size() % predictor.input_size() != 0)
    throw std::invalid_argument("expected whole rows of " + std::to_string(predictor.input_size()) +
                                " numbers, got " + std::to_string(x.size()) + " numbers");
  std::vector<T> y(rows * predictor.output_size());

  const auto start = std::chrono::steady_clock::now();
  std::vector<std::exception_ptr> errors(threads);
  std::vector<std::thread> team;
  for (std::size_t t = 0; t < threads; ++t)
    team.emplace_back([&, t] {
      try {
        answer<T>(predictor, x, y, t, threads);
      } catch (...) {
        errors[t] = std::current_exception();
      }
    });
  for (std::thread& one : team) one.join();
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t j = 0; j < predictor.output_size(); ++j)
      std::printf("%a%c", static_cast<double>(y[r * predictor.output_size() + j]),
                  j + 1 == predictor.output_size() ? '\n' : ' ');
  std::fprintf(stderr, "%zu rows on %zu threads: %.0f rows/s\n", rows, threads,
               static_cast<double>(rows) / seconds.count());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5)
    return std::fprintf(stderr, "usage: serve MODEL.lamina ROWS.f32 THREADS [folded]\n"), 2;
  try {
    const int threads = std::stoi(argv[3]);
    if (threads < 1) throw std::invalid_argument("THREADS must be at least 1");
    const bool fold = argc == 5 && std::string(argv[4]) == "folded";
    const auto predictor = lamina::Predictor::load(argv[1], {.fold = fold, .calls = threads});
    const std::vector<float> rows = read_rows(argv[2]);
    if (predictor.is_double())
      serve<double>(predictor, rows, static_cast<std::size_t>(threads));
    else
      serve<float>(predictor, rows, static_cast<std::size_t>(threads));
    return 0;
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
  }
}
