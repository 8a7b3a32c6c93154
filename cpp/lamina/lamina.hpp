// Everything for C++ programs: lamina/predict.hpp answers with a saved model, lamina/train.hpp
// trains one. docs/cpp.md shows how to install and link.
#pragma once

#include "lamina/predict.hpp"
#include "lamina/train.hpp"

namespace lamina {

const char* version();  // "0.1.0"
const char* level();    // what it is compiled for: "v4" (AVX-512), "v3" (AVX2), "v2", "generic"

}  // namespace lamina
