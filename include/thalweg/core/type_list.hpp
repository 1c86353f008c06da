// Types, as an argument: `[]<class... T>(type_list<T...>) { … }(recipes::all())`.
#pragma once

namespace thalweg {

template <class... Types>
struct type_list {};

}  // namespace thalweg
