#include "lamina/functions/schedules.hpp"

#include <cstring>

namespace lamina {
namespace {

struct Kernel {
  double (*value)(const Schedule&, double t, double planned) = nullptr;
  Bounds (*bounds)(const Schedule&) = nullptr;
  bool (*length_comes_from_fit)(const Schedule&) = nullptr;
};

// Of a schedule that stands alone: its length is among its parameters, or fit's.
double own_length(const Schedule& s, int at, double planned) {
  const double given = s.parameters()[at];
  const double total = std::isnan(given) ? planned : given;
  require(total > 0, s.info().class_name,
          ": the schedule's length is not known outside fit: give total_steps");
  return total;
}

template <class S>
double value(const Schedule& s, double t, double planned) {
  if constexpr (requires { S::value(s, t, planned); }) {
    return S::value(s, t, planned);
  } else {
    static const int at = length_parameter(s.info());
    return S::value(s.parameters(), t, at < 0 ? 0 : own_length(s, at, planned));
  }
}

template <class S>
Bounds bounds(const Schedule& s) {
  if constexpr (requires { S::bounds(s); })
    return S::bounds(s);
  else
    return S::bounds(s.parameters());
}

template <class S>
bool open_length(const Schedule& s) {
  if constexpr (requires { S::length_comes_from_fit(s); }) {
    return S::length_comes_from_fit(s);
  } else {
    const int at = length_parameter(s.info());
    return at >= 0 && std::isnan(s.parameters()[at]);
  }
}

Kernel kernel(int index) {
  return Schedules::visit(index,
                          []<class S>() { return Kernel{&value<S>, &bounds<S>, &open_length<S>}; });
}

int place(const Info& info, const char* name) {
  for (std::size_t i = 0; i < info.parameters.size(); ++i)
    if (std::strcmp(info.parameters[i].name, name) == 0) return static_cast<int>(i);
  return -1;
}

}  // namespace

int unit_parameter(const Info& info) { return place(info, kUnit.name); }
int length_parameter(const Info& info) { return place(info, kLength.name); }

Schedule::Schedule() = default;
Schedule::Schedule(const Schedule&) = default;
Schedule::Schedule(Schedule&&) noexcept = default;
Schedule& Schedule::operator=(Schedule&&) noexcept = default;
Schedule::~Schedule() = default;

const Info& Schedule::info() const {
  return Schedules::infos()[static_cast<std::size_t>(choice.index)];
}

double Schedule::at(double t, double planned) const {
  return kernel(choice.index).value(*this, t, planned);
}

double Schedule::operator()(const Clock& clock) const {
  return by_epoch ? at(static_cast<double>(clock.epoch), static_cast<double>(clock.planned_epochs))
                  : at(static_cast<double>(clock.step), static_cast<double>(clock.planned_steps));
}

bool Schedule::length_comes_from_fit() const {
  return kernel(choice.index).length_comes_from_fit(*this);
}

Bounds Schedule::bounds() const { return kernel(choice.index).bounds(*this); }

Scheduled::Scheduled(std::string owner, const Parameter& parameter, Schedule schedule)
    : owner_(std::move(owner)), parameter_(parameter), schedule_(std::move(schedule)) {
  const Bounds b = schedule_.bounds();
  for (const double end : {b.low, b.high})
    require(std::isnan(end) || (end >= parameter_.minimum && end <= parameter_.maximum), owner_,
            ": ", parameter_.name, " must be in [", parameter_.minimum, ", ", parameter_.maximum,
            "], and its schedule ", schedule_.info().class_name, " reaches ", end);
}

double Scheduled::value(const Clock& clock) const {
  constexpr double kRounding = 1e-12;
  const double value = schedule_(clock);
  const double inside = std::clamp(value, parameter_.minimum, parameter_.maximum);
  require(std::isfinite(value) && std::abs(value - inside) <= kRounding, owner_, ": ",
          parameter_.name, " must be in [", parameter_.minimum, ", ", parameter_.maximum,
          "], and its schedule gives ", value, " at ", schedule_.by_epoch ? "epoch " : "step ",
          schedule_.by_epoch ? clock.epoch : clock.step);
  return inside;
}

}  // namespace lamina
