// The 16-bit floating-point numbers of products.
#pragma once

#include <thalweg/core/sixteen_bits.hpp>

namespace thalweg::cuda {

using bf16 = bfloat16;
using fp16 = float16;

}  // namespace thalweg::cuda
