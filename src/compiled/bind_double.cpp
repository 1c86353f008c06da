#include "bind.hpp"

namespace thalweg::compiled {

template std::unique_ptr<thalweg::detail::engine<double>> detail::bind(const recipe&, std::vector<parameter<double>>,
                                                                  const options&, std::size_t);

}  // namespace thalweg::compiled
