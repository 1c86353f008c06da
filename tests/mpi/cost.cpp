// What a step costs the ranks of this machine, beside one process with one thread: the median and the fastest of many steps each.
//
//     mpirun -np 2 --bind-to core scale-cost [--funneled]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include <thalweg/adaptors/mpi.hpp>
#include <thalweg/text.hpp>

#include "models.hpp"

namespace {

/// Two blocks of width 512, and an embedding of 8192 tokens.
test::language_model small() {
  test::language_model m{"two blocks", {{8192, 512, false}}};
  for (int block = 0; block < 2; ++block)
    for (const test::matrix& p : {test::matrix{1536, 512, true}, {512, 512, true}, {2048, 512, true}, {512, 2048, true}}) m.parameters.push_back(p);
  return m;
}

struct milliseconds {
  double median, least;
};

milliseconds time_of(std::size_t steps, const auto& step) {
  std::vector<double> all;
  for (std::size_t t = 0; t < steps; ++t) {
    MPI_Barrier(MPI_COMM_WORLD);
    const auto begin = std::chrono::steady_clock::now();
    step();
    all.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  std::ranges::sort(all);
  return {all[all.size() / 2], all.front()};
}

}  // namespace

int main(int argc, char** argv) {
  using namespace thalweg;
  int level = 0;
  MPI_Init_thread(&argc, &argv, argc > 1 ? MPI_THREAD_FUNNELED : MPI_THREAD_MULTIPLE, &level);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // the launcher reads a pipe
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  const auto model = small();
  std::vector<std::vector<float>> values, gradients;
  for (const auto& p : model.parameters) {
    values.emplace_back(static_cast<std::size_t>(p.rows * p.cols), 0.01f);
    gradients.emplace_back(values.back().size(), 0.001f);
    for (std::size_t k = 0; k < gradients.back().size(); k += 7) gradients.back()[k] = -0.01f * static_cast<float>(k % 11);
  }
  std::vector<parameter<float>> parameters;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& p = model.parameters[i];
    parameters.push_back(as_parameter("p" + std::to_string(i), values[i],
                                      {static_cast<std::size_t>(p.rows), static_cast<std::size_t>(p.cols)},
                                      p.is_hidden ? role::hidden : role::embedding));
  }
  const options o{.lr = 1e-4, .warmup_steps = 10, .parallel = sequential()};
  for (const std::string chain : {"adamw", "amuse"}) {
    const std::size_t steps = chain == "adamw" ? 41 : 7;
    milliseconds alone{};
    {
      optimizer<float> one(chain, parameters, o);
      alone = time_of(steps, [&] { if (rank == 0) one.step(gradients); });
      for (auto& v : values) MPI_Bcast(v.data(), static_cast<int>(v.size()), MPI_FLOAT, 0, MPI_COMM_WORLD);
    }
    for (const auto layout : {mpi::layout::sharded_state, mpi::layout::replicated}) {
      auto opt = mpi::optimizer(chain, parameters, o, {.layout = layout});
      const auto together = time_of(steps, [&] { opt.step(gradients); });
      if (rank == 0)
        std::printf("%s, %s: median %.1f ms, fastest %.1f; one process: median %.1f, fastest %.1f\n", chain.c_str(),
                    layout == mpi::layout::replicated ? "replicated" : "sharded state", together.median, together.least,
                    alone.median, alone.least);
    }
  }
  MPI_Finalize();
}
