// Fused element-wise stages beside the machine's own speed: a probe that reads and writes the same arrays with no
// arithmetic, in the same run, turn by turn. Each chain is first held against the same chain unfused.
//
//   GB/s      what the step moves            of_probe  that, as a fraction of the probe's (medians)
//   ns        a number                       fixed_ns  a parameter and step, for many small tensors
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <functional>
#include <immintrin.h>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <thalweg/thalweg.hpp>
#include <thalweg/text.hpp>
#include <thalweg/thalweg.hpp>

#include "peers/torch.hpp"

using namespace thalweg;

namespace {

using clock_type = std::chrono::steady_clock;

struct sign_momentum {  // as a user would write it
  double beta = 0.9;
  using states = state<zeros<"momentum">>;
  constexpr auto at(const context&) const {
    return [b = beta]<class T>(element<T> e, T momentum) {
      momentum = lerp(e.update, momentum, b);
      return next(sign(momentum), momentum);
    };
  }
};

double median(std::vector<double> v) {
  std::ranges::nth_element(v, v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2));
  return v[v.size() / 2];
}

double seconds(const std::function<void()>& f) {
  const auto start = clock_type::now();
  f();
  return std::chrono::duration<double>(clock_type::now() - start).count();
}

float wave(std::size_t i, float frequency) { return std::sin(frequency * static_cast<float>(i % 4099)); }

/// Arrays of n floats in one allocation, each starting `stride` bytes modulo 4 KiB after the one before.
struct arrays {
  std::vector<float> memory;
  std::vector<float*> at;
  arrays(std::size_t count, std::size_t n, std::size_t stride) {
    const std::size_t page = 1024, step = (n + page - 1) / page * page + stride / sizeof(float);
    memory.resize(count * step + 2 * page);
    float* first = memory.data() + (4096 - reinterpret_cast<std::uintptr_t>(memory.data()) % 4096) / sizeof(float);
    for (std::size_t k = 0; k < count; ++k) {
      at.push_back(first + k * step);
      for (std::size_t i = 0; i < n; ++i) at[k][i] = wave(i, 0.1f * static_cast<float>(k + 1));
    }
  }
};

/// Reads all arrays, writes all but the first back, and computes nothing.
template <std::size_t Written>
[[gnu::noinline]] void probe(const float* read, float* const* written, std::size_t begin, std::size_t end) {
  using batch = xsimd::batch<float>;
  float* w[Written];
  std::copy_n(written, Written, w);
  for (std::size_t i = begin; i < end; i += batch::size) {
    auto r = batch::load_unaligned(read + i);
    asm volatile("" : : "v"(r.data));
    for (std::size_t k = 0; k < Written; ++k) {
      auto v = batch::load_unaligned(w[k] + i);
      asm volatile("" : "+v"(v.data));
      v.store_unaligned(w[k] + i);
    }
  }
}

template <std::size_t Written>
void probe_on(const parallel_for& parallel, const arrays& a, std::size_t n) {
  if (!parallel.run || n < 65536) return probe<Written>(a.at[0], a.at.data() + 1, 0, n);
  const std::size_t part = n / parallel.workers / 16 * 16;
  const auto body = [&](std::size_t w) {
    probe<Written>(a.at[0], a.at.data() + 1, w * part, w + 1 == parallel.workers ? n : (w + 1) * part);
  };
  parallel.run(parallel.workers, worker_body(body));
}

template <class Chain>
auto bound(const Chain& chain, float* values, std::size_t n, const parallel_for& parallel) {
  return optimizer(chain, std::vector<parameter<float>>{{.name = "w", .shape = {n}, .data = values}},
                   {.lr = 1e-3, .weight_decay = 0.01, .warmup_steps = 2, .parallel = parallel});
}

template <class Chain>
bool agrees_with_unfused(const Chain& chain) {
  constexpr std::size_t n = 1037;
  arrays a(3, n, 0);
  std::copy_n(a.at[1], n, a.at[2]);
  auto fused = bound(chain, a.at[1], n, sequential());
  auto slow = bound(unfused(chain), a.at[2], n, sequential());
  for (int i = 0; i < 5; ++i) fused.step({{a.at[0], n}}), slow.step({{a.at[0], n}});
  for (std::size_t i = 0; i < n; ++i)
    if (!(std::abs(a.at[1][i] - a.at[2][i]) <= 1e-5f)) return false;
  return true;
}

/// Written: the arrays that a step writes (the parameter and its states); it reads the gradient as well.
template <std::size_t Written, class Chain>
void step(benchmark::State& state, const Chain& chain, const parallel_for& parallel, std::size_t offset = 192) {
  if (!agrees_with_unfused(chain)) return state.SkipWithError("fused and unfused differ");
  const auto n = static_cast<std::size_t>(state.range(0));
  const std::size_t repeats = std::max<std::size_t>(1, (std::size_t{1} << 19) / n);
  arrays own(2, n, offset), others(Written + 1, n, offset);
  auto opt = bound(chain, own.at[1], n, parallel);
  std::vector<double> times, probes;
  const auto step_it = [&] { for (std::size_t i = 0; i < repeats; ++i) opt.step({{own.at[0], n}}); };
  const auto probe_it = [&] { for (std::size_t i = 0; i < repeats; ++i) probe_on<Written>(parallel, others, n); };
  step_it();
  for (auto _ : state) {
    times.push_back(seconds(step_it));
    probes.push_back(seconds(probe_it));
    state.SetIterationTime(times.back());
  }
  const double bytes = static_cast<double>((2 * Written + 1) * sizeof(float) * n * repeats);
  state.counters["GB/s"] = bytes / median(times) * 1e-9;
  state.counters["of_probe"] = median(probes) / median(times);
  state.counters["ns"] = median(times) * 1e9 / static_cast<double>(n * repeats);
}

/// The same update as adamw's, by hand.
void adamw_by_hand(float* p, const float* g, float* m, float* v, std::size_t n, long t) {
  using batch = xsimd::batch<float>;
  const float b1 = 0.1f, b2 = 0.001f, lr = 1e-3f, decay = 1e-3f * 0.01f, eps = 1e-8f;
  const float u1 = 1 / (1 - std::pow(0.9f, static_cast<float>(t))), u2 = 1 / (1 - std::pow(0.999f, static_cast<float>(t)));
  for (std::size_t i = 0; i < n; i += batch::size) {
    const auto G = batch::load_unaligned(g + i);
    const auto P = batch::load_unaligned(p + i);
    auto M = batch::load_unaligned(m + i), V = batch::load_unaligned(v + i);
    M = xsimd::fma(batch(b1), G - M, M);
    V = xsimd::fma(batch(b2), G * G - V, V);
    const auto u = batch(u1) * M / (xsimd::sqrt(batch(u2) * V) + batch(eps));
    M.store_unaligned(m + i);
    V.store_unaligned(v + i);
    (P - (batch(lr) * u + batch(decay) * P)).store_unaligned(p + i);
  }
}

/// The plain loop that a C trainer would have; what the compiler makes of it at these flags.
void adamw_plain_loop(float* p, const float* g, float* m, float* v, std::size_t n, long t) {
  const float b1 = 0.9f, b2 = 0.999f;
  const float u1 = 1 - std::pow(b1, static_cast<float>(t)), u2 = 1 - std::pow(b2, static_cast<float>(t));
  for (std::size_t i = 0; i < n; ++i) {
    m[i] = b1 * m[i] + (1 - b1) * g[i];
    v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
    p[i] -= 1e-3f * (m[i] / u1 / (std::sqrt(v[i] / u2) + 1e-8f) + 0.01f * p[i]);
  }
}

void loop(benchmark::State& state, void (*update)(float*, const float*, float*, float*, std::size_t, long)) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const std::size_t repeats = std::max<std::size_t>(1, (std::size_t{1} << 19) / n);
  arrays a(4, n, 192), own(2, n, 192);
  for (std::size_t i = 0; i < n; ++i) a.at[3][i] = std::abs(a.at[3][i]);
  auto opt = bound(recipes::adamw(), own.at[1], n, sequential());
  std::vector<double> times, ours;
  for (auto _ : state) {
    times.push_back(seconds([&] { for (std::size_t i = 0; i < repeats; ++i) update(a.at[1], a.at[0], a.at[2], a.at[3], n, 7); }));
    ours.push_back(seconds([&] { for (std::size_t i = 0; i < repeats; ++i) opt.step({{own.at[0], n}}); }));
    state.SetIterationTime(times.back());
  }
  state.counters["GB/s"] = 28.0 * static_cast<double>(n * repeats) / median(times) * 1e-9;
  state.counters["ours_over_it"] = median(ours) / median(times);
  state.counters["ns"] = median(times) * 1e9 / static_cast<double>(n * repeats);
}

/// On one thread: beside our pool's, OpenMP's waiting threads would take the cores from each other.
void torch_loop(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const std::size_t repeats = std::max<std::size_t>(1, (std::size_t{1} << 17) / n);
  arrays own(2, n, 192);
  const options o{.lr = 1e-3, .weight_decay = 0.01, .parallel = sequential()};
  const auto peer = torch_adamw::on(own.at[1], own.at[0], n, o.lr, o.weight_decay);
  auto opt = optimizer(recipes::adamw(), std::vector{as_parameter("w", std::span(own.at[1], n))}, o);
  for (int i = 0; i < 5; ++i) peer->step(), opt.step({{own.at[0], n}});
  std::vector<float> theirs(n);
  peer->read(theirs.data());
  for (std::size_t i = 0; i < n; ++i)
    if (!(std::abs(theirs[i] - own.at[1][i]) <= 1e-5f)) return state.SkipWithError("libtorch's AdamW and ours differ");
  std::vector<double> times, ours;
  for (auto _ : state) {
    times.push_back(seconds([&] { for (std::size_t i = 0; i < repeats; ++i) peer->step(); }));
    ours.push_back(seconds([&] { for (std::size_t i = 0; i < repeats; ++i) opt.step({{own.at[0], n}}); }));
    state.SetIterationTime(times.back());
  }
  state.counters["GB/s"] = 28.0 * static_cast<double>(n * repeats) / median(times) * 1e-9;
  state.counters["ours_over_it"] = median(ours) / median(times);
  state.counters["ns"] = median(times) * 1e9 / static_cast<double>(n * repeats);
}

/// The compiled recipe beside the header-only one, which has this unit's flags.
void compiled_adamw(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const std::size_t repeats = std::max<std::size_t>(1, (std::size_t{1} << 19) / n);
  arrays a(2, n, 192), b(2, n, 192);
  const options o{.lr = 1e-3, .weight_decay = 0.01, .parallel = sequential()};
  auto opt = optimizer(recipes::adamw(), std::vector{as_parameter("w", std::span(a.at[1], n))}, o);
  auto here = optimizer(chain(recipes::adamw()), std::vector{as_parameter("w", std::span(b.at[1], n))}, o);
  std::vector<double> times, ours;
  for (auto _ : state) {
    times.push_back(seconds([&] { for (std::size_t i = 0; i < repeats; ++i) opt.step({{a.at[0], n}}); }));
    ours.push_back(seconds([&] { for (std::size_t i = 0; i < repeats; ++i) here.step({{b.at[0], n}}); }));
    state.SetIterationTime(times.back());
  }
  for (std::size_t i = 0; i < n; ++i)
    if (!(std::abs(a.at[1][i] - b.at[1][i]) <= 1e-4f)) return state.SkipWithError("compiled and header-only differ");
  state.counters["GB/s"] = 28.0 * static_cast<double>(n * repeats) / median(times) * 1e-9;
  state.counters["header_only_over_it"] = median(ours) / median(times);
  state.counters["ns"] = median(times) * 1e9 / static_cast<double>(n * repeats);
}

/// A recipe behind a transform that changes nothing, from text, beside the recipe itself, turn by turn; matrices of up to 1 M elements.
template <class Recipe>
void from_text(benchmark::State& state, const Recipe& recipe, bool matrices) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const std::size_t repeats = matrices ? 1 : std::max<std::size_t>(1, (std::size_t{1} << 19) / n);
  const std::size_t size = matrices ? std::min<std::size_t>(n, 1 << 20) : n, rows = matrices ? (n < 1 << 20 ? 256 : 1024) : size;
  arrays a(2, n, 192), b(2, n, 192);
  const options o{.lr = 1e-3, .weight_decay = 0.01, .parallel = sequential()};
  std::vector<std::span<const float>> gradients;
  const auto parameters = [&](float* values) {
    std::vector<parameter<float>> all;
    for (std::size_t i = 0; i < n; i += size)
      all.push_back({.name = in_words("w", i), .shape = {rows, size / rows}, .role = role::hidden, .data = values + i});
    return all;
  };
  for (std::size_t i = 0; i < n; i += size) gradients.emplace_back(a.at[0] + i, size);
  auto opt = optimizer(parse(in_words("scale_lr(by=1) | scale(by=1) | ", to_text(recipe))), parameters(a.at[1]), o);
  auto fused = optimizer(recipe, parameters(b.at[1]), o);
  std::vector<double> times, theirs;
  for (auto _ : state) {
    times.push_back(seconds([&] { for (std::size_t i = 0; i < repeats; ++i) opt.step(gradients); }));
    theirs.push_back(seconds([&] { for (std::size_t i = 0; i < repeats; ++i) fused.step(gradients); }));
    state.SetIterationTime(times.back());
  }
  if (!std::equal(a.at[1], a.at[1] + n, b.at[1])) return state.SkipWithError("from text and compiled differ");
  state.counters["of_compiled"] = median(theirs) / median(times);
  state.counters["ns"] = median(times) * 1e9 / static_cast<double>(n * repeats);
}

/// What a parameter costs besides its elements: many tensors against one of as many elements.
template <class Chain>
void many_small(benchmark::State& state, const Chain& chain, const parallel_for& parallel) {
  const std::size_t count = 1000, size = 1024;
  arrays many(2 * count, size, 192), one(2, count * size, 192);
  std::vector<parameter<float>> parameters;
  std::vector<std::span<const float>> gradients;
  for (std::size_t k = 0; k < count; ++k) {
    parameters.push_back({.name = in_words("p", k), .shape = {size}, .data = many.at[2 * k]});
    gradients.emplace_back(many.at[2 * k + 1], size);
  }
  const options o{.lr = 1e-3, .weight_decay = 0.01, .warmup_steps = 2, .parallel = parallel};
  auto apart = optimizer(chain, parameters, o);
  auto together = bound(chain, one.at[1], count * size, parallel);
  std::vector<double> times, smooth;
  for (auto _ : state) {
    times.push_back(seconds([&] { apart.step(gradients); }));
    smooth.push_back(seconds([&] { together.step({{one.at[0], count * size}}); }));
    state.SetIterationTime(times.back());
  }
  state.counters["fixed_ns"] = (median(times) - median(smooth)) * 1e9 / static_cast<double>(count);
  state.counters["ns"] = median(times) * 1e9 / static_cast<double>(count * size);
}

template <std::size_t Written, class Chain>
void add(const std::string& name, const Chain& chain) {
  for (const bool all : {false, true})
    benchmark::RegisterBenchmark((name + (all ? "/all threads" : "/one thread")).c_str(), [=](benchmark::State& state) {
      step<Written>(state, chain, all ? threads() : sequential());
    })->Arg(1 << 10)->Arg(1 << 16)->Arg(1 << 20)->Arg(1 << 25)->UseManualTime()->Unit(benchmark::kMicrosecond)->MinTime(0.3);
}

}  // namespace

int main(int count, char** arguments) {
  add<3>("adamw", chain(recipes::adamw()));
  add<2>("lion", chain(recipes::lion()));
  add<3>("sf_adamw", chain(recipes::sf_adamw()));
  add<3>("amuse, the rest", scale_by_exp_avg_sq{} | amuse_beta{} | update_by_schedule_free{});
  add<3>("amuse, matrices without their barrier", nesterov_ema{} | amuse_beta{} | update_by_schedule_free{});
  add<2>("user-written", sign_momentum{} | apply_update{});
  for (const bool all : {false, true}) {
    const auto parallel = all ? threads() : sequential();
    const std::string who = all ? "/all threads" : "/one thread";
    benchmark::RegisterBenchmark(("adamw, starts equal modulo 4 KiB" + who).c_str(), [=](benchmark::State& state) {
      step<3>(state, recipes::adamw(), parallel, 0);
    })->Arg(1 << 12)->Arg(1 << 16)->Arg(1 << 20)->UseManualTime()->Unit(benchmark::kMicrosecond)->MinTime(0.3);
    benchmark::RegisterBenchmark(("adamw, 1000 tensors of 1024" + who).c_str(), [=](benchmark::State& state) {
      many_small(state, recipes::adamw(), parallel);
    })->UseManualTime()->Unit(benchmark::kMicrosecond)->MinTime(0.5);
  }
  const auto peer = [](const char* name, auto update) {
    benchmark::RegisterBenchmark((std::string("peer: adamw, ") + name).c_str(), loop, update)
        ->Arg(1 << 10)->Arg(1 << 16)->Arg(1 << 20)->Arg(1 << 25)->UseManualTime()->Unit(benchmark::kMicrosecond)->MinTime(0.3);
  };
  peer("by hand", adamw_by_hand);
  peer("plain loop", adamw_plain_loop);
  benchmark::RegisterBenchmark("adamw, compiled/one thread", compiled_adamw)
      ->Arg(1 << 10)->Arg(1 << 16)->Arg(1 << 20)->Arg(1 << 25)->UseManualTime()->Unit(benchmark::kMicrosecond)->MinTime(0.3);
  const auto by_text = [](const char* name, const auto& recipe, bool matrices = false) {
    benchmark::RegisterBenchmark((std::string("from text: ") + name + "/one thread").c_str(), [=](benchmark::State& state) {
      from_text(state, recipe, matrices);
    })->Arg(1 << 16)->Arg(1 << 20)->Arg(1 << 25)->UseManualTime()->Unit(benchmark::kMicrosecond)->MinTime(0.3);
  };
  by_text("adamw", recipes::adamw());
  by_text("lion", recipes::lion());
  by_text("sgd", recipes::sgd());
  by_text("sf_adamw", recipes::sf_adamw());
  by_text("cautious_adamw", recipes::cautious_adamw());
  by_text("lamb", recipes::lamb());
  by_text("muon", recipes::muon(), true);
  const float none[] = {0};
  if (torch_adamw::on(none, none, 1, 0, 0))
    benchmark::RegisterBenchmark("peer: adamw, libtorch/one thread", torch_loop)
        ->Arg(1 << 10)->Arg(1 << 16)->Arg(1 << 20)->Arg(1 << 25)->UseManualTime()->Unit(benchmark::kMicrosecond)->MinTime(0.3);
  else benchmark::AddCustomContext("libtorch", "not installed (Debian: libtorch-dev)");
  benchmark::AddCustomContext("linear algebra", linear_algebra::backend());
  benchmark::AddCustomContext("header-only chains compiled for", xsimd::default_arch::name());
  benchmark::AddCustomContext("compiled recipes run on", std::string(instruction_sets().front()));
  benchmark::Initialize(&count, arguments);
  benchmark::RunSpecifiedBenchmarks();
}
