// Chains run where most do.
#pragma once

#include <optional>

#include "../machine.hpp"

namespace test {

inline constexpr bool runs_unfused = true;

template <class T, class Given>
builder<T> build(const Given& given) {
  return build_on_host<T>(given);
}

template <class Chain>
std::optional<builders> builders_on_device(const Chain&) {
  return std::nullopt;
}

}  // namespace test
