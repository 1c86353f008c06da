// Messages under way between ranks, by the byte.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <thalweg/adaptors/mpi.hpp>

namespace thalweg::mpi::detail {

/// What a message is about. Those about one thing between two ranks arrive in the order in which they were sent.
enum class about : int { checkpoint, slices_of_gradients, sums, parameters, slices_of_parameters, rows, new_rows };

/// Calls f(begin, count) for parts of n bytes that MPI can count.
template <class F>
void in_parts(std::size_t n, F f) {
  constexpr std::size_t most = std::size_t{1} << 30;
  for (std::size_t begin = 0; begin < n; begin += most) f(begin, static_cast<int>(std::min(most, n - begin)));
}

class post {
  MPI_Comm by_;
  int tag_;
  std::vector<MPI_Request> under_way_;

  MPI_Request* next() { return &under_way_.emplace_back(MPI_REQUEST_NULL); }

public:
  post(MPI_Comm by, about what) : by_(by), tag_(static_cast<int>(what)) {}
  void send(const void* from, std::size_t bytes, int to) {
    in_parts(bytes, [&](std::size_t begin, int n) {
      MPI_Isend(static_cast<const std::byte*>(from) + begin, n, MPI_BYTE, to, tag_, by_, next());
    });
  }
  void receive(void* to, std::size_t bytes, int from) {
    in_parts(bytes, [&](std::size_t begin, int n) {
      MPI_Irecv(static_cast<std::byte*>(to) + begin, n, MPI_BYTE, from, tag_, by_, next());
    });
  }
  /// Lets MPI go on with what is under way.
  void go_on() { static_cast<void>(is_done()); }
  /// Whether all is done; lets it go on.
  [[nodiscard]] bool is_done() {
    int done = 1;
    if (!under_way_.empty()) MPI_Testall(static_cast<int>(under_way_.size()), under_way_.data(), &done, MPI_STATUSES_IGNORE);
    if (done) under_way_.clear();
    return done;
  }
  void wait() {
    MPI_Waitall(static_cast<int>(under_way_.size()), under_way_.data(), MPI_STATUSES_IGNORE);
    under_way_.clear();
  }
};

}  // namespace thalweg::mpi::detail
