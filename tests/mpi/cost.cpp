// What a step costs the ranks of this machine, beside one process with one thread: medians of many steps in turn. Every second
// step is one in which no message moves while a rank computes: what the others gain is what overlap gains.
//
//     mpirun -np 2 --bind-to core scale-cost              where MPI allows several threads
//     mpirun -np 2 --bind-to core scale-cost --funneled   where it does not
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <thalweg/adaptors/mpi.hpp>
#include <thalweg/text.hpp>

#include "models.hpp"

namespace {
bool overlaps = true;
}

// The library asks this one whether messages have arrived, and lets them move by it. It waits for them by MPI_Waitall.
extern "C" int MPI_Testall(int count, MPI_Request* requests, int* done, MPI_Status* statuses) {
  if (overlaps || count == 0) return PMPI_Testall(count, requests, done, statuses);
  *done = 0;
  return MPI_SUCCESS;
}

namespace {

/// Two blocks of width 512, and an embedding of 8192 tokens.
test::language_model small() {
  test::language_model m{"two blocks", {{8192, 512, false}}};
  for (int block = 0; block < 2; ++block)
    for (const test::matrix& p : {test::matrix{1536, 512, true}, {512, 512, true}, {2048, 512, true}, {512, 2048, true}}) m.parameters.push_back(p);
  return m;
}

/// What is measured: its steps, in milliseconds.
struct contender {
  std::string name;
  std::function<void()> step;
  std::vector<double> ms{};
};

/// The steps of all, in turn: what else the machine does slows all alike.
void time_in_turn(std::vector<contender>& all, std::size_t steps) {
  for (std::size_t t = 0; t < steps; ++t)
    for (contender& c : all) {
      MPI_Barrier(MPI_COMM_WORLD);
      const auto begin = std::chrono::steady_clock::now();
      c.step();
      MPI_Barrier(MPI_COMM_WORLD);
      c.ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    }
}

double median(std::vector<double> of) {
  std::ranges::sort(of);
  return of[of.size() / 2];
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
    auto apart = values;  // of the one process
    auto of_one = parameters;
    for (std::size_t i = 0; i < apart.size(); ++i) of_one[i].data = apart[i].data();
    optimizer<float> one(chain, of_one, o);
    std::vector<contender> all{{"one process", [&] { if (rank == 0) one.step(gradients); }}};
    std::vector<optimizer<float>> opts;
    opts.reserve(2);
    for (const auto layout : {mpi::layout::sharded_state, mpi::layout::replicated}) {
      auto& opt = opts.emplace_back(mpi::optimizer(chain, parameters, o, {.layout = layout}));
      for (const bool with : {true, false})
        all.push_back({std::string(layout == mpi::layout::replicated ? "replicated" : "sharded state") + (with ? "" : ", without overlap"),
                       [&gradients, &opt, with] {
                         overlaps = with;
                         opt.step(gradients);
                       }});
    }
    time_in_turn(all, chain == "adamw" ? 41 : 15);
    if (rank != 0) continue;
    for (const contender& c : all) {
      std::vector<double> ratios;
      for (std::size_t t = 0; t < c.ms.size(); ++t) ratios.push_back(c.ms[t] / all.front().ms[t]);
      std::printf("%s, %s: median %.1f ms, fastest %.1f; of one process: %.2f\n", chain.c_str(), c.name.c_str(), median(c.ms),
                  std::ranges::min(c.ms), median(ratios));
    }
    for (std::size_t k = 1; k < all.size(); k += 2) {
      std::vector<double> ratios;
      for (std::size_t t = 0; t < all[k].ms.size(); ++t) ratios.push_back(all[k].ms[t] / all[k + 1].ms[t]);
      std::printf("%s, %s: of the time without overlap: %.2f\n", chain.c_str(), all[k].name.c_str(), median(ratios));
    }
  }
  MPI_Finalize();
}
