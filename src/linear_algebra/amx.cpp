// Products on AMX tiles of bfloat16, summed in float32.
//
// Compiled for processors that have it and entered only there. Nothing of the standard library's is used here: an
// inline function compiled from this file could end up in everybody's program.
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "request.hpp"

namespace thalweg::linear_algebra::amx {

namespace {

using size = std::size_t;
constexpr size side = 16;       // rows of a tile, and its columns in float32 or in pairs of bfloat16
constexpr size depth = 32;      // bfloat16 in a tile's row
constexpr size tile = side * depth;
constexpr size panel = 32;      // a block of the result is 2 × 2 tiles
constexpr size strip = 256;     // columns of the result that are worked on together
constexpr size block = 512;     // inner dimension between two visits of the result; half of it when split

using bfloat16 = unsigned short;

constexpr size round_up(size n, size to) { return (n + to - 1) / to * to; }
constexpr size least(size a, size b) { return a < b ? a : b; }

// The inner dimension in equal blocks: a panel of a stays in L1, a strip of b in L2.
size block_of(size inner, bool split) {
  const size longest = split ? block / 2 : block, blocks = (inner + longest - 1) / longest;
  return round_up((inner + blocks - 1) / blocks, depth);
}

// As many of 16 numbers as there are, and zeros.
inline __m512 load(const float* from, size count) {
  if (count >= side) return _mm512_loadu_ps(from);
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
}

inline __m512 widened(__m256i x) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16)); }

// 32 numbers as bfloat16. What rounding loses goes into `rest`, rounded too.
template <bool Split>
inline __m512i rounded(__m512 low, __m512 high, __m512i& rest) {
  const auto result = (__m512i)_mm512_cvtne2ps_pbh(high, low);
  if constexpr (Split) {
    const __m512 low_rest = _mm512_sub_ps(low, widened(_mm512_castsi512_si256(result)));
    const __m512 high_rest = _mm512_sub_ps(high, widened(_mm512_extracti64x4_epi64(result, 1)));
    rest = (__m512i)_mm512_cvtne2ps_pbh(high_rest, low_rest);
  }
  return result;
}

// 16 × 16 pairs transposed: in turn, each bit of the row's number changes places with that of the lane's.
inline void transpose(__m512i (&rows)[side]) {
  const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  for (unsigned bit = 1; bit < side; bit *= 2) {
    const __m512i by = _mm512_set1_epi32(static_cast<int>(bit));
    const __mmask16 odd = _mm512_test_epi32_mask(lane, by);
    const __m512i second = _mm512_set1_epi32(side);
    const __m512i even_index = _mm512_mask_add_epi32(lane, odd, _mm512_sub_epi32(lane, by), second);
    const __m512i odd_index = _mm512_mask_add_epi32(_mm512_add_epi32(lane, by), odd, lane, second);
    for (unsigned i = 0; i < side; ++i) {
      if (i & bit) continue;
      const __m512i a = rows[i], b = rows[i | bit];
      rows[i] = _mm512_permutex2var_epi32(a, even_index, b);
      rows[i | bit] = _mm512_permutex2var_epi32(a, odd_index, b);
    }
  }
}

// 32 rows of a, `inner` numbers of each, as tiles: for every 32 numbers two tiles, then, when split, their rests.
template <bool Split, bool Transposed>
void pack_rows(const float* from, size stride, size rows, size inner, bfloat16* to) {
  for (size k = 0; k < inner; k += depth)
    for (size half = 0; half < 2; ++half) {
      __m512i tiles[side], rests[side];
      for (size i = 0; i < side; ++i) {
        const size row = half * side + i;
        tiles[i] = rests[i] = _mm512_setzero_si512();
        if (row >= rows) continue;
        const float* const at = from + row * stride + k;
        const size left = inner - k;
        tiles[i] = rounded<Split>(load(at, left), load(at + side, left > side ? left - side : 0), rests[i]);
      }
      if constexpr (Transposed) {
        transpose(tiles);
        if constexpr (Split) transpose(rests);
      }
      bfloat16* const at = to + k / depth * (Split ? 4 : 2) * tile + half * tile;
      for (size i = 0; i < side; ++i) {
        _mm512_store_si512(at + i * depth, tiles[i]);
        if constexpr (Split) _mm512_store_si512(at + 2 * tile + i * depth, rests[i]);
      }
    }
}

// The columns of b, which is stored by rows, in panels of 32: a tile's row holds two rows of b, number by number.
template <bool Split>
void pack_columns(const float* from, size stride, size cols, size inner, bfloat16* to, size panel_size) {
  alignas(64) bfloat16 order[depth];
  for (size i = 0; i < depth; ++i) order[i] = static_cast<bfloat16>(i / 2 + i % 2 * side);
  const __m512i interleaved = _mm512_load_si512(order);
  for (size k = 0; k < round_up(inner, depth); k += 2)
    for (size j = 0; j < round_up(cols, panel); j += side) {
      const size count = cols > j ? cols - j : 0;
      const float* const at = from + k * stride + j;
      const __m512 even = load(at, k < inner ? count : 0), odd = load(at + stride, k + 1 < inner ? count : 0);
      __m512i rest;
      const __m512i pairs = rounded<Split>(even, odd, rest);
      bfloat16* const row =
          to + j / panel * panel_size + (k / depth * (Split ? 4 : 2) + j / side % 2) * tile + k % depth * side;
      _mm512_store_si512(row, _mm512_permutexvar_epi16(interleaved, pairs));
      if constexpr (Split) _mm512_store_si512(row + 2 * tile, _mm512_permutexvar_epi16(interleaved, rest));
    }
}

// to = a panel of a times a panel of b; the tiles 0-3 gather the sums.
template <bool Split>
void multiply_panels(const bfloat16* a, const bfloat16* b, size inner, float* to) {
  constexpr size row = 64;  // bytes
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (size k = 0; k < inner; k += depth) {
    _tile_loadd(4, a, row);
    _tile_loadd(6, b, row);
    _tile_loadd(7, b + tile, row);
    _tile_loadd(5, a + tile, row);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    if constexpr (Split) {  // large·rest and rest·large; rest·rest is below what split factors keep
      _tile_loadd(6, b + 2 * tile, row);
      _tile_loadd(7, b + 3 * tile, row);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
      _tile_loadd(4, a + 2 * tile, row);
      _tile_loadd(5, a + 3 * tile, row);
      _tile_loadd(6, b, row);
      _tile_loadd(7, b + tile, row);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    a += (Split ? 4 : 2) * tile;
    b += (Split ? 4 : 2) * tile;
  }
  constexpr size to_row = panel * sizeof(float);
  _tile_stored(0, to, to_row);
  _tile_stored(1, to + side, to_row);
  _tile_stored(2, to + side * panel, to_row);
  _tile_stored(3, to + side * panel + side, to_row);
}

// A block of the result, from the sums of one block of the inner dimension.
void add(const request<float>& q, bool first, const float* sums, size i, size j) {
  const size rows = least(panel, q.rows - i), cols = least(panel, q.cols - j);
  const __m512 alpha = _mm512_set1_ps(q.alpha), beta = _mm512_set1_ps(q.beta), gamma = _mm512_set1_ps(q.gamma);
  for (size k = 0; k < rows; ++k)
    for (size l = 0; l < cols; l += side) {
      const auto mask = static_cast<__mmask16>((1u << least(side, cols - l)) - 1);
      const size at = (i + k) * q.cols + j + l;
      __m512 sum = _mm512_mul_ps(alpha, _mm512_loadu_ps(sums + k * panel + l));
      if (!first) {
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, q.out + at));
      } else {
        if (q.c) sum = _mm512_fmadd_ps(beta, _mm512_maskz_loadu_ps(mask, q.c + at), sum);
        if (q.d) sum = _mm512_fmadd_ps(gamma, _mm512_maskz_loadu_ps(mask, q.d + at), sum);
      }
      _mm512_mask_storeu_ps(q.out + at, mask, sum);
    }
}

template <bool Split>
void multiply_any(const request<float>& q, bfloat16* packed) {
  alignas(64) const unsigned char shape[64] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // palette 1
                                               64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0,  // bytes a row
                                               0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                               16, 16, 16, 16, 16, 16, 16, 16};  // rows
  _tile_loadconfig(shape);
  const size inner_block = block_of(q.inner, Split);
  const size panel_size = inner_block * panel * (Split ? 2 : 1);
  bfloat16 *const b = packed, *const a = b + strip / panel * panel_size;
  alignas(64) float sums[panel * panel];
  for (size k = 0; k < q.inner; k += inner_block) {
    const size inner = least(inner_block, q.inner - k);
    for (size i = 0; i < q.rows; i += panel)
      pack_rows<Split, false>(q.a + i * q.inner + k, q.inner, least(panel, q.rows - i), inner,
                              a + i / panel * panel_size);
    for (size left = 0; left < q.cols; left += strip) {
      const size right = least(left + strip, q.cols);
      if (!q.b_by_columns) pack_columns<Split>(q.b + k * q.cols + left, q.cols, right - left, inner, b, panel_size);
      else
        for (size j = left; j < right; j += panel)
          pack_rows<Split, true>(q.b + j * q.inner + k, q.inner, least(panel, right - j), inner,
                                 b + (j - left) / panel * panel_size);
      for (size i = q.lower ? left : 0; i < q.rows; i += panel)
        for (size j = left; j < (q.lower ? least(i + 1, right) : right); j += panel) {
          multiply_panels<Split>(a + i / panel * panel_size, b + (j - left) / panel * panel_size, inner, sums);
          add(q, k == 0, sums, i, j);
        }
    }
  }
  _tile_release();
}

// The processor has it, the system saves its registers, and lends them to this process.
bool ask() {
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512bf16"))
    return false;
  unsigned a, b, c, d;
  asm("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
  constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24;
  if (!(d & amx_bf16) || !(d & amx_tile)) return false;
  constexpr long request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

}  // namespace

bool available() {
  static const bool answer = ask();
  return answer;
}

size workspace_bytes(bool split, size rows, size inner) {
  return (round_up(rows, panel) + strip) * block_of(inner, split) * sizeof(bfloat16) * (split ? 2 : 1);
}

void multiply(const request<float>& q, bool split, void* workspace) {
  auto* const packed = static_cast<bfloat16*>(workspace);
  if (split) multiply_any<true>(q, packed);
  else multiply_any<false>(q, packed);
}

}  // namespace thalweg::linear_algebra::amx
