// Steps on a GPU beside its own speed: a probe that reads and writes as many arrays with no arithmetic, turn by turn.
// Exits with 77 where there is no GPU.
//
//   GB/s  what the step moves     of the probe's  that, as a fraction (medians)
//   µs    a step
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include <thalweg/cuda/optimizer.hpp>
#include <thalweg/cuda/orthogonalize_update.hpp>
#include <thalweg/recipes/adamw.hpp>
#include <thalweg/recipes/amuse.hpp>
#include <thalweg/recipes/sf_adamw.hpp>

#include "../cuda/on_device/is_missing.hpp"

using namespace thalweg;

namespace {

constexpr int rounds = 30;

/// Reads `reads` arrays of n floats, writes the first `writes` of them.
template <std::size_t Reads, std::size_t Writes>
struct probe {
  float* first;
  std::size_t n;
  constexpr void operator()(std::size_t block, std::size_t thread) const {
    using some = cuda::detail::packet<float, 4>;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::size_t i = ((block * 4 + k) * cuda::threads_per_block + thread) * 4;
      if (i >= n) return;
      some sum = some::load(first + i);
      for (std::size_t a = 1; a < Reads; ++a) {
        const some more = some::load(first + a * n + i);
        for (std::size_t w = 0; w < 4; ++w) sum.values[w] += more.values[w];
      }
      for (std::size_t a = 0; a < Writes; ++a) sum.store(first + a * n + i);
    }
  }
};

template <class F>
double microseconds(cudaStream_t stream, F f) {
  cudaEvent_t begin{}, end{};
  cuda::check("an event", cudaEventCreate(&begin));
  cuda::check("an event", cudaEventCreate(&end));
  cuda::check("a mark", cudaEventRecord(begin, stream));
  f();
  cuda::check("a mark", cudaEventRecord(end, stream));
  cuda::check("an end", cudaEventSynchronize(end));
  float milliseconds = 0;
  cuda::check("a time", cudaEventElapsedTime(&milliseconds, begin, end));
  cuda::check("an event that goes", cudaEventDestroy(begin));
  cuda::check("an event that goes", cudaEventDestroy(end));
  return 1000.0 * milliseconds;
}

double median(std::vector<double> v) {
  std::ranges::nth_element(v, v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2));
  return v[v.size() / 2];
}

struct memory {
  std::vector<cuda::device_array<float>> values, gradients;
  std::vector<parameter<float>> parameters;
  std::vector<std::span<const float>> spans;

  explicit memory(const std::vector<std::vector<std::size_t>>& shapes) {
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const std::size_t n = element_count(shapes[i]);
      std::vector<float> noise(n);
      for (std::size_t j = 0; j < n; ++j) noise[j] = static_cast<float>((j * 2654435761u >> 9) % 2048) / 1024 - 1;
      for (auto* there : {&values, &gradients}) {
        there->emplace_back(n);
        cuda::copy(noise.data(), n, there->back().data(), nullptr);
      }
      parameters.push_back({.name = in_words("p", i), .shape = shapes[i], .role = role::hidden,
                            .data = values.back().data()});
      spans.push_back(gradients.back().span());
    }
    cuda::synchronize(nullptr);
  }
};

template <class Chain>
double time_of_step(const Chain& chain, const std::vector<std::vector<std::size_t>>& shapes) {
  memory m(shapes);
  auto opt = cuda::optimizer(chain, m.parameters, {.lr = 1e-3, .warmup_steps = 10});
  for (int i = 0; i < 3; ++i) opt.step(m.spans);
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) times.push_back(microseconds(nullptr, [&] { opt.step(m.spans); }));
  return median(times);
}

template <std::size_t Reads, std::size_t Writes, class Chain>
void against_probe(const char* name, const Chain& chain, std::size_t n) {
  const double step = time_of_step(chain, {{n}});
  cuda::device_array<float> arrays(n * Reads);
  cuda::zero(arrays.data(), arrays.size(), nullptr);
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i)
    times.push_back(microseconds(nullptr, [&] {
      cuda::launch(nullptr, (n + 4095) / 4096, probe<Reads, Writes>{arrays.data(), n});
    }));
  const double bytes = static_cast<double>(n * (Reads + Writes) * sizeof(float));
  std::printf("%-28s 2^%-2d  %8.1f µs  %7.1f GB/s  %.2f of the probe's\n", name,
              static_cast<int>(std::bit_width(n)) - 1, step, bytes / step / 1000, median(times) / step);
}

}  // namespace

int main() {
  if (test::is_missing()) return 77;
  cudaDeviceProp properties{};
  cuda::check("a device that describes itself", cudaGetDeviceProperties(&properties, 0));
  std::puts(properties.name);
  const auto vector_of_amuse = scale_by_exp_avg_sq{} | amuse_beta{} | update_by_schedule_free{};
  for (const std::size_t n : {std::size_t{1} << 20, std::size_t{1} << 26}) {
    against_probe<4, 3>("adamw", recipes::adamw(), n);
    against_probe<4, 3>("amuse, what is no matrix", vector_of_amuse, n);
    against_probe<4, 3>("sf_adamw", recipes::sf_adamw(), n);
  }
  std::vector<std::vector<std::size_t>> small(1000, {256}), gpt2, wide;
  for (int block = 0; block < 12; ++block) gpt2.insert(gpt2.end(), {{2304, 768}, {768, 768}, {3072, 768}, {768, 3072}});
  wide = {{12288, 4096}, {4096, 4096}, {16384, 4096}, {4096, 16384}};
  std::printf("adamw, 1000 vectors of 256        %8.1f µs\n", time_of_step(recipes::adamw(), small));
  for (const auto p : {precision::float32, precision::bfloat16}) {
    const std::string name(to_text(p));
    const auto chain = recipes::amuse({.precision = p});
    std::printf("amuse, GPT-2 small, %-8s      %8.1f µs\n", name.c_str(), time_of_step(chain, gpt2));
    std::printf("amuse, a block 4096 wide, %-8s %8.1f µs\n", name.c_str(), time_of_step(chain, wide));
  }
  return 0;
}
