// The library's transforms in chains from text.
#pragma once

#include <span>

#include <thalweg/text/leaf.hpp>

namespace thalweg::text {

/// Instantiated for all transforms in vocabulary.cpp.
template <class Transform>
shared_leaf leaf_of_library(const Transform& t);

/// A word's names in other libraries.
template <class Word>
constexpr std::span<const char* const> names_elsewhere() {
  if constexpr (requires { Word::elsewhere; }) return Word::elsewhere;
  else return {};
}

}  // namespace thalweg::text
