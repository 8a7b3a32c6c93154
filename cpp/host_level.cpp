// Run by CMake: the exit code is the highest x86-64 level (4, 3, 2) that this CPU and its system
// run, else 0. lamina/_isa.py asks the same of /proc/cpuinfo.
#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>

// What __builtin_cpu_supports() of older compilers has no name for.
static bool has_f16c_movbe_lzcnt() {
  unsigned a = 0, b = 0, c = 0, d = 0, extended = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !__get_cpuid(0x80000001u, &a, &b, &extended, &d))
    return false;
  return (c >> 29 & 1) && (c >> 22 & 1) && (extended >> 5 & 1);
}

int main() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("popcnt")) return 0;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
      !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2") ||
      !has_f16c_movbe_lzcnt()) {
    return 2;
  }
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vl")) {
    return 3;
  }
  return 4;
}
#else
int main() { return 0; }
#endif
