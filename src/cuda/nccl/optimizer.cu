// How an optimizer comes to be on the GPUs of many ranks.
#include <thalweg/cuda/nccl.hpp>

#include <memory>
#include <utility>
#include <vector>

#include "../../mpi/bind.hpp"
#include "rank.hpp"

namespace thalweg::nccl::detail {

template <class T>
thalweg::optimizer<T> on_ranks(const void* communicator, mpi::layout l, std::size_t elements_a_message,
                               std::vector<parameter<T>> parameters, const mpi::detail::make_on_device<T>& make,
                               const cuda::detail::launches<T>& known, cudaStream_t stream) {
  const auto check_layout = [&] {
    if (l == mpi::layout::sharded_rows)
      throw error("nccl", "Expected sharded state or replicated ranks on GPUs. Received sharded rows.");
  };
  return mpi::detail::bind_together(communicator, l, elements_a_message, check_layout, [&](const std::shared_ptr<mpi::detail::binding>& b) {
    return make(std::move(parameters), [&](bound_program<T> bound) -> std::shared_ptr<thalweg::detail::device<T>> {
      return std::make_shared<rank<T>>(std::move(bound), known, stream, b, l, elements_a_message);
    });
  });
}

template thalweg::optimizer<float> on_ranks(const void*, mpi::layout, std::size_t, std::vector<parameter<float>>,
                                            const mpi::detail::make_on_device<float>&, const cuda::detail::launches<float>&,
                                            cudaStream_t);
template thalweg::optimizer<double> on_ranks(const void*, mpi::layout, std::size_t, std::vector<parameter<double>>,
                                             const mpi::detail::make_on_device<double>&, const cuda::detail::launches<double>&,
                                             cudaStream_t);

}  // namespace thalweg::nccl::detail
