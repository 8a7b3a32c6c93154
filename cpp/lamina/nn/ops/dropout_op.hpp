// Training: each element is 0 with probability `rate`, else x / (1 - rate). Inference: left out.
// The rate is a number or follows a schedule.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>

#include "lamina/base/philox.hpp"
#include "lamina/nn/op.hpp"

namespace lamina {

template <class T>
class DropoutOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  explicit DropoutOp(double rate, std::shared_ptr<const Scheduled> schedule = nullptr)
      : rate_(rate), schedule_(std::move(schedule)) {
    this->kind = "dropout";
    this->flags.in_place = true;
    this->flags.training_only = true;
  }
  const Scheduled* scheduled() const override { return schedule_.get(); }
  std::size_t state_bytes(Index batch_rows) const override {
    return static_cast<std::size_t>(batch_rows * round_up(this->output.width, 4));
  }

  void forward(const Ctx& c, Range rows) const override {
    if (rows.size() <= 0) return;
    draw(c, rows);
    apply_rows(c, rows, this->in(c, rows.begin), this->out(c, rows.begin), false);
  }

  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    if (!this->d_in(c, rows.begin)) return;
    apply_rows(c, rows, this->d_out(c, rows.begin), this->d_in(c, rows.begin), add[0]);
  }

 private:
  double rate(const Ctx& c) const { return schedule_ ? c.scheduled[this->index] : rate_; }

  std::byte* mask(const Ctx& c, Index row) const {
    return c.state[this->index] + row * round_up(this->output.width, 4);
  }

  // Bytes of 1 (keep) and 0. The counters of all rows are one list, of which many are drawn at
  // once.
  void draw(const Ctx& c, Range rows) const {
    constexpr std::uint32_t many = Philox::kMany;
    const Philox random(c.seed);
    const auto last = Philox::counter(Stream::dropout, static_cast<std::uint32_t>(this->index),
                                      static_cast<std::uint32_t>(c.step), 0, 0);
    const auto below = static_cast<std::uint32_t>(rate(c) * 0x1.0p32);
    const auto units = static_cast<std::uint32_t>((this->output.width + 3) / 4);
    std::array<std::uint32_t, many> unit, row, bytes;
    for (std::uint32_t i = 0; i < many; ++i) {
      unit[i] = i % units;
      row[i] = static_cast<std::uint32_t>(rows.begin) + i / units;
    }
    std::byte* keep = mask(c, rows.begin);
    for (Index left = rows.size() * units; left > 0; left -= many) {
      Philox::Many words = {unit, row};
      words[2].fill(last[2]), words[3].fill(last[3]);
      random(words);
      for (std::size_t i = 0; i < many; ++i) {
        bytes[i] = std::uint32_t{words[0][i] >= below} | std::uint32_t{words[1][i] >= below} << 8 |
                   std::uint32_t{words[2][i] >= below} << 16 |
                   std::uint32_t{words[3][i] >= below} << 24;
        const std::uint32_t next = unit[i] + many % units;
        row[i] += many / units + (next >= units);
        unit[i] = next >= units ? next - units : next;
      }
      const auto count = 4 * static_cast<std::size_t>(std::min<Index>(left, many));
      std::memcpy(keep, bytes.data(), count);
      keep += count;
    }
  }

  void apply_rows(const Ctx& c, Range rows, const T* x, T* y, bool add) const {
    const Index n = this->output.width;
    const auto scale = static_cast<T>(1 / (1 - rate(c)));
    const bool gaps = n % 4 != 0;  // between the rows' masks
    const Index count = gaps ? rows.size() : 1, length = gaps ? n : n * rows.size();
    for (Index r = 0; r < count; ++r)
      (add ? apply<true> : apply<false>)(length, scale, mask(c, rows.begin + r), x + r * n,
                                         y + r * n);
  }

  // (Branches would keep compilers from using registers; x may be y.)
  template <bool add>
  static void apply(Index n, T scale, const std::byte* keep, const T* x, T* y) {
    using Word = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
#pragma GCC ivdep
    for (Index j = 0; j < n; ++j) {
      const Word all = Word{0} - static_cast<Word>(keep[j]);
      const T value = std::bit_cast<T>(std::bit_cast<Word>(x[j] * scale) & all);
      y[j] = add ? y[j] + value : value;
    }
  }

  double rate_;
  std::shared_ptr<const Scheduled> schedule_;
};

}  // namespace lamina
