// One function describes everything that a training's future depends on, one takes it over; in
// memory and in files.
#pragma once

#include "lamina/io/tensor_file.hpp"
#include "lamina/train/trainer.hpp"

namespace lamina {

inline constexpr int kStateVersion = 1;  // of the format

// The weights, slots, averages and best weights, and every counter.
std::string encode_state(Trainer& trainer);
// `extra`: JSON text of the owner, who finds it among the metadata.
void save_state(const std::string& path, Trainer& trainer, const std::string& extra);

// Of any version up to ours.
TensorFile decode_state(const std::string& what, std::span<const char> bytes);
// Into a trainer over a model of the same spec with the same kind of optimizer; checked first. What
// was saved inside a fit is as if that had been interrupted there. False if it was written by other
// numerics, so that other bits would follow from it.
bool load_state(Trainer& trainer, const TensorFile& file);

}  // namespace lamina
