// The precision of products of matrices.
#pragma once

#include <string_view>

namespace thalweg {

/// The precision of the iteration's products, for float parameters. Sums are always float32.
enum class precision {
  float32,   ///< factors of 16 bits or more: within about 1e-3 of the exact iteration (see docs/performance.md)
  bfloat16,  ///< factors may be rounded to bfloat16 if the hardware multiplies it: within a few per cent
  float16    ///< factors may be rounded to float16 if the hardware multiplies it: within about one per cent
};

constexpr std::string_view to_text(precision p) {
  return p == precision::float32 ? "float32" : p == precision::bfloat16 ? "bfloat16" : "float16";
}

}  // namespace thalweg
