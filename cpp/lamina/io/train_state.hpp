// One function saves everything that a training's future depends on, one loads it.
#pragma once

#include "lamina/io/tensor_file.hpp"
#include "lamina/train/trainer.hpp"

namespace lamina {

// The weights, slots, averages and best weights, and every counter.
std::string encode_state(Trainer& trainer);
// Into a trainer over a model of the same spec with the same kind of optimizer; checked first.
void decode_state(Trainer& trainer, std::span<const char> bytes);

}  // namespace lamina
