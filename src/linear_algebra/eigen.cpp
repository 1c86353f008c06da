// Products and decompositions by Eigen, which is always there.
#include <limits>

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/QR>

#include "request.hpp"

namespace thalweg::linear_algebra::native {

namespace {

template <class T>
using dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
using input = Eigen::Map<const dense<T>>;

Eigen::Index index(std::size_t n) { return static_cast<Eigen::Index>(n); }

// `a`: these rows of it.
template <class T, class A, class B>
void accumulate_product(const request<T>& q, rows these, const A& a, const B& b) {
  const auto first = index(these.first), count = index(these.last - these.first);
  Eigen::Map<dense<T>> all(q.out, index(q.rows), index(q.cols));
  const auto cols = q.lower ? first : index(q.cols);
  if (cols > 0) all.block(first, 0, count, cols).noalias() += q.alpha * a * b.leftCols(cols);
  if (!q.lower) return;
  auto diagonal = all.block(first, first, count, count).template triangularView<Eigen::Lower>();
  if (q.a == q.b) diagonal.nestedExpression().template selfadjointView<Eigen::Lower>().rankUpdate(a, q.alpha);
  else diagonal += q.alpha * a * b.middleCols(first, count);
}

template <class T, class A>
void accumulate_with(const request<T>& q, rows these, const A& a) {
  if (q.b_by_columns) accumulate_product(q, these, a, input<T>(q.b, index(q.cols), index(q.inner)).transpose());
  else accumulate_product(q, these, a, input<T>(q.b, index(q.inner), index(q.cols)));
}

template <class T>
void accumulate_any(const request<T>& q, rows these) {
  const auto first = index(these.first), count = index(these.last - these.first);
  if (q.a_by_columns)
    accumulate_with(q, these, input<T>(q.a, index(q.inner), index(q.rows)).middleCols(first, count).transpose());
  else accumulate_with(q, these, input<T>(q.a, index(q.rows), index(q.inner)).middleRows(first, count));
}

template <class T>
void solve_transposed_any(const T* upper, std::size_t n, T* x, std::size_t count, bool by_rows) {
  const auto triangle = input<T>(upper, index(n), index(n)).template triangularView<Eigen::Upper>();
  if (by_rows) {
    Eigen::Map<dense<T>> rows(x, index(count), index(n));
    triangle.template solveInPlace<Eigen::OnTheRight>(rows);
  } else {
    Eigen::Map<dense<T>> columns(x, index(n), index(count));
    triangle.transpose().solveInPlace(columns);
  }
}

}  // namespace

const char* name() { return "Eigen"; }
void accumulate(const request<float>& q, rows these) { accumulate_any(q, these); }
void accumulate(const request<double>& q, rows these) { accumulate_any(q, these); }

void solve_transposed(const float* upper, std::size_t n, float* x, std::size_t count, bool by_rows) {
  solve_transposed_any(upper, n, x, count, by_rows);
}
void solve_transposed(const double* upper, std::size_t n, double* x, std::size_t count, bool by_rows) {
  solve_transposed_any(upper, n, x, count, by_rows);
}

void eigen_decompose(double* symmetric, std::size_t n, double* values) {
  Eigen::Map<Eigen::MatrixXd> m(symmetric, index(n), index(n));
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(m);
  Eigen::Map<Eigen::VectorXd> to(values, index(n));
  if (solver.info() == Eigen::Success) {
    m = solver.eigenvectors();
    to = solver.eigenvalues();
  } else {
    m.setConstant(std::numeric_limits<double>::quiet_NaN());
    to.setConstant(std::numeric_limits<double>::quiet_NaN());
  }
}
void orthonormalize(double* square, std::size_t n) {
  Eigen::Map<Eigen::MatrixXd> m(square, index(n), index(n));
  m = Eigen::HouseholderQR<Eigen::MatrixXd>(m).householderQ();
}
void solve(double* a, std::size_t n, double* b) {
  Eigen::Map<Eigen::VectorXd> x(b, index(n));
  x = Eigen::PartialPivLU<Eigen::MatrixXd>(Eigen::Map<Eigen::MatrixXd>(a, index(n), index(n))).solve(x).eval();
}

void begin_one_thread() {}  // compiled without OpenMP it has no other
void end_one_thread() {}

}  // namespace thalweg::linear_algebra::native
