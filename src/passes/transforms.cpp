#include "transforms.hpp"

#include <thalweg/core/lower.hpp>
#include <thalweg/transforms.hpp>

#include "compile.hpp"
#include "dispatched.hpp"

namespace thalweg::passes {

template <class T, class Transform>
detail::any_transform<T> lowered_in_library::lower(const Transform& t, std::size_t set) {
  return detail::erased<T, dispatched, true>(t, set);
}

namespace {

template <class T, class... Transforms>
void compile_lowered(type_list<Transforms...>) {
  (detail::compile(&lowered_in_library::lower<T, Transforms>), ...);
}
[[gnu::used]] void compile_all_lowered() {
  compile_lowered<float>(all_transforms());
  compile_lowered<double>(all_transforms());
}

}  // namespace

}  // namespace thalweg::passes
