// What Muon and AMUSE cost: the machine's own products, the orthogonalisation, and whole steps on a transformer block
// of GPT-2 small's size beside the same step in PyTorch (peers/amuse.py, where /usr/bin/python3 has it).
//
//   needed Gflop/s    of the flops that the iteration cannot do without, symmetric halves left out
//   plain Gflop/s     of the flops of the iteration as it is written down
//
// Rounds are interleaved at random, so that what else the machine does meets all alike.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include <thalweg/core/linear_algebra.hpp>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

using namespace thalweg;

namespace {

using shape = std::array<std::size_t, 2>;
constexpr std::array<shape, 4> block{{{768, 2304}, {768, 768}, {768, 3072}, {3072, 768}}};

std::vector<float> gaussian(std::size_t n, float scale = 1) {
  static std::mt19937 bits(1);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> numbers(n);
  for (float& x : numbers) x = normal(bits);
  return numbers;
}

// Five steps as written down, and the least that they can be had for: on x, or two at a time on the Gram matrix.
struct flops {
  double plain, needed;
};
flops flops_of(const shape& s) {
  const double m = static_cast<double>(std::min(s[0], s[1])), n = static_cast<double>(std::max(s[0], s[1]));
  const double on_x = 5 * (3 * m * m * n + m * m * m), in_pairs = 3 * 3 * m * m * n + (1 + 5 + 5) * m * m * m;
  return {5 * (4 * m * m * n + 2 * m * m * m), std::min(on_x, in_pairs)};
}

double least(const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); }

benchmark::internal::Benchmark* steady(benchmark::internal::Benchmark* b) {
  return b->Unit(benchmark::kMillisecond)->Repetitions(5)->ReportAggregatesOnly()
      ->ComputeStatistics("least", least);
}

// ---- the machine ------------------------------------------------------------------------------------

constexpr std::size_t side = 1536;  // of the square products that show what the machine can do

void product(benchmark::State& state) {
  const auto a = gaussian(side * side), b = gaussian(side * side);
  std::vector<float> out(side * side);
  const linear_algebra::one_thread alone;
  for (auto _ : state)
    linear_algebra::product<float>(1, {a.data(), side, side}, {b.data(), side, side}, {}, {out.data(), side, side});
  state.counters["Gflop/s"] = benchmark::Counter(2e-9 * side * side * side * static_cast<double>(state.iterations()),
                                                 benchmark::Counter::kIsRate);
}

// ---- one matrix -------------------------------------------------------------------------------------

void orthogonalization(benchmark::State& state, shape s, precision p) {
  const orthogonalize_update transform{.precision = p};
  const parameter_info info{.name = "w", .shape = {s[0], s[1]}};
  const auto u = gaussian(s[0] * s[1]);
  std::vector<float> x(u), scratch(transform.scratch(info));
  for (auto _ : state) {
    std::copy(u.begin(), u.end(), x.begin());
    transform.apply(context{}, tensor<float>{x.data(), info.shape, storage_order::row_major, info.name},
                    std::span<float>(scratch));
  }
  const auto rate = [&](double flops) {
    return benchmark::Counter(1e-9 * flops * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  };
  state.counters["needed Gflop/s"] = rate(flops_of(s).needed);
  state.counters["plain Gflop/s"] = rate(flops_of(s).plain);
}

// ---- a step -----------------------------------------------------------------------------------------

template <class Orthogonalize>
void amuse_step(benchmark::State& state, const Orthogonalize& orthogonalize, std::size_t workers) {
  std::vector<std::vector<float>> weights, gradients;
  std::vector<parameter<float>> parameters;
  for (const auto& s : block) {
    weights.push_back(gaussian(s[0] * s[1], 0.02f));
    gradients.push_back(gaussian(s[0] * s[1]));
    parameters.push_back({.name = "w" + std::to_string(weights.size()), .shape = {s[0], s[1]},
                          .data = weights.back().data()});
  }
  const auto chain = orthogonalize | amuse_beta{.beta1 = 0.6, .rho = 0.8} | update_by_schedule_free{.decay = decay_point::z};
  auto opt = optimizer(chain, parameters,
                       {.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 4, .parallel = threads(workers)});
  opt.step(gradients);
  for (auto _ : state) opt.step(gradients);
}

/// The peer: a process that does something when asked and answers with the seconds.
class peer {
  std::FILE *to_ = nullptr, *from_ = nullptr;

public:
  peer() {
    int question[2], answer[2];
    if (pipe(question) || pipe(answer)) return;
    if (fork() == 0) {
      dup2(question[0], STDIN_FILENO);
      dup2(answer[1], STDOUT_FILENO);
      for (const int end : {question[0], question[1], answer[0], answer[1]}) close(end);
      execl("/usr/bin/python3", "python3", THALWEG_PEER, nullptr);
      _exit(1);
    }
    close(question[0]);
    close(answer[1]);
    to_ = fdopen(question[1], "w");
    from_ = fdopen(answer[0], "r");
  }
  ~peer() {
    if (to_) std::fclose(to_);
    if (from_) std::fclose(from_);
    wait(nullptr);
  }
  peer(const peer&) = delete;
  peer& operator=(const peer&) = delete;

  /// The seconds, or nothing good.
  double ask(const char* what, const char* precision, int workers) {
    double seconds = 0;
    if (!to_ || std::fprintf(to_, "%s %s %d\n", what, precision, workers) < 0 || std::fflush(to_) ||
        std::fscanf(from_, "%lf", &seconds) != 1)
      return -1;
    return seconds;
  }
};

void torch(benchmark::State& state, const char* what, const char* precision, int workers) {
  static peer python;
  for (auto _ : state) {
    const double seconds = python.ask(what, precision, workers);
    if (seconds < 0) {
      state.SkipWithError("no PyTorch");
      break;
    }
    state.SetIterationTime(seconds);
  }
  if (std::string_view(what) == "product")
    state.counters["Gflop/s"] = benchmark::Counter(2e-9 * side * side * side * static_cast<double>(state.iterations()),
                                                   benchmark::Counter::kIsRate);
}

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);
  std::printf("%s\n", linear_algebra::backend().c_str());

  // Without products of bfloat16 thalweg computes in float32, and PyTorch takes minutes a step.
  std::vector<precision> precisions{precision::float32};
  if (linear_algebra::backend().find("bfloat16 by") != std::string::npos) precisions.push_back(precision::bfloat16);
  else std::printf("This processor does not multiply bfloat16: float32 alone is measured.\n");

  steady(benchmark::RegisterBenchmark("product/thalweg/float32", product))->UseRealTime();
  for (const auto p : precisions)
    steady(benchmark::RegisterBenchmark((std::string("product/torch/") + std::string(to_text(p))).c_str(), torch, "product",
                                        p == precision::float32 ? "float32" : "bfloat16", 1))
        ->UseManualTime()->Iterations(3);
  for (const auto p : precisions) {
    const std::string name(to_text(p));
    for (const auto& s : block)
      steady(benchmark::RegisterBenchmark(
          ("orthogonalize " + std::to_string(s[0]) + "x" + std::to_string(s[1]) + "/" + name).c_str(),
          orthogonalization, s, p))->UseRealTime();
    for (const int workers : {1, 2}) {
      const std::string tail = name + "/threads:" + std::to_string(workers);
      const auto step = [&]<class Orthogonalize>(const std::string& what, Orthogonalize orthogonalize) {
        steady(benchmark::RegisterBenchmark((what + "/thalweg/" + tail).c_str(), amuse_step<Orthogonalize>, orthogonalize,
                                            std::size_t(workers)))
            ->UseRealTime()->Iterations(3);
      };
      step("amuse", nesterov_ema{} | orthogonalize_update{.scale = match_rms{0.2}, .precision = p});
      step("amuse, a quarter of the rows", orthogonalize_rows{.fraction = 0.25, .scale = match_rms{0.2}, .precision = p});
      steady(benchmark::RegisterBenchmark(("amuse/torch/" + tail).c_str(), torch, "amuse",
                                          p == precision::float32 ? "float32" : "bfloat16", workers))
          ->UseManualTime()->Iterations(3);
    }
  }
  benchmark::Initialize(&count, arguments);
  benchmark::RunSpecifiedBenchmarks();
}
