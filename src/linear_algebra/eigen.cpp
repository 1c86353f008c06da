// Products by Eigen, which is always there.
#include <Eigen/Core>

#include "request.hpp"

namespace thalweg::linear_algebra::native {

namespace {

template <class T>
using dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
void accumulate_any(const request<T>& q, rows these) {
  const auto index = [](std::size_t n) { return static_cast<Eigen::Index>(n); };
  using input = Eigen::Map<const dense<T>>;
  const auto first = index(these.first), count = index(these.last - these.first);
  const input all_of_a(q.a, index(q.rows), index(q.inner));
  const input b(q.b, index(q.b_by_columns ? q.cols : q.inner), index(q.b_by_columns ? q.inner : q.cols));
  Eigen::Map<dense<T>> all(q.out, index(q.rows), index(q.cols));
  const auto a = all_of_a.middleRows(first, count);
  const auto cols = q.lower ? first : index(q.cols);
  auto out = all.block(first, 0, count, cols);
  if (cols > 0 && q.b_by_columns) out.noalias() += q.alpha * a * b.topRows(cols).transpose();
  else if (cols > 0) out.noalias() += q.alpha * a * b.leftCols(cols);
  if (!q.lower) return;
  auto diagonal = all.block(first, first, count, count);
  if (q.a == q.b) diagonal.template selfadjointView<Eigen::Lower>().rankUpdate(a, q.alpha);
  else if (q.b_by_columns) diagonal.template triangularView<Eigen::Lower>() += q.alpha * a * b.middleRows(first, count).transpose();
  else diagonal.template triangularView<Eigen::Lower>() += q.alpha * a * b.middleCols(first, count);
}

}  // namespace

const char* name() { return "Eigen"; }
void accumulate(const request<float>& q, rows these) { accumulate_any(q, these); }
void accumulate(const request<double>& q, rows these) { accumulate_any(q, these); }
void begin_one_thread() {}  // compiled without OpenMP it has no other
void end_one_thread() {}

}  // namespace thalweg::linear_algebra::native
