// The recipes for those who have no nvcc.
#include <thalweg/cuda.hpp>
#include <thalweg/cuda/optimizer.hpp>
#include <thalweg/cuda/orthogonalize_update.hpp>

namespace thalweg::cuda {

std::unique_ptr<thalweg::detail::engine<float>> detail::bind(const recipe& chosen,
                                                             std::vector<parameter<float>> parameters, const options& o,
                                                             void* stream) {
  const auto make = [&](const auto& r) -> std::unique_ptr<thalweg::detail::engine<float>> {
    return std::make_unique<thalweg::detail::engine_of<float, optimizer<decltype(chain(r))>>>(
        chain(r), std::move(parameters), o, static_cast<cudaStream_t>(stream));
  };
  return std::visit(make, chosen);
}

}  // namespace thalweg::cuda
