// What fusing buys: AdamW fused, and one transform at a time, beside a plain loop that moves the same bytes.
// First they must agree; then they are timed.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <thalweg/thalweg.hpp>

using namespace thalweg;

namespace {

constexpr double bytes_an_element = 28;  // reads parameter, gradient and two moments, writes all but the gradient

std::vector<float> wave(std::size_t n, float frequency) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = std::sin(frequency * static_cast<float>(i));
  return values;
}

// The least seconds an element that `pass` took, over about a second.
template <class Pass>
double least_seconds(std::size_t n, Pass pass) {
  using clock = std::chrono::steady_clock;
  const std::size_t repeats = std::max<std::size_t>(1, (1 << 20) / n);
  double least = std::numeric_limits<double>::infinity();
  for (const auto start = clock::now(); clock::now() - start < std::chrono::seconds(1);) {
    const auto before = clock::now();
    for (std::size_t i = 0; i < repeats; ++i) pass();
    least = std::min(least, std::chrono::duration<double>(clock::now() - before).count());
  }
  return least / static_cast<double>(n * repeats);
}

struct contender {
  explicit contender(std::size_t n) : parameters(wave(n, 0.1f)), gradients(wave(n, 0.3f)) {}
  std::vector<parameter<float>> views() { return {{.name = "w", .shape = {parameters.size()}, .data = parameters.data()}}; }
  std::vector<float> parameters, gradients;
};

void time_size(std::size_t n, const std::string& where) {
  const options o{.lr = 1e-3, .weight_decay = 0.01};
  contender a(n), b(n);
  auto fused = optimizer(recipes::adamw(), a.views(), o);
  auto apart = optimizer(unfused(recipes::adamw()), b.views(), o);
  const auto step_fused = [&] { fused.step({std::span<const float>(a.gradients)}); };
  const auto step_apart = [&] { apart.step({std::span<const float>(b.gradients)}); };

  for (int i = 0; i < 3; ++i) step_fused(), step_apart();
  for (std::size_t i = 0; i < n; ++i)
    if (!(std::abs(a.parameters[i] - b.parameters[i]) < 1e-6f))
      throw error("benchmark", "Expected fused and unfused to agree at " + std::to_string(i) + ". Received " +
                                   to_text(a.parameters[i]) + " and " + to_text(b.parameters[i]) + ".");

  // Apart by an odd number of cache lines: equal offsets modulo 4 KiB look like dependences to the processor.
  std::vector<float> memory(4 * n + 3 * 208);
  float *p = memory.data(), *g = p + n + 208, *m = g + n + 208, *v = m + n + 208;
  const auto probe = [=] {
    for (std::size_t i = 0; i < n; ++i) {
      m[i] += g[i];
      v[i] += g[i];
      p[i] += m[i] + v[i];
    }
    asm volatile("" ::: "memory");
  };

  for (const auto& [name, seconds] : {std::pair{"read and write", least_seconds(n, probe)},
                                      std::pair{"adamw", least_seconds(n, step_fused)},
                                      std::pair{"adamw, unfused", least_seconds(n, step_apart)}})
    fmt::print("{:<10}{:>10}  {:<16}{:>8.2f}{:>8.1f}\n", where, n, name, seconds * 1e9, bytes_an_element / seconds * 1e-9);
}

}  // namespace

int main() {
  fmt::print("{:<10}{:>10}  {:<16}{:>8}{:>8}\n", "where", "elements", "pass", "ns/elem", "GB/s");
  time_size(std::size_t{1} << 12, "cache");
  time_size((std::size_t{1} << 24) + 16, "memory");
}
