// Transforms of the user's own: in the global namespace, in one of theirs, of every kind, with every sort of
// state.
#include <thalweg/adaptors/eigen.hpp>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "model.hpp"

// As a user writes it: in the global namespace, next to the C library's own pow, sqrt and cos.
using namespace thalweg;

// DESIGN's element-wise example, letter for letter.
struct sign_momentum {
  double beta = 0.9;
  using states = state<zeros<"momentum">>;
  constexpr auto at(const context&) const {              // once a step: hyper-parameters become constants
    return [b = beta]<class T>(element<T> e, T momentum) {   // once an element: pure, on values in registers
      momentum = lerp(e.update, momentum, b);
      return next(sign(momentum), momentum);             // the new update, the new state
    };
  }
};

static_assert(elementwise<sign_momentum>);
static_assert(sign_momentum{.beta = 0.5}.at(context{})(element<double>{-3, -3, 0}, 1.0).value == -1);
static_assert(std::get<0>(sign_momentum{.beta = 0.5}.at(context{})(element<double>{-3, -3, 0}, 1.0).states) ==
              -1);

// Everything that kernels call, unqualified.
struct every_function {
  double start = 2;
  static constexpr auto fields = std::tuple{field{"start", &every_function::start, positive}};  // a tuple serves as well
  using states = state<filled<"peak", &every_function::start>, copy_of_param<"anchor">, scalar<"steps">>;
  constexpr auto at(const context& c, double steps) const {
    const auto kernel = [lr = c.lr, steps]<class T>(element<T> e, T peak, T anchor) {
      peak = max(peak * 0.5, abs(e.update));
      anchor = lerp(e.parameter, anchor, 0.5);
      T u = where(e.update > 0, sqrt(abs(e.gradient)), -min(peak, 1));
      u += lr * anchor;
      u -= steps;
      u *= 2;
      u /= 4;
      return next(u + sign(e.update), peak, anchor);
    };
    return next(kernel, steps + 1);
  }
};

namespace somebody {

// No using-directive here: argument-dependent look-up must do.
struct halve {
  constexpr auto at(const thalweg::context&) const {
    return []<class T>(thalweg::element<T> e) { return next(0.5 * lerp(e.update, e.update, 0.5)); };
  }
};

struct slow_start {
  long steps = 2;
  constexpr thalweg::context at(thalweg::context c) const {
    if (c.step <= steps) c.lr = 0;
    return c;
  }
};

struct cap_by_largest_sum {
  constexpr auto reduce(const thalweg::context&) const {
    return []<class T>(thalweg::element<T> e) { return abs(e.update); };
  }
  constexpr auto at(const thalweg::context&, double sum) const noexcept {
    return [by = 1 / sum]<class T>(thalweg::element<T> e) { return next(T(by) * e.update); };
  }
};

struct row_major_only {
  void check(const thalweg::parameter_info& p) const {
    if (p.shape.size() != 2)
      throw thalweg::error("row_major_only", "Expected a matrix. Received '" + p.name + "'.");
  }
  void apply(const thalweg::context&, thalweg::tensor<float> u) const {
    for (float& x : u.values()) x *= static_cast<float>(u.rows());
  }
};

template <class Number>
struct templated {
  Number by = 3;
  constexpr auto at(const thalweg::context&) const {
    return [by = by]<class T>(thalweg::element<T> e) { return next(e.update * by); };
  }
};

}  // namespace somebody

TEST_CASE("sign_momentum trains, and fuses with its neighbours") {
  test::model<float> m({{"w", {3, 7}}});
  auto p = m.values[0];
  std::vector<float> momentum(21, 0.0f);
  auto opt = optimizer(sign_momentum{.beta = 0.5} | scale{.by = 2}, m.parameters(), {.lr = 0.25});
  for (long t = 1; t <= 4; ++t) {
    m.train(opt, t, t);
    for (std::size_t j = 0; j < p.size(); ++j) {
      momentum[j] = 0.5f * m.gradients[0][j] + 0.5f * momentum[j];
      p[j] -= 0.5f * (momentum[j] > 0 ? 1.0f : -1.0f);
      CHECK(m.values[0][j] == doctest::Approx(p[j]));
    }
  }
}

TEST_CASE("every function and every sort of slot, against a loop") {
  test::model<double> m({{"w", {13}}});
  auto p = m.values[0];
  auto anchor = p;
  std::vector<double> peak(13, 3.0);
  auto opt = optimizer(every_function{.start = 3}, m.parameters(), {.lr = 0.125});
  for (long t = 1; t <= 4; ++t) {
    m.train(opt, t, t);
    for (std::size_t j = 0; j < p.size(); ++j) {
      const double g = m.gradients[0][j];
      peak[j] = std::max(peak[j] * 0.5, std::abs(g));
      anchor[j] = 0.5 * p[j] + 0.5 * anchor[j];
      double u = g > 0 ? std::sqrt(std::abs(g)) : -std::min(peak[j], 1.0);
      u = (u + 0.125 * anchor[j] - static_cast<double>(t - 1)) * 2 / 4;
      p[j] -= 0.125 * (u + (g > 0 ? 1 : -1));
      CHECK(m.values[0][j] == doctest::Approx(p[j]).epsilon(1e-12));
    }
  }
}

TEST_CASE("transforms of somebody else's namespace, of every kind") {
  test::model<float> m({{"w", {2, 3}}, {"v", {3, 2}}});
  const auto before = m.values;
  auto opt = optimizer(somebody::halve{} | somebody::row_major_only{} | somebody::cap_by_largest_sum{} |
                           somebody::templated<double>{} | somebody::slow_start{.steps = 1},
                       m.parameters(), {.lr = 0.5});
  m.train(opt, 1, 1);
  CHECK(test::same_bits(m.values, before));
  m.train(opt, 2, 2);
  double sum = 0;
  for (std::size_t i = 0; i < 2; ++i)
    for (const float g : m.gradients[i]) sum += std::abs(0.5 * g * static_cast<double>(i ? 3 : 2));
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 6; ++j)
      CHECK(m.values[i][j] ==
            doctest::Approx(before[i][j] -
                            0.5 * 3 * (0.5 * m.gradients[i][j] * static_cast<double>(i ? 3 : 2)) / sum));

  test::model<float> vector({{"b", {3}}});
  CHECK_THROWS_WITH_AS(optimizer(somebody::row_major_only{}, vector.parameters(), {}),
                       "[row_major_only] Expected a matrix. Received 'b'.", error);
}

namespace {

// As docs/adding_a_transform.md has it.
struct scale_by_distance {  // the longer the way from where training began, the longer the steps
  using states = state<copy_of_param<"anchor">, scalar<"farthest">>;
  constexpr auto reduce(const context&, double) const {
    return []<class T>(element<T> e, T anchor) { return (e.parameter - anchor) * (e.parameter - anchor); };
  }
  constexpr auto at(const context&, double squares, double farthest) const noexcept {
    farthest = max(farthest, sqrt(squares));
    const auto kernel = [farthest]<class T>(element<T> e, T anchor) { return next(T(farthest) * e.update, anchor); };
    return next(kernel, farthest);
  }
};
static_assert(modelwise<scale_by_distance>);

// The same of each parameter, whose states its sums read as well.
struct scale_by_own_distance {
  using over = each_parameter;
  using states = state<copy_of_param<"anchor">>;
  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e, T anchor) { return sums((e.parameter - anchor) * (e.parameter - anchor), T(1)); };
  }
  constexpr auto at(const context&, double squares, double count) const noexcept {
    return [by = 1 + sqrt(squares / count)]<class T>(element<T> e, T anchor) { return next(T(by) * e.update, anchor); };
  }
};
static_assert(parameterwise<scale_by_own_distance>);

}  // namespace

TEST_CASE("sums read the states, and make the scalars of the next step") {
  test::model<double> m({{"a", {3}}, {"b", {5}}}), slow = m;
  const auto begin = m.values;
  const auto links = parallel(ensemble{}, chain(scale{.by = 1}), chain(scale_by_own_distance{})) | scale{.by = 1} | scale_by_own_distance{};
  const options o{.lr = 0.5};
  auto opt = optimizer(scale{.by = 2} | scale_by_distance{} | add_noise{.variance = 1} | scale_by_own_distance{}, m.parameters(), o);
  auto unfused_opt = optimizer(unfused(scale{.by = 2} | scale_by_distance{} | add_noise{.variance = 1} | scale_by_own_distance{}),
                               slow.parameters(), o);
  m.train(opt, 1, 1);
  CHECK(m.values != begin);  // by the noise
  CHECK(opt.describe().find("scale_by_distance.farthest=0") != std::string::npos);
  const auto after = m.values;
  m.train(opt, 2, 2);
  slow.train(unfused_opt, 1, 2);
  CHECK(test::distance(m.values, slow.values) < 1e-14);
  double squares = 0;
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < begin[i].size(); ++j) squares += (after[i][j] - begin[i][j]) * (after[i][j] - begin[i][j]);
  CHECK(opt.describe().find(in_words("scale_by_distance.farthest=", std::sqrt(squares))) != std::string::npos);

  test::model<double> branches({{"a", {3}}}), alone({{"a", {3}}});
  auto of_branches = optimizer(links, branches.parameters(), o);
  auto of_one = optimizer(parallel(ensemble{}, chain(), chain(scale_by_own_distance{})) | scale_by_own_distance{}, alone.parameters(), o);
  branches.train(of_branches, 1, 3);
  alone.train(of_one, 1, 3);
  CHECK(test::same_bits(branches.values, alone.values));
}

TEST_CASE("transforms are called by their names, without namespaces and template arguments") {
  struct local {
    constexpr context at(context c) const { return c; }
  };
  CHECK(name_of(sign_momentum{}) == "sign_momentum");
  CHECK(name_of(somebody::halve{}) == "halve");
  CHECK(name_of(somebody::templated<float>{}) == "templated");
  CHECK(name_of(somebody::templated<std::array<std::string, 2>*>{{}}) == "templated");
  CHECK(name_of(local{}) == "local");
  CHECK(name_of(tensorwise("center_rows", [](tensor<float>) {})) == "center_rows");
}

TEST_CASE("center_rows, DESIGN's tensor-level example, is a barrier between element-wise neighbours") {
  auto center_rows = tensorwise("center_rows", [](tensor<float> u) {
    as_matrix(u).colwise() -= as_matrix(u).rowwise().mean().eval();
    return u;
  });
  test::model<float> m({{"w", {3, 5}}});
  const auto before = m.values[0];
  auto opt = optimizer(scale{.by = 2} | center_rows | scale{.by = 3}, m.parameters(), {.lr = 0.5});
  m.train(opt, 1, 1);
  for (std::size_t r = 0; r < 3; ++r) {
    float mean = 0;
    for (std::size_t c = 0; c < 5; ++c) mean += m.gradients[0][5 * r + c] / 5;
    for (std::size_t c = 0; c < 5; ++c)
      CHECK(m.values[0][5 * r + c] ==
            doctest::Approx(before[5 * r + c] - 3 * (m.gradients[0][5 * r + c] - mean)));
  }
}

namespace {

// A scalar with no field starts at zero, one with a field there; several keep their order among arrays.
struct scalars_and_arrays {
  double first = 5, second = 7;
  using states = state<scalar<"a", &scalars_and_arrays::first>, zeros<"x">, scalar<"b">, copy_of_param<"y">,
                       scalar<"c", &scalars_and_arrays::second>, filled<"w", &scalars_and_arrays::second>>;
  constexpr auto at(const context&, double a, double b, double c) const {
    const auto kernel = [a, b, c]<class T>(element<T>, T x, T y, T w) {
      return next(a + 10 * T(b) + 100 * T(c) + 1000 * x + 10000 * y + 100000 * w, x + 1, y + 2, w + 3);
    };
    return next(kernel, a + 1, b + 1, c + 2);
  }
};

// What a transform says to one downstream.
struct trust {};
struct trust_by_step {
  using feeds = trust;
  constexpr context at(context c) const {
    c.say<trust>(1 / static_cast<double>(c.step));
    return c;
  }
};
struct scale_by_trust {
  using reads = trust;
  constexpr auto at(const context& c) const {
    return [by = c.heard<trust>().value_or(1)]<class T>(element<T> e) { return next(T(by) * e.update); };
  }
};
template <int>
struct named {};

}  // namespace

TEST_CASE("what a transform says is heard downstream, in its own route alone") {
  std::vector<double> matrix{1, 1, 1, 1}, vector{1};
  auto opt = optimizer(route(when(is_vector, trust_by_step{}), otherwise()) | scale_by_trust{},
                       std::vector{as_parameter("m", matrix, {2, 2}), as_parameter("v", vector)}, {.lr = 0.25});
  for (int t = 0; t < 2; ++t) opt.step({std::vector<double>(4, 1), std::vector<double>(1, 1)});
  CHECK(vector[0] == 1 - 0.25 - 0.125);
  CHECK(matrix[3] == 1 - 0.25 - 0.25);
}

TEST_CASE("a context holds four numbers that transforms say, each once") {
  context c;
  CHECK(!c.heard<trust>());
  c.say<named<0>>(1);
  c.say<named<1>>(2);
  c.say<named<2>>(3);
  c.say<trust>(4);
  c.say<trust>(5);
  CHECK(c.heard<trust>() == 5);
  CHECK(c.heard<named<0>>() == 1);
  CHECK_THROWS_WITH_AS(c.say<named<3>>(6), "[context] Expected transforms that pass at most 4 numbers downstream. Received one more.",
                       error);
}

TEST_CASE("states begin where they are declared to, and keep their order") {
  std::vector<double> p{0.5, -0.25, 4};
  const std::vector<double> g(3);
  auto opt = optimizer(scalars_and_arrays{},
                       std::vector<parameter<double>>{{"p", {3}, role::hidden, p.data()}}, {.lr = 1});
  auto expected = p;
  const auto start = p;
  for (int t = 0; t < 3; ++t) {
    opt.step({g});
    for (std::size_t j = 0; j < 3; ++j) {
      expected[j] -=
          (5 + t) + 10 * t + 100 * (7 + 2 * t) + 1000 * t + 10000 * (start[j] + 2 * t) + 100000 * (7 + 3 * t);
      CHECK(p[j] == expected[j]);
    }
  }
}

TEST_CASE("two transforms of one type have states of their own") {
  test::model<double> m({{"w", {9}}});
  auto p = m.values[0];
  std::vector<double> first(9), second(9);
  auto opt = optimizer(ema{.beta = 0.5} | ema{.beta = 0.25}, m.parameters(), {.lr = 1});
  for (long t = 1; t <= 3; ++t) {
    m.train(opt, t, t);
    for (std::size_t j = 0; j < 9; ++j) {
      first[j] = 0.5 * first[j] + 0.5 * m.gradients[0][j];
      second[j] = 0.25 * second[j] + 0.75 * first[j];
      p[j] -= second[j];
      CHECK(m.values[0][j] == doctest::Approx(p[j]).epsilon(1e-13));
    }
  }
}
