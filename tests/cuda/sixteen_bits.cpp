// Parameters, gradients and state of 16 bits in device memory, beside the host's.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/cuda.hpp>
#include <thalweg/cuda/stored.hpp>
#include <thalweg/thalweg.hpp>

#include "model_on_device.hpp"

using namespace thalweg;
using detail::stored_array;

namespace {

template <class Number>
std::vector<std::vector<Number>> in_numbers(const std::vector<std::vector<float>>& values) {
  std::vector<std::vector<Number>> all;
  for (const auto& v : values) {
    auto& one = all.emplace_back();
    for (const float x : v) one.push_back(Number(x));
  }
  return all;
}

/// Lengths round a packet's and round the chunks', a matrix, an embedding.
std::vector<test::layer> layers() {
  std::vector<test::layer> all = test::small_layers();
  for (std::size_t n = 1; n < 20; ++n) all.push_back({in_words("length ", n), {n}});
  for (const std::size_t n : {255, 257, 4095, 4097, 16389}) all.push_back({in_words("length ", n), {n}});
  return all;
}

struct formats {
  weights_in weights = weights_in::exact;
  state_in state = state_in::same;
};

/// One training on the host and one on the device, of parameters of type P.
template <class P>
struct beside {
  test::model<float> model{layers()};
  std::vector<std::vector<P>> of_host = in_numbers<P>(model.values);
  test::arrays_on_device<P> of_device;
  std::string chain;
  options o;
  std::size_t gradients_offset;
  optimizer<float> host, device;
  bool same_code;  ///< where the device is the tests' double, both compute the same bits
  double rounding;  ///< how far a GPU may be from the host: a unit of float32, or a few of 16 bits

  beside(std::string text, formats as, std::size_t offset = 0, std::size_t of_gradients = 0)
      : of_device(of_host, offset), chain(std::move(text)),
        o{.lr = 0.01, .weight_decay = 0.1, .warmup_steps = 2, .state = as.state, .weights = as.weights, .seed = 7},
        gradients_offset(of_gradients), rounding(as.weights == weights_in::exact && as.state == state_in::same ? 1e-5 : 0.01) {
    bind();
    same_code = device.describe().find("cuda: emulated") != std::string::npos;
  }
  /// No instruction set with which a compiler fuses products and sums.
  void bind() {
    auto here = model.parameters(), there = model.parameters();
    for (std::size_t i = 0; i < here.size(); ++i) here[i].data = of_host[i].data(), there[i].data = of_device[i].data();
    host = {detail::program_of<float>(on_instruction_set{instruction_sets().size() - 1, std::string(chain)}), here, o};
    device = cuda::optimizer(chain, there, o);
  }
  template <class G>
  void step(long t, bool finite = true) {
    model.differentiate(t);
    auto gradients = in_numbers<G>(model.gradients);
    if (!finite) gradients[1][2] = G(std::numeric_limits<float>::infinity());
    const test::arrays_on_device<G> there(gradients, gradients_offset);
    const auto a = host.step(gradients, {.loss = 1}), b = device.step(there.spans(), {.loss = 1});
    CHECK(a.taken == b.taken);
    CHECK(a.parameter == b.parameter);
    CHECK(a.taken == finite);
  }
  /// x of all parameters in float32.
  [[nodiscard]] std::array<std::vector<std::vector<float>>, 2> averaged() const {
    auto on_host = model.values;
    test::arrays_on_device<float> out(model.values, 1);
    for (std::size_t i = 0; i < on_host.size(); ++i) {
      host.averaged(i, on_host[i]);
      device.averaged(i, out[i]);
    }
    return {on_host, out.get()};
  }
  /// `allowed`: how far x may be apart where sums are added in another order, else nothing.
  void check(std::optional<double> allowed) {
    const auto [here, there] = averaged();
    if (same_code && !allowed) {
      CHECK(test::same_bits(here, there));
      CHECK(test::same_bits(of_host, of_device.get()));
      CHECK(host.to_bytes() == device.to_bytes());
    } else {
      CHECK(test::distance(here, there) <= allowed.value_or(rounding));
    }
    CHECK(of_device.sentinels_stand());
  }
};

/// Six steps with gradients of all types, a checkpoint that each takes from the other, an evaluation point.
template <class P>
void check_like_host(const std::string& chain, formats as, std::optional<double> allowed = {}, std::size_t offset = 0,
                     std::size_t of_gradients = 0) {
  CAPTURE(chain);
  CAPTURE(as.weights);
  CAPTURE(as.state);
  CAPTURE(offset);
  beside<P> both(chain, as, offset, of_gradients);
  const auto start = both.of_host;
  both.check(allowed);
  both.template step<P>(1);
  both.template step<bfloat16>(2);
  both.check(allowed);
  const std::string of_host = both.host.to_bytes(), of_device = both.device.to_bytes();
  if (both.same_code && !allowed) {
    both.bind();
    both.host.load_bytes(of_device);
    both.device.load_bytes(of_host);
    both.check(allowed);
  } else {
    both.device.load_bytes(of_device);
  }
  both.template step<float16>(3);
  both.template step<float>(4);
  if (chain.find("when_finite") != chain.npos) {
    const auto before = both.of_device.get();
    both.template step<P>(5, false);
    CHECK(test::same_bits(both.of_device.get(), before));
  }
  {
    const auto y = both.of_device.get();
    {
      const auto on_host = both.host.evaluation_point();
      const auto on_device = both.device.evaluation_point();
      both.check(allowed);
    }
    CHECK(test::same_bits(both.of_device.get(), y));
  }
  both.template step<P>(5);
  both.template step<bfloat16>(6);
  both.check(allowed);
  CHECK_FALSE(test::same_bits(both.of_host, start));
  CHECK_FALSE(test::same_bits(both.of_device.get(), start));
}

const std::vector<std::string> same_to_the_bit{
    "adamw", "sf_adamw", "when_finite | lion", "scale_by_adam | decay_weights | update_and_average(memory=forgetting(beta=0.9))"};

template <class P>
void check_all(weights_in weights) {
  for (const auto& chain : same_to_the_bit)
    for (const auto state : {state_in::same, state_in::bfloat16}) check_like_host<P>(chain, {weights, state});
}

/// The numbers at the ends of all that is rounded, and many others.
std::vector<float> many_numbers() {
  std::vector<float> all;
  for (const std::uint32_t bits :
       {0u, 1u, 0x007fffffu, 0x00800000u, 0x33000000u, 0x33000001u, 0x387fffffu, 0x38800000u, 0x477fe000u, 0x477fefffu,
        0x477ff000u, 0x7f7effffu, 0x7f7f0000u, 0x7f7f7fffu, 0x7f7f8000u, 0x7f7fffffu, 0x7f800000u, 0x7f800001u, 0x7fffffffu})
    for (const std::uint32_t sign : {0u, 0x80000000u}) all.push_back(std::bit_cast<float>(bits | sign));
  for (std::uint64_t i = 0; i < 3000; ++i)
    all.push_back(static_cast<float>(std::ldexp(test::noise(5, i), static_cast<int>(40 * test::noise(6, i)))));
  return all;
}

}  // namespace

TEST_CASE("cuda: a thread widens and rounds as the host does, number by number and by packets") {
  using cuda::detail::as_stored;
  constexpr std::size_t width = cuda::detail::packet_width<float>;
  std::vector<float> numbers = many_numbers();
  const std::size_t n = numbers.size();
  const auto check = [&]<class Half>(Half, std::size_t bytes_of_rest, detail::rounding how) {
    struct alignas(16) memory {
      std::array<Half, 4096> numbers{};
      std::array<float, 4096> rest{};
    } host, device, one;
    REQUIRE(n <= host.numbers.size());
    const auto stored_in = [&](memory& m) {
      return stored_array{m.numbers.data(), detail::type_of<Half>, bytes_of_rest ? m.rest.data() : nullptr};
    };
    detail::write(numbers.data(), stored_in(host), 0, n, how);
    const as_stored<true> packets(stored_in(device), how), alone(stored_in(one), how);
    cuda::detail::packet<float, width> p;
    for (std::size_t i = 0; i < n; ++i) {
      alone.store(cuda::detail::packet<float, 1>{{numbers[i]}}, i);
      p.values[i % width] = numbers[i];
      if (i % width == width - 1) packets.store(p, i - i % width);
    }
    const std::size_t whole = n - n % width;
    CHECK(std::memcmp(one.numbers.data(), host.numbers.data(), n * sizeof(Half)) == 0);
    CHECK(std::memcmp(one.rest.data(), host.rest.data(), n * bytes_of_rest) == 0);
    CHECK(std::memcmp(device.numbers.data(), host.numbers.data(), whole * sizeof(Half)) == 0);
    CHECK(std::memcmp(device.rest.data(), host.rest.data(), whole * bytes_of_rest) == 0);
    for (std::size_t i = 0; i < n; i += 7) host.numbers[i].bits ^= 0x11u;  // numbers that the user has written
    std::vector<float> expected(n), received(n), singly(n);
    detail::read(stored_in(host), 0, n, expected.data());
    const as_stored<true> from(stored_in(host));
    for (std::size_t i = 0; i < n; ++i) singly[i] = from.widened(from.fetch<1>(i)).values[0];
    for (std::size_t i = 0; i < whole; i += width) {
      p = from.widened(from.fetch<width>(i));
      std::copy_n(p.values, width, received.begin() + static_cast<std::ptrdiff_t>(i));
    }
    CHECK(std::memcmp(singly.data(), expected.data(), n * sizeof(float)) == 0);
    CHECK(std::memcmp(received.data(), expected.data(), whole * sizeof(float)) == 0);
  };
  for (const auto& how : {detail::rounding{}, detail::rounding{0}, detail::rounding{0xfedcba9876543210u}}) {
    check(bfloat16(), 0, how);
    check(float16(), 0, how);
    std::ranges::reverse(numbers);
  }
  check(bfloat16(), sizeof(std::int16_t), {});
  check(float16(), sizeof(float), {});
}

TEST_CASE("cuda: parameters of float32, with gradients and state of 16 bits") { check_all<float>(weights_in::exact); }

TEST_CASE("cuda: parameters of 16 bits, exact: to the bit as on the host") {
  check_all<bfloat16>(weights_in::exact);
  check_all<float16>(weights_in::exact);
}

TEST_CASE("cuda: parameters of 16 bits, rounded to nearest and by chance") {
  for (const auto weights : {weights_in::nearest, weights_in::stochastic}) {
    check_all<bfloat16>(weights);
    check_all<float16>(weights);
  }
}

TEST_CASE("cuda: arrays of 16 bits of any alignment") {
  for (const std::size_t offset : {1, 2, 3, 4}) {
    check_like_host<bfloat16>("adamw", {weights_in::exact, state_in::bfloat16}, {}, offset, 5 - offset);
    check_like_host<float16>("sf_adamw", {weights_in::stochastic, state_in::bfloat16}, {}, offset);
    check_like_host<float>("adamw", {weights_in::exact, state_in::bfloat16}, {}, 0, offset);
  }
}

TEST_CASE("cuda: 16 bits through sums and orthogonal matrices") {
  const formats as{weights_in::exact, state_in::same};
  check_like_host<bfloat16>("clip_by_global_norm(max_norm=0.5) | adamw", as, 1e-5);
  check_like_host<float16>("scale_by_adam | scale_by_trust_ratio", as, 1e-5);
  check_like_host<bfloat16>("amuse", as, 2e-3);
  check_like_host<float16>("muon", as, 2e-3);
  check_like_host<bfloat16>("route(when(hidden_matrix, orthogonalize_update), otherwise(ema))", as, 2e-3);
}

TEST_CASE("cuda: gradients of 16 bits are gathered over calls; one transform's state alone is of 16 bits") {
  for (const char* chain : {"accumulate(steps=2) | sf_adamw", "stored(bfloat16, accumulate(steps=3)) | ema",
                            "stored(bfloat16, ema(beta=0.9)) | scale_by_adam"}) {
    CAPTURE(chain);
    beside<bfloat16> both(chain, {weights_in::stochastic, state_in::same}, 0, 1);
    for (long t = 1; t <= 6; ++t) {
      both.model.differentiate(t);
      const auto gradients = in_numbers<float16>(both.model.gradients);
      const test::arrays_on_device<float16> there(gradients, 1);
      CHECK(both.host.step(gradients).taken == both.device.step(there.spans()).taken);
      both.check({});
    }
  }
}

TEST_CASE("cuda: what is of 16 bits is described; of 8 bits, on the host or misplaced it is refused") {
  beside<bfloat16> both("adamw", {weights_in::exact, state_in::bfloat16});
  const std::string text = both.device.describe();
  for (const char* part : {"the rest of bfloat16", "scale_by_adam.first_moment in bfloat16", "weights exact"})
    CHECK(text.find(part) != text.npos);
  both.step<bfloat16>(1);
  const auto before = both.of_device.get();
  auto there = both.model.parameters();
  for (std::size_t i = 0; i < there.size(); ++i) there[i].data = both.of_device[i].data();
  CHECK_THROWS_WITH_AS(cuda::optimizer("adamw", there, {.state = state_in::eight_bits}),
                       "[cuda] Expected state of 16 or more bits on a GPU. Received scale_by_adam.first_moment of 'w1' "
                       "in eight_bits.",
                       error);
  auto here = there;
  here[1].data = both.of_host[1].data();
  CHECK_THROWS_WITH_AS(cuda::optimizer("adamw", here, {}),
                       "[cuda] Expected memory of the current device as the parameter 'b1'. Received an address of the "
                       "host's.",
                       error);
  const auto gradients = in_numbers<float16>(both.model.gradients);
  const test::arrays_on_device<float16> on_device(gradients);
  auto spans = on_device.spans();
  spans[2] = gradients[2];
  CHECK_THROWS_WITH_AS(both.device.step(spans),
                       "[cuda] Expected memory of the current device as the gradient of 'w2'. Received an address of "
                       "the host's.",
                       error);
  spans = on_device.spans();
  spans[2] = {reinterpret_cast<const float16*>(reinterpret_cast<const char*>(spans[2].data()) + 1), spans[2].size()};
  CHECK_THROWS_WITH_AS(both.device.step(spans),
                       doctest::Contains("[step] Expected a gradient aligned to its element type for 'w2'."), error);
  CHECK(both.device.steps() == 1);
  CHECK(test::same_bits(both.of_device.get(), before));
}
