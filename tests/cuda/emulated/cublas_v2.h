// A tests' double of cuBLAS: the one product that thalweg calls, by the book.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

enum cublasStatus_t {
  CUBLAS_STATUS_SUCCESS = 0, CUBLAS_STATUS_NOT_INITIALIZED = 1, CUBLAS_STATUS_INVALID_VALUE = 7,
  CUBLAS_STATUS_NOT_SUPPORTED = 15
};
enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum cublasMath_t { CUBLAS_DEFAULT_MATH = 0, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION = 16 };
enum cublasComputeType_t { CUBLAS_COMPUTE_32F = 68, CUBLAS_COMPUTE_64F = 70 };
enum cublasGemmAlgo_t { CUBLAS_GEMM_DEFAULT = -1 };
enum cudaDataType_t { CUDA_R_32F = 0, CUDA_R_64F = 1, CUDA_R_16F = 2, CUDA_R_16BF = 14 };

struct cublasContext {
  cudaStream_t stream;
  const void* workspace;
};
using cublasHandle_t = cublasContext*;

inline const char* cublasGetStatusName(cublasStatus_t s) {
  return s == CUBLAS_STATUS_INVALID_VALUE ? "CUBLAS_STATUS_INVALID_VALUE" : "CUBLAS_STATUS_NOT_SUPPORTED";
}
inline const char* cublasGetStatusString(cublasStatus_t s) {
  return s == CUBLAS_STATUS_INVALID_VALUE ? "an invalid value was used" : "the operation is not supported";
}
inline cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  *handle = new cublasContext{};
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasDestroy(cublasHandle_t handle) { return delete handle, CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  *handle = {stream, nullptr};
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, std::size_t) {
  handle->workspace = workspace;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasGetVersion(cublasHandle_t, int* version) {
  *version = 130002;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) { return CUBLAS_STATUS_SUCCESS; }

namespace emulated {

inline float number(float x) { return x; }
inline double number(double x) { return x; }
struct bfloat16 { std::uint16_t bits; };
struct float16 { std::uint16_t bits; };
inline float number(bfloat16 x) { return std::bit_cast<float>(std::uint32_t{x.bits} << 16); }
inline float number(float16 x) {
  const int sign = x.bits >> 15, exponent = x.bits >> 10 & 31, digits = x.bits & 1023;
  const float size = exponent == 31 ? (digits ? NAN : INFINITY)
                                    : std::ldexp(static_cast<float>(exponent ? digits + 1024 : digits),
                                                 (exponent ? exponent : 1) - 25);
  return sign ? -size : size;
}

template <class T>
struct operand {
  const T* data;
  bool transposed;
  std::ptrdiff_t leading, stride;
  auto operator()(std::ptrdiff_t matrix, std::ptrdiff_t row, std::ptrdiff_t col) const {
    return number(data[matrix * stride + (transposed ? row * leading + col : col * leading + row)]);
  }
  /// Of `count` operands of rows × cols: whether they have a number in [first, last).
  bool meets(std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t count, const void* first,
             const void* last) const {
    const std::ptrdiff_t columns = transposed ? rows : cols, column = transposed ? cols : rows;
    return data < last && first < data + (count - 1) * stride + (columns - 1) * leading + column;
  }
};

template <class T, class Sum>
cublasStatus_t multiply(cudaStream_t stream, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, Sum alpha,
                        operand<T> a, operand<T> b, Sum beta, Sum* c, std::ptrdiff_t ldc, std::ptrdiff_t stride,
                        std::ptrdiff_t count) {
  const Sum* last = c + (count - 1) * stride + (n - 1) * ldc + m;
  if (a.meets(m, k, count, c, last) || b.meets(k, n, count, c, last)) return CUBLAS_STATUS_INVALID_VALUE;
  later(stream, [=] {
    for (std::ptrdiff_t matrix = 0; matrix < count; ++matrix)
      for (std::ptrdiff_t j = 0; j < n; ++j)
        for (std::ptrdiff_t i = 0; i < m; ++i) {
          Sum sum = 0;
          for (std::ptrdiff_t l = 0; l < k; ++l) sum += a(matrix, i, l) * b(matrix, l, j);
          Sum& out = c[matrix * stride + j * ldc + i];
          out = beta == 0 ? alpha * sum : alpha * sum + beta * out;
        }
  });
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace emulated

inline cublasStatus_t cublasGemmStridedBatchedEx(
    cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k, const void* alpha,
    const void* a, cudaDataType_t a_type, int lda, long long a_stride, const void* b, cudaDataType_t b_type, int ldb,
    long long b_stride, const void* beta, void* c, cudaDataType_t c_type, int ldc, long long c_stride, int count,
    cublasComputeType_t compute, cublasGemmAlgo_t) {
  if (m <= 0 || n <= 0 || k <= 0 || count <= 0 || lda < (transa == CUBLAS_OP_N ? m : k) ||
      ldb < (transb == CUBLAS_OP_N ? k : n) || ldc < m || !handle->workspace)
    return CUBLAS_STATUS_INVALID_VALUE;
  const auto compute_as = [&]<class T, class Sum>(T, Sum) {
    return emulated::multiply<T, Sum>(handle->stream, m, n, k, *static_cast<const Sum*>(alpha),
                                      {static_cast<const T*>(a), transa == CUBLAS_OP_T, lda, a_stride},
                                      {static_cast<const T*>(b), transb == CUBLAS_OP_T, ldb, b_stride},
                                      *static_cast<const Sum*>(beta), static_cast<Sum*>(c), ldc, c_stride, count);
  };
  if (a_type != b_type) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (compute == CUBLAS_COMPUTE_64F && a_type == CUDA_R_64F && c_type == CUDA_R_64F) return compute_as(0.0, 0.0);
  if (compute == CUBLAS_COMPUTE_32F && a_type == CUDA_R_32F && c_type == CUDA_R_32F) return compute_as(0.0f, 0.0f);
  if (compute == CUBLAS_COMPUTE_32F && a_type == CUDA_R_16BF && c_type == CUDA_R_32F)
    return compute_as(emulated::bfloat16{}, 0.0f);
  if (compute == CUBLAS_COMPUTE_32F && a_type == CUDA_R_16F && c_type == CUDA_R_32F)
    return compute_as(emulated::float16{}, 0.0f);
  return CUBLAS_STATUS_NOT_SUPPORTED;
}
