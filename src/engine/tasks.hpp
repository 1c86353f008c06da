// A step's work in pieces that do not depend on each other, and the workers that take them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <thalweg/core/threads.hpp>
#include <thalweg/core/tensor.hpp>

namespace thalweg::detail {

/// Whole parameters, members [first, last) of a path, or elements [begin, end) of one (end = 0: all).
struct task {
  std::size_t path, first, last, begin, end;
  double cost;
};

/// The cost of a matrix's products: its size times its short side.
double product_cost(const parameter_info& p);

/// Cuts large parameters and takes small ones together. Where whole tensors are needed, one task is one parameter.
void add_tasks(std::vector<task>& tasks, std::size_t path, std::span<const std::size_t> members,
               std::span<const parameter_info* const> infos, bool whole_tensors);

/// A view of a callable `void(std::size_t task, std::size_t worker)`, which may throw.
class task_body {
  const void* body_;
  void (*call_)(const void*, std::size_t, std::size_t);

public:
  template <class Body>
  explicit task_body(const Body& body)
      : body_(std::addressof(body)), call_([](const void* b, std::size_t task, std::size_t worker) {
          (*static_cast<const Body*>(b))(task, worker);
        }) {}
  void operator()(std::size_t task, std::size_t worker) const { call_(body_, task, worker); }
};

/// Runs body(task, worker) for all tasks, the longest first. If one throws, this throws the same after all have ended.
void run_tasks(std::span<const task> tasks, const parallel_for& parallel, std::size_t workers, task_body body);

}  // namespace thalweg::detail
