#include <thalweg/orthogonalization/newton_schulz.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include <thalweg/orthogonalization/grouping.hpp>

#include "dense.hpp"
#include "tiled.hpp"

namespace thalweg::detail {

namespace {

// ---- choosing -------------------------------------------------------------------------------------

// How the matrices are kept: in their own type, or in blocks of bfloat16.
enum class arithmetic { dense, rounded, whole };
bfloat16::form form_of(arithmetic a) { return a == arithmetic::rounded ? bfloat16::form::rounded : bfloat16::form::whole; }

struct choice {
  arithmetic by;
  grouping groups;
};

std::size_t scratch_of(const choice& c, std::size_t m, std::size_t n) {
  if (c.by == arithmetic::dense) return dense<float>::scratch(m, n, c.groups.squares());
  return tiled::scratch(form_of(c.by), m, n, c.groups.squares());
}

// Chooses among the methods that fit into `room` numbers of scratch. Options may have changed since the scratch was sized.
choice choose(const newton_schulz& n, std::size_t short_side, std::size_t long_side, bool doubles, std::size_t room) {
  constexpr std::size_t worth_rounding = 64;
  choice best{arithmetic::dense, {1}};
  const auto unit = bfloat16::available();
  if (n.norm != norm::frobenius) {
    // the norm of a Gram matrix is that of a dense one
  } else if (!doubles && n.precision == precision::bfloat16 && unit != bfloat16::unit::absent) best.by = arithmetic::rounded;
  else if (!doubles && unit == bfloat16::unit::tiles && short_side >= worth_rounding) best.by = arithmetic::whole;
  if (scratch_of(best, short_side, long_side) > room) best.by = arithmetic::dense;
  // The Gram matrix loses small singular values. Coarser arithmetic loses them sooner.
  const std::size_t stable = best.by == arithmetic::dense ? 3 : 2;
  // Costs relative to a whole product, measured with 768 rows. They are constants because they decide the groups, the groups
  // decide the bits of the result, and these bits must not depend on the machine's load.
  const double gram = best.by == arithmetic::dense ? 0.56 : 0.60, symmetric = best.by == arithmetic::dense ? 0.61 : 0.68;
  const double ratio = static_cast<double>(long_side) / static_cast<double>(short_side);
  const auto time = [&](grouping g) {
    return g.cost(static_cast<std::size_t>(n.steps), ratio, gram, symmetric);
  };
  for (std::size_t longest = 2; longest <= stable; ++longest)
    if (time({longest}) < time(best.groups) && scratch_of({best.by, {longest}}, short_side, long_side) <= room)
      best.groups = {longest};
  return best;
}

// ---- computing ------------------------------------------------------------------------------------

// A symmetric matrix as rest + shift·I. Near the identity the rest is small, so rounding it loses little.
template <class Square>
struct shifted {
  Square rest;
  double shift = 0;
};

/// The step that gives for x what the given step gives for x / s.
quintic of_quotient(const quintic& p, double s) {
  return s > 0 ? quintic{p.a / s, p.b / (s * s * s), p.c / (s * s * s * s * s)} : p;
}

template <class Matrices>
void iterate(const newton_schulz& options, const coefficient_set& coefficients, grouping groups, Matrices matrices,
             double scale) {
  using symmetric = shifted<typename Matrices::square>;
  symmetric r{matrices.matrix(0)}, w{matrices.matrix(1)}, q = w, spare = w;
  if (groups.longest > 1) q.rest = matrices.matrix(2), spare.rest = matrices.matrix(3);
  // (a + αI)(b + βI) = ab + βa + αb + αβI
  const auto multiply = [&](const symmetric& a, const symmetric& b, symmetric& out) {
    out.shift = a.shift * b.shift +
                matrices.symmetric_product(1, a.rest, b.rest, b.shift, a.rest, a.shift, b.rest, out.rest);
  };

  const double measured = matrices.norm() + options.epsilon, norm = measured > 0 ? measured : 1;  // a zero matrix stays zero
  matrices.load(std::sqrt(1 / norm));
  if (options.coefficients.rescale_columns) {  // rows of x: x is wide; it was divided by the norm before
    r.shift = matrices.gram(r.rest);
    matrices.rescale_rows(r.rest, r.shift, options.epsilon / norm);
  }

  const auto steps = static_cast<std::size_t>(options.steps);
  for (std::size_t step = 0, length = groups.first(steps); step < steps; length = groups.longest) {
    const std::size_t begin = step, end = step + length;
    r.shift = matrices.gram(r.rest);
    for (; step < end; ++step) {
      // Smaller only if epsilon is far larger than the matrix: powers of the quotient would leave the range of float.
      constexpr double smallest_divisor = 1e-3;
      const bool divides = step == 0 && options.norm == thalweg::norm::schatten_4;
      const auto divisor = [&] { return std::max(smallest_divisor, matrices.root_of_norm(r.rest, r.shift)); };
      const auto [a, b, c] = divides ? of_quotient(coefficients.step(0), divisor()) : coefficients.step(step);
      // w = a + b·r + c·r², and the new x would be w·x, the new r then w·r·w
      w.shift = a + r.shift * (b + c * r.shift) +
                matrices.symmetric_product(c, r.rest, r.rest, 2 * c * r.shift + b, r.rest, 0, r.rest, w.rest);
      if (step + 1 < end) {
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
    if (step < steps) matrices.apply(q.rest, q.shift);
    else matrices.finish(q.rest, q.shift, scale);
  }
}

// The Gram matrix of the short side is the smaller one. For a square matrix it is that of the rows, in either storage
// order.
template <class T>
void orthogonalize(const newton_schulz& options, T* data, std::size_t rows, std::size_t cols, storage_order order,
                   double scale, std::span<T> scratch) {
  const bool transposed = (rows > cols) != (order == storage_order::column_major);
  const std::size_t m = std::min(rows, cols), n = std::max(rows, cols);
  const choice chosen = choose(options, m, n, std::is_same_v<T, double>, scratch.size());
  const grouping g = chosen.groups;
  const coefficient_set& given = options.coefficients;
  if constexpr (std::is_same_v<T, float>)
    if (chosen.by != arithmetic::dense)
      return iterate(options, chosen.by == arithmetic::rounded ? given.with_margin(given.margin) : given, g,
                     tiled(form_of(chosen.by), data, transposed, m, n, g.squares(), scratch.data()), scale);
  const linear_algebra::one_thread alone;
  const std::size_t products = g.count(static_cast<std::size_t>(options.steps));
  iterate(options, given, g, dense<T>(data, transposed, m, n, products, scratch.data()), scale);
}

}  // namespace

std::size_t newton_schulz::scratch(std::size_t rows, std::size_t cols) const {
  const std::size_t m = std::min(rows, cols), n = std::max(rows, cols);
  constexpr std::size_t any = std::numeric_limits<std::size_t>::max();
  return std::max(scratch_of(choose(*this, m, n, false, any), m, n), scratch_of(choose(*this, m, n, true, any), m, n));
}

void newton_schulz::operator()(float* matrix, std::size_t rows, std::size_t cols, storage_order order, double scale,
                               std::span<float> scratch) const noexcept {
  orthogonalize(*this, matrix, rows, cols, order, scale, scratch);
}
void newton_schulz::operator()(double* matrix, std::size_t rows, std::size_t cols, storage_order order, double scale,
                               std::span<double> scratch) const noexcept {
  orthogonalize(*this, matrix, rows, cols, order, scale, scratch);
}

}  // namespace thalweg::detail
