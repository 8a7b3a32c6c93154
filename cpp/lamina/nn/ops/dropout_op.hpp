// Training: each element is 0 with probability `rate`, else x / (1 - rate); or, so that SELU's
// outputs keep their mean and variance, a constant with that probability, all scaled and shifted.
// Inference: left out. The rate is a number or follows a schedule.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lamina/base/philox.hpp"
#include "lamina/base/simd.hpp"
#include "lamina/nn/op.hpp"

namespace lamina {

enum class DropoutKind { zero, alpha };

template <class T>
class DropoutOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  explicit DropoutOp(DropoutKind which, double rate,
                     std::shared_ptr<const Scheduled> schedule = nullptr)
      : kind_(which), rate_(rate), schedule_(std::move(schedule)) {
    this->kind = which == DropoutKind::alpha ? "alpha_dropout" : "dropout";
    this->flags.in_place = true;
    this->flags.training_only = true;
  }
  const Scheduled* scheduled() const override { return schedule_.get(); }
  std::size_t state_bytes(Index batch_rows) const override {
    return static_cast<std::size_t>(round_up(batch_rows, kRowStep) / kRowStep * chunk_bytes());
  }

  void forward(const Ctx& c, Range rows) const override {
    each_chunk(rows, [&](Index row) {
      draw(c, row);
      apply(c, row, constants(c), this->in(c, row), this->out(c, row), false);
    });
  }

  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    if (!this->d_in(c, rows.begin)) return;
    const Constants gradient{constants(c).scale, kNothing, 0};
    each_chunk(rows, [&](Index row) {
      apply(c, row, gradient, this->d_out(c, row), this->d_in(c, row), add[0]);
    });
  }

 private:
  double rate(const Ctx& c) const { return schedule_ ? c.scheduled[this->index] : rate_; }

  // Rows come in chunks of kRowStep. The elements of a chunk are one list, a bit each in the state:
  // whether it is kept.
  template <class F>
  static void each_chunk(Range rows, F&& f) {
    for (Index row = rows.begin; row < rows.end; row += kRowStep) f(row);
  }
  Index groups() const {
    return (kRowStep * this->output.width + Philox::kBits - 1) / Philox::kBits;
  }
  Index chunk_bytes() const { return groups() * Philox::kBits / 8; }
  std::byte* bits(const Ctx& c, Index row) const {
    return c.state[this->index] + row / kRowStep * chunk_bytes();
  }

  // 16 bits decide on an element: the rate is rounded to a multiple of 2^-16, below 1. The scale
  // follows the rounded one, so that the mean is kept.
  std::uint32_t limit(const Ctx& c) const {
    return static_cast<std::uint32_t>(std::min(rate(c) * 0x1.0p16 + 0.5, 65535.0));
  }
  void draw(const Ctx& c, Index row) const {
    const Philox random(c.seed);
    const Philox::Block counter = Philox::counter(
        Stream::dropout, static_cast<std::uint32_t>(this->index),
        static_cast<std::uint32_t>(c.step), static_cast<std::uint32_t>(row / kRowStep), 0);
    const std::uint32_t limit = this->limit(c);
    std::byte* out = bits(c, row);
    for (Index g = 0; g < groups(); ++g) {
      const Philox::Bits kept = random.at_least(limit, counter, static_cast<std::uint32_t>(g));
      std::memcpy(out + g * static_cast<Index>(sizeof(kept)), kept.data(), sizeof(kept));
    }
  }

  // An element that is kept becomes scale x + shift, another one `dropped`.
  struct Constants {
    double scale, shift, dropped;
  };
  static constexpr double kNothing = -0.0;  // x + -0 is x, also where that is -0
  Constants constants(const Ctx& c) const {
    const double kept = (65536.0 - limit(c)) / 65536.0;
    if (kind_ == DropoutKind::zero) return {65536.0 / (65536 - limit(c)), kNothing, 0};
    // SELU's least value takes the place of 0: Klambauer et al., arXiv 1706.02515, section 3.
    constexpr double kLeast =
        -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717;
    const double scale = 1 / std::sqrt(kept + kLeast * kLeast * kept * (1 - kept));
    const double shift = -scale * (1 - kept) * kLeast;
    return {scale, shift, scale * kLeast + shift};
  }

  // (x may be y.)
  void apply(const Ctx& c, Index row, const Constants& by, const T* x, T* y, bool add) const {
    constexpr Index w = Vec<T>::size;
    const Vec<T> scale{T(by.scale)}, shift{T(by.shift)}, dropped{T(by.dropped)};
    const std::byte* kept = bits(c, row);
    const Index n = kRowStep * this->output.width;
    for (Index i = 0; i < n; i += kRowStep) {
      std::uint16_t word;
      std::memcpy(&word, kept + i / 8, sizeof(word));
      for (Index j = 0; j < kRowStep; j += w) {
        const Vec<T> v = fma(Vec<T>::load(x + i + j), scale, shift);
        const Vec<T> out = select(mask_of_bits<T>(std::uint32_t{word} >> j), v, dropped);
        (add ? Vec<T>::load(y + i + j) + out : out).store(y + i + j);
      }
    }
  }

  DropoutKind kind_;
  double rate_;
  std::shared_ptr<const Scheduled> schedule_;
};

}  // namespace lamina
