// A step from memory with parameters, gradients and state of 16 and 8 bits, beside the step of floats and beside a probe that
// reads and writes the same bytes and computes nothing. All take turns; medians.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <thalweg/core/storage.hpp>
#include <thalweg/text.hpp>
#include <thalweg/thalweg.hpp>

using namespace thalweg;

namespace {

constexpr std::size_t count = std::size_t{32} << 20;
constexpr int turns = 7;

double median(std::vector<double> v) {
  std::ranges::nth_element(v, v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2));
  return v[v.size() / 2];
}
template <class F>
double seconds(const F& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

using line [[gnu::vector_size(32)]] = std::uint64_t;

/// Reads and writes `Written` arrays of n lines, and reads one more.
template <std::size_t Written>
void probe(const std::vector<line*>& written, const line* read, std::size_t n) {
  std::array<line*, Written> to;
  std::copy_n(written.begin(), Written, to.begin());
  for (std::size_t i = 0; i < n; ++i)
    for (line* const array : to) array[i] ^= read[i];
}

struct format {
  const char* name;
  bool halves;
  state_in state;
  weights_in weights;
  std::size_t bytes_of_weights;
};

void compare(const std::string& chain, std::size_t states) {
  const std::array formats{format{"float32", false, state_in::same, weights_in::exact, 4},
                           format{"bfloat16 exact, state in bfloat16", true, state_in::bfloat16, weights_in::exact, 4},
                           format{"bfloat16 stochastic, state in bfloat16", true, state_in::bfloat16, weights_in::stochastic, 2},
                           format{"bfloat16 exact, state in 8 bits", true, state_in::eight_bits, weights_in::exact, 4}};
  std::array<std::vector<double>, formats.size()> steps, probes;
  std::vector<float> g(count, 0.01f);
  std::vector<bfloat16> h(count, bfloat16(0.01f));
  for (std::size_t k = 0; k < formats.size(); ++k) {
    const format& f = formats[k];
    std::vector<float> w(f.halves ? 1 : count, 0.5f);
    std::vector<bfloat16> b(f.halves ? count : 1, bfloat16(0.5f));
    parameter<float> p{.name = "w", .shape = {count / 1024, 1024}, .role = role::embedding, .data = w.data()};
    if (f.halves) p.data = b.data();
    optimizer<float> opt(chain, {p}, {.lr = 1e-4, .warmup_steps = 1, .state = f.state, .weights = f.weights, .parallel = sequential()});
    const std::size_t of_state = f.state == state_in::same ? 4 : f.state == state_in::bfloat16 ? 2 : 1;
    const std::size_t of_gradient = f.halves ? 2 : 4, all = count * (f.bytes_of_weights + states * of_state);
    const std::size_t n = count * of_gradient / sizeof(line), arrays = all / (count * of_gradient);
    const std::size_t apart = n + 34;  // not at the same place of a page
    const auto memory = detail::allocate<line>((arrays + 1) * apart);
    std::fill_n(memory.get(), (arrays + 1) * apart, line{1, 2, 3, 4});
    std::vector<line*> written;
    for (std::size_t i = 1; i <= arrays; ++i) written.push_back(memory.get() + i * apart);
    for (int turn = 0; turn <= turns; ++turn) {
      const double step = seconds([&] {
        if (f.halves) opt.step(std::array{std::span<const bfloat16>(h)});
        else opt.step(std::array{std::span<const float>(g)});
      });
      const double moved = seconds([&] {
        if (arrays == 2) probe<2>(written, memory.get(), n);
        else if (arrays == 3) probe<3>(written, memory.get(), n);
        else probe<4>(written, memory.get(), n);
      });
      if (turn == 0) continue;  // pages and caches
      steps[k].push_back(step);
      probes[k].push_back(moved);
    }
  }
  for (std::size_t k = 0; k < formats.size(); ++k)
    std::printf("%-9s %-40s %6.3f ns an element   %5.2f of float32's time   %5.2f of its probe's speed\n", chain.c_str(),
                formats[k].name, median(steps[k]) * 1e9 / count, median(steps[k]) / median(steps[0]),
                median(probes[k]) / median(steps[k]));
}

}  // namespace

int main() {
  compare("adamw", 2);
  compare("lion", 1);
}
