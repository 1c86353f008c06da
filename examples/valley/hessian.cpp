#include "hessian.hpp"

#include <Spectra/SymEigsSolver.h>

#include <algorithm>

#include <fmt/core.h>

#include "error.hpp"

namespace valley {
namespace {

// What Spectra asks of an operator.
struct product_operator {
  using Scalar = double;
  const hessian_product& product;
  Eigen::Index dimension;

  Eigen::Index rows() const { return dimension; }
  Eigen::Index cols() const { return dimension; }
  void perform_op(const double* in, double* out) const {
    Eigen::Map<vector> image(out, dimension);
    image = product(Eigen::Map<const vector>(in, dimension));
    if (!image.allFinite()) throw error("a finite product of Hessian and vector", "NaN or infinity");
  }
};

}  // namespace

subspace top_eigenpairs(const hessian_product& product, Eigen::Index dimension, Eigen::Index k, double tolerance) {
  if (k < 1 || k >= dimension)
    throw error(fmt::format("1 to {} eigenvectors", dimension - 1), fmt::format("{}", k));
  product_operator hessian{product, dimension};
  const Eigen::Index basis = std::min(dimension, std::max<Eigen::Index>(2 * k + 10, 20));
  Spectra::SymEigsSolver solver(hessian, k, basis);
  solver.init();  // the first vector is random, always with the same seed
  const auto found = solver.compute(Spectra::SortRule::LargestAlge, 100, tolerance, Spectra::SortRule::LargestAlge);
  if (solver.info() != Spectra::CompInfo::Successful)
    throw error(fmt::format("{} eigenvectors within 100 restarts of Lanczos' method", k), fmt::format("{}", found));
  return {solver.eigenvalues(), solver.eigenvectors()};
}

}  // namespace valley
