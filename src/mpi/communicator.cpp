#include "communicator.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <thalweg/core/error.hpp>

#include "../checkpoint/checksum.hpp"

namespace thalweg::mpi::detail {

namespace {

bool is_up() {
  int begun = 0, ended = 0;
  MPI_Initialized(&begun);
  if (begun) MPI_Finalized(&ended);
  return begun && !ended;
}

std::string words_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

}  // namespace

communicator::communicator(MPI_Comm given) {
  if (!is_up()) throw error("mpi", "Expected MPI to be initialised. Received it before MPI_Init, or after MPI_Finalize.");
  check_thread();
  if (given == MPI_COMM_NULL) throw error("mpi", "Expected a communicator. Received MPI_COMM_NULL.");
  MPI_Comm_dup(given, &own_);
  MPI_Comm_set_errhandler(own_, MPI_ERRORS_ARE_FATAL);
  MPI_Comm_rank(own_, &rank_);
  MPI_Comm_size(own_, &size_);
}

communicator::~communicator() {
  if (is_up()) MPI_Comm_free(&own_);
}

bool communicator::may_use_threads() {
  int level = MPI_THREAD_SINGLE;
  MPI_Query_thread(&level);
  return level == MPI_THREAD_MULTIPLE;
}

void communicator::check_thread() {
  int is_main = 0;
  MPI_Is_thread_main(&is_main);
  if (!may_use_threads() && !is_main)
    throw error("mpi", "Expected MPI_THREAD_MULTIPLE of MPI_Init_thread, for an optimizer on another thread than the one that "
                "initialised MPI. Received a lower level.");
}

std::string communicator::text_of(int rank, std::string_view own) const {
  std::string text(own);
  auto size = static_cast<unsigned long long>(text.size());
  MPI_Bcast(&size, 1, MPI_UNSIGNED_LONG_LONG, rank, own_);
  text.resize(size);
  MPI_Bcast(text.data(), static_cast<int>(size), MPI_CHAR, rank, own_);
  return text;
}

int communicator::first_other(std::string_view own) const {
  const std::string hash = thalweg::detail::checksum(std::as_bytes(std::span(own)));
  const std::size_t n = hash.size();
  std::string all(n * static_cast<std::size_t>(size_), ' ');
  MPI_Allgather(hash.data(), static_cast<int>(n), MPI_CHAR, all.data(), static_cast<int>(n), MPI_CHAR, own_);
  for (int r = 1; r < size_; ++r)
    if (all.compare(static_cast<std::size_t>(r) * n, n, all, 0, n) != 0) return r;
  return 0;
}

void communicator::agree(std::string_view call, std::exception_ptr failure) const {
  // A rank that has failed says nothing else: its text differs from those of the others.
  constexpr std::size_t n = 17;
  const std::string own = in_words(failure ? "x" : "-", thalweg::detail::checksum(std::as_bytes(std::span(call))));
  std::string all(n * static_cast<std::size_t>(size_), ' ');
  MPI_Allgather(own.data(), n, MPI_CHAR, all.data(), n, MPI_CHAR, own_);
  const auto of = [&](int r) { return std::string_view(all).substr(static_cast<std::size_t>(r) * n, n); };
  for (int r = 0; r < size_; ++r) {
    if (of(r).front() != 'x') continue;
    const std::string words = text_of(r, failure ? words_of(failure) : "");
    if (failure) std::rethrow_exception(failure);
    throw error("mpi", "Expected every rank to succeed. Received from rank ", r, ": ", words);
  }
  for (int r = 1; r < size_; ++r) {
    if (of(r) == of(0)) continue;
    const std::string first = text_of(0, call), other = text_of(r, call);
    throw error("mpi", "Expected the same call on every rank. Received '", first, "' on rank 0 and '", other, "' on rank ", r, ".");
  }
}

void communicator::compare(const std::vector<std::string>& lines) const {
  std::string text;
  for (const auto& line : lines) text += line + '\n';
  const int other = first_other(text);
  if (other == 0) return;
  const std::string first = text_of(0, text), second = text_of(other, text);
  const auto line_at = [](const std::string& all, std::size_t at) {
    const std::size_t before = at == 0 ? std::string::npos : all.rfind('\n', at - 1);
    const std::size_t begin = before == std::string::npos ? 0 : before + 1;
    const std::string line = all.substr(begin, all.find('\n', begin) - begin);
    return line.empty() ? std::string("nothing more") : line;
  };
  const auto at = static_cast<std::size_t>(
      std::mismatch(first.begin(), first.end(), second.begin(), second.end()).first - first.begin());
  throw error("mpi", "Expected the same optimizer on every rank. Received on rank 0: ", line_at(first, at), "; on rank ", other,
              ": ", line_at(second, at), ".");
}

void communicator::abort(const std::exception& why) const noexcept {
  std::fprintf(stderr, "[mpi] Rank %d cannot go on, and ends all ranks: %s\n", rank_, why.what());
  MPI_Abort(own_, 1);
  std::terminate();
}

}  // namespace thalweg::mpi::detail
