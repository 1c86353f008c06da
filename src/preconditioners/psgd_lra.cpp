#include <thalweg/transforms/scale_by_psgd_lra.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "decompositions.hpp"
#include "products.hpp"

namespace thalweg::detail {

namespace {

// Vectors are matrices of one row. U and V lie transposed: a row is a direction.

/// One number for each direction: its product with x.
template <class T>
Eigen::VectorXd along(const matrix<T>& directions, const matrix<T>& x) {
  Eigen::VectorXd sums(directions.rows());
  for (Eigen::Index k = 0; k < sums.size(); ++k)
    sums(k) = directions.row(k).template cast<double>().dot(x.row(0).template cast<double>());
  return sums;
}

/// to = from + Σ by_k · direction k
template <class T>
void add(const matrix<T>& from, const matrix<T>& directions, const Eigen::VectorXd& by, matrix<T> to) {
  to = from;
  for (Eigen::Index k = 0; k < by.size(); ++k) to += static_cast<T>(by(k)) * directions.row(k);
}

/// The products of all rows of `a` with all rows of `b`.
template <class T>
Eigen::MatrixXd products(const matrix<T>& a, const matrix<T>& b) {
  Eigen::MatrixXd all(a.rows(), b.rows());
  for (Eigen::Index k = 0; k < b.rows(); ++k)
    for (Eigen::Index l = 0; l < a.rows(); ++l)
      all(l, k) = a.row(l).template cast<double>().dot(b.row(k).template cast<double>());
  return all;
}

/// directions ← by · directions, in `room`.
template <class T>
void turn(const Eigen::MatrixXd& by, matrix<T> directions, matrix<T> room) {
  room.setZero();
  for (Eigen::Index k = 0; k < by.rows(); ++k)
    for (Eigen::Index l = 0; l < by.cols(); ++l) room.row(k) += static_cast<T>(by(k, l)) * directions.row(l);
  directions = room;
}

template <class T>
class approximation {
  const lra_vector<T>& p_;
  const lra_step& s_;
  matrix<T> update_, d_, u_, v_;
  matrix<T> x_, a_, w_, b_, other_, room_;  // of the scratch; x = d ∘ h, w = ν / d, both of one length

  [[nodiscard]] matrix<T> row(T* data) const { return map(data, 1, p_.size); }
  [[nodiscard]] Eigen::Index size() const { return d_.cols(); }

  [[nodiscard]] double noise(std::size_t array, Eigen::Index k) const {
    const auto i = static_cast<std::size_t>(k);
    return s_.noise.normal(static_cast<std::uint64_t>(array * p_.size + i % s_.cols * s_.rows + i / s_.cols));
  }

  /// The steepness that the step is divided by, where x and w are `unit` times as long as they are. Its root is kept, which
  /// stays in range.
  [[nodiscard]] double steepest(std::size_t which, double length, double unit) const {
    T& root = p_.steepness[which];
    const double known = unit * static_cast<double>(root), now = std::max(lerp(length, known * known, s_.beta), length);
    root = saturated<T>(std::sqrt(now) / unit);
    return now;
  }

public:
  approximation(const lra_vector<T>& p, const lra_step& s, T* scratch)
      : p_(p), s_(s), update_(row(p.update)), d_(row(p.diagonal)), u_(map(p.left, p.rank, p.size)), v_(map(p.right, p.rank, p.size)),
        x_(row(scratch)), a_(row(scratch + p.size)), w_(row(scratch + 2 * p.size)), b_(row(scratch + 3 * p.size)),
        other_(row(scratch + 4 * p.size)), room_(map(scratch + 5 * p.size, p.rank, p.size)) {}

  [[nodiscard]] bool has_begun() const { return !d_.isZero(0); }

  void begin() {
    const double longest = static_cast<double>(update_.cwiseAbs().maxCoeff());  // keeps fourth powers in range
    const double mean = longest * std::pow((update_.template cast<double>() / longest).array().square().square().mean(), 0.25);
    const double larger = std::max(mean, s_.damping), smaller = std::min(mean, s_.damping);
    d_.setConstant(saturated<T>(1 / std::sqrt(larger * std::pow(1 + std::pow(smaller / larger, 4), 0.25))));
    std::size_t array = 1;
    for (matrix<T>* directions : {&u_, &v_}) {
      double squares = 0;
      for (Eigen::Index k = 0; k < directions->rows(); ++k, ++array)
        for (Eigen::Index i = 0; i < size(); ++i) {
          const double drawn = noise(array, i);
          (*directions)(k, i) = static_cast<T>(drawn);
          squares += drawn * drawn;
        }
      if (directions->rows() > 0) *directions *= static_cast<T>(std::sqrt(0.1 / squares));
    }
  }

  void fit() {
    balance();
    // x and w may be of any size: they are fitted at length 1. `unit`: of them, in that.
    double squares_of_x = 0, squares_of_w = 0;
    for (Eigen::Index i = 0; i < size(); ++i) {
      other_(0, i) = static_cast<T>(noise(0, i));
      const double nu = static_cast<double>(other_(0, i)), d = static_cast<double>(d_(0, i));
      const double x = d * (static_cast<double>(update_(0, i)) + s_.damping * nu), w = nu / d;
      squares_of_x += x * x;
      squares_of_w += w * w;
    }
    const double unit = 1 / std::sqrt(std::max(squares_of_x, squares_of_w));
    for (Eigen::Index i = 0; i < size(); ++i) {
      const double nu = static_cast<double>(other_(0, i)), d = static_cast<double>(d_(0, i));
      x_(0, i) = static_cast<T>(unit * d * (static_cast<double>(update_(0, i)) + s_.damping * nu));
      w_(0, i) = static_cast<T>(unit * nu / d);
    }

    const Eigen::MatrixXd core = Eigen::MatrixXd::Identity(u_.rows(), u_.rows()) + products(v_, u_);  // I + VᵀU
    add(x_, u_, along(v_, x_), a_);
    add(w_, v_, -solved(core.transpose(), along(u_, w_)), b_);
    const Eigen::VectorXd a_along_u = along(u_, a_), b_along_u = along(u_, b_);
    const Eigen::VectorXd a_along_v = along(v_, a_), b_along_v = along(v_, b_);

    // d, from Qᵀ·a ∘ h and ν ∘ Q⁻¹·b.
    add(a_, v_, a_along_u, other_);
    other_.array() *= x_.array();
    const double of_h = static_cast<double>(other_.cwiseAbs().maxCoeff());
    add(b_, u_, -solved(core, b_along_v), x_);
    x_.array() *= w_.array();
    const double of_nu = static_cast<double>(x_.cwiseAbs().maxCoeff()), steep = steepest(0, of_h + of_nu, unit);
    d_.array() -= static_cast<T>(s_.rate / steep) * (other_ - x_).array() * d_.array();

    // U or V.
    if (p_.rank == 0) return;
    const double of_a = a_.template cast<double>().norm(), of_b = b_.template cast<double>().norm();
    other_.setZero();
    const auto length_of = [&](const matrix<T>& directions, const Eigen::VectorXd& by) {
      add(other_, directions, by, x_);
      return x_.template cast<double>().norm();
    };
    const matrix<T>& with = s_.turns_left ? v_ : u_;
    const Eigen::VectorXd &of_a_along = s_.turns_left ? a_along_v : a_along_u, &of_b_along = s_.turns_left ? b_along_v : b_along_u;
    const double length = of_a * length_of(with, of_a_along) + of_b * length_of(with, of_b_along);
    const double by = s_.rate / steepest(s_.turns_left ? 1 : 2, length, unit);
    if (s_.turns_left) {
      const Eigen::VectorXd from_a = core.transpose().lazyProduct(a_along_v), from_b = core.transpose().lazyProduct(b_along_v);
      for (Eigen::Index k = 0; k < u_.rows(); ++k)
        u_.row(k) -= static_cast<T>(by) * (static_cast<T>(from_a(k)) * a_ - static_cast<T>(from_b(k)) * b_);
    } else {
      add(a_, v_, a_along_u, x_);
      add(b_, v_, b_along_u, other_);
      for (Eigen::Index k = 0; k < v_.rows(); ++k)
        v_.row(k) -= static_cast<T>(by) * (static_cast<T>(a_along_u(k)) * x_ - static_cast<T>(b_along_u(k)) * other_);
    }
  }

  /// update ← QᵀQ·update, at length 1 and then as long as it is.
  void apply() {
    double squares = 0;
    for (Eigen::Index i = 0; i < size(); ++i) {
      const double x = static_cast<double>(d_(0, i)) * static_cast<double>(update_(0, i));
      squares += x * x;
    }
    const double length = squares == 0 ? 1 : std::sqrt(squares);
    for (Eigen::Index i = 0; i < size(); ++i)
      x_(0, i) = static_cast<T>(static_cast<double>(d_(0, i)) * static_cast<double>(update_(0, i)) / length);
    add(x_, u_, along(v_, x_), a_);
    add(a_, v_, along(u_, a_), x_);
    for (Eigen::Index i = 0; i < size(); ++i)
      update_(0, i) = saturated<T>(static_cast<double>(d_(0, i)) * static_cast<double>(x_(0, i)) * length);
  }

private:
  /// U and V of one length, and nearer to UᵀU = VᵀV; U·Vᵀ stays, but for fourth powers.
  void balance() {
    if (p_.rank == 0) return;
    const Eigen::MatrixXd of_u = products(u_, u_), of_v = products(v_, v_);
    const double ratio = std::sqrt(of_u.trace() / of_v.trace());
    const Eigen::MatrixXd error = 0.1 * (of_u / ratio - of_v * ratio) / (of_u.trace() / ratio + of_v.trace() * ratio);
    const Eigen::MatrixXd one = Eigen::MatrixXd::Identity(error.rows(), error.cols()), square = 0.5 * error.lazyProduct(error);
    turn<T>((one - error + square) / std::sqrt(ratio), u_, room_);
    turn<T>((one + error + square) * std::sqrt(ratio), v_, room_);
  }
};

template <class T>
void precondition(const lra_vector<T>& p, const lra_step& s, T* scratch) {
  const linear_algebra::one_thread alone;
  approximation<T> q(p, s, scratch);
  if (!map(p.update, 1, p.size).isZero(0)) {
    if (!q.has_begun()) q.begin();
    q.fit();
  }
  q.apply();
}

}  // namespace

void psgd_lra(const lra_vector<float>& p, const lra_step& step, std::span<float> scratch) noexcept {
  precondition(p, step, scratch.data());
}
void psgd_lra(const lra_vector<double>& p, const lra_step& step, std::span<double> scratch) noexcept {
  precondition(p, step, scratch.data());
}

}  // namespace thalweg::detail
