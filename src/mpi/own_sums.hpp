// What `accumulate` gathers, on each rank from its own gradients: only their sum travels, once a step.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include <thalweg/core/program.hpp>

#include "../engine/tasks.hpp"
#include "numbers.hpp"

namespace thalweg::mpi::detail {

template <class T>
class own_sums {
  static constexpr std::size_t elements_a_task = 64 * tile;

  std::vector<T> values_, before_;
  std::vector<stored_array> arrays_;            ///< by parameter
  std::vector<thalweg::detail::task> tasks_;    ///< `path` is the parameter
  bool holds_ = false, held_before_ = false;

public:
  own_sums() = default;
  /// `elements`: of this rank's gradients, by parameter. `puts_back`: whether a step may fail.
  own_sums(const std::vector<std::size_t>& elements, bool puts_back) {
    std::size_t all = 0;
    for (const std::size_t n : elements) all += n;
    values_.resize(std::max<std::size_t>(1, all));
    if (puts_back) before_.resize(values_.size());
    T* free = values_.data();
    for (std::size_t i = 0; i < elements.size(); ++i) {
      for (std::size_t begin = 0; begin < elements[i]; begin += elements_a_task) {
        const std::size_t end = std::min(elements[i], begin + elements_a_task);
        tasks_.push_back({i, 0, 0, begin, end, static_cast<double>(end - begin)});
      }
      arrays_.push_back({std::exchange(free, free + elements[i]), type_of<T>});
    }
    std::ranges::stable_sort(tasks_, std::greater<>(), &thalweg::detail::task::cost);
  }

  [[nodiscard]] bool holds() const { return holds_; }
  [[nodiscard]] std::span<const stored_array> arrays() const { return arrays_; }
  [[nodiscard]] std::size_t bytes() const { return (values_.size() + before_.size()) * sizeof(T); }
  void forget() { holds_ = false; }

  /// Takes in the gradients of a call, where they are not null. `run(tasks, body)` runs tasks.
  template <class Run>
  void absorb(const thalweg::detail::transform_code<T>& gate, long call, std::span<const stored_array> gradients, Run run) {
    if (!before_.empty()) before_ = values_;
    held_before_ = holds_;
    if (!holds_) std::ranges::fill(values_, T(0));
    const auto body = [&](std::size_t number, std::size_t) {
      const auto& t = tasks_[number];
      const stored_array& from = gradients[t.path];
      if (!from.data) return;
      for_each_tile<T>(place_in(from, t.begin), from.type, t.end - t.begin, [&](std::size_t first, std::size_t n, const T* g) {
        T* const sum = static_cast<T*>(arrays_[t.path].data) + t.begin + first;
        gate.absorb(call, n, {g, g, nullptr, sum, &sum, 0});
      });
    };
    run(std::span<const thalweg::detail::task>(tasks_), thalweg::detail::task_body(body));
    holds_ = true;
  }
  /// As before the latest `absorb`.
  void put_back() noexcept {
    if (before_.empty()) return;
    std::ranges::copy(before_, values_.begin());
    holds_ = held_before_;
  }
};

}  // namespace thalweg::mpi::detail
