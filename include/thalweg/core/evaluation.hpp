// The evaluation point: the parameters hold x while a guard lives.
#pragma once

#include <memory>

namespace thalweg {

namespace detail {
template <class T>
class device;
}

/// Returned by `optimizer::evaluation_point()`. It may outlive the optimizer, because it keeps alive what it needs.
template <class T>
class [[nodiscard]] evaluation_guard {
  std::shared_ptr<detail::device<T>> at_x_;

public:
  /// Of a device whose parameters hold x.
  explicit evaluation_guard(std::shared_ptr<detail::device<T>> at_x) : at_x_(std::move(at_x)) {}
  evaluation_guard(evaluation_guard&&) noexcept = default;
  evaluation_guard& operator=(evaluation_guard&&) = delete;
  ~evaluation_guard();
};

}  // namespace thalweg
