// A communicator of our own, and how its ranks come to an agreement. No rank goes on where another has failed.
#pragma once

#include <cstddef>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <thalweg/adaptors/mpi.hpp>  // MPI without its C++

namespace thalweg::mpi::detail {

class communicator {
  MPI_Comm own_;
  int rank_ = 0, size_ = 1;

public:
  /// Throws where MPI is not there, or not for this thread.
  explicit communicator(MPI_Comm given);
  communicator(const communicator&) = delete;
  ~communicator();

  [[nodiscard]] MPI_Comm get() const { return own_; }
  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }

  /// Whether several threads may call MPI at once.
  [[nodiscard]] static bool may_use_threads();
  /// Throws where this thread may not call MPI.
  static void check_thread();
  /// Throws in all ranks where one has failed, or where their calls differ.
  void agree(std::string_view call, std::exception_ptr failure) const;
  /// Throws in all ranks, and names the first line, where these differ.
  void compare(const std::vector<std::string>& lines) const;
  /// Ends all ranks: one cannot go on, and can no longer tell the others in order.
  [[noreturn]] void abort(const std::exception& why) const noexcept;

private:
  /// The text of one rank, in all of them.
  [[nodiscard]] std::string text_of(int rank, std::string_view own) const;
  /// The first rank whose text is another than rank 0's; 0 if there is none.
  [[nodiscard]] int first_other(std::string_view own) const;
};

}  // namespace thalweg::mpi::detail
