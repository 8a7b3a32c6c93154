#include "lamina/base/array.hpp"

#include <bit>
#ifdef __F16C__
#include <immintrin.h>
#endif

namespace lamina {
namespace {

struct Half {
  std::uint16_t bits;
};

// A signalling NaN becomes quiet, as the processor's own conversion makes it.
inline float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000u) << 16;
  const std::uint32_t exponent = (h >> 10) & 31u;
  std::uint32_t mantissa = h & 1023u;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7F800000u | (mantissa ? 0x400000u : 0u) |
                                (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1.0p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

// The bytes the other way about.
template <class Word>
Word turned(Word word) {
#ifdef __GNUC__
  if constexpr (sizeof(Word) == 2) return __builtin_bswap16(word);
  if constexpr (sizeof(Word) == 4) return __builtin_bswap32(word);
  if constexpr (sizeof(Word) == 8) return __builtin_bswap64(word);
#endif
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < sizeof(Word); ++i) out = out << 8 | (word >> (8 * i) & 255u);
  return static_cast<Word>(out);
}

template <class Word, class From>
void pack_words(Index n, bool swapped, void* to, From&& from) {
  auto* out = static_cast<std::byte*>(to);
  for (Index j = 0; j < n; ++j, out += sizeof(Word)) {
    Word word;
    std::memcpy(&word, from(j), sizeof(Word));
    if (swapped) word = turned(word);
    std::memcpy(out, &word, sizeof(Word));
  }
}

template <class From>
void pack_all(Index n, std::size_t size, bool swapped, void* to, From&& from) {
  switch (size) {
    case 1:
      return pack_words<std::uint8_t>(n, false, to, from);
    case 2:
      return pack_words<std::uint16_t>(n, swapped, to, from);
    case 4:
      return pack_words<std::uint32_t>(n, swapped, to, from);
    default:
      return pack_words<std::uint64_t>(n, swapped, to, from);
  }
}

// Elements of `size` bytes, n of them `stride` bytes apart, one after another and in this machine's
// byte order.
void pack(const std::byte* from, Index n, Index stride, std::size_t size, bool swapped, void* to) {
  if (stride == 4 && size == 4 && swapped)  // what files of big-endian numbers mostly hold
    return pack_words<std::uint32_t>(n, true, to, [=](Index j) { return from + j * 4; });
  pack_all(n, size, swapped, to, [=](Index j) { return from + j * stride; });
}

// The same of those `offset` bytes behind n places.
void pack_from(const std::byte* const* from, Index n, Index offset, std::size_t size, bool swapped,
               void* to) {
  pack_all(n, size, swapped, to, [=](Index j) { return from[j] + offset; });
}

constexpr Index kBlock = 16;  // numbers converted at a time, in registers

template <class S, class T>
void convert_block(const S* in, T* out) {
  if constexpr (std::is_same_v<S, Half>) {
    float values[kBlock];
#ifdef __F16C__
    const auto* halves = reinterpret_cast<const __m128i*>(in);
    _mm256_storeu_ps(values, _mm256_cvtph_ps(_mm_loadu_si128(halves)));
    _mm256_storeu_ps(values + 8, _mm256_cvtph_ps(_mm_loadu_si128(halves + 1)));
#else
    for (Index j = 0; j < kBlock; ++j) values[j] = half_to_float(in[j].bits);
#endif
    for (Index j = 0; j < kBlock; ++j) out[j] = static_cast<T>(values[j]);
  } else {
    for (Index j = 0; j < kBlock; ++j) out[j] = static_cast<T>(in[j]);
  }
}

// The last block goes through memory of its own: a loop for it would be as long again, for each
// pair of types.
template <class S, class T>
void convert(const void* from, Index n, T* to) {
  const S* __restrict in = static_cast<const S*>(from);
  T* __restrict out = to;
  for (; n >= kBlock; n -= kBlock, in += kBlock, out += kBlock) convert_block(in, out);
  if (n == 0) return;
  S rest[kBlock] = {};
  T converted[kBlock];
  std::memcpy(rest, in, static_cast<std::size_t>(n) * sizeof(S));
  convert_block(rest, converted);
  std::memcpy(out, converted, static_cast<std::size_t>(n) * sizeof(T));
}

// How an array is read: its elements' size, and what makes a T of aligned ones in a row.
template <class T>
struct Reader {
  std::size_t size;
  void (*convert)(const void* from, Index n, T* to);
  template <class S>
  static Reader of() {
    return {sizeof(S), &lamina::convert<S, T>};
  }
};

template <class T>
Reader<T> reader(DType dtype) {
  using R = Reader<T>;
  switch (dtype) {
    case DType::float32:
      return R::template of<float>();
    case DType::float64:
      return R::template of<double>();
    case DType::float16:
      return R::template of<Half>();
    case DType::int8:
      return R::template of<std::int8_t>();
    case DType::int16:
      return R::template of<std::int16_t>();
    case DType::int32:
      return R::template of<std::int32_t>();
    case DType::int64:
      return R::template of<std::int64_t>();
    case DType::uint16:
      return R::template of<std::uint16_t>();
    case DType::uint32:
      return R::template of<std::uint32_t>();
    case DType::uint64:
      return R::template of<std::uint64_t>();
    default:
      return R::template of<std::uint8_t>();  // a boolean, too
  }
}

constexpr Index kPart = 64;  // elements gathered before they are converted
using Part = std::uint64_t[kPart];

// n elements of a row.
template <class T>
void copy_row(const Reader<T>& reader, const std::byte* p, Index n, Index stride, bool swapped,
              T* out) {
  if (stride == static_cast<Index>(reader.size) && !swapped &&
      reinterpret_cast<std::uintptr_t>(p) % reader.size == 0)
    return reader.convert(p, n, out);
  Part part;
  for (Index j = 0; j < n; j += kPart) {
    const Index count = std::min(kPart, n - j);
    pack(p + j * stride, count, stride, reader.size, swapped, part);
    reader.convert(part, count, out + j);
  }
}

// Rows [begin, end) of an array that lies by columns: down one column after another, where what is
// wanted at a time lies in few pages.
template <class T>
void gather_columns(const Reader<T>& reader, const ArrayView& view, const Selection& selection,
                    Index begin, Index end, T* out) {
  const std::byte* rows[kPart];
  Part part;
  T column[kPart];
  const Index n = view.columns;
  for (Index r = begin; r < end; r += kPart, out += kPart * n) {
    const Index count = std::min(kPart, end - r);
    for (Index i = 0; i < count; ++i)
      rows[i] =
          static_cast<const std::byte*>(view.data) + selection.source(r + i) * view.row_stride;
    for (Index j = 0; j < n; ++j) {
      pack_from(rows, count, j * view.column_stride, reader.size, view.swapped, part);
      reader.convert(part, count, column);
      for (Index i = 0; i < count; ++i) out[i * n + j] = column[i];
    }
  }
}

}  // namespace

template <class T>
void gather_any(const ArrayView& view, const Selection& selection, Index begin, Index end, T* out,
                bool asked_for) {
  const Reader<T> how = reader<T>(view.dtype);
  const Index n = view.columns, stride = view.column_stride;
  if (end - begin > 1 && (n == 1 || by_columns(view)))
    return gather_columns(how, view, selection, begin, end, out);
  const Index bytes = stride * (n - 1) + static_cast<Index>(how.size);
  const Index ahead = rows_ahead(selection, bytes, asked_for);
  const auto* data = static_cast<const std::byte*>(view.data);
  for (Index r = begin; r < end; ++r, out += n) {
    if (ahead > 0 && r + ahead < end)
      prefetch_bytes(data + selection.source(r + ahead) * view.row_stride, bytes);
    copy_row(how, data + selection.source(r) * view.row_stride, n, stride, view.swapped, out);
  }
}

template void gather_any(const ArrayView&, const Selection&, Index, Index, float*, bool);
template void gather_any(const ArrayView&, const Selection&, Index, Index, double*, bool);
template void gather_any(const ArrayView&, const Selection&, Index, Index, std::int32_t*, bool);

double read_element(const ArrayView& view, Index row, Index column) {
  ArrayView one = view;
  one.data = static_cast<const std::byte*>(view.data) + column * view.column_stride;
  one.columns = 1;
  double value = 0;
  gather_row(one, row, &value);
  return value;
}

template void gather_rows<float>(const ArrayView&, const Selection&, Index, Index, float*, bool);
template void gather_rows<double>(const ArrayView&, const Selection&, Index, Index, double*, bool);

}  // namespace lamina
