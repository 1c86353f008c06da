// Messages from the ranks that hold elements to those that want them: all that goes from one rank to another of a bucket
// travels together.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "communicator.hpp"
#include "plan.hpp"
#include "post.hpp"

namespace thalweg::mpi::detail {

class parcels {
  struct of_bucket {
    std::vector<message> messages;   ///< from this rank or to it, in the order of the line
    std::vector<std::byte*> places;  ///< of each message's bytes here
    post mail;
    std::vector<std::byte> room;
  };

  const communicator& ranks_;
  const plan* plan_;
  std::vector<of_bucket> buckets_;

  [[nodiscard]] int me() const { return ranks_.rank(); }

public:
  parcels(const communicator& ranks, const plan& p, const std::vector<message>& all, about what) : ranks_(ranks), plan_(&p) {
    buckets_.resize(p.buckets.size(), {{}, {}, {ranks.get(), what}, {}});
    std::size_t b = 0;
    for (const message& m : all) {
      while (m.begin >= p.buckets[b].end) ++b;
      if (m.from == me() || m.to == me()) buckets_[b].messages.push_back(m);
    }
  }

  /// pack(message, bytes) for each message from this rank.
  template <class Pack>
  void begin(std::size_t bucket, const wire& as, Pack pack) {
    of_bucket& b = buckets_[bucket];
    const auto bytes = [&](const message& m) { return as.bytes(m.begin, m.end); };
    std::size_t all = 0;
    for (const message& m : b.messages) all += bytes(m);
    b.room.resize(all);
    b.places.assign(b.messages.size(), nullptr);
    std::byte* free = b.room.data();
    for (int peer = 0; peer < plan_->ranks; ++peer)
      for (const bool leaves : {true, false}) {
        std::byte* const parcel = free;
        for (std::size_t k = 0; k < b.messages.size(); ++k) {
          const message& m = b.messages[k];
          if (leaves ? m.from != me() || m.to != peer : m.to != me() || m.from != peer || peer == me()) continue;
          b.places[k] = std::exchange(free, free + bytes(m));
          if (leaves) pack(m, b.places[k]);
        }
        if (peer == me()) continue;
        const auto size = static_cast<std::size_t>(free - parcel);
        if (leaves) b.mail.send(parcel, size, peer);
        else b.mail.receive(parcel, size, peer);
      }
  }
  void go_on(std::size_t bucket) { buckets_[bucket].mail.go_on(); }
  [[nodiscard]] bool is_done(std::size_t bucket) { return buckets_[bucket].mail.is_done(); }
  /// unpack(message, bytes) for each message to this rank, once they are here.
  template <class Unpack>
  void take(std::size_t bucket, Unpack unpack) {
    of_bucket& b = buckets_[bucket];
    b.mail.wait();
    for (std::size_t k = 0; k < b.messages.size(); ++k)
      if (b.messages[k].to == me()) unpack(b.messages[k], static_cast<const std::byte*>(b.places[k]));
  }

  [[nodiscard]] traffic sent(const wire& as) const {
    traffic t;
    for (const of_bucket& b : buckets_) {
      std::vector<bool> peers(static_cast<std::size_t>(plan_->ranks), false);
      for (const message& m : b.messages)
        if (m.from == me() && m.to != me()) peers[static_cast<std::size_t>(m.to)] = true;
      t += {static_cast<std::size_t>(std::ranges::count(peers, true)), sent_by(me(), b.messages, as).bytes};
    }
    return t;
  }
};

}  // namespace thalweg::mpi::detail
