#include "lamina/functions/schedules.hpp"

namespace lamina {
namespace {

struct Kernel {
  double (*value)(const double*, double, double) = nullptr;
  int length_parameter = -1;
};

Kernel kernel(int index) {
  return Schedules::visit(index, []<class S>() { return Kernel{&S::value, S::length_parameter}; });
}

}  // namespace

bool length_comes_from_fit(const Choice& schedule) {
  const int at = kernel(schedule.index).length_parameter;
  return at >= 0 && std::isnan(schedule.parameters[static_cast<std::size_t>(at)]);
}

double schedule_value(const Choice& schedule, std::uint64_t step, std::uint64_t planned) {
  const Kernel k = kernel(schedule.index);
  double total = static_cast<double>(planned);
  if (k.length_parameter >= 0 && !length_comes_from_fit(schedule))
    total = schedule.parameters[static_cast<std::size_t>(k.length_parameter)];
  require(k.length_parameter < 0 || total > 0,
          Schedules::infos()[static_cast<std::size_t>(schedule.index)].class_name,
          ": the schedule's length is not known outside fit: give total_steps");
  return k.value(schedule.parameters.data(), static_cast<double>(step), total);
}

}  // namespace lamina
