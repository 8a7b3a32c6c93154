// The order in which an epoch goes through the rows.
#pragma once

#include <cstdint>
#include <vector>

#include "lamina/train/objective.hpp"

namespace lamina {

// Fills `order` with the data's rows, permuted by (seed, epoch) alone.
void draw_order(const Data& data, std::uint64_t seed, std::uint64_t epoch,
                std::vector<std::int64_t>& order);

}  // namespace lamina
