// How an optimizer comes to be on many ranks.
#include <thalweg/adaptors/mpi.hpp>

#include <memory>
#include <utility>
#include <vector>

#include "bind.hpp"
#include "rank.hpp"
#include "rows.hpp"

namespace thalweg::mpi::detail {

template <class T>
thalweg::optimizer<T> on_ranks(const void* given, layout l, std::size_t elements_a_message, std::vector<parameter<T>> parameters,
                               const make_on_device<T>& make) {
  const auto check = [&] {
    if (l == layout::sharded_rows) check_rows(parameters);
  };
  return bind_together(given, l, elements_a_message, check, [&](const std::shared_ptr<binding>& b) {
    const auto shards = std::make_shared<sharded_parameters>();
    if (l == layout::sharded_rows) parameters = whole_parameters(b->ranks, std::move(parameters), *shards);
    return make(std::move(parameters), [&](bound_program<T> bound) -> std::shared_ptr<thalweg::detail::device<T>> {
      if (l == layout::sharded_rows) return std::make_shared<rows<T>>(std::move(bound), b, elements_a_message, shards);
      return std::make_shared<rank<T>>(std::move(bound), b, l, elements_a_message);
    });
  });
}

template thalweg::optimizer<float> on_ranks(const void*, layout, std::size_t, std::vector<parameter<float>>,
                                            const make_on_device<float>&);
template thalweg::optimizer<double> on_ranks(const void*, layout, std::size_t, std::vector<parameter<double>>,
                                             const make_on_device<double>&);

}  // namespace thalweg::mpi::detail
