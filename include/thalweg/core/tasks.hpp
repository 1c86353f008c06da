// A step's work in pieces that do not depend on each other, and the workers that take them.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <vector>

#include <thalweg/core/parallel.hpp>

namespace thalweg::detail {

/// Whole parameters, members [first, last) of a path, or elements [begin, end) of one.
struct task {
  std::size_t path, first, last, begin, end;
  double cost;
};

/// Elements a task: few enough to stay in a core's L2 between a pass and its reduction, many enough to be worth a task.
constexpr std::size_t elements_a_task = 64 * 1024;

/// Below this many elements the threads would cost more than they bring.
constexpr double worth_sharing = 32 * 1024;

/// run(task index, worker) for all tasks. What one throws is thrown here, once all have come to rest.
template <class Run>
void run_tasks(const std::vector<task>& tasks, const parallel_for& parallel, std::size_t workers, Run run) {
  double cost = 0;
  for (const auto& t : tasks) cost += t.cost;
  std::atomic<std::size_t> next = 0;
  std::atomic_flag failed = ATOMIC_FLAG_INIT;
  std::exception_ptr failure;
  const auto body = [&](std::size_t worker) {
    for (std::size_t i; (i = next.fetch_add(1)) < tasks.size();) {
      try {
        run(i, worker);
      } catch (...) {
        if (!failed.test_and_set()) failure = std::current_exception();
        next = tasks.size();
      }
    }
  };
  if (workers > 1 && tasks.size() > 1 && cost >= worth_sharing) parallel.run(workers, worker_body(body));
  body(0);  // what nobody took
  if (failure) std::rethrow_exception(failure);
}

}  // namespace thalweg::detail
