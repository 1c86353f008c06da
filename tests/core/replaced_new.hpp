// Replaces the operators new of the program whose unit includes this: they call its `test::allocate`. Builds with
// AddressSanitizer keep the sanitizer's operators, which check more; there the unit tests nothing.
#pragma once

#ifdef __SANITIZE_ADDRESS__
#define ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER
#endif
#endif

#ifndef ADDRESS_SANITIZER

#include <cstddef>
#include <cstdlib>
#include <new>

namespace test {

/// The unit's own: throws std::bad_alloc where there is none.
void* allocate(std::size_t size, std::size_t alignment);

inline void* from_the_system(std::size_t size, std::size_t alignment) {
  size = (size + alignment - 1) / alignment * alignment;
  if (void* memory = std::aligned_alloc(alignment, size ? size : alignment)) return memory;
  throw std::bad_alloc();
}

}  // namespace test

void* operator new(std::size_t size) { return test::allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) { return test::allocate(size, std::size_t(alignment)); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

#endif
