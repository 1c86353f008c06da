// The passes that the library holds for whole stages of its recipes.
#pragma once

#include <thalweg/core/program.hpp>

namespace thalweg::passes {

/// A chain from text is run by them wherever its kernels follow each other as a recipe's do.
template <class T>
const detail::known_passes<T>& of_recipes();

}  // namespace thalweg::passes
