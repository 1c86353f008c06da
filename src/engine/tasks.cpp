#include "tasks.hpp"

#include "../threads/crew.hpp"

#include <algorithm>
#include <atomic>
#include <exception>

namespace thalweg::detail {

namespace {

// Elements per task: few enough to stay in a core's L2 between a pass and its reduction, but enough to pay for a task.
constexpr std::size_t elements_a_task = 64 * 1024;

// With fewer elements, threads cost more time than they save.
constexpr double worth_sharing = 32 * 1024;

// From this cost on, the products of one matrix occupy several threads.
constexpr double worth_helping = 256.0 * 1024 * 1024;

}  // namespace

double product_cost(const parameter_info& p) {
  const auto size = static_cast<double>(p.size());
  const double rows = p.shape.empty() ? 1.0 : static_cast<double>(p.shape.front());
  return size * std::min(rows, size / rows);
}

void add_tasks(std::vector<task>& tasks, std::size_t path, std::span<const std::size_t> members,
               std::span<const parameter_info* const> infos, bool whole_tensors) {
  for (std::size_t first = 0, last; first < members.size(); first = last) {
    const parameter_info& p = *infos[members[first]];
    const std::size_t size = p.size();
    last = first + 1;
    if (whole_tensors) {
      tasks.push_back({path, first, last, 0, 0, product_cost(p)});
    } else if (size > elements_a_task) {
      for (std::size_t begin = 0; begin < size; begin += elements_a_task) {
        const std::size_t end = std::min(size, begin + elements_a_task);
        tasks.push_back({path, first, last, begin, end, static_cast<double>(end - begin)});
      }
    } else {
      std::size_t elements = size;
      while (last < members.size() && elements + infos[members[last]]->size() <= elements_a_task)
        elements += infos[members[last++]]->size();
      tasks.push_back({path, first, last, 0, 0, static_cast<double>(elements)});
    }
  }
}

void run_tasks(std::span<const task> tasks, const parallel_for& parallel, std::size_t workers, task_body body) {
  double cost = 0;
  for (const auto& t : tasks) cost += t.cost;
  const bool alone = tasks.empty() || tasks.front().cost < worth_helping;  // the longest is the first
  const std::size_t threads = alone || !parallel.run ? workers : parallel.workers;
  crew together;
  std::atomic<std::size_t> next = 0;
  std::atomic_flag failed = ATOMIC_FLAG_INIT;
  std::exception_ptr failure;
  const auto take = [&](std::size_t room) {
    const crew::worker one(together);
    for (std::size_t i; (i = next.fetch_add(1)) < tasks.size();) {
      try {
        body(i, room);
      } catch (...) {
        if (!failed.test_and_set()) failure = std::current_exception();
        next = tasks.size();
      }
    }
  };
  // Who comes first has room for tasks, whatever its number: so a pool may run one worker after the other.
  std::atomic<std::size_t> arrived = 0;
  const auto come = [&](std::size_t) {
    if (const std::size_t room = arrived.fetch_add(1); room < workers) take(room);
    if (!alone) together.help();
  };
  if (threads > 1 && (tasks.size() > 1 || !alone) && cost >= worth_sharing) parallel.run(threads, worker_body(come));
  take(0);  // the tasks that no worker took
  if (failure) std::rethrow_exception(failure);
}

}  // namespace thalweg::detail
