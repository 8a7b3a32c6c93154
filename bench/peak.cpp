// The limits of this machine, the yardstick of all other figures: arithmetic (fused multiply-adds
// that touch registers alone), triad bandwidth, and a cache line's round trip between two threads.
// Stands alone: no Lamina, no Eigen. It picks the CPU's widest vectors at run time, so the options
// that it is compiled with do not matter beyond -O2. Prints one JSON object.
//
//   peak [--only fma|triad|cache-line]

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#if defined(__GNUC__) && defined(__x86_64__)
#define PEAK_X86 1
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double>(end - start).count();
}

// ---- arithmetic: kChains independent chains c = c * a + b hide the latency of one -------------

constexpr int kChains = 12;

#if defined(__clang__)
#define PEAK_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define PEAK_UNROLL _Pragma("GCC unroll 24")
#else
#define PEAK_UNROLL
#endif

// Chains start from different values, else a compiler may compute one for all. They tend to 2.
float chain_start(int chain) { return 1.0F + 0.25F * static_cast<float>(chain); }

struct Level {
  const char* name;
  int lanes;                           // floats in a vector
  float (*multiply_add)(long rounds);  // kChains vector multiply-adds a round
};

#if defined(PEAK_X86)

__attribute__((target("avx512f"))) float multiply_add_v4(long rounds) {
  const __m512 a = _mm512_set1_ps(0.5F);
  const __m512 b = _mm512_set1_ps(1.0F);
  __m512 c[kChains];
  PEAK_UNROLL
  for (int i = 0; i < kChains; ++i) c[i] = _mm512_set1_ps(chain_start(i));
  for (long round = 0; round < rounds; ++round) {
    PEAK_UNROLL
    for (int i = 0; i < kChains; ++i) c[i] = _mm512_fmadd_ps(c[i], a, b);
  }
  PEAK_UNROLL
  for (int i = 1; i < kChains; ++i) c[0] = _mm512_add_ps(c[0], c[i]);
  return _mm512_cvtss_f32(c[0]);
}

__attribute__((target("avx2,fma"))) float multiply_add_v3(long rounds) {
  const __m256 a = _mm256_set1_ps(0.5F);
  const __m256 b = _mm256_set1_ps(1.0F);
  __m256 c[kChains];
  PEAK_UNROLL
  for (int i = 0; i < kChains; ++i) c[i] = _mm256_set1_ps(chain_start(i));
  for (long round = 0; round < rounds; ++round) {
    PEAK_UNROLL
    for (int i = 0; i < kChains; ++i) c[i] = _mm256_fmadd_ps(c[i], a, b);
  }
  PEAK_UNROLL
  for (int i = 1; i < kChains; ++i) c[0] = _mm256_add_ps(c[0], c[i]);
  return _mm256_cvtss_f32(c[0]);
}

float multiply_add_v2(long rounds) {  // no fused form at this level: a product and a sum
  const __m128 a = _mm_set1_ps(0.5F);
  const __m128 b = _mm_set1_ps(1.0F);
  __m128 c[kChains];
  PEAK_UNROLL
  for (int i = 0; i < kChains; ++i) c[i] = _mm_set1_ps(chain_start(i));
  for (long round = 0; round < rounds; ++round) {
    PEAK_UNROLL
    for (int i = 0; i < kChains; ++i) c[i] = _mm_add_ps(_mm_mul_ps(c[i], a), b);
  }
  PEAK_UNROLL
  for (int i = 1; i < kChains; ++i) c[0] = _mm_add_ps(c[0], c[i]);
  return _mm_cvtss_f32(c[0]);
}

Level level_of_this_cpu() {
  if (__builtin_cpu_supports("avx512f")) return {"v4", 16, multiply_add_v4};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {"v3", 8, multiply_add_v3};
  return {"v2", 4, multiply_add_v2};
}

#elif defined(__ARM_NEON)

float multiply_add_neon(long rounds) {  // up to four pipes of latency four
  constexpr int kMore = 2 * kChains;
  const float32x4_t a = vdupq_n_f32(0.5F);
  const float32x4_t b = vdupq_n_f32(-0.5F);
  float32x4_t c[kMore];
  PEAK_UNROLL
  for (int i = 0; i < kMore; ++i) c[i] = vdupq_n_f32(chain_start(i));
  for (long round = 0; round < rounds; ++round) {
    PEAK_UNROLL
    for (int i = 0; i < kMore; ++i) c[i] = vfmaq_f32(c[i], a, b);
  }
  PEAK_UNROLL
  for (int i = 1; i < kMore; ++i) c[0] = vaddq_f32(c[0], c[i]);
  return vgetq_lane_f32(c[0], 0);
}

// The lanes are counted double because a round has twice the chains.
Level level_of_this_cpu() { return {"generic", 8, multiply_add_neon}; }

#else

float multiply_add_generic(long rounds) {
  constexpr int kLanes = 4;
  float c[kChains][kLanes];
  for (int i = 0; i < kChains; ++i) std::fill_n(c[i], kLanes, chain_start(i));
  for (long round = 0; round < rounds; ++round)
    for (auto& chain : c)
      for (float& value : chain) value = value * 0.5F + 1.0F;
  float sum = 0;
  for (auto& chain : c)
    for (float value : chain) sum += value;
  return sum;
}

Level level_of_this_cpu() { return {"generic", 4, multiply_add_generic}; }

#endif

std::atomic<float> sink{0};  // keeps results alive

// ---- threads -----------------------------------------------------------------------------------

// The CPUs that this process may use; empty where the system does not tell (elsewhere than Linux).
std::vector<int> allowed_cpus() {
  std::vector<int> allowed;
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set)) allowed.push_back(cpu);
#endif
  return allowed;
}

int cpu_count() {
  const auto allowed = static_cast<int>(allowed_cpus().size());
  return allowed > 0 ? allowed : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// Moves the calling thread to one CPU, where the system can: on a machine with other work the
// scheduler likes to put both of two threads on one.
void pin([[maybe_unused]] int cpu) {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);  // may be forbidden: then it stays where it is
#endif
}

// Seconds from the common start until the last of `threads` has finished work(thread).
double time_together(int threads, const std::function<void(int)>& work) {
  std::vector<Clock::time_point> start(threads), end(threads);
  std::barrier together(threads);
  const std::vector<int> cpus = allowed_cpus();
  std::vector<std::thread> team;  // the main thread only waits, for a pinned one hands its pin on
  for (int thread = 0; thread < threads; ++thread)
    team.emplace_back([&, thread] {
      if (threads > 1 && threads <= std::ssize(cpus)) pin(cpus[thread]);
      together.arrive_and_wait();
      start[thread] = Clock::now();
      work(thread);
      end[thread] = Clock::now();
    });
  for (std::thread& member : team) member.join();
  return seconds_between(*std::ranges::min_element(start), *std::ranges::max_element(end));
}

// The best of several repetitions: a limit is not an average.
double best_time(int threads, const std::function<void(int)>& work) {
  constexpr int kRepetitions = 12;
  double best = time_together(threads, work);
  PEAK_UNROLL
  for (int i = 1; i < kRepetitions; ++i) best = std::min(best, time_together(threads, work));
  return best;
}

std::vector<int> thread_counts() {
  std::vector<int> counts{1};
  if (cpu_count() >= 2) counts.push_back(2);
  if (cpu_count() > 2) counts.push_back(cpu_count());
  return counts;
}

// ---- the three measurements, as JSON members
// -----------------------------------------------------

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

// {"1": figure(1), "2": figure(2), …}
std::string by_threads(const std::function<double(int)>& figure) {
  std::string text;
  for (int threads : thread_counts())
    text += (text.empty() ? "{\"" : ", \"") + std::to_string(threads) +
            "\": " + number(figure(threads));
  return text + "}";
}

std::string measure_fma(const Level& level) {
  constexpr double kSeconds = 0.01;  // a repetition
  long rounds = 1000;
  auto work = [&](int) { sink = level.multiply_add(rounds); };
  while (time_together(1, work) < kSeconds) rounds *= 2;
  const double flops = 2.0 * kChains * level.lanes * static_cast<double>(rounds);
  return "\"fma_gflops\": " +
         by_threads([&](int threads) { return threads * flops / best_time(threads, work) * 1e-9; });
}

void triad(float* a, const float* b, const float* c, long n) {
  for (long i = 0; i < n; ++i) a[i] = b[i] + 0.5F * c[i];
}

// GB/s of a[i] = b[i] + s * c[i]: 12 bytes an element; each thread has three arrays of its own.
double triad_bandwidth(int threads, long bytes_per_thread) {
  const long n = bytes_per_thread / 12;
  const long sweeps = std::max(1L, 50'000'000L / bytes_per_thread);
  std::vector<std::vector<float>> arrays(threads);
  for (auto& array : arrays) array.assign(3 * n, 1.0F);
  const double seconds = best_time(threads, [&](int thread) {
    float* a = arrays[thread].data();
    for (long sweep = 0; sweep < sweeps; ++sweep) triad(a, a + n, a + 2 * n, n);
    sink = a[n - 1];
  });
  return 12.0 * static_cast<double>(n * sweeps) * threads / seconds * 1e-9;
}

std::string measure_triad() {
  const struct {
    const char* name;
    long bytes;
  } sets[] = {{"384 KiB", 384L << 10}, {"6 MiB", 6L << 20}, {"96 MiB", 96L << 20}};
  std::string text;
  for (const auto& set : sets)
    text += (text.empty() ? "{\"" : ", \"") + std::string(set.name) +
            "\": " + by_threads([&](int threads) { return triad_bandwidth(threads, set.bytes); });
  return "\"triad_gb_per_s\": " + text + "}";
}

// Waits for the other thread's value. On a crowded machine that thread may not be running: yield.
void await(const std::atomic<unsigned>& line, unsigned value) {
  for (unsigned spins = 1; line.load(std::memory_order_acquire) != value; ++spins)
    if (spins % (1U << 14) == 0) std::this_thread::yield();
}

// Nanoseconds of a line going to the other core and back: median, lowest and highest of chunks.
std::string measure_cache_line() {
  if (cpu_count() < 2) return "\"cache_line_round_trip_ns\": null";
  constexpr unsigned kChunks = 25;
  constexpr unsigned kTrips = 2000;
  alignas(64) std::atomic<unsigned> line{0};
  std::vector<double> times;
  time_together(2, [&](int thread) {
    for (unsigned chunk = 0; chunk < kChunks; ++chunk) {
      const auto start = Clock::now();
      for (unsigned trip = chunk * kTrips; trip < (chunk + 1) * kTrips; ++trip) {
        if (thread == 1) await(line, 2 * trip + 1);
        line.store(2 * trip + 1 + static_cast<unsigned>(thread), std::memory_order_release);
        if (thread == 0) await(line, 2 * trip + 2);
      }
      if (thread == 0) times.push_back(seconds_between(start, Clock::now()) * 1e9 / kTrips);
    }
  });
  std::ranges::sort(times);
  return "\"cache_line_round_trip_ns\": {\"median\": " + number(times[kChunks / 2]) +
         ", \"low\": " + number(times.front()) + ", \"high\": " + number(times.back()) + "}";
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view only;
  if (argc == 3 && std::string_view(argv[1]) == "--only") only = argv[2];
  const bool known = only == "fma" || only == "triad" || only == "cache-line";
  if (argc != 1 && !known) {
    std::fprintf(stderr, "usage: peak [--only fma|triad|cache-line]\n");
    return 2;
  }
  const Level level = level_of_this_cpu();
  std::string text =
      "{\"level\": \"" + std::string(level.name) + "\", \"cpus\": " + std::to_string(cpu_count());
  if (only.empty() || only == "fma") text += ", " + measure_fma(level);
  if (only.empty() || only == "triad") text += ", " + measure_triad();
  if (only.empty() || only == "cache-line") text += ", " + measure_cache_line();
  std::printf("%s}\n", text.c_str());
}
