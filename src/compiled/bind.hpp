// Every recipe's engine for parameters of one type: a unit of its own for each, since they take their time.
#pragma once

#include <thalweg/compiled.hpp>
#include <thalweg/core/optimizer.hpp>

#include "passes.hpp"

namespace thalweg::compiled {

template <class T>
std::unique_ptr<thalweg::detail::engine<T>> detail::bind(const recipe& chosen, std::vector<parameter<T>> parameters,
                                                         const options& o, std::size_t set) {
  const dispatched_passes passes = passes_for(set);
  return std::visit([&](const auto& recipe) -> std::unique_ptr<thalweg::detail::engine<T>> {
    using bound = thalweg::optimizer<decltype(chain(recipe)), T, dispatched_passes>;
    return std::make_unique<thalweg::detail::engine_of<T, bound>>(chain(recipe), std::move(parameters), o, passes);
  }, chosen);
}

}  // namespace thalweg::compiled
