// What Newton–Schulz does to matrices on the device beside multiplying them: bodies of kernels.
//
// A matrix in memory is a number of lines; a line is what lies together, a row of a row-major matrix, a column for
// cuBLAS. In most passes a block has one line of one matrix.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>

#include <thalweg/cuda/launch.hpp>
#include <thalweg/cuda/linear_algebra.hpp>

namespace thalweg::cuda::detail {

/// Matrices as they are summed, and as they enter products: the same memory where that is the same type.
template <class T, class Factor>
struct kept {
  static constexpr bool rounds = !std::is_same_v<T, Factor>;
  matrices<T> value;
  matrices<Factor> factor;

  constexpr void set(std::size_t at, T x) const {
    value.data[at] = x;
    if constexpr (rounds) factor.data[at] = Factor(x);
  }
};

/// Symmetric matrices, each as rest + shift·I with a rest whose diagonal has the mean 0. Near a multiple of the
/// identity, where the rest is small, rounding it loses next to nothing.
template <class T, class Factor>
struct shifted {
  kept<T, Factor> rest;
  double* shifts = nullptr;
};

using one_sum = std::array<double, 1>;

/// One block's part of a matrix's sum of squares, `parts` blocks a matrix.
template <class T>
struct sum_squares {
  T* const* from;
  std::size_t size, parts;
  double* sums;

  constexpr one_sum operator()(std::size_t block, std::size_t thread) const {
    const T* x = from[block / parts];
    double sum = 0;
    for (std::size_t i = block % parts * threads_per_block + thread; i < size; i += parts * threads_per_block)
      sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return {sum};
  }
  constexpr void finish(std::size_t block, const one_sum& sum) const { sums[block] = sum[0]; }
};

/// What each matrix is multiplied with twice: √(1/(‖u‖ + ε)); NaN where a number of it is none or infinite.
template <class Sum = double>
struct find_roots {
  const Sum* sums;
  std::size_t parts, count;
  Sum epsilon;
  Sum* roots;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t matrix = block * threads_per_block + thread;
    if (matrix >= count) return;
    Sum sum = 0;
    for (std::size_t p = 0; p < parts; ++p) sum += sums[matrix * parts + p];
    const Sum norm = std::sqrt(sum);
    roots[matrix] = std::sqrt(1 / (norm + epsilon)) + (norm - norm);
  }
};

/// x = root²·update. (The square might not be a normal T.)
template <class T, class Factor>
struct load_lines {
  T* const* from;
  const double* roots;
  kept<T, Factor> x;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const matrices<T>& m = x.value;
    const std::size_t matrix = block / m.cols, line = block % m.cols, to = matrix * m.stride + line * m.leading;
    const T root = static_cast<T>(roots[matrix]);
    const T* u = from[matrix] + line * m.rows;
    for (std::size_t i = thread; i < m.rows; i += threads_per_block) x.set(to + i, u[i] * root * root);
  }
};

/// update = x
template <class T>
struct store_lines {
  matrices<T> x;
  T* const* to;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t matrix = block / x.cols, line = block % x.cols;
    const T* from = x.data + matrix * x.stride + line * x.leading;
    for (std::size_t i = thread; i < x.rows; i += threads_per_block) to[matrix][line * x.rows + i] = from[i];
  }
};

/// What makes a row of x almost orthogonal to the others: 1 / (√Σ|its row of the Gram matrix| + ε/‖u‖). A block has a
/// row.
template <class T, class Factor>
struct find_scales {
  shifted<T, Factor> gram;
  const double* roots;
  double epsilon;
  T* scales;

  constexpr one_sum operator()(std::size_t block, std::size_t thread) const {
    const matrices<T>& g = gram.rest.value;
    const std::size_t matrix = block / g.cols, line = block % g.cols;
    double sum = 0;
    for (std::size_t i = thread; i < g.rows; i += threads_per_block) {
      const double x = static_cast<double>(g.data[matrix * g.stride + line * g.leading + i]) +
                       (i == line ? gram.shifts[matrix] : 0);
      sum += x < 0 ? -x : x;
    }
    return {sum};
  }
  constexpr void finish(std::size_t block, const one_sum& sum) const {
    const double root = roots[block / gram.rest.value.cols];
    const double scale = 1 / (std::sqrt(sum[0]) + epsilon * root * root);
    constexpr double greatest = std::numeric_limits<T>::max();
    scales[block] = static_cast<T>(greatest < scale ? greatest : scale);
  }
};

/// Each row of x times its scale.
template <class T, class Factor>
struct scale_rows {
  const T* scales;
  bool in_line;  ///< a row's index runs along the lines
  kept<T, Factor> x;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const matrices<T>& m = x.value;
    const std::size_t matrix = block / m.cols, line = block % m.cols, begin = matrix * m.stride + line * m.leading;
    const T* s = scales + matrix * (in_line ? m.rows : m.cols);
    for (std::size_t i = thread; i < m.rows; i += threads_per_block)
      x.set(begin + i, m.data[begin + i] * s[in_line ? i : line]);
  }
};

/// A quadratic in two symmetric matrices, c·p·q + b·p + a, once their rests are multiplied. With p = rₚ + π and
/// q = r_q + κ it is c·rₚ·r_q + (cκ + b)·rₚ + cπ·r_q + (cπκ + bπ + a).
struct quadratic {
  double a = 0, b = 0, c = 1;
};

/// The factors of a quadratic's terms, for one matrix.
struct terms {
  double of_p, of_q, mean;
};

/// Each quadratic's terms and shift, from the diagonals. A block has a matrix.
template <class T, class Factor>
struct find_terms {
  quadratic polynomial;
  matrices<T> product;  ///< of the rests
  shifted<T, Factor> p, q;
  terms* found;
  double* shifts;  ///< p's or q's, or others

  [[nodiscard]] constexpr terms without_mean(std::size_t matrix) const {
    const auto& [a, b, c] = polynomial;
    return {c * q.shifts[matrix] + b, c * p.shifts[matrix], 0};
  }

  constexpr one_sum operator()(std::size_t matrix, std::size_t thread) const {
    const terms t = without_mean(matrix);
    double sum = 0;
    for (std::size_t i = thread; i < product.rows; i += threads_per_block) {
      const std::size_t at = matrix * product.stride + i * (product.leading + 1);
      sum += polynomial.c * static_cast<double>(product.data[at]) +
             t.of_p * static_cast<double>(p.rest.value.data[at]) + t.of_q * static_cast<double>(q.rest.value.data[at]);
    }
    return {sum};
  }
  constexpr void finish(std::size_t matrix, const one_sum& sum) const {
    const auto& [a, b, c] = polynomial;
    terms t = without_mean(matrix);
    t.mean = static_cast<double>(static_cast<T>(sum[0] / static_cast<double>(product.rows)));  // as it is taken off
    const double constant = p.shifts[matrix] * (c * q.shifts[matrix] + b) + a;
    found[matrix] = t;
    shifts[matrix] = constant + t.mean;
  }
};

/// The rest of each quadratic, in whichever of the matrices' memory.
template <class T, class Factor>
struct add_terms {
  double c;
  matrices<T> product;
  kept<T, Factor> p, q;
  const terms* found;
  kept<T, Factor> out;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t matrix = block / product.cols, line = block % product.cols;
    const terms& t = found[matrix];
    const T of_product = static_cast<T>(c), of_p = static_cast<T>(t.of_p), of_q = static_cast<T>(t.of_q),
            mean = static_cast<T>(t.mean);
    for (std::size_t i = thread; i < product.rows; i += threads_per_block) {
      const std::size_t at = matrix * product.stride + line * product.leading + i;
      const T x = of_product * product.data[at] + of_p * p.value.data[at] + of_q * q.value.data[at];
      out.set(at, i == line ? x - mean : x);
    }
  }
};

/// x = factor·(rest·x + shift·x), where the product is done.
template <class T, class Factor>
struct add_shifted {
  matrices<T> product;
  const double* shifts;
  double factor;
  kept<T, Factor> x;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t matrix = block / product.cols, line = block % product.cols;
    const T shift = static_cast<T>(factor * shifts[matrix]), all = static_cast<T>(factor);
    for (std::size_t i = thread; i < product.rows; i += threads_per_block) {
      const std::size_t at = matrix * product.stride + line * product.leading + i;
      x.set(at, all * product.data[at] + shift * x.value.data[at]);
    }
  }
};

/// x = x + shift·I
template <class T>
struct add_to_diagonal {
  matrices<T> x;
  const double* shifts;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t i = block * threads_per_block + thread, matrix = i / x.cols, at = i % x.cols;
    if (matrix < x.count) x.data[matrix * x.stride + at * (x.leading + 1)] += static_cast<T>(shifts[matrix]);
  }
};

/// to = fromᵀ, for parts of symmetric matrices. A thread takes a few numbers that lie together, its neighbours those of
/// neighbouring columns: both sides of the copy touch whole sectors.
template <class T>
struct mirror {
  static constexpr std::size_t together = 8;
  matrices<T> from, to;

  [[nodiscard]] constexpr std::size_t pieces() const { return (from.rows + together - 1) / together; }
  [[nodiscard]] constexpr std::size_t blocks() const { return blocks_for(from.count * pieces() * from.cols); }

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t i = block * threads_per_block + thread;
    const std::size_t col = i % from.cols, piece = i / from.cols % pieces(), matrix = i / from.cols / pieces();
    if (matrix >= from.count) return;
    const T* source = from.data + matrix * from.stride + col * from.leading;
    T* target = to.data + matrix * to.stride + col;
    for (std::size_t row = piece * together; row < from.rows && row < (piece + 1) * together; ++row)
      target[row * to.leading] = source[row];
  }
};

}  // namespace thalweg::cuda::detail
