// What this processor offers, asked by code that every processor runs.
#include <sys/syscall.h>
#include <unistd.h>

#include "bfloat16.hpp"

namespace thalweg::linear_algebra::bfloat16 {

namespace {

// The processor has it, the system saves its registers, and lends them to this process.
unit ask() {
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512bf16"))
    return unit::absent;
  unsigned a, b, c, d;
  asm("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
  constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24;
  if (!(d & amx_bf16) || !(d & amx_tile)) return unit::dots;
  constexpr long request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0 ? unit::tiles : unit::dots;
}

}  // namespace

unit available() {
  static const unit answer = ask();
  return answer;
}

}  // namespace thalweg::linear_algebra::bfloat16
