// The floating-point numbers of 16 bits that products take.
#pragma once

#include <thalweg/core/sixteen_bits.hpp>

namespace thalweg::cuda {

using bf16 = bfloat16;
using fp16 = float16;

}  // namespace thalweg::cuda
