// Transforms and predicates of your own in chains from text: `add_transform<sign_momentum>()`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <thalweg/text/leaf.hpp>
#include <thalweg/text/call.hpp>

namespace thalweg {

namespace text {
using leaf_maker = shared_leaf (*)(const call&);

/// Throws if another transform has the name.
void add_transform(std::string_view name, leaf_maker make);

// By a pointer of the base: what owns it is compiled once.
template <class Lowering, class Transform>
shared_leaf leaf_for(const Transform& t) {
  return shared_leaf(static_cast<const leaf*>(new leaf_of<Transform, Lowering>(t)));
}

template <class Transform>
shared_leaf make_leaf(const call& w) {
  return leaf_for<lowered_here>(read_fields<Transform>(w));
}
}  // namespace text

/// After this call `parse` knows your transform by its name, with its `fields`. Its kernel is compiled in the including
/// file, for the instruction set of that file.
///
///     add_transform<sign_momentum>();
///     auto opt = optimizer("sign_momentum(beta=0.9) | update_by_schedule_free", parameters, {.lr = 0.01});
template <class Transform>
void add_transform() {
  static_assert(checked_transform<Transform>::value);
  text::add_transform(type_name<Transform>(), &text::make_leaf<Transform>);
}

/// The same for a predicate of yours: `route(when(is_gain, scale_lr(by=2)), otherwise())`.
void add_predicate(std::string name, std::function<bool(const parameter_info&)> predicate);

}  // namespace thalweg
