// Numbers between arrays and messages. In a message they need not be aligned.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include <thalweg/core/stored.hpp>

namespace thalweg::mpi::detail {

using thalweg::detail::bytes_of;
using thalweg::detail::stored_array;
using thalweg::detail::type_of;

/// Numbers that are widened at once, in the first cache.
inline constexpr std::size_t tile = 1024;

inline std::byte* place_in(const stored_array& a, std::size_t first) {
  return static_cast<std::byte*>(a.data) + first * bytes_of(a.type);
}

/// The numbers [first, first + n) of an array, without its rest.
template <class T>
void read_values(const stored_array& from, std::size_t first, std::size_t n, T* to) {
  if (n == 0) return;  // memcpy takes no null
  if (from.type == type_of<T>) std::memcpy(to, place_in(from, first), n * sizeof(T));
  else if constexpr (std::is_same_v<T, float>) thalweg::detail::read({place_in(from, first), from.type}, 0, n, to);
}
template <class T>
void write_values(const T* from, const stored_array& to, std::size_t first, std::size_t n) {
  if (n == 0) return;
  if (to.type == type_of<T>) std::memcpy(place_in(to, first), from, n * sizeof(T));
  else if constexpr (std::is_same_v<T, float>) thalweg::detail::write(from, {place_in(to, first), to.type}, 0, n);
}

/// f(first, count, numbers) for n numbers of a type at `from`, as numbers of T, tile by tile.
template <class T, class F>
void for_each_tile(const std::byte* from, number_type type, std::size_t n, F f) {
  alignas(64) std::array<T, tile> numbers;
  for (std::size_t first = 0; first < n; first += tile) {
    const std::size_t count = std::min(tile, n - first);
    read_values(stored_array{const_cast<std::byte*>(from), type}, first, count, numbers.data());  // is only read
    f(first, count, static_cast<const T*>(numbers.data()));
  }
}

/// Packs numbers [first, first + n) as those of a type: the array's own, or T. Zeros where there is no array.
template <class T>
void pack(const stored_array& from, std::size_t first, std::size_t n, number_type type, std::byte* to) {
  if (!from.data) std::memset(to, 0, n * bytes_of(type));
  else if (from.type == type) std::memcpy(to, place_in(from, first), n * bytes_of(type));
  else
    for_each_tile<T>(place_in(from, first), from.type, n, [&](std::size_t begin, std::size_t count, const T* numbers) {
      std::memcpy(to + begin * sizeof(T), numbers, count * sizeof(T));
    });
}

}  // namespace thalweg::mpi::detail
