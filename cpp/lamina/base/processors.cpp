#include "lamina/base/processors.hpp"

#include <algorithm>
#include <fstream>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace lamina {
namespace {

constexpr int kNoQuota = 1 << 20;

int affinity() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

int whole(double quota, double period) {
  if (quota <= 0 || period <= 0) return kNoQuota;
  return static_cast<int>(std::clamp(quota / period + 0.5, 1.0, double{kNoQuota}));
}

// Of one group: "max 100000" or "150000 100000".
int quota_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  double quota = 0, period = 0;
  return file >> quota >> period ? whole(quota, period) : kNoQuota;
}

// Of one group: a quota of -1 is none.
int quota_v1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"),
      period_file(folder + "/cpu.cfs_period_us");
  double quota = 0, period = 0;
  return quota_file >> quota && period_file >> period ? whole(quota, period) : kNoQuota;
}

// Is "cpu" among "cpu,cpuacct"?
bool names_cpu(const std::string& controllers) {
  return ("," + controllers + ",").find(",cpu,") != std::string::npos;
}

}  // namespace

int cgroup_quota(const std::string& root) {
  int least = kNoQuota;
  std::ifstream groups(root + "/proc/self/cgroup");
  // "0::/user.slice/a" (version 2) or "4:cpu,cpuacct:/a" (version 1).
  for (std::string id, controllers, group; std::getline(groups, id, ':') &&
                                           std::getline(groups, controllers, ':') &&
                                           std::getline(groups, group);) {
    const bool version_2 = controllers.empty();
    if (!version_2 && !names_cpu(controllers)) continue;
    const std::string mount = root + (version_2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu");
    // The group's own quota and its parents'. A container may see only the last, as the root.
    for (;;) {
      least = std::min(least, version_2 ? quota_v2(mount + group) : quota_v1(mount + group));
      if (group.empty()) break;
      group.resize(std::min(group.size() - 1, group.rfind('/')));
    }
  }
  return least;
}

int processors() {
  static const int quota = cgroup_quota("");
  return std::max(1, std::min(affinity(), quota));
}

}  // namespace lamina
