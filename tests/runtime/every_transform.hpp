// Every transform that a text may name, in a chain that has room for it.
#pragma once

#include <thalweg/transforms.hpp>

#include "replay.hpp"

namespace test {

template <class Transform>
auto in_a_chain(const Transform& t) {
  using namespace thalweg;
  if constexpr (std::is_same_v<Transform, amuse_beta>) return t | update_by_schedule_free{};
  else if constexpr (requires(const parameter_info& p) { t.check(p); }) return route(when(hidden_matrix, t), otherwise());
  else return chain(t);
}

template <class T>
void replay_every_transform() {
  [&]<class... Transforms>(thalweg::type_list<Transforms...>) {
    (replays<T>(in_a_chain(Transforms())), ...);
  }(thalweg::all_transforms());
}

}  // namespace test
