// Compiles functions that nothing in their file calls.
#pragma once

namespace thalweg::detail {

/// A function whose address is taken is compiled. A tuple of hundreds of addresses would take longer to compile than
/// the functions.
template <class Function>
void compile(Function* function) {
  [[maybe_unused]] Function* volatile taken = function;
}

}  // namespace thalweg::detail
