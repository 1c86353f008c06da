// The evaluation point: x in the parameters for as long as a guard lives.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <thalweg/core/error.hpp>
#include <thalweg/core/storage.hpp>

namespace thalweg {

/// Returned by `optimizer::evaluation_point()`. It keeps what it needs alive: it may outlive the optimizer.
template <class T>
class [[nodiscard]] evaluation_guard {
  std::shared_ptr<detail::storage<T>> store_;

public:
  template <class AverageInto>
  evaluation_guard(std::shared_ptr<detail::storage<T>> store, AverageInto average_into) : store_(std::move(store)) {
    if (store_->at_evaluation_point) {
      store_.reset();
      throw error("evaluation_point", "Expected the parameters at y. Received a second guard while one lives.");
    }
    auto& parameters = store_->parameters;
    auto held_back = std::vector<std::vector<T>>(parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (parameters[i].averaged) held_back[i].assign(parameters[i].data, parameters[i].data + parameters[i].size);
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (parameters[i].averaged) average_into(i, parameters[i].data);
    store_->held_back = std::move(held_back);
    store_->at_evaluation_point = true;
  }
  evaluation_guard(evaluation_guard&& other) noexcept : store_(std::move(other.store_)) {}
  evaluation_guard& operator=(evaluation_guard&&) = delete;

  ~evaluation_guard() {
    if (!store_) return;
    for (std::size_t i = 0; i < store_->held_back.size(); ++i)
      std::copy(store_->held_back[i].begin(), store_->held_back[i].end(), store_->parameters[i].data);
    store_->held_back.clear();
    store_->at_evaluation_point = false;
  }
};

}  // namespace thalweg
