// Products in bfloat16, summed in float32, of matrices that stay in that form from product to product.
//
// It includes nothing that a unit compiled for one processor could compile for all.
#pragma once

#include <cstddef>

namespace thalweg::linear_algebra::bfloat16 {

using bits = unsigned short;  // of one bfloat16

/// What multiplies: dot products of pairs (AVX512-BF16) or whole tiles (AMX).
enum class unit { absent, dots, tiles };

/// What this processor and its system offer.
unit available();

/// A number is kept as the sum of several bfloat16. Products use only the largest (`rounded`) or the two largest
/// (`whole`). Sums keep one more, so that numbers much smaller than their neighbours keep their digits.
enum class form { rounded, whole };

struct arithmetic {
  bfloat16::unit unit;
  bfloat16::form form;
  void* workspace;  ///< of workspace_bytes, at a multiple of 64
};

/// rows × cols numbers in square blocks of `side`, zeros beyond the edges. A block's numbers lie by rows, their
/// parts in planes of their own, the large ones first.
struct blocks {
  static constexpr std::size_t side = 32;
  bits* data;
  std::size_t rows, cols;
};
constexpr std::size_t in_blocks(std::size_t n) { return (n + blocks::side - 1) / blocks::side; }

std::size_t bytes(form, std::size_t rows, std::size_t cols);
/// For the products below with a matrix of rows × cols and square ones of rows × rows.
std::size_t workspace_bytes(form, std::size_t rows, std::size_t cols);

/// Where a float matrix lies: by rows, or, `transposed`, by columns.
struct place {
  float* data;
  bool transposed;
};

/// x = root²·from. (The square might not be a normal number.)
void load(const arithmetic&, place from, float root, blocks x);

/// out = x·xᵀ − mean·I for the mean of its diagonal, which is returned; `squares` is the sum of x's squares.
double gram(const arithmetic&, blocks x, double squares, blocks out);

/// out = alpha·a·b + beta·c + gamma·d − mean·I for the mean of its diagonal, which is returned. All are symmetric, and
/// a and b commute. `out` is none of the others.
double symmetric_product(const arithmetic&, float alpha, blocks a, blocks b, float beta, blocks c, float gamma, blocks d,
                         blocks out);

/// x = q·x + shift·x. Returns the sum of its squares.
double apply(const arithmetic&, blocks q, float shift, blocks x);

/// to = factor·(q·x + shift·x)
void finish(const arithmetic&, blocks q, float shift, float factor, blocks x, place to);

/// The rows of x by 1/(√Σ_j |x·xᵀ|_ij + epsilon), of xxᵀ = gram + shift·I. Returns the sum of its squares.
double rescale_rows(const arithmetic&, blocks gram, float shift, double epsilon, blocks x);

/// In double.
double sum_of_squares(const float* from, std::size_t n);

}  // namespace thalweg::linear_algebra::bfloat16
