// What NCCL moves between the GPUs of the ranks, in the order of a stream. The plan is that of MPI's ranks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <nccl.h>
#include <thalweg/core/error.hpp>
#include <thalweg/cuda/device.hpp>
#include <thalweg/cuda/launch.hpp>

#include "../../mpi/communicator.hpp"
#include "../../mpi/plan.hpp"

namespace thalweg::nccl::detail {

using cuda::device_array;
using mpi::detail::message;
using mpi::detail::of_rank;
using mpi::detail::piece;
using mpi::detail::plan;
using mpi::detail::round_of_slices;

inline void check(std::string_view what, ncclResult_t status) {
  if (status != ncclSuccess) throw error("nccl", "Expected ", what, ". Received: ", ncclGetErrorString(status), ".");
}

template <class T>
inline constexpr ncclDataType_t type_in_message = std::is_same_v<T, float> ? ncclFloat32 : ncclFloat64;

/// The GPUs of the ranks, one each.
class gpus {
  ncclComm_t own_ = nullptr;

public:
  /// All ranks make it. `id`: rank 0's.
  gpus(const mpi::detail::communicator& ranks, const ncclUniqueId& id) {
    check("a GPU of its own for every rank", ncclCommInitRank(&own_, ranks.size(), id, ranks.rank()));
  }
  gpus(const gpus&) = delete;
  ~gpus() { static_cast<void>(ncclCommDestroy(own_)); }
  [[nodiscard]] ncclComm_t get() const { return own_; }
};

/// Messages that move together: each rank names those between two ranks in one order.
class parcel {
  ncclComm_t by_;
  cudaStream_t stream_;

public:
  parcel(const gpus& by, cudaStream_t stream) : by_(by.get()), stream_(stream) { check("a group of messages", ncclGroupStart()); }
  parcel(const parcel&) = delete;
  template <class T>
  void send(const T* from, std::size_t n, int to) {
    if (n) check("a message", ncclSend(from, n, type_in_message<T>, to, by_, stream_));
  }
  template <class T>
  void receive(T* to, std::size_t n, int from) {
    if (n) check("a message", ncclRecv(to, n, type_in_message<T>, from, by_, stream_));
  }
  void move() { check("messages that move", ncclGroupEnd()); }
};

/// to[i] = (from[i] + from[n + i] + from[2·n + i] + …)·share, added up in this order.
template <class T>
struct mean_in_order {
  const T* from;
  std::size_t n, ranks;
  T share;
  T* to;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t i = block * cuda::threads_per_block + thread;
    if (i >= n) return;
    T sum = from[i];
    for (std::size_t k = 1; k < ranks; ++k) sum += from[k * n + i];
    to[i] = sum * share;
  }
};

/// Gradients of all ranks, on their way to the ranks that step with their means.
template <class T>
class averaging {
  const plan& plan_;
  int me_;
  std::vector<message> wanted_;
  device_array<T> packed_, received_, slices_, arrived_;

public:
  /// `wanted`: which rank wants which means. `here`: how many elements this one wants.
  averaging(const plan& p, int me, std::vector<message> wanted, std::size_t here) : plan_(p), me_(me), wanted_(of_rank(me, std::move(wanted))) {
    const std::size_t of_all = p.longest_slice() * static_cast<std::size_t>(p.ranks);
    packed_ = device_array<T>(of_all);
    received_ = device_array<T>(of_all);
    slices_ = device_array<T>(p.in_slices());
    arrived_ = device_array<T>(here);
  }

  /// `own`: of this rank; `means`: where they are wanted; by parameter. `place(element)`: of this rank's means of the line.
  template <class Place>
  void run(const gpus& by, cudaStream_t stream, std::span<const T* const> own, std::span<T* const> means, Place place) const {
    for (const round_of_slices& r : plan_.rounds) {
      plan_.for_each_parameter(r.begin, r.end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
        cuda::copy(own[i] + first, n, packed_.data() + at, stream);
      });
      const piece mine = r.slice_of(me_);
      parcel mail(by, stream);
      for (int peer = 0; peer < plan_.ranks; ++peer) {
        if (peer == me_) continue;
        const piece theirs = r.slice_of(peer);
        mail.send(packed_.data() + (theirs.begin - r.begin), theirs.size(), peer);
        mail.receive(received_.data() + static_cast<std::size_t>(peer) * mine.size(), mine.size(), peer);
      }
      mail.move();
      cuda::copy<T>(packed_.data() + (mine.begin - r.begin), mine.size(), received_.data() + static_cast<std::size_t>(me_) * mine.size(), stream);
      cuda::launch(stream, cuda::blocks_for(mine.size()),
                   mean_in_order<T>{received_.data(), mine.size(), static_cast<std::size_t>(plan_.ranks),
                                    T(1) / static_cast<T>(plan_.ranks), slices_.data() + r.place});
    }
    parcel mail(by, stream);
    for (const message& m : wanted_)
      if (m.from == m.to) continue;
      else if (m.from == me_) mail.send(sum_at(m.begin), m.size(), m.to);
      else mail.receive(arrived_.data() + place(m.begin), m.size(), m.from);
    mail.move();
    for (const message& m : wanted_) {
      if (m.to != me_) continue;
      if (m.from == me_) cuda::copy<T>(sum_at(m.begin), m.size(), arrived_.data() + place(m.begin), stream);
      plan_.for_each_parameter(m.begin, m.end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
        cuda::copy<T>(arrived_.data() + place(m.begin) + at, n, means[i] + first, stream);
      });
    }
  }

private:
  /// Where the mean of an element is, of this rank's slices.
  [[nodiscard]] T* sum_at(std::size_t element) const { return slices_.data() + plan_.place_in_slices(element, me_); }
};

/// New parameters on their way from their owners to all ranks.
template <class T>
class returning {
  const plan& plan_;
  int me_;
  std::vector<message> to_slices_;
  device_array<T> leaving_, slices_, gathered_;

public:
  returning(const plan& p, int me) : plan_(p), me_(me), to_slices_(of_rank(me, messages(p.by_owner, p.by_slice))) {
    leaving_ = device_array<T>(p.owned(me));
    slices_ = device_array<T>(p.in_slices());
    gathered_ = device_array<T>(p.longest_slice() * static_cast<std::size_t>(p.ranks));
  }

  void run(const gpus& by, cudaStream_t stream, std::span<T* const> parameters) const {
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (plan_.owner[i] == me_) cuda::copy<T>(parameters[i], plan_.costs[i].elements, leaving_.data() + plan_.place[i], stream);
    parcel mail(by, stream);
    for (const message& m : to_slices_)
      if (m.from == m.to) continue;
      else if (m.from == me_) mail.send(leaving_at(m.begin), m.size(), m.to);
      else mail.receive(slice_at(m.begin), m.size(), m.from);
    mail.move();
    for (const message& m : to_slices_)
      if (m.from == m.to) cuda::copy<T>(leaving_at(m.begin), m.size(), slice_at(m.begin), stream);
    for (const round_of_slices& r : plan_.rounds) {
      check("slices for all", ncclAllGather(slices_.data() + r.place, gathered_.data(), r.slice, type_in_message<T>, by.get(), stream));
      plan_.for_each_parameter(r.begin, r.end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
        if (plan_.owner[i] != me_) cuda::copy<T>(gathered_.data() + at, n, parameters[i] + first, stream);
      });
    }
  }

private:
  [[nodiscard]] T* leaving_at(std::size_t element) const { return leaving_.data() + plan_.place_at_owner(element); }
  [[nodiscard]] T* slice_at(std::size_t element) const { return slices_.data() + plan_.place_in_slices(element, me_); }
};

}  // namespace thalweg::nccl::detail
