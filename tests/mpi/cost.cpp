// What a step costs the ranks of this machine, beside one process with one thread: the fastest of many steps each.
//
//     mpirun -np 2 --bind-to core scale-cost
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

double fastest_ms(std::size_t steps, const auto& step) {
  double least = 1e300;
  for (std::size_t t = 0; t < steps; ++t) {
    MPI_Barrier(MPI_COMM_WORLD);
    const auto begin = std::chrono::steady_clock::now();
    step();
    least = std::min(least, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  return least;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace thalweg;
  MPI_Init(&argc, &argv);
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
    const std::size_t steps = chain == "adamw" ? 40 : 5;
    double alone = 0;
    {
      optimizer<float> one(chain, parameters, o);
      alone = fastest_ms(steps, [&] { if (rank == 0) one.step(gradients); });
      for (auto& v : values) MPI_Bcast(v.data(), static_cast<int>(v.size()), MPI_FLOAT, 0, MPI_COMM_WORLD);
    }
    for (const auto layout : {mpi::layout::sharded_state, mpi::layout::replicated}) {
      auto opt = mpi::optimizer(chain, parameters, o, {.layout = layout});
      const double together = fastest_ms(steps, [&] { opt.step(gradients); });
      if (rank == 0)
        std::printf("%s, %s: %.1f ms, one process %.1f ms\n", chain.c_str(), layout == mpi::layout::replicated ? "replicated" : "sharded state", together, alone);
    }
  }
  MPI_Finalize();
}
