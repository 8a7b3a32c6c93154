// For C++ programs that predict with a saved model: link lamina::lamina and include this alone.
//
//   const auto predictor = lamina::Predictor::load("diamonds.lamina");
//   std::vector<float> x(rows * predictor.input_size()), y(rows * predictor.output_size());
//   predictor.predict(x, y);
//
// A Predictor never changes; any number of threads may call its functions at once. What cannot be
// used as it is (a damaged file, arrays of a wrong size) throws std::invalid_argument; a file that
// cannot be read, or a model whose layers have not seen the data that they adapt to,
// std::runtime_error. Messages name the file and what in it, or the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lamina {

class Predictor {
 public:
  struct Options {
    // Batch normalisation and scaling move into the products beside them: quicker, the answers of
    // Python's freeze_for_inference(). Without it the bits are those of model.predict.
    bool fold = true;
    // load() makes the memory of so many calls at once, each on one thread, by predicting some
    // rows. Others take theirs when they first come, and it is kept.
    int calls = 1;
  };
  static Predictor load(const std::string& path, const Options& options);
  static Predictor load(const std::string& path) { return load(path, {}); }

  // Numbers of a row, of a model with one input and one output.
  std::size_t input_size() const;
  std::size_t output_size() const;
  bool is_double() const;  // the model computes in float64, and gives double

  // Any number of whole rows, one after another. num_threads: at most so many, 0 for all there are;
  // the bits do not depend on it. A call on one thread allocates nothing.
  void predict(std::span<const float> x, std::span<float> y, int num_threads = 1) const;
  void predict(std::span<const double> x, std::span<double> y, int num_threads = 1) const;
  std::vector<float> predict_one(const std::vector<float>& row) const;

  // ---- models of several inputs, outputs or categories
  // --------------------------------------------
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
  const std::vector<Input>& inputs() const;
  const std::vector<Output>& outputs() const;

  // x: by input, rows * columns; y: by output, likewise, double where is_double().
  void predict(const std::vector<Matrix>& x, std::size_t rows, const std::vector<float*>& y,
               int num_threads = 1) const;
  void predict(const std::vector<Matrix>& x, std::size_t rows, const std::vector<double*>& y,
               int num_threads = 1) const;

  Predictor(Predictor&&) noexcept;
  Predictor& operator=(Predictor&&) noexcept;
  ~Predictor();

 private:
  struct State;
  explicit Predictor(std::unique_ptr<const State> state);
  template <class T>
  void predict_rows(std::span<const T> x, std::span<T> y, int num_threads) const;
  template <class T>
  void predict_all(std::span<const Matrix> x, std::size_t rows, std::span<T* const> y,
                   int num_threads) const;
  std::unique_ptr<const State> state_;
};

}  // namespace lamina
