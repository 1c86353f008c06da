#include <thalweg/core/linear_algebra.hpp>

#include <Eigen/Core>

namespace thalweg::linear_algebra {

namespace {

template <class T>
using dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
auto map(matrix<T> m) {
  using element = std::remove_const_t<T>;
  using type = std::conditional_t<std::is_const_v<T>, const dense<element>, dense<element>>;
  return Eigen::Map<type>(m.data, static_cast<Eigen::Index>(m.rows), static_cast<Eigen::Index>(m.cols));
}

template <class T>
void gram_of(matrix<const T> x, matrix<T> out) {
  auto result = map(out);
  result.setZero();
  result.template selfadjointView<Eigen::Lower>().rankUpdate(map(x));  // half the work
  result.template triangularView<Eigen::StrictlyUpper>() = result.transpose();
}

template <class T>
void symmetric_product_of(double alpha, matrix<const T> a, matrix<const T> b, double beta, matrix<const T> c,
                          matrix<T> out) {
  auto result = map(out);
  result.setZero();
  result.template triangularView<Eigen::Lower>() += T(alpha) * map(a) * map(b);  // half the work
  result.template triangularView<Eigen::Lower>() += T(beta) * map(c);
  result.template triangularView<Eigen::StrictlyUpper>() = result.transpose();
}

template <class T>
void product_of(matrix<const T> a, matrix<const T> b, double beta, matrix<const T> c, matrix<T> out) {
  auto result = map(out);
  result = T(beta) * map(c);
  result.noalias() += map(a) * map(b);
}

}  // namespace

void gram(matrix<const float> x, matrix<float> out) noexcept { gram_of(x, out); }
void gram(matrix<const double> x, matrix<double> out) noexcept { gram_of(x, out); }

void symmetric_product(double alpha, matrix<const float> a, matrix<const float> b, double beta, matrix<const float> c,
                       matrix<float> out) noexcept {
  symmetric_product_of(alpha, a, b, beta, c, out);
}
void symmetric_product(double alpha, matrix<const double> a, matrix<const double> b, double beta,
                       matrix<const double> c, matrix<double> out) noexcept {
  symmetric_product_of(alpha, a, b, beta, c, out);
}

void product(matrix<const float> a, matrix<const float> b, double beta, matrix<const float> c,
             matrix<float> out) noexcept {
  product_of(a, b, beta, c, out);
}
void product(matrix<const double> a, matrix<const double> b, double beta, matrix<const double> c,
             matrix<double> out) noexcept {
  product_of(a, b, beta, c, out);
}

}  // namespace thalweg::linear_algebra
