// Newton–Schulz on many matrices of one shape at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <thalweg/cuda/arena.hpp>
#include <thalweg/cuda/launch.hpp>
#include <thalweg/cuda/linear_algebra.hpp>
#include <thalweg/cuda/matrix_passes.hpp>
#include <thalweg/orthogonalization/grouping.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>

namespace thalweg::cuda::detail {

using thalweg::detail::grouping;

/// Matrices as they lie in memory: `lines` lines of `length` numbers.
struct extent {
  std::size_t lines, length;
  bool short_in_line;  ///< the index of x's rows, whose Gram matrix is taken, runs along the lines

  [[nodiscard]] constexpr std::size_t short_side() const { return short_in_line ? length : lines; }
  [[nodiscard]] constexpr std::size_t long_side() const { return short_in_line ? lines : length; }
};

/// The matrices of one iteration in an arena. What products take is T or, for T = float, bf16 or fp16; products and sums
/// are T. Of x its small singular values count, so that what rounding takes off is kept; of its polynomials they do not.
template <class T, class Factor>
class batched_newton_schulz {
  using symmetric = shifted<Factor>;
  static constexpr bool rounds = !std::is_same_v<T, Factor>;
  static constexpr std::size_t most_parts = 1024;  // of a sum over a matrix

  extent shape_;
  std::size_t count_, parts_, halved_from_;
  precise<T, Factor> x_;
  matrices<T> new_x_, product_;  // where products go: of x's shape, and of symmetric matrices
  symmetric r_, w_, q_;
  terms* terms_;
  double *sums_, *roots_, *zeros_;
  T* scales_;

public:
  /// From a short side of `halved_from` on, symmetric products are computed by half, nearly.
  batched_newton_schulz(const extent& shape, std::size_t count, grouping groups, std::size_t halved_from, arena& memory)
      : shape_(shape), count_(count), halved_from_(halved_from) {
    const std::size_t size = shape.lines * shape.length, side = shape.short_side();
    parts_ = std::min(most_parts, (size + 8 * threads_per_block - 1) / (8 * threads_per_block));
    x_.rounded = take<Factor>(memory, shape.length, shape.lines);
    if constexpr (rounds) x_.rest = take<Factor>(memory, shape.length, shape.lines);
    new_x_ = take<T>(memory, shape.length, shape.lines);
    product_ = take<T>(memory, side, side);
    for (symmetric* s : {&r_, &w_, &q_}) {
      if (s != &r_ && groups.longest == 1) *s = r_;  // one is done with where the next one is made
      else *s = {take<Factor>(memory, side, side), memory.take<double>(count)};
    }
    terms_ = memory.take<terms>(count);
    sums_ = memory.take<double>(count * parts_);
    roots_ = memory.take<double>(count);
    zeros_ = memory.take<double>(count);
    scales_ = memory.take<T>(count * side);
  }

  static std::size_t bytes(const extent& shape, std::size_t count, grouping groups) {
    arena measured;
    batched_newton_schulz(shape, count, groups, 0, measured);
    return measured.used();
  }

  /// Replaces each update by scale·(its orthogonal factor, nearly); the table of `updates` lies in device memory too.
  void operator()(const orthogonalize_update& o, grouping groups, const cublas& blas, T* const* updates, double scale) {
    load(o, blas, updates);
    const coefficient_set coefficients = rounds ? o.coefficients.with_margin(o.coefficients.margin) : o.coefficients;
    const auto steps = static_cast<std::size_t>(o.steps);
    for (std::size_t step = 0, length = groups.first(steps); step < steps; length = groups.longest) {
      const std::size_t begin = step, end = step + length;
      gram(blas);
      for (; step < end; ++step) {
        // The new x would be w·x, the new r then w·r·w.
        const auto [a, b, c] = coefficients.step(step);
        multiply(blas, {a, b, c}, r_, r_, w_);
        if (step + 1 < end) {
          multiply(blas, {}, r_, w_, r_);
          multiply(blas, {}, w_, r_, r_);
        }
        if (step == begin) std::swap(q_, w_);
        else multiply(blas, {}, q_, w_, q_);
      }
      if (step < steps) apply(blas);
      else finish(blas, scale, updates);
    }
  }

private:
  // Lines begin at multiples of 16 bytes of 16-bit numbers, which matrix units like, and of what passes take at once.
  template <class U>
  matrices<U> take(arena& memory, std::size_t rows, std::size_t cols) const {
    const std::size_t leading = (rows + 7) / 8 * 8, stride = leading * cols;
    return {memory.take<U>(count_ * stride), rows, cols, leading, stride, count_};
  }

  [[nodiscard]] std::size_t lines() const { return count_ * shape_.lines; }
  [[nodiscard]] std::size_t square_lines() const { return count_ * shape_.short_side(); }

  // x = u/(‖u‖ + ε), and what a set of coefficients wants before its first step
  void load(const orthogonalize_update& o, const cublas& blas, T* const* updates) {
    const cudaStream_t stream = blas.stream();
    zero(zeros_, count_, stream);
    launch(stream, count_ * parts_, sum_squares<T>{updates, shape_.lines * shape_.length, parts_, sums_});
    launch(stream, count_, find_roots<>{sums_, parts_, o.epsilon, roots_});
    launch(stream, lines(), load_lines<T, Factor>{updates, roots_, x_});
    if (!o.coefficients.rescale_columns) return;
    product_of_x(blas);
    launch(stream, square_lines(), find_scales<T>{product_, roots_, o.epsilon, scales_});
    launch(stream, lines(), scale_rows<T, Factor>{scales_, shape_.short_in_line, x_});
  }

  void product_of_x(const cublas& blas) const {
    const auto x = shape_.short_in_line ? x_.rounded : x_.rounded.transpose();
    symmetric_product(blas, 1.0 / (x_.scale * x_.scale), x, x.transpose());
  }

  // r = x·xᵀ
  void gram(const cublas& blas) const {
    product_of_x(blas);
    const symmetric nothing{r_.rest, zeros_};  // not read
    add(blas, {}, nothing, nothing, r_);
  }

  // out = c·p·q + b·p + a, which is symmetric; it may be p or q.
  void multiply(const cublas& blas, const quadratic& polynomial, const symmetric& p, const symmetric& q,
                const symmetric& out) const {
    symmetric_product(blas, 1, p.rest, q.rest);
    add(blas, polynomial, p, q, out);
  }

  // Of a large one the upper right is that on the lower left.
  void symmetric_product(const cublas& blas, double alpha, const matrices<Factor>& p, const matrices<Factor>& q) const {
    const std::size_t side = product_.rows, inner = p.width();
    if (side < std::max<std::size_t>(2, halved_from_)) return blas.product(alpha, p, q, 0, product_);
    const std::size_t half = side < 128 ? side / 2 : side / 128 * 64, rest = side - half;
    blas.product(alpha, p.part(0, 0, half, inner), q.part(0, 0, inner, half), 0, product_.part(0, 0, half, half));
    blas.product(alpha, p.part(half, 0, rest, inner), q, 0, product_.part(half, 0, rest, side));
    const mirror<T> copy{product_.part(half, 0, rest, half), product_.part(0, half, half, rest)};
    launch(blas.stream(), copy.blocks(), copy);
  }

  void add(const cublas& blas, const quadratic& polynomial, const symmetric& p, const symmetric& q,
           const symmetric& out) const {
    launch(blas.stream(), count_, find_terms<T, Factor>{polynomial, product_, p, q, terms_, out.shifts});
    launch(blas.stream(), square_lines(),
                 add_terms<T, Factor>{product_, p.rest, q.rest, terms_, out.rest});
  }

  // x = q·x. A product that does not round is as exact with the shift in its place; then x need not be read again.
  void apply(const cublas& blas) {
    product_with_x(blas, 1);
    if constexpr (rounds) launch(blas.stream(), lines(), add_shifted<T, Factor>{new_x_, q_.shifts, x_});
    else std::swap(x_.rounded, new_x_);
  }

  // updates = scale·q·x
  void finish(const cublas& blas, double scale, T* const* updates) const {
    product_with_x(blas, rounds ? 1 : scale);
    if constexpr (rounds)
      launch(blas.stream(), lines(), store_shifted<T, Factor>{new_x_, q_.shifts, x_, scale / x_.scale, updates});
    else launch(blas.stream(), lines(), store_lines<T>{new_x_, updates});
  }

  void product_with_x(const cublas& blas, double alpha) const {
    if constexpr (!rounds)
      launch(blas.stream(), blocks_for(square_lines()), add_to_diagonal<T>{q_.rest, q_.shifts});
    if (shape_.short_in_line) blas.product(alpha, q_.rest, x_.rounded, 0, new_x_);
    else blas.product(alpha, x_.rounded, q_.rest, 0, new_x_);
  }
};

}  // namespace thalweg::cuda::detail
