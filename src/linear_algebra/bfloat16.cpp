// Compiled for processors that multiply bfloat16 and entered only there. Nothing of the standard library's is used: an
// inline function compiled from this file could end up in everybody's program.
#include <immintrin.h>

#include "bfloat16.hpp"

namespace thalweg::linear_algebra::bfloat16 {

namespace {

using size = std::size_t;
constexpr size side = blocks::side;
constexpr size lanes = 16;           // float32 in a register; rows of a tile, and its columns in pairs of bfloat16
constexpr size plane = side * side;  // one part of a block's numbers
constexpr size tile = plane / 2;

constexpr size least(size a, size b) { return a < b ? a : b; }
template <form F>
constexpr size multiplied = F == form::rounded ? 1 : 2;  // planes of a factor
template <form F>
constexpr size planes = multiplied<F> + 1;
template <form F>
constexpr size right_block = multiplied<F> * plane;

// The largest parts of a block; the others follow at multiples of `apart(x)`.
inline bits* at(const blocks& x, size i, size j) { return x.data + (i * in_blocks(x.cols) + j) * plane; }
constexpr size apart(const blocks& x) { return in_blocks(x.rows) * in_blocks(x.cols) * plane; }

// ---- a block's rows ---------------------------------------------------------------------------------

struct row {
  __m512 left, right;
};
[[gnu::always_inline]] inline row operator+(row a, row b) { return {_mm512_add_ps(a.left, b.left), _mm512_add_ps(a.right, b.right)}; }
[[gnu::always_inline]] inline row operator-(row a, row b) { return {_mm512_sub_ps(a.left, b.left), _mm512_sub_ps(a.right, b.right)}; }
[[gnu::always_inline]] inline row operator*(float f, row a) {
  return {_mm512_mul_ps(_mm512_set1_ps(f), a.left), _mm512_mul_ps(_mm512_set1_ps(f), a.right)};
}
// f·a + b
[[gnu::always_inline]] inline row fused(float f, row a, row b) {
  return {_mm512_fmadd_ps(_mm512_set1_ps(f), a.left, b.left), _mm512_fmadd_ps(_mm512_set1_ps(f), a.right, b.right)};
}
inline row absolute(row a) { return {_mm512_abs_ps(a.left), _mm512_abs_ps(a.right)}; }
inline __m512 add_squares(row a, __m512 sum) {
  return _mm512_fmadd_ps(a.left, a.left, _mm512_fmadd_ps(a.right, a.right, sum));
}

[[gnu::always_inline]] inline row widened(__m512i x) {
  const auto one = [](__m256i y) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(y), 16)); };
  return {one(_mm512_castsi512_si256(x)), one(_mm512_extracti64x4_epi64(x, 1))};
}
[[gnu::always_inline]] inline __m512i rounded(row x) { return (__m512i)_mm512_cvtne2ps_pbh(x.right, x.left); }

template <size Planes>
[[gnu::always_inline]] inline row read(const bits* from, size apart) {
  row sum = widened(_mm512_load_si512(from));
  for (size k = 1; k < Planes; ++k) sum = sum + widened(_mm512_load_si512(from + k * apart));
  return sum;
}
template <size Planes>
[[gnu::always_inline]] inline void write(bits* to, size apart, row x) {
  for (size k = 0; k < Planes; ++k) {
    const __m512i part = rounded(x);
    _mm512_store_si512(to + k * apart, part);
    if (k + 1 < Planes) x = x - widened(part);
  }
}
[[gnu::always_inline]] inline row read(const float* from) { return {_mm512_load_ps(from), _mm512_load_ps(from + lanes)}; }

// As many of 16 numbers as there are, and zeros.
inline __mmask16 first(size count) { return static_cast<__mmask16>(count >= lanes ? 0xffffu : (1u << count) - 1); }
inline row read(const float* from, size count) {
  return {_mm512_maskz_loadu_ps(first(count), from),
          count > lanes ? _mm512_maskz_loadu_ps(first(count - lanes), from + lanes) : _mm512_setzero_ps()};
}
inline void write(float* to, row x, size count) {
  _mm512_mask_storeu_ps(to, first(count), x.left);
  if (count > lanes) _mm512_mask_storeu_ps(to + lanes, first(count - lanes), x.right);
}

// Transposes 16 × 16 words: for each bit in turn, swaps that bit of the row's number with that of the lane's number.
[[gnu::always_inline]] inline void transpose(__m512i (&rows)[lanes]) {
  const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  for (unsigned bit = 1; bit < lanes; bit *= 2) {
    const __mmask16 odd = _mm512_test_epi32_mask(lane, _mm512_set1_epi32(static_cast<int>(bit)));
    const __m512i by = _mm512_set1_epi32(static_cast<int>(bit)), second = _mm512_set1_epi32(lanes);
    const __m512i even_index = _mm512_mask_add_epi32(lane, odd, _mm512_sub_epi32(lane, by), second);
    const __m512i odd_index = _mm512_mask_add_epi32(_mm512_add_epi32(lane, by), odd, lane, second);
    for (unsigned i = 0; i < lanes; ++i) {
      if (i & bit) continue;
      const __m512i a = rows[i], b = rows[i | bit];
      rows[i] = _mm512_permutex2var_epi32(a, even_index, b);
      rows[i | bit] = _mm512_permutex2var_epi32(a, odd_index, b);
    }
  }
}

// One part of a block transposed: the rows in pairs, column by column, are words.
inline void mirror(const bits* from, bits* to) {
  constexpr __mmask32 high = 0xaaaaaaaa;
  for (size odd = 0; odd < 2; ++odd) {
    __m512i pairs[lanes];
    for (size p = 0; p < lanes; ++p) {
      const __m512i a = _mm512_load_si512(from + 2 * p * side), b = _mm512_load_si512(from + (2 * p + 1) * side);
      pairs[p] = odd ? _mm512_mask_blend_epi16(high, _mm512_srli_epi32(a, 16), b)
                     : _mm512_mask_blend_epi16(high, a, _mm512_slli_epi32(b, 16));
    }
    transpose(pairs);
    for (size p = 0; p < lanes; ++p) _mm512_store_si512(to + (2 * p + odd) * side, pairs[p]);
  }
}

// ---- right factors ----------------------------------------------------------------------------------

// A block of a right factor is two tiles of 16 columns; a tile's row holds two of the factor's, number by number.
// Here made from the transposed block,
inline void pack_transposed(const bits* from, bits* to) {
  for (size half = 0; half < 2; ++half) {
    __m512i rows[lanes];
    for (size i = 0; i < lanes; ++i) rows[i] = _mm512_load_si512(from + half * tile + i * side);
    transpose(rows);
    for (size i = 0; i < lanes; ++i) _mm512_store_si512(to + half * tile + i * side, rows[i]);
  }
}
// and here made from the block itself.
inline void pack(const bits* from, bits* to) {
  alignas(64) bits order[side];
  for (size i = 0; i < side; ++i) order[i] = static_cast<bits>(i / 2 + i % 2 * side);
  const __m512i left = _mm512_load_si512(order), right = _mm512_add_epi16(left, _mm512_set1_epi16(lanes));
  for (size p = 0; p < lanes; ++p) {
    const __m512i a = _mm512_load_si512(from + 2 * p * side), b = _mm512_load_si512(from + (2 * p + 1) * side);
    _mm512_store_si512(to + p * side, _mm512_permutex2var_epi16(a, left, b));
    _mm512_store_si512(to + tile + p * side, _mm512_permutex2var_epi16(a, right, b));
  }
}

// ---- blocks times blocks ----------------------------------------------------------------------------

// sums += Σ a·b over `steps` blocks of each. The product of the smaller planes is below what two planes keep.
struct by_tiles {
  static void begin() {
    alignas(64) static const unsigned char shape[64] = {
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,          // palette 1
        64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0,  // bytes a row
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        16, 16, 16, 16, 16, 16, 16, 16};  // rows
    _tile_loadconfig(shape);
  }
  static void end() { _tile_release(); }

  template <form F>
  static void multiply(const bits* a, [[maybe_unused]] size apart, const bits* b, size steps, bool fresh, float* sums) {
    constexpr size bytes = 64, sum_bytes = side * sizeof(float);
    if (fresh) {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    } else {
      _tile_loadd(0, sums, sum_bytes);
      _tile_loadd(1, sums + lanes, sum_bytes);
      _tile_loadd(2, sums + lanes * side, sum_bytes);
      _tile_loadd(3, sums + lanes * side + lanes, sum_bytes);
    }
    for (size k = 0; k < steps; ++k, a += plane, b += right_block<F>) {
      _tile_loadd(4, a, bytes);
      _tile_loadd(6, b, bytes);
      _tile_loadd(7, b + tile, bytes);
      _tile_loadd(5, a + tile, bytes);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
      if constexpr (F == form::whole) {
        _tile_loadd(6, b + plane, bytes);
        _tile_loadd(7, b + plane + tile, bytes);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        _tile_loadd(4, a + apart, bytes);
        _tile_loadd(6, b, bytes);
        _tile_loadd(7, b + tile, bytes);
        _tile_loadd(5, a + apart + tile, bytes);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
    }
    _tile_stored(0, sums, sum_bytes);
    _tile_stored(1, sums + lanes, sum_bytes);
    _tile_stored(2, sums + lanes * side, sum_bytes);
    _tile_stored(3, sums + lanes * side + lanes, sum_bytes);
  }
};

struct by_dots {
  static void begin() {}
  static void end() {}

  template <form F>
  static void multiply(const bits* a, [[maybe_unused]] size apart, const bits* b, size steps, bool fresh, float* sums) {
    constexpr size rows = 8;  // at a time: their sums fill half of the registers
    for (size i = 0; i < side; i += rows) {
      __m512 left[rows], right[rows];
      for (size r = 0; r < rows; ++r) {
        const float* const from = sums + (i + r) * side;
        left[r] = fresh ? _mm512_setzero_ps() : _mm512_load_ps(from);
        right[r] = fresh ? _mm512_setzero_ps() : _mm512_load_ps(from + lanes);
      }
      const auto add = [&](const bits* from_a, const bits* from_b) {
        for (size p = 0; p < lanes; ++p) {
          const auto b_left = (__m512bh)_mm512_load_si512(from_b + p * side);
          const auto b_right = (__m512bh)_mm512_load_si512(from_b + tile + p * side);
          for (size r = 0; r < rows; ++r) {
            int pair;
            __builtin_memcpy(&pair, from_a + (i + r) * side + 2 * p, sizeof pair);
            const auto pairs = (__m512bh)_mm512_set1_epi32(pair);
            left[r] = _mm512_dpbf16_ps(left[r], pairs, b_left);
            right[r] = _mm512_dpbf16_ps(right[r], pairs, b_right);
          }
        }
      };
      for (size k = 0; k < steps; ++k) {
        const bits *const from_a = a + k * plane, *const from_b = b + k * right_block<F>;
        add(from_a, from_b);
        if constexpr (F == form::whole) {
          add(from_a, from_b + plane);
          add(from_a + apart, from_b);
        }
      }
      for (size r = 0; r < rows; ++r) {
        _mm512_store_ps(sums + (i + r) * side, left[r]);
        _mm512_store_ps(sums + (i + r) * side + lanes, right[r]);
      }
    }
  }
};

// ---- matrices times matrices ------------------------------------------------------------------------

// How a product is cut: `strip` columns of blocks whose right factor is packed together, and `depth` blocks of the inner
// dimension between two visits of the sums. With few rows all sums stay in L2, and the factors are read once.
struct cut {
  size strip, depth;
  bool in_parts;  // the inner dimension: the sums of a strip are kept
};
cut cut_of(size planes, size rows, size steps, size cols) {
  constexpr size short_enough = 48, few = 24, shallow = 8, deep = 24, narrow = 8;
  if (steps * planes <= short_enough) return {least(narrow, cols), steps, false};
  const bool keeps_all = rows <= few && cols <= few;
  const size longest = (keeps_all ? shallow : deep) / planes, parts = (steps + longest - 1) / longest;
  return {keeps_all ? cols : least(narrow, cols), (steps + parts - 1) / parts, true};
}
size sums_of(const cut& c, size rows) { return (c.in_parts ? rows * c.strip : 1) * plane; }

// a times a right factor of `cols` columns of blocks. pack(k, j, to) writes a block of the right factor. finish(i, j, sums)
// receives each block of the product; with `lower`, only those of the lower triangle.
template <class Unit, form F, class Pack, class Finish>
void multiply(const blocks& a, size cols, bool lower, void* workspace, const Pack& pack, const Finish& finish) {
  const size rows = in_blocks(a.rows), steps = in_blocks(a.cols);
  const auto [strip, depth, in_parts] = cut_of(multiplied<F>, rows, steps, cols);
  auto* const sums = static_cast<float*>(workspace);
  auto* const right = reinterpret_cast<bits*>(sums + sums_of({strip, depth, in_parts}, rows));
  Unit::begin();
  for (size left = 0; left < cols; left += strip) {
    const size end = least(left + strip, cols);
    for (size k = 0; k < steps; k += depth) {
      const size count = least(depth, steps - k);
      for (size j = left; j < end; ++j)
        for (size l = 0; l < count; ++l) pack(k + l, j, right + ((j - left) * depth + l) * right_block<F>);
      for (size i = lower ? left : 0; i < rows; ++i)
        for (size j = left; j < (lower ? least(i + 1, end) : end); ++j) {
          float* const sum = in_parts ? sums + (i * strip + j - left) * plane : sums;
          Unit::template multiply<F>(at(a, i, k), apart(a), right + (j - left) * depth * right_block<F>, count, k == 0, sum);
          if (k + count == steps) finish(i, j, sum);
        }
    }
  }
  Unit::end();
}

// Block (i, j) of a factor in the form that `One` gives it.
template <form F, void (*One)(const bits*, bits*)>
void pack_block(const blocks& x, size i, size j, bits* to) {
  for (size k = 0; k < multiplied<F>; ++k) One(at(x, i, j) + k * apart(x), to + k * plane);
}

// f.template operator()<Unit, Parts>()
template <class F>
auto choose(const arithmetic& how, const F& f) {
  const bool tiles = how.unit == unit::tiles;
  if (how.form == form::rounded)
    return tiles ? f.template operator()<by_tiles, form::rounded>() : f.template operator()<by_dots, form::rounded>();
  return tiles ? f.template operator()<by_tiles, form::whole>() : f.template operator()<by_dots, form::whole>();
}

// ---- symmetric matrices -----------------------------------------------------------------------------

// The block's transposed one takes its place on the other side, where only factors are read.
template <form F>
void mirror(const blocks& x, size i, size j) {
  if (i == j) return;
  for (size k = 0; k < multiplied<F>; ++k) mirror(at(x, i, j) + k * apart(x), at(x, j, i) + k * apart(x));
}

// Without the shift on the diagonal of as many rows as there are.
[[gnu::always_inline]] inline row without(float shift, row x, size r) {
  const __m512 by = _mm512_set1_ps(shift);
  const auto lane = static_cast<__mmask16>(1u << r % lanes);
  if (r < lanes) x.left = _mm512_mask_sub_ps(x.left, lane, x.left, by);
  else x.right = _mm512_mask_sub_ps(x.right, lane, x.right, by);
  return x;
}

template <size Planes>
float on_diagonal(const blocks& x, size i) {
  const bits* const from = at(x, i / side, i / side) + i % side * (side + 1);
  float sum = 0;
  for (size k = 0; k < Planes; ++k)
    sum += _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(static_cast<int>(from[k * apart(x)]) << 16)));
  return sum;
}
template <form F>
double trace(const blocks& x) {
  double sum = 0;
  for (size i = 0; i < x.rows; ++i)
    sum += static_cast<double>(on_diagonal<planes<F>>(x, i));
  return sum;
}

// The trace of a·b, to the precision of the large parts.
template <form F>
double trace_of_product(const blocks& a, const blocks& b) {
  double sum = 0;
  for (size i = 0; i < in_blocks(a.rows); ++i)
    for (size j = 0; j <= i; ++j) {
      const bits *const from_a = at(a, i, j), *const from_b = at(b, i, j);
      __m512 even = _mm512_setzero_ps(), odd = even;
      for (size r = 0; r < side; r += 2) {
        const auto load = [](const bits* from) { return (__m512bh)_mm512_load_si512(from); };
        even = _mm512_dpbf16_ps(even, load(from_a + r * side), load(from_b + r * side));
        odd = _mm512_dpbf16_ps(odd, load(from_a + (r + 1) * side), load(from_b + (r + 1) * side));
      }
      const auto block_sum = static_cast<double>(_mm512_reduce_add_ps(_mm512_add_ps(even, odd)));
      sum += i == j ? block_sum : 2 * block_sum;
    }
  return sum;
}

// ---- the float matrix -------------------------------------------------------------------------------

// Of the rows that the `transposed` float matrix has: X's column j, rows i … of it.
template <form F>
void load_transposed(const float* from, float root, const blocks& x, size i, size j) {
  alignas(64) bits order[side];
  for (size k = 0; k < side; ++k) order[k] = static_cast<bits>(k / 2 + k % 2 * lanes);
  const __m512i interleaved = _mm512_load_si512(order);
  bits* const to = at(x, i, j);
  for (size half = 0; half < 2; ++half) {
    const size above = i * side + half * lanes, count = x.rows > above ? x.rows - above : 0;
    __m512i parts[planes<F>][lanes];
    for (size p = 0; p < lanes; ++p) {
      const auto load = [&](size k) {
        if (k >= x.cols || count == 0) return _mm512_setzero_ps();
        return _mm512_maskz_loadu_ps(first(count), from + k * x.rows + above);
      };
      const size k = j * side + 2 * p;
      row pair = root * (root * row{load(k), load(k + 1)});
      for (auto& part : parts) {
        const __m512i both = rounded(pair);
        part[p] = _mm512_permutexvar_epi16(interleaved, both);
        pair = pair - widened(both);
      }
    }
    for (size k = 0; k < planes<F>; ++k) {
      transpose(parts[k]);
      for (size r = 0; r < lanes; ++r) _mm512_store_si512(to + k * apart(x) + half * tile + r * side, parts[k][r]);
    }
  }
}

// A block of rows × cols numbers, of which those beyond the edges are left out, into the matrix at (i, j).
inline void store(const float* from, const blocks& x, size i, size j, place to) {
  const size rows = least(side, x.rows - i * side), cols = least(side, x.cols - j * side);
  if (!to.transposed) {
    for (size r = 0; r < rows; ++r) write(to.data + (i * side + r) * x.cols + j * side, read(from + r * side), cols);
    return;
  }
  for (size below = 0; below < rows; below += lanes)
    for (size beyond = 0; beyond < cols; beyond += lanes) {
      __m512i words[lanes];
      for (size r = 0; r < lanes; ++r) words[r] = _mm512_load_si512(from + (below + r) * side + beyond);
      transpose(words);
      for (size c = 0; c < least(lanes, cols - beyond); ++c)
        _mm512_mask_storeu_ps(to.data + (j * side + beyond + c) * x.rows + i * side + below, first(rows - below),
                              _mm512_castsi512_ps(words[c]));
    }
}

}  // namespace

size bytes(form f, size rows, size cols) {
  return in_blocks(rows) * in_blocks(cols) * plane * sizeof(bits) *
         (f == form::rounded ? planes<form::rounded> : planes<form::whole>);
}

size workspace_bytes(form f, size rows, size cols) {
  const size multiplied_planes = f == form::rounded ? multiplied<form::rounded> : multiplied<form::whole>;
  const size m = in_blocks(rows), n = in_blocks(cols);
  size most = 0;
  const auto consider = [&](size steps, size right_cols) {
    const cut c = cut_of(multiplied_planes, m, steps, right_cols);
    const size needed = sums_of(c, m) * sizeof(float) + c.strip * c.depth * multiplied_planes * plane * sizeof(bits);
    if (needed > most) most = needed;
  };
  consider(n, m);
  consider(m, n);
  consider(m, m);
  return most;
}

void load(const arithmetic& how, place from, float root, blocks x) {
  choose(how, [&]<class, form F>() {
    for (size i = 0; i < in_blocks(x.rows); ++i)
      for (size j = 0; j < in_blocks(x.cols); ++j) {
        if (from.transposed) {
          load_transposed<F>(from.data, root, x, i, j);
          continue;
        }
        bits* const to = at(x, i, j);
        for (size r = 0; r < side; ++r) {
          const size k = i * side + r;
          row numbers{_mm512_setzero_ps(), _mm512_setzero_ps()};
          if (k < x.rows) numbers = read(from.data + k * x.cols + j * side, x.cols - j * side);
          write<planes<F>>(to + r * side, apart(x), root * (root * numbers));
        }
      }
  });
}

double gram(const arithmetic& how, blocks x, double squares, blocks out) {
  const double mean = squares / static_cast<double>(x.rows);
  const auto shift = static_cast<float>(mean);
  choose(how, [&]<class Unit, form F>() {
    const auto pack_columns = [&](size k, size j, bits* to) { pack_block<F, pack_transposed>(x, j, k, to); };
    multiply<Unit, F>(x, in_blocks(x.rows), true, how.workspace, pack_columns,
                      [&](size i, size j, const float* sums) {
                        bits* const to = at(out, i, j);
                        const size diagonal = i == j ? least(side, x.rows - i * side) : 0;
                        for (size r = 0; r < side; ++r) {
                          row sum = read(sums + r * side);
                          if (r < diagonal) sum = without(shift, sum, r);
                          write<planes<F>>(to + r * side, apart(out), sum);
                        }
                        mirror<F>(out, i, j);
                      });
  });
  return static_cast<double>(shift);
}

double symmetric_product(const arithmetic& how, float alpha, blocks a, blocks b, float beta, blocks c, float gamma,
                         blocks d, blocks out) {
  return choose(how, [&]<class Unit, form F>() {
    const double sum_of_diagonal = static_cast<double>(alpha) * trace_of_product<F>(a, b) +
                                   static_cast<double>(beta) * trace<F>(c) + static_cast<double>(gamma) * trace<F>(d);
    const auto shift = static_cast<float>(sum_of_diagonal / static_cast<double>(a.rows));
    const auto pack_columns = [&](size k, size j, bits* to) { pack_block<F, pack_transposed>(b, j, k, to); };
    multiply<Unit, F>(a, in_blocks(a.rows), true, how.workspace, pack_columns, [&](size i, size j, const float* sums) {
      bits* const to = at(out, i, j);
      const bits *const from_c = at(c, i, j), *const from_d = at(d, i, j);
      const size diagonal = i == j ? least(side, a.rows - i * side) : 0;
      for (size r = 0; r < side; ++r) {
        row sum = fused(beta, read<planes<F>>(from_c + r * side, apart(c)), alpha * read(sums + r * side));
        if (gamma != 0) sum = fused(gamma, read<planes<F>>(from_d + r * side, apart(d)), sum);
        if (r < diagonal) sum = without(shift, sum, r);
        write<planes<F>>(to + r * side, apart(out), sum);
      }
      mirror<F>(out, i, j);
    });
    return static_cast<double>(shift);
  });
}

namespace {

// then(i, j, r, row) with the rows of q·x + shift·x. The blocks of x that it takes may be overwritten by it.
template <class Unit, form F, class Then, class Done>
void multiply_rows(const arithmetic& how, const blocks& q, float shift, const blocks& x, const Then& then,
                   const Done& done) {
  const auto pack_rows = [&](size k, size j, bits* to) { pack_block<F, pack>(x, k, j, to); };
  multiply<Unit, F>(q, in_blocks(x.cols), false, how.workspace, pack_rows, [&](size i, size j, const float* sums) {
                      bits* const from = at(x, i, j);
                      for (size r = 0; r < side; ++r)
                        then(from + r * side, r, fused(shift, read<planes<F>>(from + r * side, apart(x)), read(sums + r * side)));
                      done(i, j);
                    });
}

}  // namespace

double apply(const arithmetic& how, blocks q, float shift, blocks x) {
  return choose(how, [&]<class Unit, form F>() {
    double squares = 0;
    __m512 sum = _mm512_setzero_ps();
    multiply_rows<Unit, F>(
        how, q, shift, x,
        [&](bits* to, size, row numbers) {
          sum = add_squares(numbers, sum);
          write<planes<F>>(to, apart(x), numbers);
        },
        [&](size, size) {
          squares += static_cast<double>(_mm512_reduce_add_ps(sum));
          sum = _mm512_setzero_ps();
        });
    return squares;
  });
}

void finish(const arithmetic& how, blocks q, float shift, float factor, blocks x, place to) {
  choose(how, [&]<class Unit, form F>() {
    alignas(64) float numbers[plane];
    multiply_rows<Unit, F>(
        how, q, shift, x,
        [&](bits*, size r, row sum) {
          const row scaled = factor * sum;
          _mm512_store_ps(numbers + r * side, scaled.left);
          _mm512_store_ps(numbers + r * side + lanes, scaled.right);
        },
        [&](size i, size j) { store(numbers, x, i, j, to); });
  });
}

double rescale_rows(const arithmetic& how, blocks gram, float shift, double epsilon, blocks x) {
  return choose(how, [&]<class, form F>() {
    double squares = 0;
    for (size i = 0; i < x.rows; ++i) {
      const size within = i % side * side;
      __m512 sums = _mm512_setzero_ps();
      for (size j = 0; j < in_blocks(gram.cols); ++j) {
        const row numbers = absolute(read<multiplied<F>>(at(gram, i / side, j) + within, apart(gram)));
        sums = _mm512_add_ps(sums, _mm512_add_ps(numbers.left, numbers.right));
      }
      const float diagonal = on_diagonal<multiplied<F>>(gram, i);
      const double sum = static_cast<double>(_mm512_reduce_add_ps(sums)) -
                         static_cast<double>(__builtin_fabsf(diagonal)) +
                         static_cast<double>(__builtin_fabsf(diagonal + shift));
      const double exact = 1 / (_mm_cvtsd_f64(_mm_sqrt_pd(_mm_set_sd(sum))) + epsilon);
      const float factor = exact < static_cast<double>(__FLT_MAX__) ? static_cast<float>(exact) : __FLT_MAX__;
      __m512 row_squares = _mm512_setzero_ps();
      for (size j = 0; j < in_blocks(x.cols); ++j) {
        bits* const at_row = at(x, i / side, j) + within;
        const row numbers = factor * read<planes<F>>(at_row, apart(x));
        row_squares = add_squares(numbers, row_squares);
        write<planes<F>>(at_row, apart(x), numbers);
      }
      squares += static_cast<double>(_mm512_reduce_add_ps(row_squares));
    }
    return squares;
  });
}

double sum_of_squares(const float* from, size n) {
  __m512d sums[4] = {};
  size i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes)
    for (size k = 0; k < 4; ++k) {
      const __m512d x = _mm512_cvtps_pd(_mm256_loadu_ps(from + i + 8 * k));
      sums[k] = _mm512_fmadd_pd(x, x, sums[k]);
    }
  double sum = _mm512_reduce_add_pd(_mm512_add_pd(_mm512_add_pd(sums[0], sums[1]), _mm512_add_pd(sums[2], sums[3])));
  for (; i < n; ++i) sum += static_cast<double>(from[i]) * static_cast<double>(from[i]);
  return sum;
}

}  // namespace thalweg::linear_algebra::bfloat16
