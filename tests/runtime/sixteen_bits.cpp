// Parameters, gradients and state of 16 and 8 bits.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/text.hpp>

#include "../core/model.hpp"
#include "chains.hpp"

using namespace thalweg;
using detail::stored_array;

namespace {

std::uint32_t bits_of(float x) { return std::bit_cast<std::uint32_t>(x); }
float of_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

template <class Half>
std::vector<Half> halves_of(const std::vector<float>& values) {
  std::vector<Half> all;
  for (const float v : values) all.push_back(Half(v));
  return all;
}
template <class Half>
std::vector<float> floats_of(const std::vector<Half>& values) {
  std::vector<float> all;
  for (const Half v : values) all.push_back(static_cast<float>(v));
  return all;
}
template <class Half>
bool same(const std::vector<Half>& a, const std::vector<Half>& b) {
  return std::ranges::equal(a, b, {}, &Half::bits, &Half::bits);
}
bool same(const std::vector<float>& a, const std::vector<float>& b) { return std::ranges::equal(a, b, {}, bits_of, bits_of); }

std::vector<float> numbers(std::uint64_t seed, std::size_t n, double size = 1) {
  std::vector<float> all;
  for (std::size_t i = 0; i < n; ++i) all.push_back(static_cast<float>(size * test::noise(seed, i)));
  return all;
}

struct shape_of { std::string name; std::vector<std::size_t> shape; };
const std::vector<shape_of> shapes{{"a", {6, 4}}, {"b", {5, 7}}, {"c", {1, 1}}, {"long", {33, 64}}};

/// Two trainings of the same numbers: of floats, and of numbers of 16 bits in their place.
template <class Half>
struct twins {
  std::vector<std::vector<float>> floats, gradients;
  std::vector<std::vector<Half>> halves, half_gradients;
  std::vector<parameter<float>> of_floats, of_halves;

  twins() {
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const std::size_t n = element_count(shapes[i].shape);
      halves.push_back(halves_of<Half>(numbers(i, n)));
      floats.push_back(floats_of(halves.back()));
      half_gradients.emplace_back(n);
      gradients.emplace_back(n);
    }
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      of_floats.push_back({.name = shapes[i].name, .shape = shapes[i].shape, .role = role::hidden, .data = floats[i].data()});
      of_halves.push_back({.name = shapes[i].name, .shape = shapes[i].shape, .role = role::hidden, .data = halves[i].data()});
    }
  }
  void differentiate(long step) {
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      half_gradients[i] = halves_of<Half>(numbers(100 * static_cast<std::uint64_t>(step) + i, gradients[i].size()));
      gradients[i] = floats_of(half_gradients[i]);
    }
  }
};

/// Whether both optimizers hold the same floats: x of each parameter, to its last bit.
template <class Half>
bool same_weights(const twins<Half>& t, const optimizer<float>& of_floats, const optimizer<float>& of_halves) {
  for (std::size_t i = 0; i < t.floats.size(); ++i) {
    std::vector<float> a(t.floats[i].size()), b = a;
    of_floats.averaged(i, a);
    of_halves.averaged(i, b);
    if (!same(a, b)) return false;
  }
  return true;
}

const options some{.lr = 0.01, .weight_decay = 0.1, .warmup_steps = 2};

template <class Half>
void check_exact(const std::string& chain) {
  CAPTURE(chain);
  twins<Half> t;
  options of_halves = some;
  of_halves.parallel = sequential();
  optimizer<float> plain(chain, t.of_floats, some), exact(chain, t.of_halves, of_halves);
  for (long step = 1; step <= 6; ++step) {
    t.differentiate(step);
    const auto one = plain.step(t.gradients, {.loss = 1}), other = exact.step(t.half_gradients, {.loss = 1});
    REQUIRE(one.taken == other.taken);
    if (step == 3) {
      const std::string saved = exact.to_bytes();
      exact = optimizer<float>(chain, t.of_halves, some);
      exact.load_bytes(saved);
    }
    if (step == 5) {
      const auto y = t.halves;
      { const auto at_x = exact.evaluation_point(); }
      for (std::size_t i = 0; i < y.size(); ++i) REQUIRE(same(y[i], t.halves[i]));
    }
    CHECK(same_weights(t, plain, exact));
    for (std::size_t i = 0; i < t.floats.size(); ++i)  // the user's array is the nearest number of 16 bits
      for (std::size_t j = 0; j < t.floats[i].size(); ++j) {
        const double held = static_cast<float>(t.halves[i][j]), trained = t.floats[i][j],
                     nearest = static_cast<float>(Half(t.floats[i][j]));
        REQUIRE(std::abs(held - trained) <= std::abs(nearest - trained));
      }
  }
}

float read_one(const stored_array& from) {
  float value = 0;
  detail::read(from, 0, 1, &value);
  return value;
}

}  // namespace

TEST_CASE("every number of 16 bits becomes a float and itself again; floats go to the nearest, of two to the even one") {
  std::vector<bfloat16> b(65536), b_again(65536);
  std::vector<float16> h(65536), h_again(65536);
  for (std::size_t i = 0; i < b.size(); ++i) b[i].bits = h[i].bits = static_cast<std::uint16_t>(i);
  std::vector<float> values(b.size());
  detail::read({b.data(), number_type::bfloat16}, 0, b.size(), values.data());
  detail::write(values.data(), {b_again.data(), number_type::bfloat16}, 0, b.size());
  for (std::size_t i = 0; i < b.size(); ++i) {
    CHECK(bits_of(values[i]) == i << 16);
    if (!std::isnan(values[i])) REQUIRE(b_again[i].bits == b[i].bits);
    else REQUIRE(std::isnan(static_cast<float>(b_again[i])));
  }
  detail::read({h.data(), number_type::float16}, 0, h.size(), values.data());
  detail::write(values.data(), {h_again.data(), number_type::float16}, 0, h.size());
  for (std::size_t i = 0; i < h.size(); ++i)
    if (!std::isnan(values[i])) REQUIRE(h_again[i].bits == h[i].bits);
  CHECK(values[0x3c01] == 1 + 0x1p-10f);
  CHECK(values[0x0001] == 0x1p-24f);
  CHECK(values[0xfbff] == -65504);
  CHECK(values[0x7c00] == std::numeric_limits<float>::infinity());
  static_assert(float16(1 + 0x1p-11f).bits == 0x3c00 && float16(1 + 3 * 0x1p-11f).bits == 0x3c02);
  static_assert(float16(65519).bits == 0x7bff && float16(65520).bits == 0x7c00 && float16(0x1p-25f).bits == 0);
  static_assert(bfloat16(1 + 0x1p-8f).bits == 0x3f80 && bfloat16(1 + 3 * 0x1p-8f).bits == 0x3f82);
  // In registers as alone, at each length, and nothing beside it is written.
  for (std::size_t n = 0; n < 140; ++n) {
    std::vector<float> x = numbers(n, n, std::pow(10.0, double(n % 70) - 35));
    std::vector<bfloat16> to(n + 1, bfloat16(3));
    std::vector<float16> to_half(n + 1, float16(3));
    detail::write(x.data(), {to.data(), number_type::bfloat16}, 0, n);
    detail::write(x.data(), {to_half.data(), number_type::float16}, 0, n);
    for (std::size_t i = 0; i < n; ++i) {
      REQUIRE(to[i].bits == bfloat16(x[i]).bits);
      REQUIRE(to_half[i].bits == float16(x[i]).bits);
    }
    REQUIRE(to[n].bits == bfloat16(3).bits);
    REQUIRE(to_half[n].bits == float16(3).bits);
  }
}

TEST_CASE("with its lower half a bfloat16 is a float, whatever the float") {
  std::vector<std::uint32_t> all{0, 0x80000000u, 1, 0x7f7fffffu, 0xff7fffffu, 0x7f800000u, 0xff800000u, 0x3f807fffu, 0x3f808000u, 0x3f808001u};
  for (std::uint32_t i = 0; i < 5000; ++i) all.push_back(i * 858993u);
  std::vector<float> values, back(all.size());
  for (const auto bits : all) values.push_back(of_bits(bits));
  std::vector<std::uint16_t> upper(all.size());
  std::vector<std::int16_t> lower(all.size());
  const stored_array numbers{upper.data(), number_type::bfloat16, lower.data()};
  detail::write(values.data(), numbers, 0, all.size());
  detail::read(numbers, 0, all.size(), back.data());
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (std::isnan(values[i])) REQUIRE(std::isnan(back[i]));
    else REQUIRE(bits_of(back[i]) == all[i]);
    if (std::isnan(values[i])) REQUIRE(std::isnan(of_bits(std::uint32_t{upper[i]} << 16)));
  }
}

TEST_CASE("parameters and gradients of bfloat16 train as float32 would, bit for bit, over save and resume") {
  for (const std::string& chain : test::independent_chains()) check_exact<bfloat16>(chain);
  for (const char* chain : {"accumulate(steps=2) | adamw", "clip_by_global_norm(max_norm=0.1) | sf_adamw", "when_finite | amuse",
                            "accumulate(steps=2) | soap"})
    check_exact<bfloat16>(chain);
}

TEST_CASE("parameters and gradients of float16 as well") {
  for (const char* chain : {"adamw", "amuse", "sf_adamw", "soap", "lion"}) check_exact<float16>(chain);
}

TEST_CASE("gradients alone may be of 16 bits, and of another type in the next step") {
  for (const char* chain : {"adamw", "amuse", "accumulate(steps=2) | sf_muon"}) {
    twins<bfloat16> t, other;
    optimizer<float> plain(chain, t.of_floats, some), by_halves(chain, other.of_floats, some);
    for (long step = 1; step <= 4; ++step) {
      t.differentiate(step);
      plain.step(t.gradients);
      if (step != 3) by_halves.step(t.half_gradients);
      else by_halves.step(t.gradients);
      for (std::size_t i = 0; i < t.floats.size(); ++i) CHECK(same(t.floats[i], other.floats[i]));
    }
  }
}

TEST_CASE("views of a parameter of 16 bits") {
  const std::size_t n = 2 * 6 * 8;
  const auto start = halves_of<bfloat16>(numbers(1, n));
  auto whole = start;
  std::vector<float> floats = floats_of(start);
  const std::vector view{view::part{view::stack{}}, view::part{view::column_blocks{{{.size = 3}, {.size = 5}}}}};
  optimizer<float> exact("muon", {{.name = "w", .shape = {2, 6, 8}, .role = role::hidden, .data = whole.data(), .view = view}}, some);
  optimizer<float> plain("muon", {{.name = "w", .shape = {2, 6, 8}, .role = role::hidden, .data = floats.data(), .view = view}}, some);
  for (std::uint64_t step = 1; step <= 3; ++step) {
    const auto g = halves_of<bfloat16>(numbers(step, n));
    exact.step(std::array{g});
    plain.step(std::array{floats_of(g)});
    std::vector<float> x(n);
    exact.averaged(0, x);
    CHECK(same(x, floats));
  }
}

TEST_CASE("rounding by chance is right in the mean") {
  constexpr std::size_t n = 10'000'000, piece = 1 << 16;
  for (const auto type : {number_type::bfloat16, number_type::float16, number_type::eight_bits}) {
    CAPTURE(type);
    const double x = type == number_type::eight_bits ? 0.7123 : 1.00123;
    std::vector<float> from(piece, static_cast<float>(x)), back(piece), scales(piece / 256);
    if (type == number_type::eight_bits)
      for (std::size_t i = 0; i < piece; i += 256) from[i] = -1.875f;  // the scale is 1
    std::vector<std::uint16_t> to(piece);
    double sum = 0, squares = 0, count = 0;
    for (std::size_t done = 0; done < n; done += piece) {
      const stored_array numbers{to.data(), type, type == number_type::eight_bits ? scales.data() : nullptr};
      detail::write(from.data(), numbers, 0, piece, {detail::scrambled(7, done)});
      detail::read(numbers, 0, piece, back.data());
      for (std::size_t i = 0; i < piece; ++i) {
        if (from[i] < 0) continue;
        const double off = double(back[i]) - double(from[i]);
        sum += off, squares += off * off, ++count;
      }
    }
    const double deviation = std::sqrt(squares / count);
    CHECK(deviation > 1e-5);  // it is by chance
    CHECK(std::abs(sum / count) < 4 * deviation / std::sqrt(count));
  }
}

TEST_CASE("eight bits: relative errors, zeros, and the ends of the range") {
  std::vector<float> x, back(512), scales(2);
  for (std::size_t i = 0; i < 256; ++i) x.push_back(static_cast<float>(std::pow(2.0, -double(i) / 9)));          // to 2^-28
  for (std::size_t i = 0; i < 256; ++i) x.push_back(static_cast<float>((i % 2 ? -1 : 1) * std::pow(2.0, -double(i) / 18)));  // to 2^-14
  x[200] = 0, x[300] = 0;
  std::vector<std::uint8_t> codes(512);
  const stored_array numbers{codes.data(), number_type::eight_bits, scales.data()};
  detail::write(x.data(), numbers, 0, 512, {1});
  detail::read(numbers, 0, 512, back.data());
  for (std::size_t i = 0; i < 512; ++i) CHECK(std::abs(back[i] - x[i]) <= 0.126 * std::abs(x[i]));
  std::vector<float> positive(256, 1e-30f);
  positive[0] = 1;
  detail::write(positive.data(), numbers, 0, 256, {1});
  CHECK(read_one({codes.data() + 1, number_type::eight_bits, scales.data()}) > 0);  // a second moment does not become zero
  positive.assign({1e30f, 1e-40f, 0});
  positive.resize(256);
  detail::write(positive.data(), numbers, 0, 256, {1});
  CHECK(read_one({codes.data() + 1, number_type::eight_bits, scales.data()}) > 0);
  CHECK(read_one({codes.data() + 2, number_type::eight_bits, scales.data()}) == 0);
  positive.assign(256, 1e-30f);
  std::vector<float> ends_of_bfloat16(64, 3.3895e38f);  // beyond the largest
  std::vector<bfloat16> last(64);
  detail::write(ends_of_bfloat16.data(), {last.data(), number_type::bfloat16}, 0, 64, {1});
  for (const bfloat16 b : last) CHECK(b.bits == 0x7f7f);
  for (const float size : {1e-45f, 1e-38f, 1e-20f, 1e20f, 3.4e38f}) {
    std::vector<float> ends(256, size);
    ends[1] = -size;
    detail::write(ends.data(), numbers, 0, 256, {1});
    detail::read(numbers, 0, 256, back.data());
    if (size > 1e-37f) CHECK(back[0] == doctest::Approx(size).epsilon(1e-6));
    CHECK(std::isfinite(back[1]));
  }
  positive[3] = std::numeric_limits<float>::quiet_NaN();
  detail::write(positive.data(), numbers, 0, 256, {1});
  detail::read(numbers, 0, 256, back.data());
  CHECK_FALSE(std::isfinite(back[3]));
}

TEST_CASE("state of 16 and 8 bits: the same for any number of threads and over save and resume, close to float32") {
  for (const char* chain : {"adamw", "amuse", "lion", "sf_adamw", "accumulate(steps=2) | nesterov_ema(beta=0.9) | apply_update"})
    for (const auto state : {state_in::bfloat16, state_in::eight_bits})
      for (const auto weights : {weights_in::exact, weights_in::stochastic}) {
        CAPTURE(chain);
        CAPTURE(to_text(state));
        const options alone{.lr = 0.01, .warmup_steps = 2, .state = state, .weights = weights, .seed = 3, .parallel = sequential()};
        options together = alone;
        together.parallel = threads(3);
        const auto make = [&](std::vector<bfloat16>& w, std::vector<bfloat16>& v) {
          return std::vector<parameter<float>>{{.name = "w", .shape = {300, 300}, .role = role::hidden, .data = w.data()},
                                               {.name = "v", .shape = {70}, .data = v.data()}};
        };
        const auto w = halves_of<bfloat16>(numbers(1, 90000)), v = halves_of<bfloat16>(numbers(2, 70));
        auto w1 = w, w2 = w, w3 = w, v1 = v, v2 = v, v3 = v;
        optimizer<float> one(chain, make(w1, v1), alone), many(chain, make(w2, v2), together), full(chain, make(w3, v3), {.lr = 0.01, .warmup_steps = 2});
        for (std::uint64_t step = 1; step <= 6; ++step) {
          const std::vector gradients{halves_of<bfloat16>(numbers(step, 90000)), halves_of<bfloat16>(numbers(50 + step, 70))};
          one.step(gradients);
          many.step(gradients);
          full.step(gradients);
          if (step == 3) {
            const std::string saved = many.to_bytes();
            many = optimizer<float>(chain, make(w2, v2), together);
            many.load_bytes(saved);
          }
          REQUIRE(same(w1, w2));
          REQUIRE(same(v1, v2));
        }
        double difference = 0, moved = 0;
        for (std::size_t i = 0; i < w.size(); ++i) {
          difference += std::pow(double(static_cast<float>(w1[i])) - double(static_cast<float>(w3[i])), 2);
          moved += std::pow(double(static_cast<float>(w3[i])) - double(static_cast<float>(w[i])), 2);
        }
        if (weights == weights_in::exact) CHECK(difference < 0.1 * moved);
      }
}

TEST_CASE("one transform's state alone, by stored(...), in C++ and in text") {
  std::vector<float> w = numbers(1, 500), v = w, u = w;
  const auto parameters = [](std::vector<float>& to) { return std::vector<parameter<float>>{{.name = "w", .shape = {500}, .data = to.data()}}; };
  optimizer<float> by_text("stored(bfloat16, ema(beta=0.5)) | scale_by_adam", parameters(w), {.lr = 0.1});
  auto by_type = optimizer(stored(state_in::bfloat16, ema{.beta = 0.5}) | scale_by_adam{}, parameters(v), {.lr = 0.1});
  optimizer<float> scheduled("scheduled(beta, linear(steps=9, final=1), stored(bfloat16, ema(beta=0.5))) | scale_by_adam", parameters(u), {.lr = 0.1});
  for (std::uint64_t step = 1; step <= 3; ++step) {
    const std::array g{numbers(step, 500)};
    by_text.step(g);
    by_type.step(g);
    scheduled.step(g);
    CHECK(same(w, u));
    for (std::size_t i = 0; i < w.size(); ++i) REQUIRE(w[i] == doctest::Approx(v[i]).epsilon(1e-3));  // compiled for other registers
  }
  for (const auto* opt : {&by_text, &by_type, &scheduled}) {
    CHECK(opt->describe().find("ema.momentum in bfloat16, scale_by_adam.first_moment, ") != std::string::npos);
    CHECK(opt->describe().find("stored(bfloat16, ema(beta=0.5))") != std::string::npos);
    CHECK(opt->to_bytes().find("\"BF16\"") != std::string::npos);
  }
  v = w;
  CHECK(by_type.load_bytes(by_text.to_bytes()).checked);
}

TEST_CASE("what 16 and 8 bits refuse") {
  std::vector<float> w(4), g(4);
  std::vector<double> d(4), dg(4);
  std::vector<bfloat16> b(4), bg(4);
  const auto refused = [](auto f) -> std::string {
    try { f(); } catch (const error& e) { return e.what(); }
    return "";
  };
  const auto of_double = [&](const char* chain, options o) {
    return optimizer<double>(chain, {{.name = "w", .shape = {4}, .data = d.data()}}, o);
  };
  CHECK(refused([&] { of_double("adamw", {.state = state_in::bfloat16}); }) ==
        "[optimizer] Expected state=same, for training in double. Received bfloat16.");
  CHECK(refused([&] { of_double("stored(bfloat16, ema)", {}); }).starts_with("[ema] Expected parameters trained in float"));
  CHECK(refused([&] { of_double("adamw", {}).step(std::array{bg}); }) == "[step] Expected a gradient of float64 for 'w'. Received bfloat16.");
  CHECK(refused([&] { parse("stored(bfloat16, scale_by_sign)"); }).starts_with("[parse] Expected for stored"));
  CHECK(refused([&] { parse("stored(half, ema)"); }).starts_with("[parse] Expected for stored"));
  CHECK(refused([&] { optimizer<float>("parallel(ensemble, stored(bfloat16, ema), scale_by_sign)", {{.name = "w", .shape = {4}, .data = w.data()}}, {}); })
            .starts_with("[parallel] Expected"));
  optimizer<float> of_floats("adamw", {{.name = "w", .shape = {4}, .data = w.data()}}, {});
  CHECK(refused([&] { of_floats.step(std::array{gradient_view(dg.data(), 4, number_type::float64)}); }) ==
        "[step] Expected a gradient of float32 for 'w'. Received float64.");
  CHECK(refused([&] { of_floats.step(std::array{gradient_view(dg.data(), 4, number_type::eight_bits)}); }) ==
        "[step] Expected a gradient of float32 for 'w'. Received eight_bits.");
  CHECK(refused([&] { optimizer<float>("adamw", {{.name = "w", .shape = {4}, .data = reinterpret_cast<bfloat16*>(reinterpret_cast<char*>(b.data()) + 1)}}, {}); })
            .starts_with("[optimizer] Expected memory aligned"));
  CHECK(refused([&] { of_floats.step(std::array{gradient_view(reinterpret_cast<char*>(dg.data()) + 1, 4, number_type::bfloat16)}); }) ==
        "[step] Expected a gradient aligned to its element type for 'w'. Received one that is not.");
  // A checkpoint of other rounding is refused.
  const auto of_chance = [&](std::uint64_t seed, weights_in weights) {
    return optimizer<float>("adamw", {{.name = "w", .shape = {4}, .data = b.data()}}, {.weights = weights, .seed = seed});
  };
  auto by_chance = of_chance(1, weights_in::stochastic), other_seed = of_chance(2, weights_in::stochastic), to_nearest = of_chance(1, weights_in::nearest);
  CHECK(refused([&] { other_seed.load_bytes(by_chance.to_bytes()); }) == "[load] Expected a checkpoint of seed=2. Received one of 1.");
  CHECK(refused([&] { to_nearest.load_bytes(by_chance.to_bytes()); }) == "[load] Expected a checkpoint of weights=nearest. Received one of stochastic.");
  CHECK(to_nearest.load_bytes(by_chance.to_bytes(), {.settings = setting_match::keep}).changed == std::vector<std::string>{"weights: stochastic there, nearest here"});
  CHECK(by_chance.describe().find(", weights stochastic, seed=1, compiled for ") != std::string::npos);
  CHECK(refused([&] { optimizer<float>("adamw", {{.name = "m", .shape = {2, 2}, .data = w.data(), .order = storage_order::column_major}}, {.state = state_in::eight_bits}); })
            .starts_with("[optimizer] Expected a row-major parameter, for state in eight_bits. Received 'm'"));
  // A checkpoint of another type is refused, or converted where that is allowed.
  optimizer<float> of_halves("adamw", {{.name = "w", .shape = {4}, .data = b.data()}}, {.state = state_in::eight_bits});
  of_halves.step(std::array{bg});
  of_floats.step(std::array{g});
  CHECK(refused([&] { of_floats.load_bytes(of_halves.to_bytes()); }).find("With setting_match::keep its") != std::string::npos);
  CHECK(refused([&] { of_halves.load_bytes(of_floats.to_bytes()); }).find("With setting_match::keep its") != std::string::npos);
}

TEST_CASE("a checkpoint in another precision: float to double and back, floats to 8 bits and back") {
  const auto start = numbers(1, 600), g = numbers(2, 600);
  const std::vector<double> g_wide(g.begin(), g.end());
  std::vector<float> w = start;
  std::vector<double> wide(start.begin(), start.end());
  const load_policy keep{.settings = setting_match::keep};
  const auto of = [](auto& to) {
    using number = typename std::remove_reference_t<decltype(to)>::value_type;
    return std::vector<parameter<number>>{{.name = "w", .shape = {20, 30}, .data = to.data()}};
  };
  optimizer<float> narrow("adamw", of(w), {.lr = 0.01});
  for (int i = 0; i < 3; ++i) narrow.step(std::array{g});
  wide.assign(w.begin(), w.end());
  optimizer<double> in_double("adamw", of(wide), {.lr = 0.01});
  CHECK_THROWS_AS(in_double.load_bytes(narrow.to_bytes()), error);
  const auto report = in_double.load_bytes(narrow.to_bytes(), keep);
  CHECK(report.changed.size() == 3);  // the parameter and two states
  CHECK(in_double.steps() == 3);
  narrow.step(std::array{g});
  in_double.step(std::array{g_wide});
  for (std::size_t i = 0; i < w.size(); ++i) REQUIRE(wide[i] == doctest::Approx(w[i]).epsilon(1e-6));

  std::vector<float> back(wide.begin(), wide.end()), eight = back;
  optimizer<float> again("adamw", of(back), {.lr = 0.01}), in_bits("adamw", of(eight), {.lr = 0.01, .state = state_in::eight_bits});
  again.load_bytes(in_double.to_bytes(), keep);
  in_bits.load_bytes(again.to_bytes(), keep);
  optimizer<float> once_more("adamw", of(back), {.lr = 0.01});
  once_more.load_bytes(again.to_bytes());
  std::vector<float> before = eight;
  again.step(std::array{g});
  in_bits.step(std::array{g});
  double difference = 0, moved = 0;
  for (std::size_t i = 0; i < eight.size(); ++i) {
    difference += std::pow(double(eight[i]) - double(back[i]), 2);
    moved += std::pow(double(back[i]) - double(before[i]), 2);
  }
  CHECK(difference < 0.02 * moved);
  back = eight;
  CHECK_NOTHROW(once_more.load_bytes(in_bits.to_bytes(), keep));
}

TEST_CASE("a checkpoint whose 16 or 8 bits are damaged, or whose lower halves are of other weights") {
  const load_policy keep{.settings = setting_match::keep};
  std::vector<bfloat16> b = halves_of<bfloat16>(numbers(1, 300)), g = halves_of<bfloat16>(numbers(2, 300));
  std::vector<float> w = floats_of(b);
  const auto of = [](auto& to) { return std::vector<parameter<float>>{{.name = "w", .shape = {300}, .data = to.data()}}; };
  optimizer<float> eight("adamw", of(w), {.lr = 0.01, .state = state_in::eight_bits}), exact("adamw", of(b), {.lr = 0.01});
  eight.step(std::array{g});
  exact.step(std::array{g});
  for (const optimizer<float>* from : {&eight, &exact}) {
    const std::string whole = from->to_bytes();
    const std::size_t data = 8 + *reinterpret_cast<const std::uint64_t*>(whole.data());
    auto other = w;
    optimizer<float> to_floats("adamw", of(other), {.lr = 0.01});
    for (std::size_t at = data; at < whole.size(); at += from == &eight ? 1 : 97) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 1);
      if (from == &eight) CHECK_THROWS_AS(to_floats.load_bytes(damaged, keep), error);
      CHECK_THROWS_AS((from == &eight ? eight : exact).load_bytes(damaged), error);
    }
  }
  std::string renamed = exact.to_bytes();
  renamed.replace(renamed.find("w/lower_half\":{"), 3, "w/k");
  CHECK_THROWS_AS(exact.load_bytes(renamed, keep), error);

  // The weights of a run that rounds to nearest, in an optimizer that has its own lower halves.
  std::vector<bfloat16> n = halves_of<bfloat16>(numbers(3, 300));
  optimizer<float> nearest("adamw", of(n), {.lr = 0.01, .weights = weights_in::nearest});
  nearest.step(std::array{g});
  b = n;
  exact.load_bytes(nearest.to_bytes(), keep);
  std::vector<float> x(300);
  exact.averaged(0, x);
  CHECK(same(x, floats_of(n)));
}
