// Steps on all ranks of the launcher, or on one where there is none.
#include <cstdio>
#include <vector>

#include <thalweg/adaptors/mpi.hpp>

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0, ranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  std::vector<float> numbers(6, 1.0f);
  const std::vector<float> gradient(6, static_cast<float>(rank));
  {
    auto opt = thalweg::mpi::optimizer("apply_update", std::vector{thalweg::as_parameter("w", numbers)}, {.lr = 0.5});
    opt.step({gradient});
  }
  const float expected = 1 - 0.25f * static_cast<float>(ranks - 1);  // the mean of 0 … ranks - 1
  std::printf("rank %d of %d: %g\n", rank, ranks, static_cast<double>(numbers[5]));
  MPI_Finalize();
  return numbers[5] == expected ? 0 : 1;
}
