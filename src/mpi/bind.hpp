// How an optimizer comes to be on many ranks: all bind it, or none.
#pragma once

#include <exception>
#include <memory>
#include <utility>

#include <thalweg/core/error.hpp>

#include "member.hpp"

namespace thalweg::mpi::detail {

/// What `make(binding)` makes, where `check` throws on no rank. `make` throws on all ranks, or on none.
template <class Check, class Make>
auto bind_together(const void* communicator, layout l, std::size_t elements_a_message, Check check, Make make) {
  const auto b = std::make_shared<binding>(*static_cast<const MPI_Comm*>(communicator));
  std::exception_ptr failure;
  try {
    if (elements_a_message == 0 || elements_a_message > std::size_t{1} << 30)
      throw error("mpi", "Expected elements_a_message from 1 to 2^30. Received ", elements_a_message, ".");
    check();
  } catch (...) {
    failure = std::current_exception();
  }
  // These throw on all ranks, or on none.
  b->ranks.agree("bind", failure);
  b->ranks.compare({in_words("layout: ", to_text(l))});
  try {
    return make(b);
  } catch (...) {
    if (!b->has_device) b->ranks.agree("bind", std::current_exception());
    throw;
  }
}

}  // namespace thalweg::mpi::detail
