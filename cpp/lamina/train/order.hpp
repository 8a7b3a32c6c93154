// The order in which an epoch goes through the rows.
#pragma once

#include <cstdint>
#include <vector>

#include "lamina/train/objective.hpp"

namespace lamina {

// Fills `order` with the data's rows, permuted by (seed, epoch, window) alone: the data are all, or
// such a window of the epoch.
void draw_order(const Data& data, std::uint64_t seed, std::uint64_t epoch, std::uint32_t window,
                std::vector<std::int64_t>& order);

}  // namespace lamina
