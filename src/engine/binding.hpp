// The checks at binding that are the same for all chains.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <thalweg/core/tensor.hpp>

#include "views.hpp"

namespace thalweg::detail {

/// Where a parameter lies, and the bytes of an element.
struct given_memory {
  void* data;
  std::size_t bytes;
};

/// Throws if a name, a shape or an array is invalid.
void check_parameters(std::span<const parameter_info> parameters, std::span<const given_memory> memory);

/// Throws if two parts have the same name or overlap in memory. `begins`: where the whole parameters begin.
void check_parts(std::span<const parameter_part> parts, std::span<const given_memory> begins);

/// Throws if a checkpoint cannot hold the chain's text.
void check_text(std::string_view chain);

/// Throws if a state is too large for memory.
void check_state(std::string_view name, std::span<const std::size_t> shape, const parameter_info& of,
                 std::size_t element_bytes);

}  // namespace thalweg::detail
