// Training: y = x + deviation z with z drawn from the normal distribution. Inference: left out. The
// deviation is a number or follows a schedule.
#pragma once

#include <algorithm>

#include "lamina/base/normal.hpp"
#include "lamina/base/simd.hpp"
#include "lamina/nn/op.hpp"

namespace lamina {

template <class T>
class NoiseOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  explicit NoiseOp(double deviation, std::shared_ptr<const Scheduled> schedule = nullptr)
      : deviation_(deviation), schedule_(std::move(schedule)) {
    this->kind = "gaussian_noise";
    this->flags.in_place = true;
    this->flags.training_only = true;
  }
  const Scheduled* scheduled() const override { return schedule_.get(); }

  // The elements of kRowStep rows are one list; its numbers depend on nothing but their place.
  void forward(const Ctx& c, Range rows) const override {
    const Philox random(c.seed);
    const Vec<T> deviation{T(schedule_ ? c.scheduled[this->index] : deviation_)};
    const Index n = kRowStep * this->output.width;
    alignas(64) T z[kNormals];
    for (Index row = rows.begin; row < rows.end; row += kRowStep) {
      const Philox::Block counter = Philox::counter(
          Stream::noise, static_cast<std::uint32_t>(this->index),
          static_cast<std::uint32_t>(c.step), static_cast<std::uint32_t>(row / kRowStep), 0);
      const T* x = this->in(c, row);
      T* y = this->out(c, row);
      for (Index i = 0; i < n; i += kNormals) {
        draw(random, counter, static_cast<std::uint32_t>(i / kNormals), z);
        map_packets(std::min(kNormals, n - i), x + i, z, y + i,
                    [=](Vec<T> v, Vec<T> one) { return fma(deviation, one, v); });
      }
    }
  }

  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    T* dx = this->d_in(c, rows.begin);
    const T* dy = this->d_out(c, rows.begin);
    const Index n = rows.size() * this->output.width;
    if (!dx) return;
    if (add[0])
      map_packets(n, dx, dy, dx, [](Vec<T> sum, Vec<T> d) { return sum + d; });
    else if (dx != dy)
      std::copy_n(dy, n, dx);
  }

 private:
  static void draw(const Philox& random, const Philox::Block& counter, std::uint32_t group, T* z) {
    if constexpr (sizeof(T) == 4) {
      standard_normals(random, counter, group, z);
    } else {
      alignas(64) float single[kNormals];
      standard_normals(random, counter, group, single);
      std::copy_n(single, kNormals, z);
    }
  }

  double deviation_;
  std::shared_ptr<const Scheduled> schedule_;
};

}  // namespace lamina
