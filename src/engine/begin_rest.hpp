// What stands beside numbers of 16 bits, where the 16 bits are all there is.
#pragma once

#include <cstddef>
#include <cstring>

#include <thalweg/core/stored.hpp>

namespace thalweg::detail {

inline void begin_rest(const stored_array& values, std::size_t n) {
  if (values.type == number_type::float16) read({values.data, values.type, nullptr}, 0, n, static_cast<float*>(values.rest));
  else std::memset(values.rest, 0, bytes_of_rest(values.type, n));
}

}  // namespace thalweg::detail
