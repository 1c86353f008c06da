#include "singular_values.hpp"

#include <Eigen/Core>
#include <Eigen/SVD>

namespace {

using matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

dense copied(const matrix& m) {
  dense d{static_cast<std::size_t>(m.rows()), static_cast<std::size_t>(m.cols())};
  Eigen::Map<matrix>(d.numbers.data(), m.rows(), m.cols()) = m;
  return d;
}

}  // namespace

decomposition decomposed(const dense& m) {
  const Eigen::Map<const matrix> view(m.numbers.data(), static_cast<Eigen::Index>(m.rows),
                                      static_cast<Eigen::Index>(m.cols));
  const Eigen::JacobiSVD<matrix> svd(view, Eigen::ComputeThinU | Eigen::ComputeThinV);
  return {copied(svd.matrixU()), {svd.singularValues().begin(), svd.singularValues().end()}, copied(svd.matrixV())};
}
