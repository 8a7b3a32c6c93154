// What a loss is. A struct of one of four kinds, told apart by its one function:
// - template <class T> Pair<T, Vec<T>> element(p, y): a register of elements, in the model's type
// - template <class Rows, class T> RowValue row(...): a view of rows (base/rows.hpp), likewise
// - Pair element(Vec<double> p, Vec<double> y): a register, always in double
// - double row(n, p, y, d): a row, always in double
// The first two are for losses that are everywhere: they are compiled for each type into the loop
// around them. The others share their loops, so that a loss costs a kilobyte of code. What else a
// loss wants (of the last activation, of its targets) it says as data: traits().
#pragma once

#include <cmath>

#include "lamina/base/math.hpp"
#include "lamina/base/rows.hpp"
#include "lamina/functions/info.hpp"

namespace lamina {

// What a loss takes the predictions for, and so what the last activation must give.
enum class Reads {
  numbers,
  scores,         // of either sign: which side of 0 is what counts
  nonnegative,    // means of what cannot be below 0
  probabilities,  // one an output
  distribution,   // probabilities of a row's outputs that sum to 1
  logits          // what LossTraits::activation would take, so a linear output
};

enum class Targets { numbers, labels, distributions };  // labels: or a distribution

struct LossTraits {
  Reads reads = Reads::numbers;
  const char* activation = "";  // computed together with the loss where the model ends with it
  Targets targets = Targets::numbers;
  double low = -kInfinity, high = kInfinity;  // of targets that are numbers
  bool above = false;                         // low itself is not one
  bool whole = false;                         // whole numbers only
  bool binary = false;                        // each output is a yes or no
  Index outputs_per_target = 1;
  Index least_outputs = 1;
  Index outputs = 0;  // exactly so many; 0: any

  bool admits(double y) const {
    return y <= high && (above ? y > low : y >= low) &&
           (!whole || y == static_cast<double>(static_cast<Index>(y)));
  }
};

// The targets of some rows: values (rows, n), or class labels (rows).
template <class T>
struct Target {
  const T* values = nullptr;
  const std::int32_t* labels = nullptr;
  Target at(Index row, Index n) const {
    return {values ? values + row * n : nullptr, labels ? labels + row : nullptr};
  }
};

// From probabilities the logarithm's argument is clipped to [eps, 1 - eps]; the derivative is 0
// where the clip holds.
template <class T>
inline constexpr T kProbabilityEpsilon = sizeof(T) == 4 ? T(1e-7) : T(1e-15);

// What a loss is made for, beside its parameters.
struct Input {
  bool fused;      // with the last activation
  double epsilon;  // kProbabilityEpsilon of the model's type
};

template <class T>
struct Pair {
  Vec<T> value, derivative;
};

// A row's loss is plain + factor ln(argument): logarithms are taken for several rows at once.
template <class Number>
struct RowValue {
  Number plain, factor = 0.0, argument = 1.0;
};

// The short hand of the losses in double.
namespace wide {
using V = Vec<double>;
inline V number(double x) { return V(x); }
inline V zero() { return V(0.0); }
inline V one() { return V(1.0); }
}  // namespace wide

}  // namespace lamina
