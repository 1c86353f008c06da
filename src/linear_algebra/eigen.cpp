// Products by Eigen, which is always there.
#include <Eigen/Core>

#include "request.hpp"

namespace thalweg::linear_algebra::native {

namespace {

template <class T>
using dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
void accumulate_any(const request<T>& q) {
  const auto index = [](std::size_t n) { return static_cast<Eigen::Index>(n); };
  using input = Eigen::Map<const dense<T>>;
  const input a(q.a, index(q.rows), index(q.inner));
  const input b(q.b, index(q.b_by_columns ? q.cols : q.inner), index(q.b_by_columns ? q.inner : q.cols));
  Eigen::Map<dense<T>> out(q.out, index(q.rows), index(q.cols));
  if (q.lower && q.a == q.b) out.template selfadjointView<Eigen::Lower>().rankUpdate(a, q.alpha);
  else if (q.lower && q.b_by_columns) out.template triangularView<Eigen::Lower>() += q.alpha * a * b.transpose();
  else if (q.lower) out.template triangularView<Eigen::Lower>() += q.alpha * a * b;
  else if (q.b_by_columns) out.noalias() += q.alpha * a * b.transpose();
  else out.noalias() += q.alpha * a * b;
}

}  // namespace

const char* name() { return "Eigen"; }
void accumulate(const request<float>& q) { accumulate_any(q); }
void accumulate(const request<double>& q) { accumulate_any(q); }
void begin_one_thread() {}  // compiled without OpenMP it has no other
void end_one_thread() {}

}  // namespace thalweg::linear_algebra::native
