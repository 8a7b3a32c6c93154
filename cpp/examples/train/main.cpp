// Trains a network on a table of numbers and saves it for C++ and Python:
//   train TABLE.csv MODEL.lamina [EPOCHS]
// The first line of the table names its columns; the last column is what is to be learned.
// docs/cpp.md has three lines of Python that write such a table of the diamonds which come with
// Lamina.
#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "lamina/lamina.hpp"

namespace lm = lamina::train;

namespace {

struct Table {
  std::size_t columns = 0;  // of x
  std::vector<float> x, y;
};

Table read_table(const std::string& path) {
  std::ifstream file(path);
  std::string line, cell;
  if (!std::getline(file, line)) throw std::runtime_error("cannot read " + path);
  Table table;
  for (const char c : line) table.columns += c == ',';
  if (table.columns == 0) throw std::invalid_argument(path + ": expected at least two columns");
  for (std::size_t number = 2; std::getline(file, line); ++number) {
    std::istringstream cells(line);
    std::vector<float> row;
    while (std::getline(cells, cell, ',')) row.push_back(std::stof(cell));
    if (row.size() != table.columns + 1)
      throw std::invalid_argument(path + ", line " + std::to_string(number) + ": expected " +
                                  std::to_string(table.columns + 1) + " numbers, got " +
                                  std::to_string(row.size()));
    table.y.push_back(row.back());
    table.x.insert(table.x.end(), row.begin(), row.end() - 1);
  }
  return table;
}

bool print(std::uint64_t epoch, const lm::Logs& logs) {
  std::printf("epoch %llu", static_cast<unsigned long long>(epoch + 1));
  for (const auto& [name, value] : logs) std::printf("  %s %.6g", name.c_str(), value);
  std::printf("\n");
  return true;  // go on
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4)
    return std::fprintf(stderr, "usage: train TABLE.csv MODEL.lamina [EPOCHS]\n"), 2;
  try {
    const Table table = read_table(argv[1]);
    const std::vector<lm::Object> layers = {
        lm::Input(static_cast<std::int64_t>(table.columns)),
        lm::Object("Normalization"),
        lm::Dense(64, "relu"),
        lm::Object("BatchNormalization"),
        lm::Dropout(0.1),
        lm::Dense(32, "gelu", {{"kernel_regularizer", lm::Object("L2", {{"l2", 1e-5}})}}),
        lm::Dense(1)};
    const lm::Model model(layers, {.seed = 0});
    const auto rate = lm::Object("Cosine", {{"learning_rate", 0.01}});
    lm::Trainer trainer(model, {.loss = "mse",
                                .optimizer = lm::Object("AdamW", {{"learning_rate", rate}}),
                                .metrics = {"mae"}});
    const auto history = trainer.fit(
        table.x, table.y,
        {.epochs = argc > 3 ? std::stoull(argv[3]) : 20, .batch_size = 256, .on_epoch = print});
    std::printf("%s; %zu parameters\n", history.stop_reason.c_str(), model.num_parameters());
    model.save(argv[2]);

    const auto predictor = lamina::Predictor::load(argv[2]);
    const std::vector<float> first(table.x.begin(),
                                   table.x.begin() + static_cast<std::ptrdiff_t>(table.columns));
    std::printf("the first row: %.6g, predicted %.6g (Lamina %s, %s)\n",
                static_cast<double>(table.y.at(0)),
                static_cast<double>(predictor.predict_one(first).at(0)), lamina::version(),
                lamina::level());
    return 0;
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
  }
}
