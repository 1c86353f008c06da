// All ranks run all cases. Rank 0 tells what came of them, and any other rank that has seen one fail.
//
//     unit-mpi --die       rank 0 is killed in a step: the launcher must end all
//     unit-mpi --funneled  MPI for one thread alone: an optimizer on another thread is refused
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>

#include "../message.hpp"
#include "ranks.hpp"

namespace {
std::atomic<unsigned long> messages = 0, bytes = 0;
}
test::mail test::sent_so_far() { return {messages, bytes}; }

// MPI calls this one, and by PMPI_Isend its own.
extern "C" int MPI_Isend(const void* from, int count, MPI_Datatype type, int to, int tag, MPI_Comm by, MPI_Request* request) {
  int size = 0;
  MPI_Type_size(type, &size);
  ++messages;
  bytes += static_cast<unsigned long>(size) * static_cast<unsigned long>(count);
  return PMPI_Isend(from, count, type, to, tag, by, request);
}

namespace {

void die() {
  test::model<float> m(test::small_layers());
  auto opt = thalweg::mpi::optimizer("amuse", m.parameters(), {.lr = 0.02, .warmup_steps = 2});
  for (long t = 1;; ++t) {
    if (test::rank() == 0 && t == 3) std::raise(SIGKILL);
    opt.step(test::gradients_of<float>(m.layers, t, test::rank()));
  }
}

bool is_refused_on_another_thread() {
  std::string said;
  std::thread([&] {
    test::model<float> m(test::small_layers());
    said = test::message([&] { static_cast<void>(thalweg::mpi::optimizer("amuse", m.parameters(), {.lr = 0.02, .warmup_steps = 2})); });
  }).join();
  return said.find("[mpi] Expected MPI_THREAD_MULTIPLE") == 0;
}

}  // namespace

int main(int argc, char** argv) {
  int level = 0, rank = 0;
  const std::string only = argc > 1 ? argv[1] : "";
  MPI_Init_thread(&argc, &argv, only == "--funneled" ? MPI_THREAD_FUNNELED : MPI_THREAD_MULTIPLE, &level);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (only == "--die") die();
  if (only == "--funneled") {
    const bool refused = is_refused_on_another_thread();
    MPI_Finalize();
    return !refused;
  }
  std::ostringstream said;
  doctest::Context context(argc, argv);
  if (rank != 0) context.setCout(&said);
  const int failed = context.run();
  if (rank != 0 && failed) std::cerr << "rank " << rank << ":\n" << said.str();
  MPI_Finalize();
  return failed;
}
