// The evaluation point: x in the parameters for as long as a guard lives.
#pragma once

#include <memory>
#include <utility>

#include <thalweg/core/error.hpp>

namespace thalweg {

/// Returned by `optimizer::evaluation_point()`. It keeps what it needs alive: it may outlive the optimizer.
template <class T>
class [[nodiscard]] evaluation_guard {
  std::shared_ptr<void> store_;
  void (*put_back_)(void*) noexcept;

public:
  /// `store`: what holds y back, puts x, by `average_into(i, out)`, in its place, and later y again.
  template <class Store, class AverageInto>
  evaluation_guard(std::shared_ptr<Store> store, AverageInto average_into)
      : put_back_([](void* s) noexcept { static_cast<Store*>(s)->put_back(); }) {
    if (store->at_evaluation_point)
      throw error("evaluation_point", "Expected the parameters at y. Received a second guard while one lives.");
    store->hold_back(average_into);
    store_ = std::move(store);
  }
  evaluation_guard(evaluation_guard&& other) noexcept = default;
  evaluation_guard& operator=(evaluation_guard&&) = delete;

  ~evaluation_guard() {
    if (store_) put_back_(store_.get());
  }
};

}  // namespace thalweg
