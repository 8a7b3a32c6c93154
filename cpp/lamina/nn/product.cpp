// Blocks of C in registers (micro_kernel.hpp), fed with panels of B that lie one after another in
// memory, and with rows of A as they are, or copied where their distance would make them evict each
// other from the cache.
#include "lamina/nn/product.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "lamina/base/transpose.hpp"
#include "lamina/nn/micro_kernel.hpp"

namespace lamina {
namespace {

using detail::Block;
using detail::kBlockRows;
using detail::kBlockVectors;

template <class T>
inline constexpr Index kPanel = kBlockVectors * Vec<T>::size;  // columns
template <class T>
inline constexpr Index kColumnBlock = 1024 / sizeof(T);  // packed at a time: 256 KiB with kChunk
inline constexpr Index kNear = 256 * 1024;  // bytes of A that stay in the second-level cache

// Products with at most so many columns are turned round: C^T = B^T A^T. It costs a transposition
// of A in the forward product, and of C alone in the kernel's gradient.
inline constexpr Index kFewForward = 4, kFewGradient = 10;
// So is the gradient of the input of a kernel of so many weights, if it is larger than both of the
// other operands: these are transposed then instead of the kernel, whose rows lie far apart.
inline constexpr Index kLargeKernel = 1 << 18;

template <class T>
using Kernel = void (*)(const Block<T>&);

template <class T, int kVectors, bool kARows, int... kRows>
constexpr std::array<Kernel<T>, sizeof...(kRows)> kernels_of(std::integer_sequence<int, kRows...>) {
  return {&detail::run_block<T, kRows + 1, kVectors, kARows>...};
}

template <class T, bool kARows>
Kernel<T> kernel(Index rows, Index vectors) {
  using All = std::make_integer_sequence<int, kBlockRows>;
  static constexpr auto one = kernels_of<T, 1, kARows>(All{});
  static constexpr auto two = kernels_of<T, 2, kARows>(All{});
  const auto i = static_cast<std::size_t>(rows - 1);
  return vectors == 1 ? one[i] : two[i];
}

// Packing pays from a few strips on, so these have rows enough.
inline constexpr int kLeastPackingRows = kBlockRows / 2;
using PackingRows = std::make_integer_sequence<int, kBlockRows - kLeastPackingRows + 1>;

template <class T, int... kRows>
Kernel<T> packing_kernel(Index rows, std::integer_sequence<int, kRows...>) {
  static constexpr std::array<Kernel<T>, sizeof...(kRows)> all = {
      &detail::run_block<T, kRows + kLeastPackingRows, kBlockVectors, true, true>...};
  return all[static_cast<std::size_t>(rows - kLeastPackingRows)];
}

template <class T, bool kARows, int... kRows>
Kernel<T> wide_kernel(Index rows, std::integer_sequence<int, kRows...>) {
  static constexpr std::array<Kernel<T>, sizeof...(kRows)> all = {
      &detail::run_block<T, kRows + 1, detail::few_rows_vectors(kRows + 1), kARows>...};
  return all[static_cast<std::size_t>(rows - 1)];
}

// Copies rows into panels that lie `distance` apart, zeros behind the last column. A row at a time:
// rows of a large matrix lie on pages of their own.
template <class T>
void pack_rows(Index rows, Index cols, const T* from, Index stride, Index distance, T* to) {
  constexpr Index w = Vec<T>::size;
  const Index whole = cols / kPanel<T> * kPanel<T>;
  for (Index k = 0; k < rows; ++k, from += stride, to += kPanel<T>) {
    T* panel = to;
    for (Index j = 0; j < whole; j += kPanel<T>, panel += distance)
      for (Index v = 0; v < kPanel<T>; v += w) Vec<T>::load(from + j + v).store(panel + v);
    if (whole == cols) continue;
    for (Index v = 0; v < kPanel<T>; v += w)
      Front<T>(std::clamp<Index>(cols - whole - v, 0, w)).load(from + whole + v).store(panel + v);
  }
}

// One panel from the transpose: its column j is row j of `from`.
template <class T>
void pack_transposed(Index depth, Index cols, const T* from, Index stride, T* to) {
  constexpr Index w = Vec<T>::size;
  for (Index v = 0; v < kPanel<T>; v += w)
    for (Index k = 0; k < depth; k += w)
      transpose(from + v * stride + k, stride, std::clamp<Index>(cols - v, 0, w),
                std::min(w, depth - k), to + k * kPanel<T> + v, kPanel<T>, true);
}

// Rows of A a multiple of some kilobytes apart share a few places in the first-level cache.
template <class T>
bool rows_collide(Index stride) {
  return stride * static_cast<Index>(sizeof(T)) % 2048 == 0 && stride > kChunk;
}

// What the loops need to know: operands by how they lie, whatever product they come from.
template <class T>
struct Task {
  Index rows, cols, depth;
  Operand<T> a, b;
  bool a_rows;        // A(i, k) at a[i * stride + k], else at a[k * stride + i]
  bool b_transposed;  // B(k, j) at b[j * stride + k], else at b[k * stride + j]
  T* c;
  Index c_stride;
  const T* bias;
  bool add;
};

// What a block starts from if from nothing.
template <class T>
alignas(64) inline constexpr T kZeros[16 * Vec<T>::size] = {};

// The loops around the kernel, after the choices of packing.
template <class T>
class Run {
 public:
  Run(const Task<T>& task, ProductScratch<T>& scratch) : t_(task), scratch_(scratch) {
    strips_ = (t_.rows + kBlockRows - 1) / kBlockRows;
    strip_rows_ = t_.rows / strips_;
    longer_strips_ = t_.rows % strips_;
    // A copied panel or strip pays if it is read several times.
    pack_b_ =
        t_.b_transposed ? t_.b.stride > 1 : !t_.b.panels && t_.cols > kPanel<T> && strips_ > 2;
    pack_a_ = t_.cols > 2 * kPanel<T> && (!t_.a_rows || rows_collide<T>(t_.a.stride));
    a_is_far_ = t_.rows * t_.depth * static_cast<Index>(sizeof(T)) > kNear;
    if (pack_b_)
      scratch.b.reserve(kChunk * round_up(std::min(t_.cols, kColumnBlock<T>), kPanel<T>));
    // Few rows that lie in columns are copied for all strips at once: their cache lines are shared.
    a_at_once_ = pack_a_ && !t_.a_rows && t_.rows <= kMostAtOnce;
    step_distance_ = round_up(a_at_once_ ? t_.rows : kBlockRows, Vec<T>::size);
    if (pack_a_) scratch.a.reserve(std::max(kBlockRows * kRowDistance, kChunk * step_distance_));
  }

  void operator()() {
    if (t_.rows <= kFewRows && !t_.b.panels && !pack_b_) return few_rows();
    for (Index j = 0; j < t_.cols; j += kColumnBlock<T>)
      for (Index k = 0; k < t_.depth; k += kChunk) chunk(j, k);
  }

 private:
  static constexpr Index kRowDistance = kChunk + 16;  // an odd number of cache lines
  static constexpr Index kMostAtOnce = 32;

  const T* a_at(Index i, Index k) const {
    return t_.a.data + (t_.a_rows ? i * t_.a.stride + k : k * t_.a.stride + i);
  }
  const T* b_at(Index k, Index j) const {
    return t_.b.data + (t_.b_transposed ? j * t_.b.stride + k : k * t_.b.stride + j);
  }

  void chunk(Index j0, Index k0) {
    const Index depth = std::min(kChunk, t_.depth - k0);
    const Index cols = std::min(kColumnBlock<T>, t_.cols - j0);
    look_ahead(j0, cols, k0);
    Index first = 0, rows = 0;
    for (Index s = 0; s < strips_; ++s, first += rows) {
      rows = strip_rows_ + (s < longer_strips_ ? 1 : 0);
      Block<T> block = block_at(first, rows, k0, depth);
      if (a_is_far_) next_strip(first + rows, k0, depth);
      for (Index j = 0; j < cols; j += kPanel<T>)
        run(block, s == 0, rows, first, j0, j, std::min(kPanel<T>, cols - j), k0);
    }
  }

  // The part of B that the next chunk packs is asked for while this one is computed.
  void look_ahead(Index j0, Index cols, Index k0) {
    ahead_ = {};
    if (!pack_b_) return;
    Index j = j0, k = k0 + kChunk;
    if (k >= t_.depth) k = 0, j += kColumnBlock<T>, cols = std::min(kColumnBlock<T>, t_.cols - j);
    if (cols <= 0) return;
    const Index depth = std::min(kChunk, t_.depth - k);
    const Index rows = t_.b_transposed ? cols : depth, width = t_.b_transposed ? depth : cols;
    ahead_ = Prefetch(b_at(k, j), rows, width, t_.b.stride);
  }

  // What a kernel asks for on the way: the nearest need first.
  Prefetch::Walk soon(const Block<T>& block) {
    if (!strip_ahead_.done()) return strip_ahead_.take(block.depth);
    if (!ahead_.done()) return ahead_.take(block.depth);
    for (Prefetch& soon : scratch_.soon)
      if (!soon.done()) return soon.take(block.depth);
    return {reinterpret_cast<const char*>(block.a), 0};
  }

  // So is the next strip of A.
  void next_strip(Index first, Index k0, Index depth) {
    const Index rows = std::min<Index>(kBlockRows, t_.rows - first);
    const T* from = a_at(first, k0);
    strip_ahead_ = t_.a_rows ? Prefetch(from, rows, depth, t_.a.stride)
                             : Prefetch(from, depth, rows, t_.a.stride);
  }

  Block<T> block_at(Index first, Index rows, Index k0, Index depth) {
    Block<T> block{};
    block.depth = depth;
    block.a_stride = t_.a.stride;
    block.a = a_at(first, k0);
    block.c_stride = t_.c_stride;
    if (!pack_a_) return block;
    T* to = scratch_.a.data();
    if (t_.a_rows) {
      for (Index i = 0; i < rows; ++i)
        std::copy_n(block.a + i * t_.a.stride, depth, to + i * kRowDistance);
      block.a_stride = kRowDistance;
    } else {
      block.a_stride = step_distance_;
      if (!a_at_once_)
        copy_steps(rows, depth, block.a, to);
      else if (first == 0)
        copy_steps(t_.rows, depth, block.a, to);
      else
        to += first;
    }
    block.a = to;
    return block;
  }

  void copy_steps(Index rows, Index depth, const T* from, T* to) const {
    constexpr Index w = Vec<T>::size;
    const Index vectors = (rows + w - 1) / w;
    for (Index k = 0; k < depth; ++k, from += t_.a.stride, to += step_distance_)
      for (Index v = 0; v < vectors; ++v) Vec<T>::load(from + v * w).store(to + v * w);
  }

  void start_from(Block<T>& block, Index row, Index column, Index k0) const {
    block.c = t_.c + row * t_.c_stride + column;
    if (k0 > 0 || t_.add)
      block.start = block.c, block.start_stride = t_.c_stride;
    else
      block.start = t_.bias ? t_.bias + column : kZeros<T>, block.start_stride = 0;
  }

  void run(Block<T>& block, bool pack, Index rows, Index first, Index j0, Index j, Index cols,
           Index k0) {
    constexpr Index w = Vec<T>::size;
    const Index vectors = (cols + w - 1) / w;
    Kernel<T> kernel_of_block =
        t_.a_rows ? kernel<T, true>(rows, vectors) : kernel<T, false>(rows, vectors);
    block.b_stride = kPanel<T>;
    if (pack_b_) {
      block.b = block.panel = scratch_.b.data() + j * kChunk;
      if (pack && packs_on_the_way(rows, cols)) {
        block.b = b_at(k0, j0 + j);
        block.b_stride = t_.b.stride;
        kernel_of_block = packing_kernel<T>(rows, PackingRows{});
      } else if (pack) {
        pack_panel(block, b_at(k0, j0 + j), cols);
      }
    } else if (t_.b.panels) {
      block.b = t_.b.data + (j0 + j) * t_.b.stride + k0 * kPanel<T>;
    } else {  // as it lies; a transposed one has a single column here
      block.b = b_at(k0, j0 + j);
      block.b_stride = t_.b.stride;
    }
    block.last = cols - (vectors - 1) * w;
    start_from(block, first, j0 + j, k0);
    block.soon = soon(block);
    scratch_.rows.go_on();
    kernel_of_block(block);
  }

  bool packs_on_the_way(Index rows, Index cols) const {
    return !t_.b_transposed && t_.a_rows && cols == kPanel<T> && rows >= kLeastPackingRows;
  }

  void pack_panel(const Block<T>& block, const T* from, Index cols) const {
    if (t_.b_transposed)
      pack_transposed(block.depth, cols, from, t_.b.stride, block.panel);
    else
      pack_rows(block.depth, cols, from, t_.b.stride, 0, block.panel);
  }

  // B is read once, as it lies.
  void few_rows() {
    constexpr Index w = Vec<T>::size;
    const Index wide = w * detail::few_rows_vectors(static_cast<int>(t_.rows));
    using Few = std::make_integer_sequence<int, kFewRows>;
    const Kernel<T> kernel_of_wide =
        t_.a_rows ? wide_kernel<T, true>(t_.rows, Few{}) : wide_kernel<T, false>(t_.rows, Few{});
    for (Index k = 0; k < t_.depth; k += kChunk) {
      Block<T> block = block_at(0, t_.rows, k, std::min(kChunk, t_.depth - k));
      Index j = 0;
      for (; j + wide <= t_.cols; j += wide) {
        block.b = b_at(k, j);
        block.b_stride = t_.b.stride;
        block.last = w;
        block.soon = soon(block);
        start_from(block, 0, j, k);
        kernel_of_wide(block);
      }
      for (; j < t_.cols; j += kPanel<T>)
        run(block, false, t_.rows, 0, 0, j, std::min(kPanel<T>, t_.cols - j), k);
    }
  }

  const Task<T>& t_;
  ProductScratch<T>& scratch_;
  Index strips_, strip_rows_, longer_strips_;  // of the rows: as equal as can be
  Index step_distance_;                        // between steps of k of a copied A
  bool pack_b_, pack_a_, a_at_once_, a_is_far_;
  Prefetch ahead_, strip_ahead_;
};

template <class T>
void transpose_all(const T* from, Index from_stride, Index rows, Index cols, T* to,
                   Index to_stride) {
  constexpr Index w = Vec<T>::size;
  for (Index i = 0; i < rows; i += w)
    for (Index j = 0; j < cols; j += w)
      transpose(from + i * from_stride + j, from_stride, std::min(w, rows - i),
                std::min(w, cols - j), to + j * to_stride + i, to_stride, false);
}

// Few columns would leave most of a register empty; C^T = B^T A^T are the same chains.
template <class T>
void run_turned(const Task<T>& t, ProductScratch<T>& scratch) {
  scratch.c.reserve(t.cols * t.rows);
  T* turned = scratch.c.data();
  const bool start = t.add || t.bias;
  if (t.add) transpose_all(t.c, t.c_stride, t.rows, t.cols, turned, t.rows);
  for (Index j = 0; start && !t.add && j < t.cols; ++j)
    std::fill_n(turned + j * t.rows, t.rows, t.bias[j]);
  const Operand<T> a{t.b.data, t.b.panels ? kPanel<T> : t.b.stride};
  Run<T>(
      {t.cols, t.rows, t.depth, a, t.a, t.b_transposed, t.a_rows, turned, t.rows, nullptr, start},
      scratch)();
  transpose_all(turned, t.rows, t.cols, t.rows, t.c, t.c_stride);
}

template <class T>
bool turned(const Product<T>& p) {
  if (p.rows < kPanel<T>) return false;
  if (p.kind == ProductKind::input_grad)
    return p.depth * p.cols >= kLargeKernel && p.depth * p.cols > 2 * p.rows * (p.depth + p.cols);
  return p.cols <=
         (p.kind == ProductKind::forward ? kFewForward : std::min(kFewGradient, kPanel<T>));
}

// C = what it starts from, where there is nothing to add.
template <class T>
void start_only(const Product<T>& p) {
  if (p.add) return;
  for (Index r = 0; r < p.rows; ++r)
    for (Index j = 0; j < p.cols; ++j) p.c[r * p.c_stride + j] = p.bias ? p.bias[j] : T(0);
}

}  // namespace

template <class T>
void product(const Product<T>& p, ProductScratch<T>& scratch) {
  if (p.rows == 0 || p.cols == 0) return;
  if (scratch.forced) return scratch.forced(p, scratch);
  if (p.depth == 0) return start_only(p);
  const Task<T> task{p.rows,
                     p.cols,
                     p.depth,
                     p.a,
                     p.b,
                     p.kind != ProductKind::kernel_grad,
                     p.kind == ProductKind::input_grad,
                     p.c,
                     p.c_stride,
                     p.bias,
                     p.add};
  if (turned(p)) return run_turned(task, scratch);
  Run<T>(task, scratch)();
}

template <class T>
Index panel_width() {
  return kPanel<T>;
}

template <class T>
Index panels_size(Index depth, Index cols) {
  return depth * round_up(cols, kPanel<T>);
}

template <class T>
void pack_panel_rows(Index rows, Index cols, const T* from, Index from_stride, Index first,
                     Index depth, T* panels) {
  pack_rows(rows, cols, from, from_stride, depth * kPanel<T>, panels + first * kPanel<T>);
}

template void product<float>(const Product<float>&, ProductScratch<float>&);
template void product<double>(const Product<double>&, ProductScratch<double>&);
template Index panel_width<float>();
template Index panel_width<double>();
template Index panels_size<float>(Index, Index);
template Index panels_size<double>(Index, Index);
template void pack_panel_rows<float>(Index, Index, const float*, Index, Index, Index, float*);
template void pack_panel_rows<double>(Index, Index, const double*, Index, Index, Index, double*);

}  // namespace lamina
