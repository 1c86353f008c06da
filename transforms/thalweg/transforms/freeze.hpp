// freeze: an end that does not change the parameter.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// θ ← θ, bit for bit, for any update
///
///     auto c = route(when(is_embedding, freeze{}), otherwise(scale_by_adam{} | apply_update{}));
struct freeze {
  constexpr auto at(const context&) const {
    return []<class T>(element<T> e) { return write(e.parameter); };
  }
};

}  // namespace thalweg
