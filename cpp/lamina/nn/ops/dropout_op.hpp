// Training: each element is 0 with probability `rate`, else x / (1 - rate). Inference: left out.
#pragma once

#include "lamina/base/philox.hpp"
#include "lamina/nn/op.hpp"

namespace lamina {

template <class T>
class DropoutOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  explicit DropoutOp(double rate)
      : threshold_(static_cast<std::uint32_t>(rate * 0x1.0p32)), scale_(T(1 / (1 - rate))) {
    this->kind = "dropout";
    this->flags.in_place = true;
    this->flags.training_only = true;
  }
  std::size_t state_bytes(Index batch_rows) const override {
    return static_cast<std::size_t>(batch_rows * round_up(this->output.width, 4));
  }

  void forward(const Ctx& c, Range rows) const override {
    const Index n = this->output.width;
    for (Index r = rows.begin; r < rows.end; ++r) {
      std::byte* keep = mask(c, r);
      draw(c, r, keep);
      apply(n, keep, this->in(c, r), this->out(c, r), false);
    }
  }

  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    if (!this->d_in(c, rows.begin)) return;
    for (Index r = rows.begin; r < rows.end; ++r)
      apply(this->output.width, mask(c, r), this->d_out(c, r), this->d_in(c, r), add[0]);
  }

 private:
  std::byte* mask(const Ctx& c, Index row) const {
    return c.state[this->index] + row * round_up(this->output.width, 4);
  }

  void draw(const Ctx& c, Index row, std::byte* keep) const {
    const Philox random(c.seed);
    for (Index j = 0; j < this->output.width; j += 4) {
      const auto block = random(
          Philox::counter(Stream::dropout, static_cast<std::uint32_t>(this->index),
                          static_cast<std::uint32_t>(c.step), static_cast<std::uint32_t>(row),
                          static_cast<std::uint32_t>(j / 4)));
      for (int k = 0; k < 4; ++k)
        keep[j + k] = std::byte{block[static_cast<std::size_t>(k)] >= threshold_};
    }
  }

  void apply(Index n, const std::byte* keep, const T* x, T* y, bool add) const {
    for (Index j = 0; j < n; ++j) {
      const T value = keep[j] != std::byte{0} ? x[j] * scale_ : T(0);
      y[j] = add ? y[j] + value : value;
    }
  }

  std::uint32_t threshold_;
  T scale_;
};

}  // namespace lamina
