// A tests' double of NCCL, over MPI: as much of it as thalweg calls. Messages move at once, after all that the stream was given
// before; in a group, when it ends.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <mpi.h>

#include "cuda_runtime.h"

enum ncclResult_t { ncclSuccess = 0, ncclInvalidArgument = 4, ncclInvalidUsage = 5 };
enum ncclDataType_t { ncclUint64 = 5, ncclFloat32 = 7, ncclFloat64 = 8 };
enum ncclRedOp_t { ncclSum = 0 };

struct ncclUniqueId {
  char internal[128];
};

namespace emulated {

struct gpus {
  MPI_Comm ranks;
  int rank = 0, size = 1;
};

/// The messages of a group.
struct group {
  bool is_open = false;
  MPI_Comm ranks{};
  cudaStream_t stream{};
  std::vector<std::function<void(std::vector<MPI_Request>&)>> begins;
};
inline group& the_group() {
  static group one;
  return one;
}

inline std::size_t bytes_of(ncclDataType_t type) { return type == ncclFloat32 ? 4 : 8; }

/// On the device: after what the stream holds.
inline ncclResult_t now(cudaStream_t stream, std::function<void()> f) {
  later(stream, std::move(f));
  the_device().finish(of(stream));
  return ncclSuccess;
}
inline ncclResult_t in_group(gpus* by, cudaStream_t stream, std::function<void(std::vector<MPI_Request>&)> begin) {
  group& all = the_group();
  if (!all.is_open) return ncclInvalidUsage;  // between two GPUs, each would wait for the other
  all.ranks = by->ranks;
  all.stream = stream;
  all.begins.push_back(std::move(begin));
  return ncclSuccess;
}

}  // namespace emulated

using ncclComm_t = emulated::gpus*;

inline const char* ncclGetErrorString(ncclResult_t e) {
  switch (e) {
    case ncclSuccess: return "no error";
    case ncclInvalidArgument: return "invalid argument";
    case ncclInvalidUsage: return "invalid usage";
  }
  return "unknown";
}

inline ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  for (int i = 0; i < 128; ++i) id->internal[i] = static_cast<char>(i * 37 + 11);
  return ncclSuccess;
}
inline ncclResult_t ncclCommInitRank(ncclComm_t* made, int size, ncclUniqueId id, int rank) {
  for (int i = 0; i < 128; ++i)
    if (id.internal[i] != static_cast<char>(i * 37 + 11)) return ncclInvalidArgument;
  auto* all = new emulated::gpus{MPI_COMM_NULL};
  MPI_Comm_dup(MPI_COMM_WORLD, &all->ranks);
  MPI_Comm_rank(all->ranks, &all->rank);
  MPI_Comm_size(all->ranks, &all->size);
  if (rank != all->rank || size != all->size) return ncclInvalidArgument;
  *made = all;
  return ncclSuccess;
}
inline ncclResult_t ncclCommDestroy(ncclComm_t all) {
  if (!all) return ncclInvalidArgument;
  MPI_Comm_free(&all->ranks);
  delete all;
  return ncclSuccess;
}

inline ncclResult_t ncclGroupStart() {
  emulated::the_group().is_open = true;
  return ncclSuccess;
}
inline ncclResult_t ncclGroupEnd() {
  auto& all = emulated::the_group();
  all.is_open = false;
  const auto begins = std::exchange(all.begins, {});
  if (begins.empty()) return ncclSuccess;
  return emulated::now(all.stream, [begins] {
    std::vector<MPI_Request> requests;
    for (const auto& begin : begins) begin(requests);
    MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
  });
}
inline ncclResult_t ncclSend(const void* from, std::size_t n, ncclDataType_t type, int to, ncclComm_t by, cudaStream_t stream) {
  return emulated::in_group(by, stream, [=](std::vector<MPI_Request>& requests) {
    MPI_Isend(from, static_cast<int>(n * emulated::bytes_of(type)), MPI_BYTE, to, 0, by->ranks, &requests.emplace_back());
  });
}
inline ncclResult_t ncclRecv(void* to, std::size_t n, ncclDataType_t type, int from, ncclComm_t by, cudaStream_t stream) {
  return emulated::in_group(by, stream, [=](std::vector<MPI_Request>& requests) {
    MPI_Irecv(to, static_cast<int>(n * emulated::bytes_of(type)), MPI_BYTE, from, 0, by->ranks, &requests.emplace_back());
  });
}
inline ncclResult_t ncclAllGather(const void* from, void* to, std::size_t n, ncclDataType_t type, ncclComm_t by, cudaStream_t stream) {
  const int bytes = static_cast<int>(n * emulated::bytes_of(type));
  return emulated::now(stream, [=] { MPI_Allgather(from, bytes, MPI_BYTE, to, bytes, MPI_BYTE, by->ranks); });
}
/// Added up from the last rank to the first: what depends on an order is seen.
inline ncclResult_t ncclAllReduce(const void* from, void* to, std::size_t n, ncclDataType_t type, ncclRedOp_t, ncclComm_t by,
                                  cudaStream_t stream) {
  if (type != ncclUint64) return ncclInvalidArgument;  // as much as thalweg adds up
  return emulated::now(stream, [=] {
    std::vector<std::uint64_t> all(n * static_cast<std::size_t>(by->size)), sums(n, 0);
    MPI_Allgather(from, static_cast<int>(n), MPI_UINT64_T, all.data(), static_cast<int>(n), MPI_UINT64_T, by->ranks);
    for (std::size_t k = all.size(); k--;) sums[k % n] += all[k];
    std::copy(sums.begin(), sums.end(), static_cast<std::uint64_t*>(to));
  });
}
inline ncclResult_t ncclBroadcast(const void* from, void* to, std::size_t n, ncclDataType_t type, int root, ncclComm_t by,
                                  cudaStream_t stream) {
  if (from != to) return ncclInvalidArgument;  // as thalweg calls it
  return emulated::now(stream, [=] { MPI_Bcast(to, static_cast<int>(n * emulated::bytes_of(type)), MPI_BYTE, root, by->ranks); });
}
