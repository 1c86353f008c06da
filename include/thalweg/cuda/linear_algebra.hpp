// Products of many matrices of one shape, by cuBLAS. Only this file includes cuBLAS.
#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include <cublas_v2.h>
#include <thalweg/core/error.hpp>
#include <thalweg/cuda/device.hpp>
#include <thalweg/cuda/sixteen_bits.hpp>

namespace thalweg::cuda {

inline void check(std::string_view what, cublasStatus_t status) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw error("cuda", "Expected ", what, ". Received ", cublasGetStatusName(status), " (",
              cublasGetStatusString(status), ").");
}

/// `count` matrices in device memory, column by column, as cuBLAS has them: `leading` numbers from one column to the
/// next, `stride` from one matrix to the next.
template <class T>
struct matrices {
  T* data = nullptr;
  std::size_t rows = 0, cols = 0, leading = 0, stride = 0, count = 0;
  bool transposed = false;  ///< what is meant are the transposes: rows and cols are those of the matrices in memory

  [[nodiscard]] constexpr T& at(std::size_t matrix, std::size_t col, std::size_t row) const {
    return data[matrix * stride + col * leading + row];
  }
  [[nodiscard]] constexpr std::size_t height() const { return transposed ? cols : rows; }
  [[nodiscard]] constexpr std::size_t width() const { return transposed ? rows : cols; }

  [[nodiscard]] constexpr matrices transpose() const {
    matrices t = *this;
    t.transposed = !transposed;
    return t;
  }
  /// The part that begins at (row, col).
  [[nodiscard]] constexpr matrices part(std::size_t row, std::size_t col, std::size_t height, std::size_t width) const {
    if (transposed) return transpose().part(col, row, width, height).transpose();
    matrices p = *this;
    p.data += col * leading + row;
    p.rows = height, p.cols = width;
    return p;
  }
};

namespace detail {

struct destroy_cublas {
  void operator()(cublasHandle_t handle) const { static_cast<void>(cublasDestroy(handle)); }
};

template <class T>
inline constexpr cudaDataType_t data_type = std::same_as<T, bf16>    ? CUDA_R_16BF
                                            : std::same_as<T, fp16>  ? CUDA_R_16F
                                            : std::same_as<T, float> ? CUDA_R_32F
                                                                     : CUDA_R_64F;

}  // namespace detail

/// cuBLAS on one stream, with its own memory, so that a product allocates nothing and can be captured in a graph.
class cublas {
  device_array<std::byte> workspace_;
  std::unique_ptr<std::remove_pointer_t<cublasHandle_t>, detail::destroy_cublas> handle_;
  cudaStream_t stream_;

public:
  explicit cublas(cudaStream_t stream) : workspace_(recommended_workspace()), stream_(stream) {
    cublasHandle_t handle{};
    check("a cuBLAS handle", cublasCreate(&handle));
    handle_.reset(handle);
    check("cuBLAS on a stream", cublasSetStream(handle, stream));  // this forgets a workspace
    check("cuBLAS with a workspace", cublasSetWorkspace(handle, workspace_.data(), workspace_.size()));
    // float stays float (no TF32), and the parts of a sum are added in float as well.
    const int exact = CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
    check("cuBLAS with sums of float", cublasSetMathMode(handle, static_cast<cublasMath_t>(exact)));
  }

  [[nodiscard]] cudaStream_t stream() const noexcept { return stream_; }

  [[nodiscard]] std::size_t workspace_bytes() const noexcept { return workspace_.size(); }

  /// As text: "cuBLAS 13.0.2".
  [[nodiscard]] std::string name() const {
    int version = 0;
    check("cuBLAS's version", cublasGetVersion(handle_.get(), &version));
    return in_words("cuBLAS ", version / 10000, ".", version / 100 % 100, ".", version % 100);
  }

  /// out = alpha·a·b + beta·out in the stream's order, with sums in out's type (beta = 0: whatever out was). Factors
  /// have out's type or, for out of float, are bf16 or fp16; `out` overlaps neither. Throws where a side or `count` is
  /// more than an int.
  template <class Factor, class Sum>
    requires std::same_as<Factor, Sum> ||
             ((std::same_as<Factor, bf16> || std::same_as<Factor, fp16>) && std::same_as<Sum, float>)
  void product(double alpha, matrices<Factor> a, matrices<Factor> b, double beta,
               matrices<Sum> out) const {
    const auto scalar = [](double x) { return static_cast<Sum>(x); };
    const Sum alpha_value = scalar(alpha), beta_value = scalar(beta);
    const auto size = [](std::size_t n) {
      if (n > std::numeric_limits<int>::max())
        throw error("cuda", "Expected a side of at most 2147483647 for cuBLAS. Received ", n, ".");
      return static_cast<int>(n);
    };
    const auto stride = [](std::size_t n) { return static_cast<long long>(n); };
    const auto operation = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
    check("a product of matrices",
          cublasGemmStridedBatchedEx(
              handle_.get(), operation(a.transposed), operation(b.transposed), size(out.rows), size(out.cols),
              size(a.width()), &alpha_value, a.data, detail::data_type<Factor>, size(a.leading), stride(a.stride),
              b.data, detail::data_type<Factor>, size(b.leading), stride(b.stride), &beta_value, out.data,
              detail::data_type<Sum>, size(out.leading), stride(out.stride), size(out.count),
              std::same_as<Sum, double> ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  }

private:
  // By cuBLAS's documentation: 32 MiB from Hopper on.
  static std::size_t recommended_workspace() {
    int major = 0;
    check("a device's generation", cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, current_device()));
    return std::size_t{major >= 9 ? 32u : 4u} << 20;
  }
};

}  // namespace thalweg::cuda
