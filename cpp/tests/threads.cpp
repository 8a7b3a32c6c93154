// Shares of work on threads, from many callers at once (for ThreadSanitizer, too); what control
// groups grant; when the engine goes down to one thread.
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "lamina/base/parallel.hpp"
#include "lamina/base/processors.hpp"
#include "lamina/base/thread_chooser.hpp"

using namespace lamina;

namespace {

constexpr int kMostShares = 9;

// Every share once, and what they wrote is there when the call returns.
void check_every_share_runs_once() {
  for (int round = 0; round < 2000; ++round) {
    const int shares = 1 + round % kMostShares;
    std::array<int, kMostShares> runs{};
    parallel(shares, [&](int share) { ++runs[static_cast<std::size_t>(share)]; });
    for (int s = 0; s < kMostShares; ++s)
      CHECK(runs[static_cast<std::size_t>(s)] == (s < shares ? 1 : 0));
    if (round % 500 == 0)  // long enough for threads to fall asleep
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void check_many_callers() {
  std::vector<std::thread> callers;
  for (int c = 0; c < 6; ++c) callers.emplace_back(check_every_share_runs_once);
  for (std::thread& caller : callers) caller.join();
}

void check_a_region_in_a_region() {
  std::atomic<int> runs{0};
  parallel(3, [&](int) { parallel(4, [&](int) { ++runs; }); });
  CHECK(runs == 12);
}

void check_exceptions_come_out() {
  for (int bad = 0; bad < 5; ++bad) {
    std::atomic<int> others{0};
    std::string caught;
    try {
      parallel(5, [&](int share) {
        if (share == bad) throw std::runtime_error("share " + std::to_string(share));
        ++others;
      });
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    CHECK(caught == "share " + std::to_string(bad));
    CHECK(others <= 4);
  }
}

struct File {
  const char *path, *text;
};

int quota_of(const std::vector<File>& files) {
  const std::filesystem::path root =
      std::filesystem::temp_directory_path() /
      ("lamina-quota-" + std::to_string(std::hash<std::thread::id>{}(std::this_thread::get_id())));
  for (const File& file : files) {
    const std::filesystem::path path = root.string() + file.path;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << file.text;
  }
  const int quota = cgroup_quota(root.string());
  std::filesystem::remove_all(root);
  return quota;
}

void check_quotas() {
  constexpr int kMany = 1 << 20;
  constexpr const char *kGroups = "/proc/self/cgroup", *kMax = "/sys/fs/cgroup/a/b/cpu.max",
                       *kQuota = "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us",
                       *kPeriod = "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us";
  CHECK(quota_of({}) == kMany);
  // Version 2: the group's own, its parent's, the root's (all that a container sees).
  CHECK(quota_of({{kGroups, "0::/a/b\n"}, {kMax, "max 100000\n"}}) == kMany);
  CHECK(quota_of({{kGroups, "0::/a/b\n"}, {kMax, "200000 100000\n"}}) == 2);
  CHECK(quota_of({{kGroups, "0::/a/b\n"}, {kMax, "160000 100000\n"}}) == 2);
  CHECK(quota_of({{kGroups, "0::/a/b\n"}, {kMax, "10000 100000\n"}}) == 1);
  CHECK(quota_of({{kGroups, "0::/a/b\n"},
                  {kMax, "400000 100000\n"},
                  {"/sys/fs/cgroup/a/cpu.max", "300000 100000\n"}}) == 3);
  CHECK(quota_of({{kGroups, "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "300000 100000\n"}}) == 3);
  CHECK(quota_of({{kGroups, "0::/x/y\n"}, {"/sys/fs/cgroup/cpu.max", "300000 100000\n"}}) == 3);
  // Version 1, beside other controllers and an empty version 2.
  const char* old = "9:cpuset:/x\n4:cpu,cpuacct:/a\n1:name=systemd:/x\n0::/\n";
  CHECK(quota_of({{kGroups, old}, {kQuota, "-1\n"}, {kPeriod, "100000\n"}}) == kMany);
  CHECK(quota_of({{kGroups, old}, {kQuota, "250000\n"}, {kPeriod, "50000\n"}}) == 5);
  CHECK(quota_of({{kGroups, old}, {kQuota, "250000\n"}}) == kMany);
  CHECK(quota_of({{kGroups, "9:cpuset:/a\n"}, {kQuota, "250000\n"}, {kPeriod, "50000\n"}}) ==
        kMany);
  // What nobody expects.
  CHECK(quota_of({{kGroups, "nonsense\n::\n0::\n"}, {kMax, "\n"}}) == kMany);
  CHECK(quota_of({{kGroups, "0::/a/b\n"}, {kMax, "100000 0\n"}}) == kMany);
}

// Feeds steps that take `alone` seconds on one thread and `together` on two; how many of them ran
// on two?
int steps_on_two(ThreadChooser& chooser, int steps, double alone, double together) {
  static double now = 0;
  int count = 0;
  for (int i = 0; i < steps; ++i) {
    const bool two = chooser.next() == 2;
    count += two ? 1 : 0;
    const double work = i % 2 + 1;  // of any size
    const double seconds = work * (two ? together : alone);
    now += seconds;
    chooser.took(seconds, now, work);
  }
  return count;
}

void check_the_engine_watches_itself() {
  ThreadChooser idle(2, false);
  CHECK(steps_on_two(idle, 1000, 1e-3, 0.6e-3) > 990);
  ThreadChooser busy(2, false);  // a foreign process holds a core: a step waits for its slice
  CHECK(steps_on_two(busy, 10000, 1e-3, 8e-3) < 50);
  CHECK(steps_on_two(busy, 10000, 1e-3, 0.6e-3) > 5000);  // and has gone
  ThreadChooser exact(2, true), one(1, false);
  CHECK(steps_on_two(exact, 100, 1e-3, 8e-3) == 100);
  CHECK(steps_on_two(one, 100, 1e-3, 8e-3) == 0);
}

}  // namespace

int main() {
  check_every_share_runs_once();
  check_many_callers();
  check_a_region_in_a_region();
  check_exceptions_come_out();
  check_quotas();
  check_the_engine_watches_itself();
  CHECK(processors() >= 1);
  CHECK(thread_count(1) == 1);
  CHECK(thread_count(0) <= processors());
  return 0;
}
