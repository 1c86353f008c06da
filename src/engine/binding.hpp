// What is refused when parameters meet a chain, whatever the chain.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <thalweg/core/tensor.hpp>

namespace thalweg::detail {

/// Throws where names, shapes or arrays are not what they must be: named, distinct, whole, apart from each other.
void check_parameters(std::span<const parameter_info> parameters, std::span<const void* const> data,
                      std::size_t element_bytes);

}  // namespace thalweg::detail
