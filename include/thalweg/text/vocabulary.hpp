// Words of one's own for chains from text: `add_transform<sign_momentum>()`.
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

/// Throws where another transform has the name.
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

/// From now on `parse` knows a transform of the user's by its name, with its `fields`. Its kernel runs in the registers
/// for which the including file is compiled.
///
///     add_transform<sign_momentum>();
///     auto opt = optimizer("sign_momentum(beta=0.9) | update_by_schedule_free", parameters, {.lr = 0.01});
template <class Transform>
void add_transform() {
  static_assert(checked_transform<Transform>::value);
  text::add_transform(type_name<Transform>(), &text::make_leaf<Transform>);
}

/// And a predicate of the user's: `route(when(is_gain, scale_lr(by=2)), otherwise())`.
void add_predicate(std::string name, std::function<bool(const parameter_info&)> predicate);

}  // namespace thalweg
