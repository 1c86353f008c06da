// Tensor-wise transforms: their arguments, states and scratch, and the parameters after one throws.
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms/clip_by_global_norm.hpp>
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/scale.hpp>
#include <thalweg/transforms/tensorwise.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

#include "model.hpp"

using namespace thalweg;
using test::model;
using test::same_bits;

namespace {

// A column of row norms, gathered in scratch; keeps the last and the first update it saw.
struct normalize_rows {
  double floor = 0.5;
  using states = state<zeros<"last">, filled<"bound", &normalize_rows::floor>>;

  static std::size_t scratch(const parameter_info& p) { return p.shape.empty() ? 1 : p.shape.front(); }

  template <class T>
  void apply(const context& c, tensor<T> update, std::span<T> scratch, tensor<T> last,
             tensor<T> bound) const noexcept {
    std::fill(scratch.begin(), scratch.end(), T(-1));  // a neighbour's array behind it would show it
    for (std::size_t i = 0; i < update.rows(); ++i) {
      T sum = 0;
      for (std::size_t j = 0; j < update.cols(); ++j)
        sum += update.data[i * update.cols() + j] * update.data[i * update.cols() + j];
      scratch[i] = std::sqrt(sum);
    }
    for (std::size_t i = 0; i < update.size(); ++i) {
      const T u = update.data[i] / std::max(scratch[i / update.cols()], bound.data[i]);
      update.data[i] = u + last.data[i];
      last.data[i] = u;
      bound.data[i] += T(c.lr);
    }
  }
};

static_assert(tensorwise_transform<normalize_rows>);

struct seen {
  std::string name;
  std::vector<std::size_t> shape;
  storage_order order;
  std::size_t rows, cols, rank, size;
};

}  // namespace

TEST_CASE_TEMPLATE("states and scratch reach a tensor-wise transform", T, float, double) {
  model<T> m({{"w", {3, 5}}, {"f", {2, 3, 3}}, {"b", {4}}, {"s", {}}});
  auto p = m.values;
  auto last = m.values, bound = m.values;
  for (auto& l : last) std::ranges::fill(l, T(0));
  for (auto& b : bound) std::ranges::fill(b, T(0.25));
  auto opt = optimizer(scale{.by = 2} | normalize_rows{.floor = 0.25} | scale{.by = 3}, m.parameters(),
                       {.lr = 0.125});
  for (long t = 1; t <= 3; ++t) {
    m.train(opt, t, t);
    for (std::size_t k = 0; k < p.size(); ++k) {
      const auto& shape = m.layers[k].shape;
      const std::size_t cols = p[k].size() / (shape.empty() ? 1 : shape.front());
      for (std::size_t i = 0; i < p[k].size(); ++i) {
        double sum = 0;
        for (std::size_t j = i / cols * cols; j < (i / cols + 1) * cols; ++j)
          sum += 4.0 * m.gradients[k][j] * m.gradients[k][j];
        const double u = 2 * m.gradients[k][i] / std::max(std::sqrt(sum), double(bound[k][i]));
        p[k][i] -= T(0.125 * 3 * (u + last[k][i]));
        last[k][i] = T(u);
        bound[k][i] += T(0.125);
      }
    }
    CHECK(test::distance(m.values, p) < (sizeof(T) == 4 ? 1e-5 : 1e-13));
  }
}

TEST_CASE("a tensor-wise function sees each parameter's name, shape, order, rows and columns, in place") {
  model<float> m({{"w", {3, 5}}, {"f", {2, 3, 4, 2}}, {"b", {4}}, {"s", {}}, {"c", {5, 3}}});
  auto parameters = m.parameters();
  parameters[4].order = storage_order::column_major;
  std::vector<seen> all;
  const auto look = tensorwise("look", [&](tensor<float> u) {
    all.push_back({std::string(u.name),
                   {u.shape.begin(), u.shape.end()},
                   u.order,
                   u.rows(),
                   u.cols(),
                   u.rank(),
                   u.size()});
    CHECK(u.values().size() == u.size());
    CHECK(u.values().data() == u.data);
    return u;
  });
  auto opt = optimizer(look, parameters, {.lr = 1, .parallel = sequential()});
  const auto before = m.values;
  m.train(opt, 1, 1);
  REQUIRE(all.size() == 5);
  std::ranges::sort(all, {}, [&](const seen& s) {
    return std::ranges::find(m.layers, s.name, &test::layer::name) - m.layers.begin();
  });
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(all[i].name == m.layers[i].name);
    CHECK(all[i].shape == m.layers[i].shape);
    CHECK(all[i].order == (i == 4 ? storage_order::column_major : storage_order::row_major));
    CHECK(all[i].rank == m.layers[i].shape.size());
    CHECK(all[i].size == m.values[i].size());
    for (std::size_t j = 0; j < before[i].size(); ++j)
      CHECK(m.values[i][j] == before[i][j] - m.gradients[i][j]);
  }
  CHECK(all[1].rows == 2);
  CHECK(all[1].cols == 24);
  CHECK(all[2].rows == 4);
  CHECK(all[2].cols == 1);
  CHECK(all[3].rows == 1);
  CHECK(all[3].cols == 1);
}

TEST_CASE("a tensor-wise function may return its view, another to copy from, or nothing") {
  std::vector<float> elsewhere(3, 2.0f);
  const auto expect = [&](const auto& function, float expected) {
    model<float> m({{"w", {3}}});
    const auto before = m.values[0];
    auto opt = optimizer(tensorwise("f", function), m.parameters(), {.lr = 1});
    m.train(opt, 1, 1);
    for (std::size_t j = 0; j < 3; ++j) CHECK(m.values[0][j] == before[j] - expected);
  };
  const auto fill = [](tensor<float> u, float x) { std::ranges::fill(u.values(), x); };
  expect([&](tensor<float> u) { fill(u, 1); return u; }, 1);
  expect([&](tensor<float> u) noexcept { u.data = elsewhere.data(); return u; }, 2);
  expect([&](auto u) { fill(u, 3); }, 3);
}

TEST_CASE("a view of another size or order is refused, and the step with it") {
  std::vector<float> elsewhere(15, 2.0f);
  const std::size_t flat[] = {15}, short_of[] = {14};
  const auto check = [&](const auto& function, const std::string& received) {
    model<float> m({{"v", {2}}, {"w", {3, 5}}});
    const auto before = m.values;
    auto opt = optimizer(ema{} | tensorwise("mine", function), m.parameters(), {.lr = 1, .parallel = sequential()});
    try {
      m.train(opt, 1, 1);
      FAIL("nothing was thrown");
    } catch (const error& e) {
      CHECK(std::string(e.what()) == "[mine] Expected a view of 15 elements, in the order of the update of 'w'. "
                                     "Received one of " + received + ".");
    }
    CHECK(same_bits(m.values, before));
    CHECK(opt.steps() == 0);
  };
  const auto only_w = [&](tensor<float> u, std::span<const std::size_t> shape, storage_order order) {
    return u.name == "w" ? tensor<float>{elsewhere.data(), shape, order, u.name} : u;
  };
  check([=](tensor<float> u) noexcept { return only_w(u, short_of, u.order); }, "14");
  check([=](tensor<float> u) { return only_w(u, flat, storage_order::column_major); }, "15");
}

TEST_CASE("gradients are not written by what changes the update in place") {
  model<float> m({{"w", {3, 5}}, {"b", {7}}});
  auto opt =
      optimizer(tensorwise("zero", [](tensor<float> u) noexcept { std::ranges::fill(u.values(), 0.0f); }),
                m.parameters(), {});
  const auto gradients = m.gradients;
  opt.step(m.gradients);
  CHECK(same_bits(m.gradients, gradients));
}

// ---- a function that throws -----------------------------------------------------------------------

namespace {

struct fuse {
  int* left;
  void operator()(tensor<float>) const {
    if (--*left == 0) throw std::runtime_error("the fuse blew");
  }
};
struct fuse_in_double {
  int* left;
  void operator()(tensor<double>) const {
    if (--*left == 0) throw std::runtime_error("the fuse blew");
  }
};

// A learning rate that falls by a scalar of its own.
struct fall {
  using states = state<scalar<"steps">>;
  constexpr auto at(context c, double steps) const {
    c.lr /= 1 + steps;
    return next(c, steps + 1);
  }
};

// Element-wise state before it, a model-wise barrier, tensor-wise state, scalars and an average behind it.
template <class Fuse>
auto chain_with(Fuse f) {
  return fall{} | ema{.beta = 0.5} | clip_by_global_norm{.max_norm = 0.5} | normalize_rows{} |
         tensorwise("fuse", f) | ema{.beta = 0.25} | update_by_schedule_free{.beta = 0.75};
}

}  // namespace

TEST_CASE_TEMPLATE("when a tensor-wise function throws, all is as before the step, and training goes on as if it never was", T, float, double) {
  using fuse_type = std::conditional_t<std::is_same_v<T, float>, fuse, fuse_in_double>;
  model<T> m(test::small_layers()), twin(test::small_layers());
  int left = 0, never = 0;
  auto opt = optimizer(chain_with(fuse_type{&left}), m.parameters(),
                       {.lr = 0.25, .weight_decay = 0.1, .warmup_steps = 5});
  auto calm = optimizer(chain_with(fuse_type{&never}), twin.parameters(),
                        {.lr = 0.25, .weight_decay = 0.1, .warmup_steps = 5});
  for (long t = 1; t <= 8; ++t) {
    twin.train(calm, t, t);
    for (int blows_at = 1; blows_at <= 5; ++blows_at) {  // at the first parameter, …, at the last
      const auto before = m.values;
      const auto table = opt.describe();
      left = blows_at;
      CHECK_THROWS_WITH_AS(m.train(opt, t, t), "the fuse blew", std::runtime_error);
      CHECK(same_bits(m.values, before));
      CHECK(opt.steps() == t - 1);
      CHECK(opt.describe() == table);
    }
    left = 0;
    m.train(opt, t, t);
    CHECK(same_bits(m.values, twin.values));
    auto x = opt.evaluation_point();
    auto twins_x = calm.evaluation_point();
    CHECK(same_bits(m.values, twin.values));
  }
}

TEST_CASE("unfused, a throw leaves no trace either") {
  model<float> m(test::small_layers()), twin(test::small_layers());
  int left = 0, never = 0;
  auto opt = optimizer(unfused(chain_with(fuse{&left})), m.parameters(), {.lr = 0.25});
  auto calm = optimizer(unfused(chain_with(fuse{&never})), twin.parameters(), {.lr = 0.25});
  for (long t = 1; t <= 3; ++t) {
    left = static_cast<int>(t) + 1;
    CHECK_THROWS_AS(m.train(opt, t, t), std::runtime_error);
    left = 0;
    m.train(opt, t, t);
    twin.train(calm, t, t);
    CHECK(same_bits(m.values, twin.values));
  }
}

TEST_CASE("only a function that may throw costs a copy to put back") {
  model<float> m(test::small_layers());
  const auto may = optimizer(tensorwise("f", [](tensor<float>) {}), m.parameters(), {});
  CHECK(may.describe().find("rollback") != std::string::npos);
  const auto may_not = optimizer(tensorwise("f", [](tensor<float>) noexcept {}), m.parameters(), {});
  CHECK(may_not.describe().find("rollback") == std::string::npos);
  const auto returns = optimizer(tensorwise("f", [](tensor<float> u) noexcept { return u; }), m.parameters(), {});
  CHECK(returns.describe().find("rollback") != std::string::npos);
}

TEST_CASE("an optimizer with a capturing function may be moved") {
  model<float> m(test::small_layers());
  const float by = 2;
  auto opt = optimizer(tensorwise("twice",
                                  [by](tensor<float> u) noexcept {
                                    for (float& x : u.values()) x *= by;
                                  }),
                       m.parameters(), {.lr = 1});
  const auto before = m.values;
  auto moved = std::move(opt);
  m.train(moved, 1, 1);
  for (std::size_t j = 0; j < before[0].size(); ++j)
    CHECK(m.values[0][j] == before[0][j] - 2 * m.gradients[0][j]);
}

// ---- other places to throw in ---------------------------------------------------------------------

namespace {

struct moody_context {
  int* left;
  using states = state<scalar<"calls">>;
  auto at(context c, double calls) const {
    if (--*left == 0) throw error("moody_context", "Expected a better mood. Received this one.");
    return next(c, calls + 1);
  }
};

struct moody_reduction {
  int* left;
  auto reduce(const context&) const {
    if (--*left == 0) throw error("moody_reduction", "Expected a better mood. Received this one.");
    return []<class T>(element<T> e) { return e.update; };
  }
  auto at(const context&, double) const noexcept {
    return []<class T>(element<T> e) { return next(e.update); };
  }
};

template <class Moody>
void expect_no_trace(Moody moody, Moody calm, int* left) {
  model<float> m(test::small_layers()), twin(test::small_layers());
  auto opt = optimizer(ema{.beta = 0.5} | moody | ema{.beta = 0.25}, m.parameters(), {.lr = 0.25});
  auto other = optimizer(ema{.beta = 0.5} | calm | ema{.beta = 0.25}, twin.parameters(), {.lr = 0.25});
  for (long t = 1; t <= 3; ++t) {
    const auto before = m.values;
    *left = 1;
    CHECK_THROWS_AS(m.train(opt, t, t), error);
    CHECK(same_bits(m.values, before));
    *left = 0;
    m.train(opt, t, t);
    twin.train(other, t, t);
    CHECK(same_bits(m.values, twin.values));
  }
}

}  // namespace

TEST_CASE("when a transform's `at` throws, nothing was written") {
  int left = 0, never = 0;
  expect_no_trace(moody_context{&left}, moody_context{&never}, &left);
}

TEST_CASE("when a model-wise transform's `reduce` throws, all is as before the step") {
  int left = 0, never = 0;
  expect_no_trace(moody_reduction{&left}, moody_reduction{&never}, &left);
}
