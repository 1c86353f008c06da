// A type, as a value.
#pragma once

namespace thalweg::detail {

using type_id = const void*;
template <class Type>
inline constexpr char place_of_type = 0;
template <class Type>
constexpr type_id id_of() { return &place_of_type<Type>; }

}  // namespace thalweg::detail
