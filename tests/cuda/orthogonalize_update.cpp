// orthogonalize_update on the device: the iteration written out, the CPU's transform and the singular values of Eigen.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/cuda/orthogonalize_update.hpp>

#include "../linear_algebra/bands.hpp"
#include "../linear_algebra/spectra.hpp"
#include "own_stream.hpp"
#include "singular_values.hpp"

using namespace thalweg;

namespace {

constexpr auto row_major = storage_order::row_major, column_major = storage_order::column_major;

// The iteration as its formula reads, in double.
dense long_hand(const dense& u, const orthogonalize_update& o) {
  const double scale = factor(o.scale, u.rows, u.cols);
  const bool tall = u.rows > u.cols;
  dense x = tall ? transposed(u) : u;
  const double norm = x.norm() + o.epsilon;
  for (double& v : x.numbers) v /= norm;
  if (o.coefficients.rescale_columns) {
    const dense gram = x * transposed(x);
    for (std::size_t i = 0; i < x.rows; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < x.rows; ++j) sum += std::abs(gram(i, j));
      for (std::size_t j = 0; j < x.cols; ++j) x(i, j) /= std::sqrt(sum) + o.epsilon / norm;
    }
  }
  x = newton_schulz(x, o.coefficients, o.steps);
  for (double& v : x.numbers) v *= scale;
  return tall ? transposed(x) : x;
}

struct placed {
  dense values;
  storage_order order = row_major;
};

// Many updates on the device, with a number before, between and behind them that nobody may touch.
template <class T>
class updates_on_device {
  std::vector<placed> all_;
  std::vector<T> numbers_{T(-7)};
  cuda::device_array<T> memory_;
  cudaStream_t stream_;

public:
  std::vector<cuda::device_update<T>> views;

  updates_on_device(std::vector<placed> all, cudaStream_t stream) : all_(std::move(all)), stream_(stream) {
    for (const auto& [m, order] : all_) {
      const dense in_memory = order == row_major ? m : transposed(m);
      for (const double x : in_memory.numbers) numbers_.push_back(static_cast<T>(x));
      numbers_.push_back(T(-7));
    }
    memory_ = cuda::device_array<T>(numbers_.size());
    T* at = memory_.data() + 1;
    for (const auto& [m, order] : all_) {
      views.push_back({at, m.rows, m.cols, order});
      at += m.numbers.size() + 1;
    }
    fill();
  }
  void fill() { cuda::copy(numbers_.data(), numbers_.size(), memory_.data(), stream_); }

  std::vector<dense> read() const {
    std::vector<T> now(numbers_.size());
    cuda::copy(memory_.data(), now.size(), now.data(), stream_);
    cuda::synchronize(stream_);
    std::vector<dense> out;
    auto at = now.begin();
    CHECK(*at == T(-7));
    for (const auto& [m, order] : all_) {
      dense d = order == row_major ? dense{m.rows, m.cols} : dense{m.cols, m.rows};
      std::copy_n(at + 1, d.numbers.size(), d.numbers.begin());
      at += static_cast<std::ptrdiff_t>(d.numbers.size() + 1);
      CHECK(*at == T(-7));
      out.push_back(order == row_major ? d : transposed(d));
    }
    return out;
  }
};

template <class T>
std::vector<dense> orthogonalized(const std::vector<placed>& all, const orthogonalize_update& transform,
                                  const cuda::orthogonalization_limits& limits = {}) {
  const test::own_stream own;
  const updates_on_device<T> updates(all, own.stream);
  const cuda::device_form<orthogonalize_update, T> form(transform, updates.views, own.stream, limits);
  form(transform, context{});
  return updates.read();
}

template <class T>
dense orthogonalized(const dense& u, const orthogonalize_update& transform, storage_order order = row_major,
                     const cuda::orthogonalization_limits& limits = {}) {
  return orthogonalized<T>(std::vector{placed{u, order}}, transform, limits).front();
}

template <class T>
dense on_cpu(const dense& u, const orthogonalize_update& transform) {
  const parameter_info info{.name = "w", .shape = {u.rows, u.cols}};
  std::vector<T> numbers(u.numbers.begin(), u.numbers.end()), scratch(transform.scratch(info));
  transform.apply(context{}, tensor<T>{numbers.data(), info.shape, row_major, info.name}, std::span<T>(scratch));
  dense result{u.rows, u.cols};
  std::copy(numbers.begin(), numbers.end(), result.numbers.begin());
  return result;
}

double apart(const dense& a, const dense& b) {
  dense d = a;
  for (std::size_t i = 0; i < d.numbers.size(); ++i) d.numbers[i] -= b.numbers[i];
  return d.norm() / b.norm();
}

struct size {
  std::size_t rows, cols;
};
const std::array<size, 12> sizes{
    {{2, 2}, {1, 9}, {9, 1}, {1, 1}, {16, 16}, {17, 33}, {37, 35}, {65, 64}, {24, 80}, {80, 24}, {20, 270}, {270, 20}}};
const std::array<const coefficient_set*, 5> sets{&jordan, &polar_express, &heavyball, &cans, &turbo_muon};

// CANS is steep where a singular value is nearly all of the norm: it multiplies rounding by thousands.
double tolerance(const coefficient_set& set, const size& s) {
  return &set == &cans && std::min(s.rows, s.cols) < 3 ? 1e-2 : 1e-3;
}

}  // namespace

TEST_CASE("cuda: orthogonalize_update is the iteration, for every shape, order, spectrum and set") {
  for (const size& s : sizes)
    for (const auto* set : sets)
      for (const auto& u : {noise(s.rows, s.cols), low_rank(s.rows, s.cols), ill_conditioned(s.rows, s.cols)})
        for (const auto order : {row_major, column_major}) {
          CAPTURE(s.rows);
          CAPTURE(s.cols);
          CAPTURE(set->name);
          const bool by_rows = order == row_major;
          CAPTURE(by_rows);
          const orthogonalize_update o{.scale = match_rms{0.3}, .coefficients = *set};
          const dense expected = long_hand(u, o);
          CHECK(apart(orthogonalized<double>(u, o, order), expected) < 1e-10);
          CHECK(apart(orthogonalized<float>(u, o, order), expected) < tolerance(*set, s));
        }
}

TEST_CASE("cuda: orthogonalize_update is what the CPU computes") {
  for (const size& s : sizes)
    for (const auto* set : sets)
      for (const scale_rule& rule : {scale_rule(spectral{}), scale_rule(match_rms{}), scale_rule(none{})}) {
        CAPTURE(s.rows);
        CAPTURE(s.cols);
        CAPTURE(set->name);
        const dense u = noise(s.rows, s.cols);
        const orthogonalize_update o{.scale = rule, .coefficients = *set};
        CHECK(apart(orthogonalized<double>(u, o), on_cpu<double>(u, o)) < 1e-10);
        CHECK(apart(orthogonalized<float>(u, o), on_cpu<float>(u, o)) < tolerance(*set, s));
      }
}

TEST_CASE("cuda: orthogonalize_update's steps are polynomials of the singular values") {
  const dense u = noise(7, 12);
  const decomposition svd = decomposed(u);
  for (const auto* set : sets) {
    if (set->rescale_columns) continue;
    std::vector<double> s = svd.singular_values;
    for (double& x : s) {
      x /= u.norm() + 1e-7;
      for (std::size_t i = 0; i < 5; ++i) {
        const auto& [a, b, c] = set->step(i);
        x = a * x + b * x * x * x + c * x * x * x * x * x;
      }
    }
    const dense received = orthogonalized<double>(u, {.scale = none{}, .coefficients = *set});
    CHECK(apart(received, svd.with(s)) < 1e-11);
  }
}

TEST_CASE("cuda: orthogonalize_update brings singular values near one") {
  for (const auto& b : test::bands)
    for (const auto& size : test::shapes_of_bands) {
      const std::size_t rows = size.first, cols = size.second;
      std::vector<placed> twenty;
      for (unsigned seed = 0; seed < 20; ++seed) {
        dense u{rows, cols};
        u.numbers = test::gaussian(rows * cols, seed);
        twenty.push_back({u, row_major});
      }
      for (const auto precision : {precision::float32, precision::bfloat16, precision::float16}) {
        CAPTURE(b.set.name);
        CAPTURE(rows);
        CAPTURE(cols);
        CAPTURE(to_text(precision));
        double lowest = 9, highest = 0;
        const orthogonalize_update o{.scale = none{}, .coefficients = b.set, .precision = precision};
        for (const dense& x : orthogonalized<float>(twenty, o)) {
          const auto values = decomposed(x).singular_values;  // the greatest first
          lowest = std::min(lowest, values.back());
          highest = std::max(highest, values.front());
        }
        CHECK(highest < b.highest(rows, cols, precision));
        CHECK(lowest > b.lowest(rows, cols, precision));
      }
    }
}

TEST_CASE("cuda: orthogonalize_update: any number of steps, on the Gram matrix or not") {
  for (const dense& u : {noise(30, 100), noise(40, 45)})
    for (const long steps : {1, 2, 3, 4, 6, 7, 8, 12}) {
      CAPTURE(steps);
      const orthogonalize_update o{.coefficients = polar_express, .steps = steps};
      const dense expected = long_hand(u, o);
      CHECK(apart(orthogonalized<double>(u, o), expected) < 1e-10);
      CHECK(apart(orthogonalized<float>(u, o), expected) < 1e-3);
      CHECK(apart(orthogonalized<float>(u, o, column_major), expected) < 1e-3);
      CHECK(apart(orthogonalized<float>(transposed(u), o), long_hand(transposed(u), o)) < 1e-3);
    }
}

TEST_CASE("cuda: orthogonalize_update in 16 bits is as orthogonal as the exact iteration, and close to it") {
  const auto from_orthogonal = [](const dense& x) {
    dense gram = x.rows > x.cols ? transposed(x) * x : x * transposed(x);
    for (std::size_t i = 0; i < gram.rows; ++i) gram(i, i) -= 1;
    return gram.norm();
  };
  for (const auto p : {precision::bfloat16, precision::float16})
    for (const size& s : sizes) {
      if (std::min(s.rows, s.cols) < 2) continue;
      CAPTURE(to_text(p));
      CAPTURE(s.rows);
      CAPTURE(s.cols);
      const double allowed = p == precision::bfloat16 ? 0.05 : 0.01;
      const orthogonalize_update o{.scale = none{}, .precision = p};
      const dense u = noise(s.rows, s.cols), expected = long_hand(u, o), x = orthogonalized<float>(u, o);
      CHECK(apart(x, expected) < allowed);
      CHECK(apart(x, expected) > 1e-5);  // it is rounded
      CHECK(from_orthogonal(x) < 1.05 * from_orthogonal(expected) + 0.4 * allowed);
      for (const auto& hard : {low_rank(s.rows, s.cols), ill_conditioned(s.rows, s.cols)})
        CHECK(apart(orthogonalized<float>(hard, o), long_hand(hard, o)) < 2 * allowed);
    }
  const dense u = noise(20, 30);
  for (const auto p : {precision::bfloat16, precision::float16})
    CHECK(orthogonalized<double>(u, {.precision = p}).numbers == orthogonalized<double>(u, {}).numbers);
}

TEST_CASE("cuda: orthogonalize_update in 16 bits: small rows are not lost beside large ones") {
  const dense u = noise(48, 160);
  for (const auto p : {precision::bfloat16, precision::float16})
    for (const double smaller : {1e-3, 1e-4, 1e-5}) {
      CAPTURE(to_text(p));
      CAPTURE(smaller);
      const orthogonalize_update o{.coefficients = turbo_muon, .precision = p};
      dense uneven = u;
      for (std::size_t j = 0; j < u.cols; ++j) uneven(7, j) *= smaller;
      const dense expected = long_hand(uneven, o), x = orthogonalized<float>(uneven, o);
      double apart = 0, length = 0;
      for (std::size_t j = 0; j < u.cols; ++j) {
        apart += std::pow(x(7, j) - expected(7, j), 2);
        length += std::pow(expected(7, j), 2);
      }
      CHECK(std::sqrt(apart / length) < (p == precision::bfloat16 ? 0.1 : 0.03));
    }
}

TEST_CASE("cuda: orthogonalize_update of zero, rank one, tiny, huge, NaN") {
  for (const auto p : {precision::float32, precision::bfloat16, precision::float16})
    for (const auto* set : sets)
      for (const size& s : sizes) {
        CAPTURE(to_text(p));
        CAPTURE(set->name);
        CAPTURE(s.rows);
        CAPTURE(s.cols);
        const orthogonalize_update o{.scale = none{}, .coefficients = *set, .precision = p};
        const dense u = noise(s.rows, s.cols), zero{s.rows, s.cols};
        CHECK(orthogonalized<float>(zero, o).norm() == 0);
        CHECK(orthogonalized<double>(zero, o).norm() == 0);

        const dense huge = noise(s.rows, s.cols, 1e30), tiny = noise(s.rows, s.cols, 1e-30);
        CHECK(orthogonalized<float>(tiny, o).norm() < 1e-15);
        CHECK(apart(orthogonalized<double>(tiny, o), long_hand(tiny, o)) < 1e-10);
        if (set == &jordan) {
          const double tolerance = p == precision::float32 ? 1e-3 : p == precision::float16 ? 0.01 : 0.05;
          const dense one = noise(s.rows, 1) * noise(1, s.cols);  // rounding fills the other directions a little
          CHECK(apart(orthogonalized<float>(one, o), long_hand(one, o)) < 6 * tolerance);
          CHECK(apart(orthogonalized<float>(huge, o), long_hand(huge, o)) < 2 * tolerance);
        }
        for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
          dense broken = u;
          broken.numbers[broken.numbers.size() / 2] = bad;
          const dense x = orthogonalized<float>(broken, o);
          CHECK(std::ranges::all_of(x.numbers, [](double v) { return std::isnan(v); }));
        }
      }
}

TEST_CASE("cuda: orthogonalize_update of many matrices is that of each") {
  std::vector<placed> all;
  for (const auto order : {row_major, column_major})
    for (const size& s : {size{6, 20}, size{20, 6}, size{9, 9}, size{6, 20}, size{6, 20}, size{9, 9}})
      all.push_back({noise(s.rows, s.cols, static_cast<double>(all.size() + 1)), order});
  all[3].values = dense{6, 20};  // a zero and a NaN are their neighbours' business in no way
  all[4].values(2, 2) = std::numeric_limits<double>::quiet_NaN();
  for (const auto p : {precision::float32, precision::bfloat16, precision::float16}) {
    const orthogonalize_update o{.coefficients = turbo_muon, .precision = p};
    for (const std::size_t workspace : {1, 50'000, 1 << 28}) {  // one by one; a few; all together
      CAPTURE(workspace);
      const auto received = orthogonalized<float>(all, o, {.workspace = workspace});
      for (std::size_t i = 0; i < all.size(); ++i) {
        CAPTURE(i);
        const dense alone = orthogonalized<float>(all[i].values, o, all[i].order);
        if (i == 3) CHECK(received[i].norm() == 0);
        else if (i == 4) CHECK(std::isnan(received[i].numbers[0]));
        else CHECK(apart(received[i], alone) < 1e-3);
      }
    }
  }
  CHECK(orthogonalized<float>(std::vector<placed>{}, {}).empty());
}

TEST_CASE("cuda: orthogonalize_update's large symmetric products are computed by half") {
  for (const std::size_t side : {2, 3, 17, 64, 130})
    for (const auto p : {precision::float32, precision::bfloat16, precision::float16})
      for (const auto order : {row_major, column_major}) {
        CAPTURE(side);
        const orthogonalize_update o{.precision = p};
        const dense u = noise(side, 2 * side), expected = long_hand(u, o);
        const dense received = orthogonalized<float>(u, o, order, {.halved_from = 0});
        CHECK(apart(received, expected) < (p == precision::float32 ? 1e-3 : 0.02));
      }
}

TEST_CASE("cuda: orthogonalize_update's options may move behind the binding") {
  const dense u = noise(20, 90);
  const std::array<orthogonalize_update, 4> moved{{
      {.steps = 1},
      {.coefficients = cans, .steps = 7},
      {.scale = none{}, .precision = precision::bfloat16},
      {.coefficients = turbo_muon, .epsilon = 1e-3, .precision = precision::float16}}};
  for (const auto& bound : moved) {
    const test::own_stream own;
    updates_on_device<float> updates({{u, row_major}, {u, row_major}}, own.stream);
    const cuda::device_form<orthogonalize_update, float> form(bound, updates.views, own.stream, {.workspace = 1});
    for (const auto& now : moved) {
      updates.fill();
      form(now, context{});
      for (const dense& x : updates.read())
        CHECK(apart(x, long_hand(u, now)) < (now.precision == precision::float32 ? 1e-3 : 0.05));
    }
  }
}

// Whoever allocates or waits may not be captured.
TEST_CASE("cuda: orthogonalize_update is captured in a graph, and replayed") {
  const test::own_stream own;
  const dense u = noise(12, 30);
  const orthogonalize_update o{.coefficients = turbo_muon};
  updates_on_device<float> updates({{u, row_major}, {transposed(u), row_major}}, own.stream);
  const cuda::device_form<orthogonalize_update, float> form(o, updates.views, own.stream);
  CHECK(form.computed_by().starts_with("cuBLAS"));
  CHECK(form.scratch_bytes() > 0);
  form(o, context{});  // cuBLAS may have to prepare its first product
  cuda::synchronize(own.stream);
  cudaGraphExec_t run{};
  own.begin_capture();
  form(o, context{});
  cudaGraph_t graph = own.end_capture();
  cuda::check("a graph to run", cudaGraphInstantiate(&run, graph, 0));
  for (int i = 0; i < 2; ++i) {
    updates.fill();
    cuda::check("a graph that runs", cudaGraphLaunch(run, own.stream));
    const auto received = updates.read();
    CHECK(apart(received[0], long_hand(u, o)) < 1e-3);
    CHECK(apart(received[1], long_hand(transposed(u), o)) < 1e-3);
  }
  cuda::check("a graph's end", cudaGraphExecDestroy(run));
  cuda::check("a graph's end", cudaGraphDestroy(graph));
}

TEST_CASE("orthogonalize_update on a device: without an epsilon; and what it refuses there") {
  const dense u = noise(6, 9), zero{6, 9};
  dense small = u;
  for (double& x : small.numbers) x *= 1e-20;
  for (const auto* set : {&jordan, &turbo_muon}) {
    const orthogonalize_update o{.coefficients = *set, .epsilon = 0};
    CHECK(apart(orthogonalized<float>(small, o), orthogonalized<float>(u, o)) < 1e-4);
    CHECK(orthogonalized<float>(zero, o).norm() == 0);
  }
  CHECK_THROWS_AS(orthogonalized<float>(u, {.scale = nuclear_norm{}}), error);
  CHECK_THROWS_AS(orthogonalized<float>(u, {.norm = thalweg::norm::schatten_4}), error);
}
