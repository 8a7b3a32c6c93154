// Schedules as JSON: a number stands still, {"class": "Warmup", "schedule": {...}, ...} holds
// others. A function is no text: {"class": "Function", "function": 2} names its place in a list
// beside it.
#pragma once

#include "lamina/functions/schedule.hpp"
#include "lamina/nn/spec.hpp"

namespace lamina {

using ScheduleFunctions = std::vector<ScheduleFunction>;

// Whether a parameter is given as a schedule, and whether that stands still.
bool is_schedule(const Json& json);
bool is_constant(const Schedule& schedule);

Schedule read_schedule(const Json& json, const ScheduleFunctions& functions);
Json write_schedule(const Schedule& schedule);

}  // namespace lamina
