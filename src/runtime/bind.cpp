#include <thalweg/compiled.hpp>
#include <thalweg/runtime.hpp>

#include "engine.hpp"

namespace thalweg::runtime {

template <class T>
std::unique_ptr<thalweg::detail::engine<T>> detail::bind(const chain& c, std::vector<parameter<T>> parameters,
                                                         const options& o, std::size_t set) {
  if (const auto& recipe = c.tree().recipe) return compiled::detail::bind<T>(*recipe, std::move(parameters), o, set);
  return std::make_unique<detail::engine<T>>(c, std::move(parameters), o, set);
}

template std::unique_ptr<thalweg::detail::engine<float>> detail::bind(const chain&, std::vector<parameter<float>>,
                                                                      const options&, std::size_t);
template std::unique_ptr<thalweg::detail::engine<double>> detail::bind(const chain&, std::vector<parameter<double>>,
                                                                       const options&, std::size_t);

}  // namespace thalweg::runtime
