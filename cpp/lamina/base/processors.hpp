// How many processors the system lets this process use: affinity and control groups.
#pragma once

#include <string>

namespace lamina {

// The least of the calling thread's CPU affinity and the control groups' quota, at least 1. The
// quota is read once.
int processors();

// The whole processors that the quotas of control groups grant, versions 1 and 2, or a large
// number. The system's files are looked up below `root`: "", or a copy of them.
int cgroup_quota(const std::string& root);

}  // namespace lamina
