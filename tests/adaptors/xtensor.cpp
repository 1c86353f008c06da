#include <thalweg/adaptors/xtensor.hpp>

#include <array>
#include <initializer_list>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

using namespace thalweg;

namespace {

const xt::xarray<double> table{{1, 2, 3}, {4, 5, 6}};
constexpr auto now = xt::evaluation_strategy::immediate;

template <class Expression>
void is(const Expression& e, std::vector<std::size_t> shape, std::initializer_list<double> values) {
  CHECK(std::vector<std::size_t>(e.shape().begin(), e.shape().end()) == shape);
  const std::vector<double> received(e.begin(), e.end());
  REQUIRE(received.size() == values.size());
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(received[i] == doctest::Approx(values.begin()[i]));
}

// The error in one line, whatever the memory happens to hold.
static_assert(std::is_same_v<std::decay_t<decltype(xt::eval(table + table))>, xt::xarray<double>>);
static_assert(std::is_same_v<xt::temporary_type_t<const xt::xtensor<double, 2>&>, xt::xtensor<double, 2>>);

}  // namespace

TEST_CASE("an xarray keeps its rank when it is evaluated") {
  is(xt::eval(table + table), {2, 3}, {2, 4, 6, 8, 10, 12});
  is(xt::eval(xt::transpose(table)), {3, 2}, {1, 4, 2, 5, 3, 6});
  is(xt::eval(xt::view(table, 1, xt::all())), {3}, {4, 5, 6});
}

TEST_CASE("immediate reductions of an xarray") {
  is(xt::sum(table, {0}, now), {3}, {5, 7, 9});
  is(xt::sum(table, now), {}, {21});
  is(xt::mean(table, {0}, now), {3}, {2.5, 3.5, 4.5});
  is(xt::amax(table, {1}, now), {2}, {3, 6});
  is(xt::amin(table, {0}, now), {3}, {1, 2, 3});
  is(xt::prod(table, {1}, now), {2}, {6, 120});
  is(xt::norm_l2(table, {1}, now), {2}, {3.7416574, 8.7749644});
  is(xt::stddev(table, {0}, now), {3}, {1.5, 1.5, 1.5});
}

TEST_CASE("lazy stddev and variance reduce immediately inside") {
  is(xt::xarray<double>(xt::stddev(table, {0})), {3}, {1.5, 1.5, 1.5});
  is(xt::xarray<double>(xt::variance(table, {1})), {2}, {2. / 3, 2. / 3});
}

TEST_CASE("pad, tile, roll and cumsum of an xarray") {
  is(xt::pad(table, 1), {4, 5}, {0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 4, 5, 6, 0, 0, 0, 0, 0, 0});
  is(xt::tile(table, {2, 1}), {4, 3}, {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6});
  is(xt::roll(table, 1), {2, 3}, {6, 1, 2, 3, 4, 5});
  is(xt::cumsum(table, 0), {2, 3}, {1, 2, 3, 5, 7, 9});
}

TEST_CASE("arrays of every rank survive an evaluation") {
  for (std::size_t rank = 0; rank <= 6; ++rank) {
    const xt::xarray<float> ones = xt::ones<float>(std::vector<std::size_t>(rank, 2));
    const auto twice = xt::eval(ones + ones);
    CHECK(twice.dimension() == rank);
    CHECK(xt::sum(twice, now)() == doctest::Approx(2 << rank));
  }
}

TEST_CASE("as_parameter views an array of either kind and order") {
  xt::xarray<float> dynamic{{1, 2, 3}, {4, 5, 6}};
  const auto p = as_parameter("dynamic", dynamic, role::head);
  CHECK(p.name == "dynamic");
  CHECK(p.shape == std::vector<std::size_t>{2, 3});
  CHECK(p.role == role::head);
  CHECK(p.data == dynamic.data());
  CHECK(p.order == storage_order::row_major);

  xt::xtensor<double, 2, xt::layout_type::column_major> fixed{{1, 2, 3}, {4, 5, 6}};
  const auto q = as_parameter("fixed", fixed);
  CHECK(q.shape == std::vector<std::size_t>{2, 3});
  CHECK(q.order == storage_order::column_major);
  CHECK(q.data[1] == 4);

  std::array<float, 6> memory{};
  auto adapted = xt::adapt(memory, std::vector<std::size_t>{3, 2});
  CHECK(as_parameter("adapted", adapted).data == memory.data());

  // Strides of its own: a row repeated without being stored.
  const std::vector<std::size_t> shape{2, 3}, strides{0, 1};
  auto strided = xt::adapt(memory.data(), memory.size(), xt::no_ownership(), shape, strides);
  CHECK_THROWS_WITH_AS(as_parameter("strided", strided),
                       "[as_parameter] Expected a row-major or column-major array. "
                       "Received one with other strides.",
                       error);
}

TEST_CASE("as_gradient reads in place") {
  const auto g = as_gradient(table);
  CHECK(g.data() == table.data());
  CHECK(g.size() == 6);
}

TEST_CASE("as_xtensor writes in place") {
  std::array<float, 6> memory{1, 2, 3, 4, 5, 6};
  const std::array<std::size_t, 2> shape{2, 3};
  auto x = as_xtensor(tensor<float>{.data = memory.data(), .shape = shape, .name = "w"});
  is(x, {2, 3}, {1, 2, 3, 4, 5, 6});
  x -= xt::mean(x, {0}, xt::keep_dims | now);
  CHECK(memory == std::array<float, 6>{-1.5, -1.5, -1.5, 1.5, 1.5, 1.5});

  CHECK_THROWS_WITH_AS(
      as_xtensor(tensor<float>{memory.data(), shape, storage_order::column_major, "w"}),
      "[as_xtensor] Expected a row-major tensor. Received 'w', column-major.", error);
}
