// Data-parallel training of the race's network: each rank computes the gradients of its part of each batch. Rank 0 trains
// the same network alone, on the parts one after the other. Both loss curves are the same, bit for bit.
//
//     mpirun -np 2 build/examples/mpi
#include <cstdio>
#include <random>
#include <vector>

#include <thalweg/adaptors/mpi.hpp>
#include <thalweg/thalweg.hpp>

#include "../race/network.hpp"

using namespace thalweg;

namespace {

struct part {
  race::matrix<float> images;
  std::vector<std::uint8_t> labels;
};

/// The part of a rank in a step: points on noisy rings, four classes.
part part_of(int rank, long step) {
  std::mt19937 random(static_cast<unsigned>(step * 1000 + rank));
  std::normal_distribution<float> noise;
  part p{race::matrix<float>(32, 8), {}};
  for (Eigen::Index i = 0; i < p.images.rows(); ++i) {
    p.labels.push_back(static_cast<std::uint8_t>(random() % 4));
    for (auto& x : p.images.row(i)) x = noise(random);
    p.images.row(i) *= (1.0f + static_cast<float>(p.labels.back())) / p.images.row(i).norm();
  }
  return p;
}

using arrays = std::vector<std::vector<float>>;

/// The same in one process with all parts: the mean, added up in the order of the ranks.
double differentiate_all(race::network<float>& net, int ranks, long step, arrays& mean) {
  double loss = 0;
  for (int r = 0; r < ranks; ++r) {
    const part p = part_of(r, step);
    loss += net.backward(p.images, p.labels).loss;
    const auto gradients = net.gradients();
    mean.resize(gradients.size());
    for (std::size_t i = 0; i < mean.size(); ++i) {
      if (r == 0) mean[i].assign(gradients[i].size(), 0.0f);
      for (std::size_t k = 0; k < mean[i].size(); ++k) mean[i][k] += gradients[i][k];
    }
  }
  for (auto& of_parameter : mean)
    for (float& g : of_parameter) g *= 1.0f / static_cast<float>(ranks);
  return loss * (1.0 / ranks);
}

double mean_loss(double own) {
  int ranks = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  std::vector<double> all(static_cast<std::size_t>(ranks));
  MPI_Allgather(&own, 1, MPI_DOUBLE, all.data(), 1, MPI_DOUBLE, MPI_COMM_WORLD);
  double sum = 0;
  for (const double loss : all) sum += loss;
  return sum * (1.0 / ranks);
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0, ranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);

  const options o{.lr = 0.02, .warmup_steps = 10, .parallel = sequential()};
  race::network<float> net({8, 32, 32, 4}, 1), alone({8, 32, 32, 4}, 1);  // the same weights on every rank
  optimizer<float> one(recipes::amuse(), alone.parameters(), o);
  arrays mean;
  int wrong = 0;
  const auto compare = [&](long step, double loss) {
    const double of_all = mean_loss(loss);
    if (rank != 0) return;
    const double expected = differentiate_all(alone, ranks, step, mean);
    one.step(mean);
    wrong += of_all != expected;
    if (step % 50 == 0) std::printf("step %3ld  loss %.17g on %d ranks, %.17g alone\n", step, of_all, ranks, expected);
  };
  // snippet: mpi_training
  auto opt = mpi::optimizer(recipes::amuse(), net.parameters(), o);
  for (long step = 1; step <= 200; ++step) {
    const part own = part_of(rank, step);
    const double loss = net.backward(own.images, own.labels).loss;
    opt.step(net.gradients());
    compare(step, loss);
  }
  // end
  if (rank == 0) std::puts(wrong == 0 ? "The curves are the same." : "The curves differ.");
  MPI_Finalize();
  return wrong != 0;
}
