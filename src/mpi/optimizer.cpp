// How an optimizer comes to be on many ranks.
#include <thalweg/adaptors/mpi.hpp>

#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <thalweg/core/error.hpp>

#include "rank.hpp"
#include "rows.hpp"

namespace thalweg::mpi::detail {

template <class T>
thalweg::optimizer<T> on_ranks(const void* given, layout l, std::size_t elements_a_message, std::vector<parameter<T>> parameters,
                               const make_on_device<T>& make) {
  const auto b = std::make_shared<binding>(*static_cast<const MPI_Comm*>(given));
  std::exception_ptr failure;
  try {
    if (elements_a_message == 0 || elements_a_message > std::size_t{1} << 30)
      throw error("mpi", "Expected elements_a_message from 1 to 2^30. Received ", elements_a_message, ".");
    if (l == layout::sharded_rows) check_rows(parameters);
  } catch (...) {
    failure = std::current_exception();
  }
  // These throw on all ranks, or on none.
  b->ranks.agree("bind", failure);
  b->ranks.compare({in_words("layout: ", to_text(l))});
  if (l == layout::sharded_rows) b->ranks.compare({in_words(parameters.size(), " parameters with rows on every rank")});
  try {
    const auto shards = std::make_shared<sharded_parameters>();
    if (l == layout::sharded_rows) parameters = whole_parameters(b->ranks, std::move(parameters), *shards);
    return make(std::move(parameters), [&](bound_program<T> bound) -> std::shared_ptr<thalweg::detail::device<T>> {
      if (l == layout::sharded_rows) return std::make_shared<rows<T>>(std::move(bound), b, elements_a_message, shards);
      return std::make_shared<rank<T>>(std::move(bound), b, l, elements_a_message);
    });
  } catch (...) {
    if (!b->has_device) b->ranks.agree("bind", std::current_exception());
    throw;
  }
}

template thalweg::optimizer<float> on_ranks(const void*, layout, std::size_t, std::vector<parameter<float>>,
                                            const make_on_device<float>&);
template thalweg::optimizer<double> on_ranks(const void*, layout, std::size_t, std::vector<parameter<double>>,
                                             const make_on_device<double>&);

}  // namespace thalweg::mpi::detail
