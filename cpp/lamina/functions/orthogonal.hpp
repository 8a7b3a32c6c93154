// The orthonormal factor of a matrix, the same bits on every machine: Householder's reflections in
// double, each element changed in one order by sums and products that no compiler or register
// regroups. (LAPACK's and Eigen's order depends on the CPU.)
#pragma once

#include "lamina/base/buffer.hpp"

namespace lamina {

// Replaces a (m, n), m >= n, rows contiguous, by the Q of its factorisation Q R in which R has a
// positive diagonal. Columns that depend on others are completed to an orthonormal set.
void orthonormalize(Index m, Index n, double* a);

}  // namespace lamina
