// One optimizer on the GPUs of many processes: arrays move by NCCL, and the processes agree by MPI. For files that nvcc compiles.
// You need the library `thalweg_nccl` (pkg-config: thalweg-nccl). More: docs/scale.md.
#pragma once

#if !__has_include(<nccl.h>)
#error "thalweg: <thalweg/cuda/nccl.hpp> needs NCCL. Expected <nccl.h>. From NVIDIA's repository: apt install libnccl-dev"
#endif

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/adaptors/mpi.hpp>
#include <thalweg/cuda/optimizer.hpp>

namespace thalweg::nccl {

namespace detail {
/// `communicator`: an MPI_Comm.
template <class T>
thalweg::optimizer<T> on_ranks(const void* communicator, mpi::layout l, std::size_t elements_a_message,
                               std::vector<parameter<T>> parameters, const mpi::detail::make_on_device<T>& make,
                               const cuda::detail::launches<T>& known, cudaStream_t stream);
extern template thalweg::optimizer<float> on_ranks(const void*, mpi::layout, std::size_t, std::vector<parameter<float>>,
                                                   const mpi::detail::make_on_device<float>&, const cuda::detail::launches<float>&,
                                                   cudaStream_t);
extern template thalweg::optimizer<double> on_ranks(const void*, mpi::layout, std::size_t, std::vector<parameter<double>>,
                                                    const mpi::detail::make_on_device<double>&,
                                                    const cuda::detail::launches<double>&, cudaStream_t);
}  // namespace detail

/// Like `cuda::optimizer`, on all ranks of a communicator, each of which has a GPU of its own. As with `mpi::optimizer`, each
/// rank passes its own gradients to `step`, and the result equals, bit for bit, that of one GPU with their mean. A rank steps
/// its own parameters, or with `layout::replicated` all of them. `layout::sharded_rows` is refused.
///
/// All arrays move on `stream`. The ranks agree by MPI, so `step` waits for the other ranks' hosts, and the stream cannot be
/// captured.
template <class Given, class T>
thalweg::optimizer<T> optimizer(const Given& given, std::vector<parameter<T>> parameters, const options& o,
                                cudaStream_t stream = nullptr, const mpi::ranks& r = {}) {
  using bindable = thalweg::detail::bindable<Given>;
  static_assert(bindable::passes::fused, "thalweg: [nccl] on a device every chain is fused");
  const auto links = bindable::links(given);
  static const auto launched = cuda::detail::launches_of_chain<T, std::remove_const_t<decltype(links)>>();
  return detail::on_ranks<T>(
      &r.communicator, r.layout, r.elements_a_message, std::move(parameters),
      [&](std::vector<parameter<T>> all, const thalweg::detail::device_maker<T>& make_device) {
        return thalweg::optimizer<T>(thalweg::detail::lower<T, cuda::detail::launched_passes>(links), std::move(all), o, make_device);
      },
      launched, stream);
}

}  // namespace thalweg::nccl
