// Chains and routes of the four kinds of transform, against an interpreter without stages, paths or registers: it runs one
// transform at a time, over all parameters, in plain loops.
#include <thalweg/core/optimizer.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "model.hpp"

using namespace thalweg;
using test::model;

namespace {

// Each depends on its place: none commutes with another.

struct contextual_op {  // lr ← lr/2 + count/100
  using states = state<scalar<"count">>;
  constexpr auto at(context c, double count) const {
    c.lr = 0.5 * c.lr + 0.01 * count;
    return next(c, count + 1);
  }
};
struct elementwise_op {  // m ← m/2 + u + g/8, update u + lr·m + θ/16
  using states = state<copy_of_param<"m">>;
  constexpr auto at(const context& c) const {
    return [lr = c.lr]<class T>(element<T> e, T m) {
      m = 0.5 * m + e.update + 0.125 * e.gradient;
      return next(e.update + T(lr) * m + 0.0625 * e.parameter, m);
    };
  }
};
struct tensorwise_op {  // s ← s + u, update (u reversed) · (1 + lr) + s/4
  using states = state<zeros<"s">>;
  template <class T>
  void apply(const context& c, tensor<T> update, tensor<T> s) const noexcept {
    std::reverse(update.data, update.data + update.size());
    for (std::size_t i = 0; i < update.size(); ++i) {
      s.data[i] += update.data[i];
      update.data[i] = update.data[i] * T(1 + c.lr) + T(0.25) * s.data[i];
    }
  }
};
struct modelwise_op {  // S = Σ u·lr + g/4, a ← a/2 + S/64, update u/2 + a
  using states = state<zeros<"a">>;
  constexpr auto reduce(const context& c) const {
    return [lr = c.lr]<class T>(element<T> e) { return T(lr) * e.update + 0.25 * e.gradient; };
  }
  constexpr auto at(const context&, double sum) const noexcept {
    return [sum]<class T>(element<T> e, T a) {
      a = 0.5 * a + T(sum / 64);
      return next(0.5 * e.update + a, a);
    };
  }
};

struct is_first {
  bool operator()(const parameter_info& p) const { return p.shape.size() >= 2; }
};

// ---- the interpreter ------------------------------------------------------------------------------

enum class op { contextual, elementwise, tensorwise, modelwise };
constexpr op op_of(contextual_op) { return op::contextual; }
constexpr op op_of(elementwise_op) { return op::elementwise; }
constexpr op op_of(tensorwise_op) { return op::tensorwise; }
constexpr op op_of(modelwise_op) { return op::modelwise; }

struct interpreter {
  // A position of the program: what stands there, and whether only the first or the second branch passes it.
  struct line {
    op what;
    int branch = -1;
  };
  std::vector<line> program;
  model<double> data;
  double lr;
  long step = 0;
  std::vector<std::vector<std::vector<double>>> states{};  // by line, by parameter
  std::vector<std::array<double, 2>> counts{};             // by line, by branch

  [[nodiscard]] int branch_of(std::size_t parameter) const {
    return data.layers[parameter].shape.size() >= 2 ? 0 : 1;
  }

  void run() {
    data.differentiate(++step);
    auto updates = data.gradients;
    std::array<double, 2> rates{lr, lr};
    if (states.empty()) {
      for (const line& l : program) {
        states.push_back(data.values);
        if (l.what != op::elementwise)
          for (auto& s : states.back()) std::ranges::fill(s, 0.0);
      }
      counts.resize(program.size());
    }
    for (std::size_t n = 0; n < program.size(); ++n) {
      const auto passes = [&](int branch) { return program[n].branch < 0 || program[n].branch == branch; };
      if (program[n].what == op::contextual) {
        for (const int b : {0, 1})
          if (passes(b)) rates[b] = 0.5 * rates[b] + 0.01 * counts[n][b]++;
        continue;
      }
      double sum = 0;
      for (const bool measuring : {true, false})
        for (std::size_t i = 0; i < updates.size(); ++i) {
          const int b = branch_of(i);
          if (!passes(b)) continue;
          auto &u = updates[i], &s = states[n][i];
          const auto &g = data.gradients[i], &p = data.values[i];
          if (measuring) {
            for (std::size_t j = 0; j < u.size(); ++j) sum += rates[b] * u[j] + 0.25 * g[j];
            continue;
          }
          if (program[n].what == op::tensorwise) std::ranges::reverse(u);
          for (std::size_t j = 0; j < u.size(); ++j)
            if (program[n].what == op::elementwise) {
              s[j] = 0.5 * s[j] + u[j] + 0.125 * g[j];
              u[j] += rates[b] * s[j] + 0.0625 * p[j];
            } else if (program[n].what == op::tensorwise) {
              s[j] += u[j];
              u[j] = u[j] * (1 + rates[b]) + 0.25 * s[j];
            } else {
              s[j] = 0.5 * s[j] + sum / 64;
              u[j] = 0.5 * u[j] + s[j];
            }
        }
    }
    for (std::size_t i = 0; i < updates.size(); ++i)
      for (std::size_t j = 0; j < updates[i].size(); ++j) {
        double& p = data.values[i][j];
        const double rate = rates[branch_of(i)];
        p = (1 - rate * 0.1) * p - rate * updates[i][j];
      }
  }
};

// Lengths that fill registers, do not, and are shorter than one.
model<double> small() {
  return model<double>({{"w", {3, 11}}, {"b", {16}}, {"v", {2, 2, 2}}, {"c", {1}}, {"d", {5}}});
}

using program = std::vector<interpreter::line>;
options hyper() { return {.lr = 0.25, .weight_decay = 0.1}; }

void check_against(const program& lines, const std::vector<std::vector<double>>& received) {
  std::string text;
  for (const auto& l : lines)
    text += "CETM"[static_cast<int>(l.what)] + (l.branch < 0 ? std::string() : std::to_string(l.branch));
  CAPTURE(text);
  interpreter expected{lines, small(), hyper().lr};
  for (int t = 0; t < 3; ++t) expected.run();
  CHECK(test::distance(received, expected.data.values) < 1e-10);
  CHECK(test::distance(received, small().values) > 1e-3);
}

template <class Given>
void compare(const Given& given, const program& lines) {
  model<double> m = small();
  auto opt = optimizer(given, m.parameters(), hyper());
  m.train(opt, 1, 3);
  check_against(lines, m.values);
}

program operator+(program a, const program& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
template <class... Ts>
program passed_by(int branch, Ts... ts) {
  return {interpreter::line{op_of(ts), branch}...};
}

constexpr contextual_op C;
constexpr elementwise_op E;
constexpr tensorwise_op T;
constexpr modelwise_op M;

}  // namespace

TEST_CASE("one transform of each kind") {
  compare(C, passed_by(-1, C));
  compare(E, passed_by(-1, E));
  compare(T, passed_by(-1, T));
  compare(M, passed_by(-1, M));
}

// A de Bruijn sequence: every two kinds stand behind each other once.
TEST_CASE("a long chain runs as its transforms do one by one, fused and unfused") {
  const auto every_pair = chain(C, C, E, C, T, C, M, E, E, T, E, M, T, T, M, M, C);
  const auto lines = passed_by(-1, C, C, E, C, T, C, M, E, E, T, E, M, T, T, M, M, C);
  compare(every_pair, lines);
  compare(unfused(every_pair), lines);
}

TEST_CASE("chains that begin and end with a barrier") {
  compare(chain(T, M), passed_by(-1, T, M));
  compare(chain(M, T), passed_by(-1, M, T));
  compare(chain(M, E, M), passed_by(-1, M, E, M));
}

// route(when(first, a), otherwise(b)) between something before and something behind it.
template <class Before, class A, class B, class Behind>
void compare_branches(Before before, A a, B b, Behind behind) {
  compare(before | route(when(is_first(), a), otherwise(b)) | behind,
          passed_by(-1, before) + passed_by(0, a) + passed_by(1, b) + passed_by(-1, behind));
}

TEST_CASE("branches run as their transforms do one by one, each on its own parameters") {
  compare_branches(E, C, E, M);
  compare_branches(E, M, T, M);  // one model-wise of a branch, then one that waits for both branches
  compare_branches(M, T, M, E);
  compare_branches(T, M, M, T);  // two of their own
  compare_branches(C, E, M, C);
}

TEST_CASE("unfused, branches run the same way") {
  compare(unfused(M | route(when(is_first(), T | M), otherwise(E)) | M),
          passed_by(-1, M) + passed_by(0, T, M) + passed_by(1, E) + passed_by(-1, M));
}

TEST_CASE("a chain of no transform steps by the gradient") {
  model<double> m = small();
  auto opt = optimizer(chain(), m.parameters(), hyper());
  const auto before = m.values;
  m.train(opt, 1, 1);
  for (std::size_t i = 0; i < before.size(); ++i)
    for (std::size_t j = 0; j < before[i].size(); ++j)
      CHECK(m.values[i][j] == doctest::Approx((1 - 0.025) * before[i][j] - 0.25 * m.gradients[i][j]));
}
