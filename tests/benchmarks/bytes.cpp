// Bytes per parameter, as the system counts them. Each recipe in each format steps a model in a separate process; then its
// peak of resident memory is read. Without arguments: all recipes and formats on 64 million parameters in the shapes of a
// Llama. With `--model-1b`: AdamW and AMUSE at 1.1 billion.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <thalweg/text.hpp>
#include <thalweg/thalweg.hpp>

using namespace thalweg;

namespace {

struct shape {
  std::string name;
  std::size_t rows, cols;
  thalweg::role role;
};

std::vector<shape> llama(std::size_t vocabulary, std::size_t width, std::size_t inner, std::size_t key_width, std::size_t layers) {
  std::vector<shape> all{{"embedding", vocabulary, width, role::embedding}};
  for (std::size_t l = 0; l < layers; ++l) {
    const std::string in = "layer" + std::to_string(l) + ".";
    all.push_back({in + "q", width, width, role::hidden});
    all.push_back({in + "k", key_width, width, role::hidden});
    all.push_back({in + "v", key_width, width, role::hidden});
    all.push_back({in + "o", width, width, role::hidden});
    for (const char* name : {"gate", "up"}) all.push_back({in + name, inner, width, role::hidden});
    all.push_back({in + "down", width, inner, role::hidden});
    all.push_back({in + "norm", 1, width, role::unspecified});
  }
  return all;
}

/// Weights and gradients in one piece; they hold 2⁻¹⁰ and 2⁻¹³.
struct arena {
  std::vector<std::uint8_t> weights, gradients;
  std::vector<parameter<float>> parameters;
  std::vector<gradient_view> views;
  std::size_t count = 0;

  arena(const std::vector<shape>& shapes, number_type type) {
    for (const auto& s : shapes) count += s.rows * s.cols;
    const std::size_t bytes = detail::bytes_of(type);
    weights.resize(count * bytes);
    gradients.resize(count * bytes);
    std::size_t begin = 0;
    for (const auto& s : shapes) {
      std::uint8_t *const w = weights.data() + begin * bytes, *const g = gradients.data() + begin * bytes;
      const std::size_t n = s.rows * s.cols;
      const std::vector<float> of_w(detail::block_elements, 0x1p-10f), of_g(detail::block_elements, 0x1p-13f);
      for (std::size_t i = 0; i < n; i += detail::block_elements) {
        const std::size_t some = std::min(n - i, detail::block_elements);
        detail::write(of_w.data(), {w, type}, i, some);
        detail::write(of_g.data(), {g, type}, i, some);
      }
      parameter<float> p{.name = s.name, .shape = s.rows == 1 ? std::vector{s.cols} : std::vector{s.rows, s.cols}, .role = s.role};
      if (type == number_type::bfloat16) p.data = reinterpret_cast<bfloat16*>(w);
      else p.data = reinterpret_cast<float*>(w);
      parameters.push_back(std::move(p));
      views.emplace_back(g, n, type);
      begin += n;
    }
  }
};

struct format {
  std::string name;
  number_type weights;
  state_in state;
  weights_in kept = weights_in::exact;
};

// One iteration in place of five: a step of a billion parameters would take minutes. Five need a few square matrices more.
constexpr const char *muon = "muon(steps=1)", *sf_muon = "sf_muon(steps=1)", *amuse = "amuse(steps=1)";

/// Peak of resident memory of a process that makes a model and takes `steps` steps, in bytes; 0 where it failed.
double peak(const std::vector<shape>& shapes, const std::string& chain, const format& f, int steps) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    try {
      arena a(shapes, f.weights);
      optimizer<float> opt(chain, std::move(a.parameters), {.lr = 1e-4, .warmup_steps = 10, .state = f.state, .weights = f.kept});
      for (int i = 0; i < steps; ++i) opt.step(a.views);
      _exit(0);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
      _exit(1);
    }
  }
  int status = 0;
  rusage used{};
  if (wait4(child, &status, 0, &used) < 0 || status != 0) return 0;
  return static_cast<double>(used.ru_maxrss) * 1024;
}

std::size_t size_of(const std::vector<shape>& shapes) {
  std::size_t count = 0;
  for (const auto& s : shapes) count += s.rows * s.cols;
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<format> formats{{"float32", number_type::float32, state_in::same},
                                    {"float32, state in bfloat16", number_type::float32, state_in::bfloat16},
                                    {"float32, state in 8 bits", number_type::float32, state_in::eight_bits},
                                    {"bfloat16 exact", number_type::bfloat16, state_in::same},
                                    {"bfloat16 exact, state in bfloat16", number_type::bfloat16, state_in::bfloat16},
                                    {"bfloat16 exact, state in 8 bits", number_type::bfloat16, state_in::eight_bits},
                                    {"bfloat16 stochastic, state in bfloat16", number_type::bfloat16, state_in::bfloat16, weights_in::stochastic}};
  if (argc > 1 && std::strcmp(argv[1], "--model-1b") == 0) {
    const auto shapes = llama(32000, 2048, 5632, 256, 24);
    const double count = static_cast<double>(size_of(shapes));
    for (const char* chain : {"adamw", amuse}) {
      const double bytes = peak(shapes, chain, formats[4], 1);
      std::printf("%s, %.2f billion parameters, %s: peak %.2f GB, %.2f bytes a parameter\n", chain, count / 1e9, formats[4].name.c_str(),
                  bytes / 1e9, bytes / count);
    }
    return 0;
  }
  const auto shapes = llama(16000, 1024, 2816, 256, 4);
  const double count = static_cast<double>(size_of(shapes));
  std::printf("| bytes a parameter, with its gradient |");
  for (const auto& f : formats) std::printf(" %s |", f.name.c_str());
  std::printf("\n|:--|");
  for (std::size_t i = 0; i < formats.size(); ++i) std::printf("--:|");
  std::printf("\n");
  for (const char* chain : {"adamw", "sf_adamw", "lion", muon, sf_muon, amuse}) {
    std::printf("| `%s` |", chain);
    for (const auto& f : formats) std::printf(" %.1f |", peak(shapes, chain, f, 2) / count);
    std::printf("\n");
    std::fflush(stdout);
  }
}
