// Learning rates that are learned: transforms whose sums read their states, and whose scalars their sums make. Beside oracles that
// keep every step, and where gradients are missing, state is of 16 or 8 bits, or a training is resumed.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/text.hpp>

#include "../core/model.hpp"

using namespace thalweg;
using test::model;
using test::same_bits;

namespace {

using vector = std::vector<double>;

double dot(const vector& a, const vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
double norm(const vector& a) { return std::sqrt(dot(a, a)); }
vector operator-(vector a, const vector& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}

/// A bowl, whose lowest point lies about 10 from where training begins.
double curvature(std::size_t i) { return 0.1 + 0.05 * static_cast<double>(i); }
double lowest(std::size_t i) { return i % 2 ? 2.5 : -2.5; }
vector gradient(const vector& theta) {
  vector g;
  for (std::size_t i = 0; i < theta.size(); ++i) g.push_back(curvature(i) * (theta[i] - lowest(i)));
  return g;
}
double loss(const vector& theta) {
  double sum = 0;
  for (std::size_t i = 0; i < theta.size(); ++i) sum += curvature(i) * (theta[i] - lowest(i)) * (theta[i] - lowest(i)) / 2;
  return sum;
}

/// All steps so far: where they were taken, their gradients, losses and learning rates.
struct history {
  std::vector<vector> theta, g;
  vector loss, lr;
  [[nodiscard]] std::size_t steps() const { return g.size(); }
};
/// What a method makes of its newest θ. `known`: numbers that it learns, one list a step.
using method = std::function<vector(const history&, std::vector<vector>& known, double decay)>;

const std::vector<test::layer> bowl{{"a", {5}}, {"b", {3, 4}}};
constexpr double decay = 0.01;
constexpr long steps = 12;

template <class T>
vector together(const model<T>& m) {
  vector all;
  for (const auto& values : m.values) all.insert(all.end(), values.begin(), values.end());
  return all;
}
template <class T>
void differentiate(model<T>& m) {
  const vector g = gradient(together(m));
  auto next = g.begin();
  for (auto& one : m.gradients)
    for (T& x : one) x = static_cast<T>(*next++);
}

/// The chain beside the method, from the same point; lr falls by hand.
template <class T>
void agrees(const std::string& chain, const method& by, double lr, double within) {
  CAPTURE(chain);
  model<T> m(bowl);
  optimizer<T> opt(chain, m.parameters(), {.lr = lr, .weight_decay = decay});
  history h;
  std::vector<vector> known;
  vector theta = together(m);
  const vector begin = theta;
  for (long t = 1; t <= steps; ++t) {
    const double now = t > 8 ? lr / 2 : lr;
    opt.lr(now);
    differentiate(m);
    h.theta.push_back(theta);
    h.g.push_back(gradient(theta));
    h.loss.push_back(loss(theta));
    h.lr.push_back(now);
    opt.step(m.gradients, {.loss = loss(together(m))});
    theta = by(h, known, decay);
    CAPTURE(t);
    CHECK(norm(together(m) - theta) <= within * norm(begin - theta));
  }
  CHECK(norm(begin - theta) > 0.01);
}
void agrees(const std::string& chain, const method& by, double lr) {
  agrees<double>(chain, by, lr, 1e-11);
  agrees<float>(chain, by, lr, 2e-4);
}

method dog(double initial, double epsilon) {
  return [=](const history& h, std::vector<vector>&, double decay) {
    double farthest = initial * (1 + norm(h.theta[0])), squares = 0;
    for (const vector& theta : h.theta) farthest = std::max(farthest, norm(theta - h.theta[0]));
    for (const vector& g : h.g) squares += dot(g, g);
    vector theta = h.theta.back();
    for (std::size_t i = 0; i < theta.size(); ++i)
      theta[i] -= h.lr.back() * (farthest / std::sqrt(squares + epsilon) * h.g.back()[i] + decay * theta[i]);
    return theta;
  };
}

// L-DoG: DoG on each of the two parameters.
method layer_dog(double initial, double epsilon) {
  return [=](const history& h, std::vector<vector>& known, double decay) {
    vector all;
    for (const auto& [first, last] : {std::pair<std::ptrdiff_t, std::ptrdiff_t>{0, 5}, {5, 17}}) {
      history part{.theta = {}, .g = {}, .loss = h.loss, .lr = h.lr};
      for (const vector& v : h.theta) part.theta.emplace_back(v.begin() + first, v.begin() + last);
      for (const vector& v : h.g) part.g.emplace_back(v.begin() + first, v.begin() + last);
      const vector theta = dog(initial, epsilon)(part, known, decay);
      all.insert(all.end(), theta.begin(), theta.end());
    }
    return all;
  };
}

struct prodigy {
  double initial, coefficient = 1, growth = HUGE_VAL;
  bool corrects = false, by_distance = false;
  double beta1 = 0.9, beta2 = 0.99, epsilon = 1e-8;

  // known: d of each step, and the largest estimate
  vector operator()(const history& h, std::vector<vector>& known, double decay) const {
    if (known.empty()) known = {{initial}, {initial}};
    vector &d = known[0], &largest = known[1];
    const std::size_t t = h.steps(), n = h.g[0].size();
    const double beta3 = std::sqrt(beta2);
    const auto rate = [&](std::size_t s) {  // of step s, from 1
      const double k = static_cast<double>(s);
      return d[s - 1] * h.lr[s - 1] * (corrects ? std::sqrt(1 - std::pow(beta2, k)) / (1 - std::pow(beta1, k)) : 1);
    };
    vector first(n), second(n), sum(n);
    double product = 0, magnitude = 0;
    for (std::size_t s = 1; s <= t; ++s) {
      const double age = static_cast<double>(t - s), ratio = d[s - 1] / initial;
      for (std::size_t i = 0; i < n; ++i) {
        const double scaled = d[s - 1] * h.g[s - 1][i];
        first[i] += (1 - beta1) * std::pow(beta1, age) * scaled;
        second[i] += (1 - beta2) * std::pow(beta2, age) * scaled * scaled;
        sum[i] += std::pow(beta3, age) * ratio * (by_distance ? d[s - 1] : rate(s)) * h.g[s - 1][i];
      }
      product += std::pow(beta3, age) * ratio * rate(s) * dot(h.g[s - 1], h.theta[0] - h.theta[s - 1]);
    }
    for (const double s : sum) magnitude += std::abs(s);
    const double estimate = coefficient * product / magnitude;
    const double from = d.back() == initial ? std::max(d.back(), estimate) : d.back();
    largest.push_back(std::max(largest.back(), estimate));
    d.push_back(std::min(largest.back(), from * growth));
    vector theta = h.theta.back();
    for (std::size_t i = 0; i < n; ++i)
      theta[i] -= rate(t) * (first[i] / (std::sqrt(second[i]) + d.back() * epsilon) + decay * theta[i]);
    return theta;
  }
};

/// What each step weighs in an average; from the first value, or from zero.
vector weights(std::size_t t, double beta, bool from_first) {
  vector w;
  for (std::size_t s = 1; s <= t; ++s)
    w.push_back(std::pow(beta, static_cast<double>(t - s)) * (from_first && s == 1 ? 1 : 1 - beta));
  return w;
}
double total(const vector& w) {
  double sum = 0;
  for (const double x : w) sum += x;
  return sum;
}

method momo(double beta, double minimum) {
  return [=](const history& h, std::vector<vector>&, double decay) {
    const vector w = weights(h.steps(), beta, true);
    const double lr = h.lr.back(), shrinks = 1 + lr * decay;
    vector m(h.g[0].size()), theta = h.theta.back();
    double model_of_loss = 0;  // Σ w·(loss + ⟨g, θ - θ_s⟩), whose first part shrinks by the decay
    for (std::size_t s = 0; s < w.size(); ++s) {
      for (std::size_t i = 0; i < m.size(); ++i) m[i] += w[s] * h.g[s][i];
      model_of_loss += w[s] * (shrinks * (h.loss[s] - dot(h.g[s], h.theta[s]) - minimum) + dot(h.g[s], theta));
    }
    const double tau = std::min(lr, std::max(model_of_loss, 0.0) / dot(m, m));
    for (std::size_t i = 0; i < m.size(); ++i) theta[i] = (theta[i] - tau * m[i]) / shrinks;
    return theta;
  };
}

method momo_adam(double beta1, double beta2, double epsilon, double minimum) {
  return [=](const history& h, std::vector<vector>&, double decay) {
    const vector w = weights(h.steps(), beta1, false), of_squares = weights(h.steps(), beta2, false);
    const double lr = h.lr.back(), shrinks = 1 + lr * decay, rho = total(w);
    vector m(h.g[0].size()), scale(m.size()), theta = h.theta.back();
    double model_of_loss = 0, squares = 0;
    for (std::size_t s = 0; s < w.size(); ++s) {
      for (std::size_t i = 0; i < m.size(); ++i) {
        m[i] += w[s] * h.g[s][i];
        scale[i] += of_squares[s] * h.g[s][i] * h.g[s][i];
      }
      model_of_loss += w[s] * (shrinks * (h.loss[s] - dot(h.g[s], h.theta[s]) - minimum) + dot(h.g[s], theta));
    }
    for (double& x : scale) x = std::sqrt(x / total(of_squares)) + epsilon;
    for (std::size_t i = 0; i < m.size(); ++i) squares += m[i] * m[i] / scale[i];
    const double tau = std::min(lr / rho, std::max(model_of_loss, 0.0) / squares);
    for (std::size_t i = 0; i < m.size(); ++i) theta[i] = (theta[i] - tau * m[i] / scale[i]) / shrinks;
    return theta;
  };
}

// Around the gradient itself. known: the six scales, then what each has seen.
method mechanic(double initial, double of_decay, double epsilon) {
  return [=](const history& h, std::vector<vector>& known, double decay) {
    if (known.empty()) known = {vector(6, initial), vector(6), vector(6), vector(6)};
    vector &scale = known[0], &largest = known[1], &squares = known[2], &reward = known[3];
    const vector &g = h.g.back(), &theta = h.theta.back();
    vector way(g.size()), next(g.size());
    const auto add = [&](std::size_t s) {
      for (std::size_t i = 0; i < g.size(); ++i) way[i] += h.lr[s] * (h.g[s][i] + decay * h.theta[s][i]);
    };
    for (std::size_t s = 0; s + 1 < h.steps(); ++s) add(s);
    const double gain = dot(g, way) + of_decay * total(scale) * norm(g) / (norm(theta) + epsilon) * dot(theta, way);
    for (std::size_t k = 0; k < 6; ++k) {
      const double beta = 1 - std::pow(0.1, static_cast<double>(k + 1)), held = std::clamp(gain, -largest[k], largest[k]);
      largest[k] = std::max(beta * largest[k], std::abs(gain) + epsilon);
      squares[k] = beta * beta * squares[k] + gain * gain;
      reward[k] = beta * reward[k] + held * scale[k];
      scale[k] = (initial / 6 * largest[k] + std::max(0.0, reward[k])) / (std::sqrt(squares[k]) + epsilon);
    }
    add(h.steps() - 1);
    for (std::size_t i = 0; i < g.size(); ++i) next[i] = h.theta[0][i] - total(scale) * way[i];
    return next;
  };
}

// Around the gradient itself. known: α of each step.
method polyak_average(double first, std::optional<double> anneal, double last, double share) {
  return [=](const history& h, std::vector<vector>& known, double decay) {
    if (known.empty()) known = {{}};
    vector& alpha = known[0];
    const std::size_t t = h.steps(), n = h.g[0].size();
    const double p = anneal ? std::min(1.0, static_cast<double>(t) / *anneal) : 0;
    const double beta = 1 - std::pow(1 - first, 1 - p) * std::pow(1 - last, p);
    const auto z = [&](std::size_t steps) {
      vector at = h.theta[0];
      for (std::size_t s = 0; s < steps; ++s)
        for (std::size_t i = 0; i < n; ++i) at[i] -= alpha[s] * (h.g[s][i] + alpha[s] * decay * h.theta[s][i]);
      return at;
    };
    const auto x = [&](std::size_t steps) {
      if (steps == 0) return h.theta[0];
      vector sum(n);
      double all = 0;
      for (std::size_t s = 0; s < steps; ++s) {
        const vector at = z(s + 1);
        const double w = h.lr[s] * h.lr[s];
        for (std::size_t i = 0; i < n; ++i) sum[i] += w * at[i];
        all += w;
      }
      for (double& one : sum) one /= all;
      return sum;
    };
    const vector w = weights(t, share, false);
    double magnitude = 0;
    for (std::size_t s = 0; s < t; ++s)
      for (const double g : h.g[s]) magnitude += w[s] / total(w) * std::abs(g) * std::sqrt(std::acos(-1.0) / 2);
    const double above = h.loss.back() + beta * dot(h.g.back(), z(t - 1) - x(t - 1));
    alpha.push_back(h.lr.back() * std::max(0.0, above) / magnitude);
    vector y = z(t);
    const vector average = x(t);
    for (std::size_t i = 0; i < n; ++i) y[i] = (1 - beta) * y[i] + beta * average[i];
    return y;
  };
}

const std::vector<std::string> learners{
    "scale_by_dog(initial=0.01) | apply_update", "scale_by_prodigy(initial=0.01, beta2=0.99) | apply_update",
    "scale_by_momo | apply_update", "scale_by_momo_adam | apply_update", "scale_by_adam | update_by_mechanic(initial=0.01)",
    "scale_by_adam | update_by_schedule_free_polyak(steps=5, norm_beta=0.5)",
    "clip_by_global_norm | scale_by_prodigy(initial=0.01) | update_by_schedule_free"};

/// The scalars that describe() tells, of all routes.
std::vector<std::string> scalars_of(const std::string& table, const std::string& name) {
  std::vector<std::string> all;
  for (std::size_t at = table.find(name + "="); at != std::string::npos; at = table.find(name + "=", at + 1))
    if (at == 0 || table[at - 1] != '_') all.push_back(table.substr(at, table.find_first_of(", \n", at) - at));
  return all;
}

}  // namespace

TEST_CASE("scale_by_dog and scale_by_layer_dog, beside DoG and L-DoG") {
  agrees("scale_by_dog(initial=0.01) | apply_update", dog(0.01, 1e-8), 1);
  agrees("scale_by_dog(initial=0.5, epsilon=0.25) | apply_update", dog(0.5, 0.25), 2);
  agrees("scale_by_layer_dog(initial=0.01) | apply_update", layer_dog(0.01, 1e-8), 1);
}

TEST_CASE("scale_by_prodigy, beside Prodigy") {
  agrees("scale_by_prodigy(initial=0.01, beta2=0.99) | apply_update", prodigy{.initial = 0.01}, 1);
  agrees("scale_by_prodigy(initial=0.1, beta2=0.99, coefficient=2, growth=1.02) | apply_update",
         prodigy{.initial = 0.1, .coefficient = 2, .growth = 1.02}, 1);
  agrees("scale_by_prodigy(initial=0.01, beta2=0.99, bias=corrected) | apply_update", prodigy{.initial = 0.01, .corrects = true}, 1);
  agrees("scale_by_prodigy(initial=0.01, beta2=0.99, weight=distance) | apply_update",
         prodigy{.initial = 0.01, .by_distance = true}, 0.5);
  agrees("scale_by_prodigy(initial=0.01, beta1=0.8, beta2=0.9, epsilon=0.01) | apply_update",
         prodigy{.initial = 0.01, .beta1 = 0.8, .beta2 = 0.9, .epsilon = 0.01}, 1);
}

TEST_CASE("Prodigy finds how far it is, from a millionth") {
  model<float> m({{"w", {100}}});
  std::ranges::fill(m.values[0], 0.0f);
  optimizer<float> opt("prodigy", m.parameters(), {.lr = 1});
  for (int t = 0; t < 2000; ++t) {
    for (std::size_t i = 0; i < 100; ++i) m.gradients[0][i] = m.values[0][i] - (i % 2 ? 3.0f : -3.0f);
    opt.step(m.gradients);
  }
  for (std::size_t i = 0; i < 100; ++i) CHECK(std::abs(m.values[0][i] - (i % 2 ? 3.0f : -3.0f)) < 0.3f);
}

TEST_CASE("Prodigy learns nothing of a parameter whose lr is 0") {
  model<float> m({{"w", {40}}}), beside({{"fixed", {30}}, {"w", {40}}});
  beside.values[1] = m.values[0];
  auto with_fixed = beside.parameters();
  with_fixed[0].lr_factor = 0;
  optimizer<float> opt("scale_by_prodigy(initial=0.01) | apply_update", m.parameters(), {.lr = 1}), of_both("scale_by_prodigy(initial=0.01) | apply_update", with_fixed, {.lr = 1});
  const auto fixed = beside.values[0];
  for (int t = 0; t < 30; ++t) {
    for (std::size_t i = 0; i < 40; ++i) m.gradients[0][i] = m.values[0][i] - (t < 15 ? 3.0f : -1.0f);
    std::ranges::fill(beside.gradients[0], 5.0f);
    beside.gradients[1] = m.gradients[0];
    opt.step(m.gradients);
    of_both.step(beside.gradients);
    CHECK(beside.values[1] == m.values[0]);
  }
  CHECK(beside.values[0] == fixed);
}

TEST_CASE("Prodigy's d does not change without gradients, and keeps the first d beside which moments are stored") {
  model<float> m({{"w", {8}}}), same({{"w", {8}}});
  same.values = m.values;
  const std::string chain = "scale_by_prodigy(initial=0.01, growth=1.02) | apply_update";
  optimizer<float> opt(chain, m.parameters(), {.lr = 1}), other(chain, same.parameters(), {.lr = 1});
  for (int t = 0; t < 20; ++t) {
    if (t == 10) opt.set("scale_by_prodigy.initial", 0.5);
    const bool has_gradients = t % 3 != 2;
    for (std::size_t i = 0; i < 8; ++i) m.gradients[0][i] = has_gradients ? m.values[0][i] - 3.0f : 0.0f;
    opt.step(m.gradients);
    other.step(m.gradients);
    CHECK(m.values == same.values);
  }
  model<float> still({{"w", {8}}});
  optimizer<float> at_zero(chain, still.parameters(), {.lr = 0});
  const auto scalars = [](const std::string& bytes) { return bytes.substr(bytes.find("distance"), 40); };
  const std::string before = scalars(at_zero.to_bytes());
  for (int t = 0; t < 60; ++t) at_zero.step(m.gradients);
  CHECK(scalars(at_zero.to_bytes()) == before);
}

TEST_CASE("Mechanic's displacement is a weight: it keeps the parameter's precision whatever the state has") {
  model<float> m({{"w", {50}}}), small({{"w", {50}}});
  small.values = m.values;
  optimizer<float> opt("update_by_mechanic", m.parameters(), {.lr = 1});
  optimizer<float> of_small("update_by_mechanic", small.parameters(), {.lr = 1, .state = state_in::bfloat16});
  for (int t = 0; t < 20; ++t) {
    for (std::size_t i = 0; i < 50; ++i) m.gradients[0][i] = m.values[0][i] - 3.0f;
    opt.step(m.gradients);
    of_small.step(m.gradients);
    CHECK(m.values == small.values);
  }
}

TEST_CASE("scale_by_momo and scale_by_momo_adam, beside MoMo and MoMo-Adam") {
  agrees("scale_by_momo | apply_update", momo(0.9, 0), 1);
  agrees("scale_by_momo(beta=0.5, minimum=1) | apply_update", momo(0.5, 1), 100);
  agrees("scale_by_momo(beta=0, minimum=-3) | apply_update", momo(0, -3), 100);
  agrees("scale_by_momo_adam(beta2=0.99) | apply_update", momo_adam(0.9, 0.99, 1e-8, 0), 1e-2);
  agrees("scale_by_momo_adam(beta1=0.5, beta2=0.9, epsilon=0.1, minimum=1) | apply_update", momo_adam(0.5, 0.9, 0.1, 1), 100);
}

TEST_CASE("update_by_mechanic, beside Mechanic") {
  agrees("update_by_mechanic(initial=0.01)", mechanic(0.01, 0.01, 1e-8), 1);
  agrees("update_by_mechanic(initial=0.001, decay=0, epsilon=0.001)", mechanic(0.001, 0, 0.001), 0.1);
}

TEST_CASE("update_by_schedule_free_polyak, beside Schedule-Free with Polyak's step") {
  agrees("update_by_schedule_free_polyak", polyak_average(0.9, {}, 0.965, 0), 1);
  agrees("update_by_schedule_free_polyak(beta=0.5, steps=8, last_beta=0.8, norm_beta=0.75)", polyak_average(0.5, 8, 0.8, 0.75), 0.5);
}

TEST_CASE("any number of threads learns the same, bit for bit") {
  for (const std::string& chain : learners) {
    CAPTURE(chain);
    std::optional<std::vector<std::vector<float>>> alone;
    for (const std::size_t workers : {1u, 2u, 5u}) {
      options o{.lr = 0.5, .weight_decay = decay};
      o.parallel = workers == 1 ? sequential() : threads(workers);
      model<float> m(test::varied_layers());
      optimizer<float> opt(chain, m.parameters(), o);
      for (long t = 1; t <= 3; ++t) {
        m.differentiate(t);
        opt.step(m.gradients, {.loss = 1.0 / static_cast<double>(t)});
      }
      if (!alone) alone = m.values;
      CHECK(same_bits(m.values, *alone));
    }
  }
}

TEST_CASE("what is learned is the model's: the parameters that stand still learn it too, and it is resumed") {
  for (const std::string& chain : learners) {
    CAPTURE(chain);
    model<float> m({{"a", {4, 6}}, {"b", {4, 6}}, {.name = "c", .shape = {3}, .lr_factor = 0.5}});
    const options o{.lr = 1};
    optimizer<float> opt(chain, m.parameters(), o);
    for (long t = 1; t <= 9; ++t) {
      m.differentiate(t);
      const auto given = [&] { return std::vector<std::span<const float>>{m.gradients[0], t % 3 == 1 ? std::span<const float>(m.gradients[1]) : std::span<const float>(), m.gradients[2]}; };
      const auto still = m.values[1];
      opt.step(given(), {.loss = 1.0 / static_cast<double>(t)});
      if (t % 3 != 1) CHECK(same_bits(m.values[1], still));
      const std::string table = opt.describe();
      for (const char* name : {"distance", "squares", "product", "loss", "share", "scale1", "reward6"}) {
        const auto all = scalars_of(table, name);
        for (const std::string& one : all) CHECK(one == all.front());
        if (!all.empty()) CHECK(all.size() >= 2);
      }
      if (t % 2) continue;
      const std::string saved = opt.to_bytes();
      optimizer<float> resumed(chain, m.parameters(), o);
      resumed.load_bytes(saved);
      CHECK(resumed.to_bytes() == saved);
      const auto before = m.values;
      opt.step(given(), {.loss = 1});
      const auto after = m.values;
      m.values = before;
      resumed.step(given(), {.loss = 1});
      CHECK(same_bits(m.values, after));
    }
  }
}

TEST_CASE("a parameter that is added to a training has what the training has learned") {
  const std::string chain = "scale_by_dog(initial=0.01) | apply_update";
  model<float> small({{"b", {7}}}), large({{"a", {7}}, {"b", {7}}});
  optimizer<float> opt(chain, small.parameters(), {.lr = 1});
  small.train(opt, 1, 5);
  large.values[1] = small.values[0];
  optimizer<float> more(chain, large.parameters(), {.lr = 1});
  more.load_bytes(opt.to_bytes(), {.parameters = parameter_match::partial});
  const auto learned = scalars_of(opt.describe(), "distance");
  REQUIRE(learned.size() == 1);
  const auto all = scalars_of(more.describe(), "distance");
  REQUIRE(!all.empty());
  for (const std::string& one : all) CHECK(one == learned.front());
}

TEST_CASE("a route's branch learns of its own parameters alone") {
  model<float> both({{"a", {3, 5}}, {"b", {4}}}), alone({{"a", {3, 5}}});
  const std::string dog = "scale_by_dog(initial=0.01)";
  optimizer<float> opt("route(when(hidden_matrix, " + dog + "), otherwise(" + dog + ")) | apply_update", both.parameters(), {.lr = 1});
  optimizer<float> of_a(dog + " | apply_update", alone.parameters(), {.lr = 1});
  both.train(opt, 1, 5);
  alone.train(of_a, 1, 5);
  CHECK(same_bits(both.values[0], alone.values[0]));
}

TEST_CASE("state of 16 and 8 bits: the sums read what it holds") {
  for (const state_in in : {state_in::same, state_in::bfloat16, state_in::eight_bits}) {
    CAPTURE(to_text(in));
    std::vector<float> w(1000, 1.0f);
    const std::vector<float> g(1000, 0.5f);
    optimizer<float> opt("scale_by_prodigy(initial=0.125, beta1=0, beta2=0.25) | apply_update",
                         {{.name = "w", .shape = {1000}, .data = w.data()}}, {.lr = 2, .state = in});
    opt.step({g});
    opt.step({g});
    // η = ¼, s = ⅛, which each type holds; θ moves by ¼·½/√(¾·¼). Then r = ¼·½·moved and s = ½·⅛ + ⅛, each a thousand times.
    const double moved = 0.25 * 0.5 / std::sqrt(0.75 * 0.25);
    const auto distance = scalars_of(opt.describe(), "scale_by_prodigy.distance");
    REQUIRE(distance.size() == 1);
    CHECK(std::stod(distance[0].substr(distance[0].find('=') + 1)) == doctest::Approx(0.125 * moved / (3.0 / 16)).epsilon(1e-5));
  }
  for (const std::string& chain : learners) {
    CAPTURE(chain);
    const auto distance_to_float32 = [&](state_in in) {
      model<float> exact(test::varied_layers()), less(test::varied_layers());
      optimizer<float> a(chain, exact.parameters(), {.lr = 0.1}), b(chain, less.parameters(), {.lr = 0.1, .state = in});
      for (long t = 1; t <= 4; ++t) {
        exact.differentiate(t);
        less.differentiate(t);
        a.step(exact.gradients, {.loss = 1});
        b.step(less.gradients, {.loss = 1});
      }
      return test::distance(exact.values, less.values);
    };
    CHECK(distance_to_float32(state_in::bfloat16) < 0.02);
    CHECK(distance_to_float32(state_in::eight_bits) < 0.3);
  }
}

TEST_CASE("a bad gradient shows, and spoils no later step") {
  for (const std::string& chain : learners) {
    CAPTURE(chain);
    model<float> m({{"a", {5}}, {"b", {3}}});
    optimizer<float> opt(chain, m.parameters(), {.lr = 1});
    for (long t = 1; t <= 4; ++t) {
      m.differentiate(t);
      if (t == 2) m.gradients[0][1] = NAN;
      opt.step(m.gradients, {.loss = 1});
    }
    CHECK(std::isnan(m.values[0][1]));
    m.values[0] = {1, 2, 3, 4, 5};
    m.values[1] = {1, 2, 3};
    for (const char* name : {"distance", "largest", "squares", "product", "loss", "share", "scale1", "reward6"})
      for (const std::string& one : scalars_of(opt.describe(), name)) {
        CAPTURE(one);
        CHECK(std::isfinite(std::stod(one.substr(one.find('=') + 1))));
      }
  }
}
