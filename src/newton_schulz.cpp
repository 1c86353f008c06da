#include <thalweg/transforms/orthogonalize_update.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include <thalweg/core/linear_algebra.hpp>

namespace thalweg::detail {

namespace {

using linear_algebra::arithmetic;
using linear_algebra::factors;
using linear_algebra::matrix;

// to = root²·from, transposed where asked; from is rows × cols. The square of the root might not be a normal T.
template <class T>
void copy_scaled(const T* from, std::size_t rows, std::size_t cols, double root, bool transposed, T* to) {
  const T f = static_cast<T>(root);
  if (!transposed) {
    std::transform(from, from + rows * cols, to, [=](T x) { return x * f * f; });
    return;
  }
  constexpr std::size_t block = 16;  // both sides stay in cache
  for (std::size_t i = 0; i < rows; i += block)
    for (std::size_t j = 0; j < cols; j += block)
      for (std::size_t k = i; k < std::min(i + block, rows); ++k)
        for (std::size_t l = j; l < std::min(j + block, cols); ++l) to[l * rows + k] = from[k * cols + l] * f * f;
}

template <class T>
double frobenius_norm(const T* data, std::size_t n) {
  double sums[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::size_t j = 0; j < 8; ++j) sums[j] += static_cast<double>(data[i + j]) * static_cast<double>(data[i + j]);
  for (; i < n; ++i) sums[0] += static_cast<double>(data[i]) * static_cast<double>(data[i]);
  double sum = 0;
  for (const double s : sums) sum += s;
  return std::sqrt(sum);
}

// A symmetric matrix as rest + shift·I. Products near the identity lose next to nothing when the rest is rounded.
template <class T>
struct shifted {
  T* rest;
  double shift;
};

template <class T>
void centre(shifted<T>& s, std::size_t n) {
  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) mean += static_cast<double>(s.rest[i * (n + 1)]);
  const T shift = static_cast<T>(mean / static_cast<double>(n));
  for (std::size_t i = 0; i < n; ++i) s.rest[i * (n + 1)] -= shift;
  s.shift += static_cast<double>(shift);
}

// ---- choosing -------------------------------------------------------------------------------------

// How many steps run on the Gram matrix before X is formed anew: `longest`, and first the remainder.
struct grouping {
  std::size_t longest;
  [[nodiscard]] std::size_t first(std::size_t steps) const {
    return steps % longest ? steps % longest : std::min(steps, longest);
  }
};

// The time of steps on a short × long matrix, in that of a product of short × short matrices. A group of g steps
// forms the Gram matrix and the new X once, and multiplies small symmetric matrices 4g − 3 times.
double cost(grouping g, std::size_t steps, std::size_t short_side, std::size_t long_side, factors f) {
  const bool tiled = f != factors::exact && linear_algebra::tiles();
  const double gram = tiled ? 0.60 : 0.58, symmetric = tiled ? 0.65 : 0.68;  // measured
  const double ratio = static_cast<double>(long_side) / static_cast<double>(short_side);
  double sum = 0;
  for (std::size_t left = steps, length = g.first(steps); left; left -= length, length = g.longest)
    sum += ratio * (gram + 1) + symmetric * static_cast<double>(4 * length - 3);
  return sum;
}

struct choice {
  linear_algebra::factors factors;
  grouping groups;
};

choice choose(const newton_schulz& n, std::size_t short_side, std::size_t long_side, bool doubles) {
  constexpr std::size_t worth_packing = 64;
  choice best{factors::exact, {1}};
  if (!doubles && n.precision == precision::bfloat16) best.factors = factors::rounded;
  else if (!doubles && linear_algebra::tiles() && short_side >= worth_packing) best.factors = factors::split;
  // The Gram matrix forgets small singular values, the sooner the coarser the arithmetic.
  const std::size_t stable = best.factors == factors::exact ? 3 : 2;
  const auto time = [&](grouping g) {
    return cost(g, static_cast<std::size_t>(n.steps), short_side, long_side, best.factors);
  };
  for (std::size_t longest = 2; longest <= stable; ++longest)
    if (time({longest}) < time(best.groups)) best.groups = {longest};
  return best;
}

std::size_t small_matrices(grouping g) { return g.longest > 1 ? 4 : 2; }

// ---- computing ------------------------------------------------------------------------------------

// The rows of x, which are columns where it is the transposed one, by s_i = 1/√Σ_j |x·xᵀ|_ij.
template <class T>
void rescale(matrix<T> x, const T* gram, double epsilon) {
  for (std::size_t i = 0; i < x.rows; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < x.rows; ++j) sum += std::abs(static_cast<double>(gram[i * x.rows + j]));
    const T s = static_cast<T>(1 / (std::sqrt(sum) + epsilon));
    for (std::size_t j = 0; j < x.cols; ++j) x.data[i * x.cols + j] *= s;
  }
}

// The Gram matrix of the short side is the small one: short_side <= long_side always. A square matrix is taken by its
// rows, in whichever order they lie in memory.
template <class T>
void iterate(const newton_schulz& options, T* data, std::size_t rows, std::size_t cols, storage_order order,
             double scale, T* scratch) {
  const bool columns_first = order == storage_order::column_major;
  const bool transposed = (rows > cols) != columns_first;  // x is not as the matrix lies in memory
  const std::size_t m = std::min(rows, cols), n = std::max(rows, cols), size = m * n;
  const auto [kind, groups] = choose(options, m, n, sizeof(T) == sizeof(double));
  const auto steps = static_cast<std::size_t>(options.steps);
  const std::size_t first = groups.first(steps), group_count = 1 + (steps - first) / groups.longest;

  // x and the next x take turns in `data` and in `scratch`; the last one is wanted in `data`, or out of it.
  T *x = transposed || group_count % 2 ? scratch : data, *next = x == data ? scratch : data;
  shifted<T> r{scratch + size, 0}, w{r.rest + m * m, 0}, q = w, spare = w;
  if (groups.longest > 1) q.rest = w.rest + m * m, spare.rest = q.rest + m * m;
  const arithmetic<T> how{kind, scratch + size + small_matrices(groups) * m * m};

  const auto square = [m](const shifted<T>& s) { return matrix<const T>{s.rest, m, m}; };
  // (a + αI)(b + βI) = ab + βa + αb + αβI
  const auto multiply = [&](const shifted<T>& a, const shifted<T>& b, shifted<T>& out) {
    linear_algebra::symmetric_product(how, 1, square(a), square(b), {b.shift, a.rest}, {a.shift, b.rest},
                                      {out.rest, m, m});
    out.shift = a.shift * b.shift;
    centre(out, m);
  };

  const double norm = frobenius_norm(data, size) + options.epsilon;
  const std::size_t lying_rows = columns_first ? cols : rows, lying_cols = size / lying_rows;
  copy_scaled(data, lying_rows, lying_cols, std::sqrt(1 / norm), transposed, x);
  if (options.coefficients.rescale_columns) {
    linear_algebra::gram(how, matrix<const T>{x, m, n}, {r.rest, m, m});
    rescale(matrix<T>{x, m, n}, r.rest, options.epsilon / norm);  // x was divided by the norm before
  }

  for (std::size_t step = 0, length = first; step < steps; length = groups.longest) {
    const std::size_t end = step + length;
    linear_algebra::gram(how, matrix<const T>{x, m, n}, {r.rest, m, m});
    r.shift = 0;
    centre(r, m);
    for (const std::size_t begin = step; step < end; ++step) {
      const auto [a, b, c] = options.coefficients.step(step);
      // w = a + b·r + c·r², and the new x would be w·x, the new r then w·r·w
      linear_algebra::symmetric_product(how, c, square(r), square(r), {2 * c * r.shift + b, r.rest}, {},
                                        {w.rest, m, m});
      w.shift = a + r.shift * (b + c * r.shift);
      centre(w, m);
      const bool again = step + 1 < end;
      if (again) {
        multiply(r, w, spare);
        multiply(w, spare, r);
      }
      if (step == begin) {
        std::swap(q, w);
      } else {
        multiply(q, w, spare);
        std::swap(q, spare);
      }
    }
    const double factor = step == steps ? scale : 1;
    linear_algebra::product(how, factor, square(q), {x, m, n}, {factor * q.shift, x}, matrix<T>{next, m, n});
    std::swap(x, next);
  }

  if (!transposed) return;
  if (x == data) x = std::copy_n(x, size, scratch) - size;
  copy_scaled(x, m, n, 1, true, data);
}

}  // namespace

std::size_t newton_schulz::scratch(std::size_t rows, std::size_t cols) const {
  const std::size_t m = std::min(rows, cols), n = std::max(rows, cols);
  const choice c = choose(*this, m, n, false), for_double = choose(*this, m, n, true);
  const std::size_t squares = std::max(small_matrices(c.groups), small_matrices(for_double.groups));
  return rows * cols + squares * m * m +
         std::max(linear_algebra::workspace(c.factors, m, n, m), linear_algebra::workspace(c.factors, m, m, n));
}

void newton_schulz::operator()(float* matrix, std::size_t rows, std::size_t cols, storage_order order,
                               double scale, std::span<float> scratch) const noexcept {
  const linear_algebra::one_thread alone;
  iterate(*this, matrix, rows, cols, order, scale, scratch.data());
}
void newton_schulz::operator()(double* matrix, std::size_t rows, std::size_t cols, storage_order order,
                               double scale, std::span<double> scratch) const noexcept {
  const linear_algebra::one_thread alone;
  iterate(*this, matrix, rows, cols, order, scale, scratch.data());
}

}  // namespace thalweg::detail
