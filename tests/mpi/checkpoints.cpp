// Checkpoints of many ranks: one file, as one process writes it.
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <thalweg/text.hpp>

#include "../checkpoint/files.hpp"
#include "../message.hpp"
#include "ranks.hpp"

using namespace thalweg;
using test::same_bits;

namespace {

const options o{.lr = 0.02, .weight_decay = 0.1, .warmup_steps = 2, .parallel = sequential()};

/// Ranks, and one process beside them, after some steps.
struct trained {
  std::vector<test::layer> layers = test::varied_layers();
  test::model<float> m{layers}, alone{layers};
  optimizer<float> opt, one;
  trained(const std::string& chain, long steps, options with = o, mpi::layout layout = mpi::layout::sharded_state)
      : opt(mpi::optimizer(chain, m.parameters(), with, {.layout = layout})), one(chain, alone.parameters(), with) {
    go_on(1, steps);
  }
  void go_on(long from, long to) {
    for (long t = from; t <= to; ++t) {
      opt.step(test::gradients_of<float>(layers, t, test::rank()));
      one.step(test::mean_of_ranks<float>(layers, t));
    }
    CHECK(same_bits(m.values, alone.values));
  }
  void check_bytes() {
    const std::string bytes = opt.to_bytes();
    CHECK(bytes == (test::rank() == 0 ? one.to_bytes() : ""));
  }
};

/// A folder for all ranks.
class shared_folder {
  std::optional<test::folder> own_;
  std::string path_;

public:
  shared_folder() {
    if (test::rank() == 0) path_ = own_.emplace().path();
    path_.resize(256, ' ');
    MPI_Bcast(path_.data(), 256, MPI_CHAR, 0, MPI_COMM_WORLD);
    path_.resize(path_.find(' '));
  }
  ~shared_folder() { MPI_Barrier(MPI_COMM_WORLD); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
};

}  // namespace

TEST_CASE("the ranks' checkpoint is that of one process, byte for byte") {
  for (const char* chain : {"adamw", "clip_by_global_norm(max_norm=0.5) | amuse", "route(when(hidden_matrix, scale_by_psgd_kron), otherwise(scale_by_adam)) | apply_update"})
    for (const auto layout : {mpi::layout::sharded_state, mpi::layout::replicated}) {
      trained t(chain, 3, o, layout);
      t.check_bytes();
    }
  trained t("amuse", 3);
  {
    const auto at_x = t.opt.evaluation_point();
    const auto at_x_alone = t.one.evaluation_point();
    CHECK(same_bits(t.m.values, t.alone.values));
    t.check_bytes();
  }
  t.go_on(4, 5);
  options small = o;
  small.state = state_in::eight_bits;
  trained("amuse", 3, small).check_bytes();
}

TEST_CASE("one process, and fewer ranks, go on from the ranks' checkpoint") {
  const shared_folder folder;
  const std::string path = folder / "opt.safetensors";
  trained t("clip_by_global_norm(max_norm=0.5) | amuse", 3);
  t.opt.save(path);

  auto again = t.m;
  optimizer<float> one("clip_by_global_norm(max_norm=0.5) | amuse", again.parameters(), o);
  CHECK(one.load(path).checked);
  for (long step = 4; step <= 6; ++step) one.step(test::mean_of_ranks<float>(t.layers, step));

  auto fewer = t.m;
  const bool takes_part = test::rank() < (test::rank_count() + 1) / 2;
  MPI_Comm half = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, takes_part, test::rank(), &half);
  if (takes_part) {
    auto opt = mpi::optimizer("clip_by_global_norm(max_norm=0.5) | amuse", fewer.parameters(), o, {.communicator = half});
    CHECK(opt.load(path).checked);
    CHECK(opt.steps() == 3);
    // The mean of half of them, and of twice as many, where each has the mean already.
    int n = 1;
    MPI_Comm_size(half, &n);
    if (n == 1 || n == 2 || n == 4)
      for (long step = 4; step <= 6; ++step) opt.step(test::mean_of_ranks<float>(t.layers, step));
    else fewer.values = again.values;
  } else {
    fewer.values = again.values;
  }
  MPI_Comm_free(&half);

  t.go_on(4, 6);
  CHECK(same_bits(t.m.values, again.values));
  CHECK(same_bits(t.m.values, fewer.values));
}

TEST_CASE("ranks go on from the checkpoint of one process") {
  const shared_folder folder;
  const std::string path = folder / "one.safetensors";
  trained t("amuse", 3), late("amuse", 0);
  if (test::rank() == 0) t.one.save(path);
  MPI_Barrier(MPI_COMM_WORLD);
  for (std::size_t i = 0; i < late.m.values.size(); ++i) std::ranges::copy(t.m.values[i], late.m.values[i].data());
  late.opt.load(path);
  for (long step = 4; step <= 5; ++step) late.opt.step(test::gradients_of<float>(t.layers, step, test::rank()));
  t.go_on(4, 5);
  CHECK(same_bits(late.m.values, t.m.values));
}

TEST_CASE("where the disk is full on the rank that writes, all throw, and the old file stays") {
  const shared_folder folder;
  const std::string path = folder / "opt.safetensors";
  trained t("amuse", 1);
  t.opt.save(path);
  const std::string old = test::bytes_of(path);
  t.go_on(2, 2);
  MPI_Barrier(MPI_COMM_WORLD);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit little{1000, before.rlim_max};
  if (test::rank() == 0) setrlimit(RLIMIT_FSIZE, &little);
  const std::string said = test::message([&] { t.opt.save(path); });
  setrlimit(RLIMIT_FSIZE, &before);
  CHECK(said.find(test::rank() == 0 ? "[save] Expected to save" : "[mpi] Expected every rank to succeed. Received from rank 0: [save]") == 0);
  MPI_Barrier(MPI_COMM_WORLD);
  CHECK(test::bytes_of(path) == old);
  t.opt.save(path);
  t.go_on(3, 3);
}

TEST_CASE("where one rank does not find the file, none loads it") {
  const shared_folder folder;
  trained t("amuse", 2);
  const std::string path = folder / "opt.safetensors";
  t.opt.save(path);
  const int last = test::rank_count() - 1;
  const std::string said = test::message([&] { t.opt.load(test::rank() == last ? path + "-elsewhere" : path); });
  CHECK(said.find("No such file") != std::string::npos);
  t.go_on(3, 4);
}
