// Optimizers as their papers define them, slow and direct: the whole history of gradients is kept, a moment is a sum over
// it, and x, y and z are separate. All in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

namespace oracle {

using vector = std::vector<double>;
using history = std::vector<vector>;  // of steps 1 … t, the newest last
using update = std::function<vector(const history&)>;

template <class F>
vector each(const vector& a, F f) {
  vector result(a.size());
  std::transform(a.begin(), a.end(), result.begin(), f);
  return result;
}
template <class F>
vector each(const vector& a, const vector& b, F f) {
  vector result(a.size());
  std::transform(a.begin(), a.end(), b.begin(), result.begin(), f);
  return result;
}
inline vector operator+(const vector& a, const vector& b) { return each(a, b, std::plus<>()); }
inline vector operator-(const vector& a, const vector& b) { return each(a, b, std::minus<>()); }
inline vector operator*(double c, const vector& a) {
  return each(a, [c](double x) { return c * x; });
}
inline vector squared(const vector& a) { return each(a, a, std::multiplies<>()); }
inline vector sign(const vector& a) {
  return each(a, [](double x) { return static_cast<double>((x > 0) - (x < 0)); });
}

/// Σ_s β^(t-s) u_s
inline vector decaying_sum(const history& u, double beta) {
  vector sum(u.back().size(), 0.0);
  for (std::size_t s = 0; s < u.size(); ++s) sum = sum + std::pow(beta, static_cast<double>(u.size() - 1 - s)) * u[s];
  return sum;
}
inline history squared(const history& u) {
  history squares;
  for (const auto& v : u) squares.push_back(squared(v));
  return squares;
}
inline vector average(const history& u, double beta) { return (1 - beta) * decaying_sum(u, beta); }
inline vector corrected(const history& u, double beta) {
  return (1 / (1 - std::pow(beta, static_cast<double>(u.size())))) * average(u, beta);
}
/// a / (√b + ε)
inline vector over_root(const vector& a, const vector& b, double epsilon) {
  return each(a, b, [=](double x, double y) { return x / (std::sqrt(y) + epsilon); });
}

// ---- updates --------------------------------------------------------------------------------------

inline update gradient() {
  return [](const history& u) { return u.back(); };
}
inline update heavyball(double beta) {
  return [=](const history& u) { return decaying_sum(u, beta); };
}
inline update nesterov(double beta) {
  return [=](const history& u) { return u.back() + beta * decaying_sum(u, beta); };
}
inline update ema(double beta) {
  return [=](const history& u) { return average(u, beta); };
}
inline update nesterov_ema(double beta) {
  return [=](const history& u) { return (1 - beta) * u.back() + beta * average(u, beta); };
}
inline update gradient_and_ema(double beta) {
  return [=](const history& u) { return u.back() + average(u, beta); };
}
inline update adam(double beta1, double beta2, double epsilon) {
  return [=](const history& u) { return over_root(corrected(u, beta1), corrected(squared(u), beta2), epsilon); };
}
inline update second_moment(double beta2, double epsilon) {
  return [=](const history& u) { return over_root(u.back(), corrected(squared(u), beta2), epsilon); };
}
inline update rms(double beta, double epsilon) {
  return [=](const history& u) { return over_root(u.back(), average(squared(u), beta), epsilon); };
}
inline update rss(double initial, double epsilon) {
  return [=](const history& u) {
    return over_root(u.back(), vector(u.back().size(), initial) + decaying_sum(squared(u), 1), epsilon);
  };
}
inline update lion(double beta1, double beta2) {
  return [=](const history& u) {
    const history before(u.begin(), u.end() - 1);
    const vector now = (1 - beta1) * u.back();
    return sign(before.empty() ? now : now + beta1 * average(before, beta2));
  };
}
/// The history as it was after step t.
inline history until(const history& u, std::size_t t) {
  return {u.begin(), u.begin() + static_cast<std::ptrdiff_t>(t)};
}
inline update corrected_ema(double beta) {
  return [=](const history& u) { return corrected(u, beta); };
}
inline update amsgrad(double beta1, double beta2, double epsilon) {
  return [=](const history& u) {
    vector largest(u.back().size(), 0.0);
    for (std::size_t t = 1; t <= u.size(); ++t)
      largest = each(largest, average(squared(until(u, t)), beta2), [](double a, double b) { return std::max(a, b); });
    const double unbias = 1 / (1 - std::pow(beta2, static_cast<double>(u.size())));
    return over_root(corrected(u, beta1), unbias * largest, epsilon);
  };
}
inline update nadam(double beta1, double beta2, double epsilon, double decay) {
  return [=](const history& u) {
    const auto momentum = [&](std::size_t t) {
      return beta1 * (1 - std::pow(0.96, decay * static_cast<double>(t)) / 2);
    };
    const std::size_t t = u.size();
    double product = 1;
    for (std::size_t s = 1; s <= t; ++s) product *= momentum(s);
    const vector ahead = (momentum(t + 1) / (1 - product * momentum(t + 1))) * average(u, beta1);
    return over_root(((1 - momentum(t)) / (1 - product)) * u.back() + ahead, corrected(squared(u), beta2), epsilon);
  };
}
/// ρ_t and the factor r of RAdam.
struct rectification {
  double seen, by;
  rectification(double beta2, std::size_t steps) {
    const double t = static_cast<double>(steps), power = std::pow(beta2, t), all = 2 / (1 - beta2) - 1;
    seen = all - 2 * t * power / (1 - power);
    by = std::sqrt((seen - 4) / (all - 4) * (seen - 2) / (all - 2) * all / seen);
  }
};
inline update radam(double beta1, double beta2, double epsilon) {
  return [=](const history& u) {
    const rectification r(beta2, u.size());
    if (r.seen <= 5) return corrected(u, beta1);
    const double unbias = std::sqrt(1 - std::pow(beta2, static_cast<double>(u.size())));
    return (r.by * unbias) * over_root(corrected(u, beta1), average(squared(u), beta2), epsilon);
  };
}
inline update adopt(double beta1, double beta2, double epsilon) {
  return [=](const history& u) {
    vector second = squared(u.front()), first(second.size(), 0.0);
    for (std::size_t t = 1; t < u.size(); ++t) {
      const double bound = std::pow(static_cast<double>(t), 0.25);
      const vector normal = each(u[t], second, [=](double g, double v) {
        return std::clamp(g / std::max(std::sqrt(v), epsilon), -bound, bound);
      });
      first = beta1 * first + (1 - beta1) * normal;
      second = beta2 * second + (1 - beta2) * squared(u[t]);
    }
    return first;
  };
}
/// HeavyBall's: means of all that was seen before, and no bound.
inline update unbiased_adopt(double beta1, double beta2, double epsilon) {
  return [=](const history& u) {
    if (u.size() == 1) return vector(u.back().size(), 0.0);
    history normal;
    for (std::size_t t = 1; t < u.size(); ++t)
      normal.push_back(each(u[t], corrected(squared(until(u, t)), beta2),
                            [=](double g, double v) { return g / std::max(std::sqrt(v), epsilon); }));
    return corrected(normal, beta1);
  };
}
/// `slow_betas`: β₃ of every step; `alpha` of this one.
inline update ademamix(double beta1, double beta2, double epsilon, std::function<double(long)> slow_beta,
                       std::function<double(long)> alpha) {
  return [=](const history& u) {
    vector slow(u.back().size(), 0.0);
    for (std::size_t t = 1; t <= u.size(); ++t) {
      const double beta3 = slow_beta(static_cast<long>(t));
      slow = beta3 * slow + (1 - beta3) * u[t - 1];
    }
    const double share = alpha(static_cast<long>(u.size()));
    return over_root(corrected(u, beta1) + share * slow, corrected(squared(u), beta2), epsilon);
  };
}
inline update mars(double gamma, double beta1) {
  return [=](const history& u) {
    const vector before = u.size() > 1 ? u[u.size() - 2] : vector(u.back().size(), 0.0);
    return u.back() + (gamma * beta1 / (1 - beta1)) * (u.back() - before);
  };
}
/// `inner`, where its sign is the gradient's; n/(kept + spare) times as long.
inline update cautious(update inner, double spare) {
  return [=](const history& u) {
    const vector step = inner(u);
    double kept = 0;
    const vector masked = each(step, u.back(), [&](double a, double g) {
      kept += a * g > 0;
      return a * g > 0 ? a : 0.0;
    });
    return (static_cast<double>(step.size()) / (kept + spare)) * masked;
  };
}
inline update signs() {
  return [](const history& u) { return sign(u.back()); };
}
inline update times(double c) {
  return [=](const history& u) { return c * u.back(); };
}
inline update clipped(double longest) {
  return [=](const history& u) {
    const double norm = std::sqrt(std::inner_product(u.back().begin(), u.back().end(), u.back().begin(), 0.0));
    return std::min(1.0, longest / norm) * u.back();
  };
}
inline update adan(double beta1, double beta2, double beta3, double epsilon) {
  return [=](const history& u) {
    history changes{vector(u.back().size(), 0.0)}, seen{u.front()};
    for (std::size_t t = 1; t < u.size(); ++t) {
      changes.push_back(u[t] - u[t - 1]);
      seen.push_back(u[t] + beta2 * changes.back());
    }
    return over_root(corrected(u, beta1) + beta2 * corrected(changes, beta2), corrected(squared(seen), beta3), epsilon);
  };
}
inline double norm(const vector& v) { return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0)); }
inline double rms(const vector& v) { return norm(v) / std::sqrt(static_cast<double>(v.size())); }
inline update held(double limit) {
  return [=](const history& u) { return each(u.back(), [=](double x) { return std::clamp(x, -limit, limit); }); };
}
inline update of_rms(double wanted) {
  return [=](const history& u) { return (wanted / rms(u.back())) * u.back(); };
}
inline update clipped_rms(double largest) {
  return [=](const history& u) { return (1 / std::max(1.0, rms(u.back()) / largest)) * u.back(); };
}

/// Row i of a row-major matrix.
inline vector row(const vector& matrix, std::size_t i, std::size_t cols) {
  const auto begin = matrix.begin() + static_cast<std::ptrdiff_t>(i * cols);
  return {begin, begin + static_cast<std::ptrdiff_t>(cols)};
}
/// Each row on its own, by f(row, its number).
template <class F>
vector each_row(const vector& matrix, std::size_t cols, F f) {
  vector result;
  for (std::size_t i = 0; i < matrix.size() / cols; ++i) {
    const vector changed = f(row(matrix, i, cols), i);
    result.insert(result.end(), changed.begin(), changed.end());
  }
  return result;
}
inline update centralized(std::size_t cols) {
  return [=](const history& u) {
    return each_row(u.back(), cols, [=](const vector& r, std::size_t) {
      const double mean = std::accumulate(r.begin(), r.end(), 0.0) / static_cast<double>(cols);
      return each(r, [=](double x) { return x - mean; });
    });
  };
}
inline update row_rms(std::size_t cols, double beta2, double epsilon) {
  return [=](const history& u) {
    return each_row(u.back(), cols, [&](const vector& r, std::size_t i) {
      history squares;
      for (const auto& before : u) squares.push_back({std::pow(rms(row(before, i, cols)), 2)});
      return (1 / (std::sqrt(average(squares, beta2)[0]) + epsilon)) * r;
    });
  };
}
inline update equal_rows(std::size_t cols) {
  return [=](const history& u) {
    const double length = norm(u.back()) / std::sqrt(static_cast<double>(u.back().size() / cols));
    return each_row(u.back(), cols, [=](const vector& r, std::size_t) { return (length / norm(r)) * r; });
  };
}
inline update factored_rms(std::size_t cols, double decay, double epsilon) {
  return [=](const history& u) {
    const std::size_t rows = u.back().size() / cols;
    vector r(rows, 0.0), c(cols, 0.0);
    for (std::size_t t = 1; t <= u.size(); ++t) {
      const double beta = 1 - std::pow(static_cast<double>(t), -decay);
      vector row_sums(rows, 0.0), col_sums(cols, 0.0);
      for (std::size_t k = 0; k < u.back().size(); ++k) {
        const double square = u[t - 1][k] * u[t - 1][k] + epsilon;
        row_sums[k / cols] += square;
        col_sums[k % cols] += square;
      }
      r = beta * r + ((1 - beta) / static_cast<double>(cols)) * row_sums;
      c = beta * c + ((1 - beta) / static_cast<double>(rows)) * col_sums;
    }
    const double mean = std::accumulate(r.begin(), r.end(), 0.0) / static_cast<double>(rows);
    vector result = u.back();
    for (std::size_t k = 0; k < result.size(); ++k) result[k] /= std::sqrt(r[k / cols] * c[k % cols] / mean);
    return result;
  };
}

/// One after the other: the second sees the history of the first one's updates.
inline update in_turn(update first, update second) {
  return [=](const history& u) {
    history passed;
    for (std::size_t t = 1; t <= u.size(); ++t)
      passed.push_back(first(history(u.begin(), u.begin() + static_cast<std::ptrdiff_t>(t))));
    return second(passed);
  };
}

/// scale · the Newton–Schulz iteration on a row-major matrix, by three nested loops.
struct newton_schulz {
  struct coefficients { double a, b, c; };
  std::size_t rows, cols;
  std::vector<coefficients> steps;
  double scale = 1;
  double epsilon = 1e-7;
  bool rescale = false;  ///< the short side's vectors (almost orthogonal layer), not the whole by its norm

  // a·b, or a·bᵀ; all row-major
  static vector product(const vector& a, std::size_t rows, std::size_t inner, const vector& b, std::size_t cols,
                        bool transposed) {
    vector result(rows * cols, 0.0);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j)
        for (std::size_t k = 0; k < inner; ++k)
          result[i * cols + j] += a[i * inner + k] * (transposed ? b[j * inner + k] : b[k * cols + j]);
    return result;
  }
  static vector transposed(const vector& a, std::size_t rows, std::size_t cols) {
    vector result(a.size());
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j) result[j * rows + i] = a[i * cols + j];
    return result;
  }

  [[nodiscard]] vector operator()(const vector& u) const {
    if (rows > cols) {
      newton_schulz wide = *this;
      std::swap(wide.rows, wide.cols);
      return transposed(wide(transposed(u, rows, cols)), cols, rows);
    }
    vector x = u;
    if (rescale) {
      const vector a = product(x, rows, cols, x, rows, true);
      for (std::size_t i = 0; i < rows; ++i) {
        double sum = 0;
        for (std::size_t j = 0; j < rows; ++j) sum += std::abs(a[i * rows + j]);
        for (std::size_t j = 0; j < cols; ++j) x[i * cols + j] /= std::sqrt(sum) + epsilon;
      }
    } else {
      double squares = 0;
      for (const double v : u) squares += v * v;
      x = (1 / (std::sqrt(squares) + epsilon)) * u;
    }
    for (const auto& q : steps) {
      const vector a = product(x, rows, cols, x, rows, true);
      const vector polynomial = q.b * a + q.c * product(a, rows, rows, a, rows, false);
      x = q.a * x + product(polynomial, rows, rows, x, cols, false);
    }
    return scale * x;
  }
};
inline const std::vector<newton_schulz::coefficients> muon_steps(5, {3.4445, -4.7750, 2.0315});

inline update orthogonalized(newton_schulz iteration) {
  return [=](const history& u) { return iteration(u.back()); };
}

// ---- what becomes of the parameters ---------------------------------------------------------------

using rate = std::function<double(long)>;

inline rate warmed_up(thalweg::options o) {
  return [=](long t) {
    return t < o.warmup_steps ? o.lr * static_cast<double>(t) / static_cast<double>(o.warmup_steps) : o.lr;
  };
}

struct outcome {
  history y, x;  // one vector a parameter
};

/// λ joins the update at y or z, or the gradient, or shrinks the parameter.
enum class decay { decoupled, into_the_gradient };

/// θ after the steps.
inline vector descend(vector theta, const history& gradients, const update& u, double weight_decay, rate lr,
                      decay how = decay::decoupled) {
  history seen;
  for (const auto& g : gradients) {
    const double eta = lr(static_cast<long>(seen.size()) + 1);
    seen.push_back(how == decay::into_the_gradient ? g + weight_decay * theta : g);
    const vector step = u(seen);
    const double keep = how == decay::decoupled ? 1 - eta * weight_decay : 1;
    theta = keep * theta - eta * step;
  }
  return theta;
}

/// θ after the steps, each of which is step(θ, history, lr).
template <class Step>
vector walk(vector theta, const history& gradients, rate lr, Step step) {
  for (std::size_t t = 1; t <= gradients.size(); ++t)
    theta = step(theta, until(gradients, t), lr(static_cast<long>(t)));
  return theta;
}

/// β_t from the weights of steps 1 … t.
using interpolation = std::function<double(const vector& weights)>;

inline interpolation constant(double beta) {
  return [=](const vector&) { return beta; };
}
inline interpolation amuse(double beta1, double rho, long warmup_steps) {
  return [=](const vector& weights) {
    const auto share = [&](std::size_t t) {  // c_t
      return weights[t - 1] / std::accumulate(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(t), 0.0);
    };
    const auto t = weights.size(), t0 = static_cast<std::size_t>(warmup_steps);
    if (t <= t0) return beta1;
    const double s = share(t) * (1 - share(t0)) / (share(t0) * (1 - share(t)));
    return 1 - std::pow(std::min(1.0, s), rho) * (1 - beta1);
  };
}

struct point { vector y, x; };

inline point schedule_free(const vector& start, const history& gradients, const update& u, const thalweg::options& o,
                           rate lr, const interpolation& beta, thalweg::decay_point decay, rate weighing = {}) {
  history seen, zs;
  vector weights, x = start, y = start, z = start;
  for (const auto& g : gradients) {
    seen.push_back(g);
    const double t = static_cast<double>(seen.size()), eta = lr(static_cast<long>(seen.size()));
    z = z - eta * (u(seen) + o.weight_decay * (decay == thalweg::decay_point::z ? z : y));
    zs.push_back(z);
    const double heavy = weighing ? weighing(static_cast<long>(seen.size())) : eta;
    weights.push_back(std::pow(t, o.r) * std::pow(heavy, o.weight_lr_power));
    x = vector(z.size(), 0.0);  // the mean of all z, weighted
    for (std::size_t s = 0; s < zs.size(); ++s) x = x + weights[s] * zs[s];
    x = (1 / std::accumulate(weights.begin(), weights.end(), 0.0)) * x;
    const double b = beta(weights);
    y = (1 - b) * z + b * x;
  }
  return {y, x};
}

}  // namespace oracle
