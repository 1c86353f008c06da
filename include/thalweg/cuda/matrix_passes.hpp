// The operations of Newton–Schulz on the device, except products: bodies of CUDA kernels.
//
// A matrix in memory is a number of lines; a line is what lies together, a row of a row-major matrix, a column for
// cuBLAS. In most passes a block has one line of one matrix. What products take is of type Factor, T or (for T = float)
// bf16 or fp16; products, and all that is computed with them, are T.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>

#include <thalweg/cuda/launch.hpp>
#include <thalweg/cuda/linear_algebra.hpp>
#include <thalweg/cuda/packet.hpp>

namespace thalweg::cuda::detail {

/// How many numbers of a line a thread takes at once where nothing is the user's memory: lines begin at multiples of
/// them, and behind a line there is room for the last ones.
inline constexpr std::size_t at_once = 4;

template <class T>
using some = packet<T, at_once>;

template <class T>
constexpr some<T> some_at(const matrices<T>& m, std::size_t matrix, std::size_t line, std::size_t i) {
  return some<T>::load(&m.at(matrix, line, i));
}

/// f(i) for a thread's numbers [i, i + at_once) of a line.
template <class F>
constexpr void for_some(std::size_t thread, std::size_t length, F f) {
  for (std::size_t i = thread * at_once; i < length; i += threads_per_block * at_once) f(i);
}

/// Matrices as products take them, and what rounding took off; both in units of 1/`scale`, since fp16 has few numbers
/// below 2⁻¹⁴ and x, whose norm is 1, has many. (Newton–Schulz leaves no number of x above 2.)
template <class T, class Factor>
struct precise {
  static constexpr T scale = std::is_same_v<Factor, fp16> ? 0x1p14 : 1;
  matrices<Factor> rounded, rest;

  [[nodiscard]] constexpr T at(std::size_t matrix, std::size_t line, std::size_t i) const {
    const T near = static_cast<T>(rounded.at(matrix, line, i));
    if constexpr (std::is_same_v<T, Factor>) return near;
    else return near + static_cast<T>(rest.at(matrix, line, i));
  }
  constexpr void set(std::size_t matrix, std::size_t line, std::size_t i, T x) const {
    const Factor near(x);
    rounded.at(matrix, line, i) = near;
    if constexpr (!std::is_same_v<T, Factor>) rest.at(matrix, line, i) = Factor(x - static_cast<T>(near));
  }
};

/// Symmetric matrices, each as rest + shift·I with a rest whose diagonal has the mean 0. Near a multiple of the
/// identity, where the rest is small, rounding it loses next to nothing.
template <class Factor>
struct shifted {
  matrices<Factor> rest;
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

/// What each matrix is multiplied with twice: √(1/(‖u‖ + ε)). Where that is 0, a number of u is infinite and becomes NaN,
/// which products spread. A block has a matrix.
template <class Sum = double>
struct find_roots {
  const Sum* sums;
  std::size_t parts;
  Sum epsilon;
  Sum* roots;

  constexpr one_sum operator()(std::size_t matrix, std::size_t thread) const {
    Sum sum = 0;
    for (std::size_t p = thread; p < parts; p += threads_per_block) sum += sums[matrix * parts + p];
    return {sum};
  }
  constexpr void finish(std::size_t matrix, const one_sum& sum) const {
    const Sum norm = std::sqrt(sum[0]);
    roots[matrix] = norm + epsilon == 0 ? 1 : std::sqrt(1 / (norm + epsilon));
  }
};

/// x = root²·update, in x's units. (The square might not be a normal T.)
template <class T, class Factor>
struct load_lines {
  T* const* from;
  const double* roots;
  precise<T, Factor> x;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t lines = x.rounded.cols, length = x.rounded.rows, matrix = block / lines, line = block % lines;
    const T root = static_cast<T>(roots[matrix]);
    const T* u = from[matrix] + line * length;
    for (std::size_t i = thread; i < length; i += threads_per_block)
      x.set(matrix, line, i, u[i] * root * root * x.scale);
  }
};

/// What makes a row of x almost orthogonal to the others: 1 / (√Σ|its row of the Gram matrix| + ε/‖u‖). A block has a
/// row.
template <class T>
struct find_scales {
  matrices<T> gram;
  const double* roots;
  double epsilon;
  T* scales;

  constexpr one_sum operator()(std::size_t block, std::size_t thread) const {
    const std::size_t matrix = block / gram.cols, line = block % gram.cols;
    double sum = 0;
    for (std::size_t i = thread; i < gram.rows; i += threads_per_block) {
      const T x = gram.at(matrix, line, i);
      sum += static_cast<double>(x < 0 ? -x : x);
    }
    return {sum};
  }
  constexpr void finish(std::size_t block, const one_sum& sum) const {
    const double root = roots[block / gram.cols];
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
  precise<T, Factor> x;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t lines = x.rounded.cols, length = x.rounded.rows, matrix = block / lines, line = block % lines;
    const T* s = scales + matrix * (in_line ? length : lines);
    for (std::size_t i = thread; i < length; i += threads_per_block)
      x.set(matrix, line, i, x.at(matrix, line, i) * s[in_line ? i : line]);
  }
};

/// A quadratic in two symmetric matrices, c·p·q + b·p + a, once their rests are multiplied. With p = rₚ + π and
/// q = r_q + κ it is c·rₚ·r_q + (cκ + b)·rₚ + cπ·r_q + (cπκ + bπ + a).
struct quadratic {
  double a = 0, b = 0, c = 1;
};

/// The factors of a quadratic's terms, for one matrix. What has the factor 0 is not read.
struct terms {
  double of_product, of_p, of_q, mean;
};

/// Each quadratic's terms and shift, from the diagonals. A block has a matrix.
template <class T, class Factor>
struct find_terms {
  quadratic polynomial;
  matrices<T> product;  ///< of the rests
  shifted<Factor> p, q;
  terms* found;
  double* shifts;  ///< p's or q's, or others

  [[nodiscard]] constexpr terms without_mean(std::size_t matrix) const {
    const auto& [a, b, c] = polynomial;
    return {c, c * q.shifts[matrix] + b, c * p.shifts[matrix], 0};
  }

  constexpr one_sum operator()(std::size_t matrix, std::size_t thread) const {
    const terms t = without_mean(matrix);
    const auto term = [&](double factor, const auto& m, std::size_t i) {
      return factor == 0 ? 0 : factor * static_cast<double>(static_cast<T>(m.at(matrix, i, i)));
    };
    double sum = 0;
    for (std::size_t i = thread; i < product.rows; i += threads_per_block)
      sum += term(t.of_product, product, i) + term(t.of_p, p.rest, i) + term(t.of_q, q.rest, i);
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
  matrices<T> product;
  matrices<Factor> p, q;
  const terms* found;
  matrices<Factor> out;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t matrix = block / product.cols, line = block % product.cols;
    const terms t = found[matrix];
    const T of_product = static_cast<T>(t.of_product), mean = static_cast<T>(t.mean);
    for_some(thread, product.rows, [&](std::size_t i) {
      some<T> x = some_at(product, matrix, line, i);
      for (T& number : x.values) number *= of_product;
      const auto add = [&](double factor, const matrices<Factor>& m) {
        if (factor == 0) return;
        const some<Factor> more = some_at(m, matrix, line, i);
        for (std::size_t k = 0; k < at_once; ++k)
          x.values[k] += static_cast<T>(factor) * static_cast<T>(more.values[k]);
      };
      add(t.of_p, p);
      add(t.of_q, q);
      some<Factor> result;
      for (std::size_t k = 0; k < at_once; ++k)
        result.values[k] = Factor(i + k == line ? x.values[k] - mean : x.values[k]);
      result.store(&out.at(matrix, line, i));
    });
  }
};

/// x = rest·x + shift·x, where the product is done.
template <class T, class Factor>
struct add_shifted {
  matrices<T> product;
  const double* shifts;
  precise<T, Factor> x;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t matrix = block / product.cols, line = block % product.cols;
    const T shift = static_cast<T>(shifts[matrix]);
    for_some(thread, product.rows, [&](std::size_t i) {
      const some<T> p = some_at(product, matrix, line, i);
      some<Factor> near = some_at(x.rounded, matrix, line, i), rest = some_at(x.rest, matrix, line, i);
      for (std::size_t k = 0; k < at_once; ++k) {
        const T sum = p.values[k] + shift * (static_cast<T>(near.values[k]) + static_cast<T>(rest.values[k]));
        near.values[k] = Factor(sum);
        rest.values[k] = Factor(sum - static_cast<T>(near.values[k]));
      }
      near.store(&x.rounded.at(matrix, line, i));
      rest.store(&x.rest.at(matrix, line, i));
    });
  }
};

/// update = scale·(rest·x + shift·x), where the product is done.
template <class T, class Factor>
struct store_shifted {
  matrices<T> product;
  const double* shifts;
  precise<T, Factor> x;
  double scale;
  T* const* to;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t matrix = block / product.cols, line = block % product.cols;
    const T of_product = static_cast<T>(scale), of_x = static_cast<T>(scale * shifts[matrix]);
    T* const out = to[matrix] + line * product.rows;
    for (std::size_t i = thread; i < product.rows; i += threads_per_block)
      out[i] = of_product * product.at(matrix, line, i) + of_x * x.at(matrix, line, i);
  }
};

/// update = x
template <class T>
struct store_lines {
  matrices<T> x;
  T* const* to;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t matrix = block / x.cols, line = block % x.cols;
    T* const out = to[matrix] + line * x.rows;
    for (std::size_t i = thread; i < x.rows; i += threads_per_block) out[i] = x.at(matrix, line, i);
  }
};

/// x = x + shift·I
template <class T>
struct add_to_diagonal {
  matrices<T> x;
  const double* shifts;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t i = block * threads_per_block + thread, matrix = i / x.cols, at = i % x.cols;
    if (matrix < x.count) x.at(matrix, at, at) += static_cast<T>(shifts[matrix]);
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
    for (std::size_t row = piece * together; row < from.rows && row < (piece + 1) * together; ++row)
      to.at(matrix, row, col) = from.at(matrix, col, row);
  }
};

}  // namespace thalweg::cuda::detail
