#include "bind.hpp"

namespace thalweg::compiled {

template std::unique_ptr<thalweg::detail::engine<float>> detail::bind(const recipe&, std::vector<parameter<float>>,
                                                                  const options&, std::size_t);

}  // namespace thalweg::compiled
