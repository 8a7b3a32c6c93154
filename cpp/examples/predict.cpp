// Reads rows of numbers from standard input and prints what a saved model says of them:
//   predict MODEL.lamina < rows.txt
#include <cstdio>
#include <exception>

#include "lamina/predict.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: predict MODEL.lamina < rows\n"), 2;
  try {
    const auto predictor = lamina::Predictor::load(argv[1]);
    std::vector<float> row(predictor.inputs().at(0).columns);
    for (;;) {
      for (float& x : row)
        if (std::scanf("%f", &x) != 1) return 0;
      for (const float y : predictor.predict_one(row)) std::printf("%.9g ", static_cast<double>(y));
      std::printf("\n");
    }
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
  }
}
