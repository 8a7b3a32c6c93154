// Constraints: what weights must be after each step. A unit's incoming weights are a column of the
// kernel; a vector (a bias) is taken as one column.
#pragma once

#include "lamina/functions/info.hpp"

namespace lamina {

// Negative weights become 0, and columns are scaled so that their norm lies in [least, most].
struct Constraint {
  bool non_negative = false;
  double least = 0, most = kInfinity;
  bool none() const { return !non_negative && least == 0 && most == kInfinity; }
};

struct MaxNorm {
  static Info info() {
    return {"MaxNorm",
            "max_norm",
            {},
            {{"max_value", 2.0, 0, kInfinity}},
            "w min(1, max_value / |w|), |w| the Euclidean norm of a unit's incoming weights",
            "Srebro & Shraibman, Rank, trace-norm and max-norm, COLT 2005; Srivastava et al., "
            "Dropout, JMLR 2014"};
  }
  static Constraint constraint(const double* p) { return {false, 0, p[0]}; }
};
struct UnitNorm {
  static Info info() {
    return {"UnitNorm", "unit_norm", {}, {}, "w / |w|; a column of zeros stays", ""};
  }
  static Constraint constraint(const double*) { return {false, 1, 1}; }
};
struct NonNeg {
  static Info info() { return {"NonNeg", "non_neg", {"non_negative"}, {}, "max(w, 0)", ""}; }
  static Constraint constraint(const double*) { return {true, 0, kInfinity}; }
};

using Constraints = List<MaxNorm, UnitNorm, NonNeg>;

// Columns are worked on by so many.
inline constexpr Index kConstrainedColumns = 64;

// Applies the constraint to columns [begin, begin + kConstrainedColumns) of w (rows, columns).
template <class T>
void constrain(const Constraint& constraint, Index rows, Index columns, Index begin, T* w);

}  // namespace lamina
