#include "lamina/base/buffer.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace lamina {

void advise_large_pages([[maybe_unused]] void* data, [[maybe_unused]] std::size_t bytes) {
#ifdef __linux__
  madvise(data, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);
#endif
}

}  // namespace lamina
