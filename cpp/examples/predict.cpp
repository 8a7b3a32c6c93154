// Reads rows of numbers from standard input and prints what a saved model says of each:
//   predict MODEL.lamina < rows.txt
#include <cstdio>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "lamina/predict.hpp"

namespace {

// The next row; false behind the last one.
bool read_row(std::istream& in, std::vector<float>& row) {
  if (!(in >> std::ws) || in.eof()) return false;
  for (float& x : row)
    if (!(in >> x))
      throw std::invalid_argument("expected rows of " + std::to_string(row.size()) + " numbers");
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: predict MODEL.lamina < rows\n"), 2;
  try {
    const auto predictor = lamina::Predictor::load(argv[1]);
    std::vector<float> row(predictor.inputs().at(0).columns);
    while (read_row(std::cin, row)) {
      for (const float y : predictor.predict_one(row)) std::printf("%.9g ", static_cast<double>(y));
      std::printf("\n");
    }
    return 0;
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
  }
}
