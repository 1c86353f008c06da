// A recipe: a chain with a name and options of its own.
//
//     struct signum {
//       double beta = ema{}.beta;
//       static constexpr auto fields = list{field{"beta", &signum::beta, range_of(&ema::beta)}};
//
//       template <class = void>
//       constexpr auto links() const {
//         return ema{.beta = beta} | scale_by_sign{} | apply_update{};
//       }
//     };
//
// `links` may be a template, as in <thalweg/recipes/…>. Then a recipe that is not used is not compiled.
#pragma once

namespace thalweg {

/// You may use a recipe like the chain that its `links()` returns.
template <class T>
concept recipe = requires(const T& t) { t.links(); };

}  // namespace thalweg
