// For C++ programs that predict with a saved model: link lamina::lamina and include this alone.
//
//   const lamina::Predictor predictor = lamina::Predictor::load("diamonds.lamina");
//   std::vector<float> price = predictor.predict_one(row);
//
// It is the model folded (batch normalisation and scaling moved into the products), never changes,
// and any number of threads may share one. What cannot be used as it is (a file that holds no model
// among it) throws std::invalid_argument; a file that cannot be read, or a model whose layers have
// not seen the data that they adapt to, std::runtime_error.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lamina {

class Predictor {
 public:
  struct Input {
    std::string name;
    std::size_t columns;
    bool codes;  // categories: give them as std::int32_t
  };
  struct Output {
    std::string name;
    std::size_t columns;
  };
  // Rows one after another, of any of these types.
  struct Matrix {
    Matrix(const float* values) : floats(values) {}
    Matrix(const double* values) : doubles(values) {}
    Matrix(const std::int32_t* values) : codes(values) {}
    const float* floats = nullptr;
    const double* doubles = nullptr;
    const std::int32_t* codes = nullptr;
  };

  static Predictor load(const std::string& path);
  Predictor(Predictor&&) noexcept;
  Predictor& operator=(Predictor&&) noexcept;
  ~Predictor();

  const std::vector<Input>& inputs() const;
  const std::vector<Output>& outputs() const;

  // x: by input, rows * columns; y: by output, likewise. A model of float64 wants double.
  // num_threads: at most so many, 0 for all there are; the bits do not depend on it.
  void predict(const std::vector<Matrix>& x, std::size_t rows, const std::vector<float*>& y,
               int num_threads = 0) const;
  void predict(const std::vector<Matrix>& x, std::size_t rows, const std::vector<double*>& y,
               int num_threads = 0) const;

  // The same for a model of one numeric input and one output, of float32.
  void predict(const float* x, std::size_t rows, float* y, int num_threads = 0) const {
    predict({Matrix(x)}, rows, std::vector<float*>{y}, num_threads);
  }
  std::vector<float> predict_one(const std::vector<float>& row, int num_threads = 0) const;

 private:
  struct State;
  explicit Predictor(std::unique_ptr<const State> state);
  void run(const std::vector<Matrix>& x, std::size_t rows, const std::vector<void*>& y, bool wide,
           int num_threads) const;
  std::unique_ptr<const State> state_;
};

}  // namespace lamina
