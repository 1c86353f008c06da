// What is refused when parameters meet a chain, whatever the chain.
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

/// Throws where names, shapes or arrays are not what they must be.
void check_parameters(std::span<const parameter_info> parameters, std::span<const given_memory> memory);

/// Throws where the parts of all parameters do not have distinct names and memory of their own. `begins`: of their wholes.
void check_parts(std::span<const parameter_part> parts, std::span<const given_memory> begins);

/// Throws where no checkpoint could hold the chain's text.
void check_text(std::string_view chain);

/// Throws where a state of a parameter cannot be that large.
void check_state(std::string_view name, std::span<const std::size_t> shape, const parameter_info& of,
                 std::size_t element_bytes);

}  // namespace thalweg::detail
