// A 64-byte aligned, zero-initialised buffer that never moves once allocated.
#pragma once

#include <cstring>
#include <new>
#include <utility>

#include "lamina/base/error.hpp"

namespace lamina {

inline constexpr std::size_t kAlignment = 64;

// Asks the system for large pages where a buffer is large: walking over rows of a big kernel would
// otherwise miss the translation buffer at every step. Does nothing where there are none.
void advise_large_pages(void* data, std::size_t bytes);
inline constexpr std::size_t kLargePage = std::size_t{1} << 21;

template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(Index size) { allocate(size); }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        alignment_(other.alignment_) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(alignment_, other.alignment_);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { release(); }

  void allocate(Index size) {
    release();
    // A tail of one vector is kept so that kernels may load a whole packet at the end.
    const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(T) + kAlignment;
    alignment_ = bytes >= kLargePage ? kLargePage : kAlignment;
    data_ = static_cast<T*>(::operator new(bytes, std::align_val_t{alignment_}));
    if (alignment_ == kLargePage) advise_large_pages(data_, bytes);
    std::memset(static_cast<void*>(data_), 0, bytes);
    size_ = size;
  }
  // Keeps the memory if it is large enough; contents are then left as they are.
  void reserve(Index size) {
    if (size > size_) allocate(size);
  }
  void copy_from(const Buffer& other) {
    if (size_ != other.size_) allocate(other.size_);
    if (size_ > 0) std::memcpy(data_, other.data_, bytes());
  }
  void fill_zero() {
    if (size_ > 0) std::memset(static_cast<void*>(data_), 0, bytes());
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  Index size() const { return size_; }
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * sizeof(T); }
  bool empty() const { return size_ == 0; }
  T& operator[](Index i) { return data_[i]; }
  const T& operator[](Index i) const { return data_[i]; }

 private:
  void release() {
    if (data_) ::operator delete(static_cast<void*>(data_), std::align_val_t{alignment_});
    data_ = nullptr;
    size_ = 0;
  }
  T* data_ = nullptr;
  Index size_ = 0;
  std::size_t alignment_ = kAlignment;
};

// Memory of a call: within it up to N numbers, else allocated. Not initialised.
template <class T, std::size_t N>
class SmallBuffer {
 public:
  explicit SmallBuffer(Index size) {
    if (size > static_cast<Index>(N)) far_.allocate(size);
  }
  T* data() { return far_.empty() ? near_ : far_.data(); }
  T& operator[](Index i) { return data()[i]; }

 private:
  T near_[N];
  Buffer<T> far_;
};

}  // namespace lamina
