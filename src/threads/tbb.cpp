// Threads from oneTBB's pool, which the process shares.
#include <thalweg/core/threads.hpp>

#include <algorithm>
#include <memory>

#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

namespace thalweg {

parallel_for threads() { return threads(static_cast<std::size_t>(std::max(1, tbb::info::default_concurrency()))); }

parallel_for threads(std::size_t count) {
  if (count < 2) return sequential();
  const auto cores = static_cast<std::size_t>(tbb::info::default_concurrency());  // the pool has no more threads
  const auto arena = std::make_shared<tbb::task_arena>(static_cast<int>(std::min(count, cores)));
  // A late worker costs no time: the caller does its share too.
  return {.workers = count, .run = [arena](std::size_t workers, worker_body body) {
            arena->execute([=] {
              tbb::parallel_for(std::size_t{0}, workers, [=](std::size_t w) { body(w); }, tbb::simple_partitioner());
            });
          }};
}

}  // namespace thalweg
