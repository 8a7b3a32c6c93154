// y = x W + b
#pragma once

#include <algorithm>

#include "lamina/base/simd.hpp"
#include "lamina/nn/op.hpp"

namespace lamina {

template <class T>
class ProductOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  // Tensor numbers and offsets of kernel (K, N) and bias (N; number -1: none).
  ProductOp(int kernel, const Tensor& w, int bias, Index bias_offset)
      : inputs_(w.shape[0]),
        units_(w.shape[1]),
        kernel_(w.offset),
        bias_(bias < 0 ? -1 : bias_offset),
        kernel_tensor_(kernel) {
    this->kind = "product";
    this->flags.flattens = true;
    this->flags.needs_inputs = this->flags.keeps_gradient = true;
    this->tensors = {kernel};
    if (bias >= 0) this->tensors.push_back(bias);
  }
  Index flops_per_row() const override { return 2 * inputs_ * units_; }

  // For whoever rewrites a graph: where its parameters lie, and may lie instead.
  Index inputs() const { return inputs_; }
  Index kernel_offset() const { return kernel_; }
  Index bias_offset() const { return bias_; }  // -1: none
  void set_bias_offset(Index offset) { bias_ = offset; }
  // The kernel lies there a second time, in panels; few rows still read it as it is.
  void set_panels_offset(Index offset) { panels_ = offset; }
  virtual bool reads_panels() const { return true; }

  void forward(const Ctx& c, Range rows) const override {
    forward_columns(c, *c.scratch, rows, {0, units_});
  }

  // A row takes some 0.007 nanoseconds a weight, and the kernel the time of six rows to arrive. A
  // region is worth it from 15 microseconds on.
  bool shares_columns(Index rows) const override {
    constexpr Index kWorthARegion = 1 << 21;
    return inputs_ * units_ * (rows + 6) >= kWorthARegion;
  }
  void forward_share(const Ctx& c, ProductScratch<T>& scratch, Range rows, int share,
                     int shares) const override {
    const Index width = panel_width<T>();
    const Range panels = lamina::share((units_ + width - 1) / width, share, shares);
    const Range columns{panels.begin * width, std::min(units_, panels.end * width)};
    if (columns.size() > 0) forward_columns(c, scratch, rows, columns);
  }

  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    T* dx = this->d_in(c, rows.begin);
    if (!dx) return;
    product<T>({ProductKind::input_grad,
                real_rows(c, rows),
                inputs_,
                units_,
                {this->d_out(c, rows.begin), units_},
                {c.parameters + kernel_, units_},
                dx,
                inputs_,
                nullptr,
                add[0]},
               *c.scratch);
  }

  // As panels: every tile of the kernel reads all of it.
  std::size_t state_bytes(Index batch_rows) const override {
    return sizeof(T) *
           static_cast<std::size_t>(panels_size<T>(round_up(batch_rows, kRowStep), units_));
  }
  void keep_gradient(const Ctx& c, Range rows) const override {
    pack_panel_rows<T>(rows.size(), units_, this->d_out(c, rows.begin), units_, rows.begin,
                       c.padded_rows, panels(c));
  }

  void parameter_gradient(const Ctx& c, int tensor, Range tile, T* out) const override {
    if (tensor != kernel_tensor_) return bias_gradient(c, tile, out);
    product<T>({ProductKind::kernel_grad,
                tile.size(),
                units_,
                c.rows,
                {this->in(c, 0) + tile.begin, inputs_},
                {panels(c), c.padded_rows, true},
                out,
                units_},
               *c.scratch);
  }

 private:
  void forward_columns(const Ctx& c, ProductScratch<T>& scratch, Range rows, Range columns) const {
    product<T>({ProductKind::forward,
                real_rows(c, rows),
                columns.size(),
                inputs_,
                {this->in(c, rows.begin), inputs_},
                kernel(c, rows.size(), columns.begin),
                this->out(c, rows.begin) + columns.begin,
                units_,
                bias_ < 0 ? nullptr : c.parameters + bias_ + columns.begin},
               scratch);
  }

  // Without those that only fill up a chunk of rows: of a batch of one they would be most.
  static Index real_rows(const Ctx& c, Range rows) {
    return std::min(rows.end, c.rows) - rows.begin;
  }

  // `column` begins a panel.
  Operand<T> kernel(const Ctx& c, Index rows, Index column) const {
    if (panels_ >= 0 && rows > kFewRows)
      return {c.parameters + panels_ + column * inputs_, inputs_, true};
    return {c.parameters + kernel_ + column, units_};
  }

  T* panels(const Ctx& c) const { return reinterpret_cast<T*>(c.state[this->index]); }

  // Column sums over chunks of kRowStep rows, chunks in order; a register of columns at a time.
  void bias_gradient(const Ctx& c, Range tile, T* out) const {
    constexpr Index w = Vec<T>::size;
    const Index width = panel_width<T>();
    alignas(64) T sums[w];
    for (Index j = tile.begin / w * w; j < tile.end; j += w) {
      const T* column = panels(c) + j / width * c.padded_rows * width + j % width;
      Vec<T> sum(T(0));
      for (Index r = 0; r < c.rows; r += kRowStep) {
        Vec<T> chunk(T(0));
        for (Index i = r; i < std::min(c.rows, r + kRowStep); ++i)
          chunk = chunk + Vec<T>::load(column + i * width);
        sum = sum + chunk;
      }
      sum.store(sums);
      for (Index i = std::max(j, tile.begin); i < std::min(tile.end, j + w); ++i)
        out[i - tile.begin] = sums[i - j];
    }
  }

  Index inputs_, units_, kernel_, bias_, panels_ = -1;
  int kernel_tensor_;
};

}  // namespace lamina
