// Gradients on their way: slices of all ranks' to those who add them up, and the means to the owners.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "communicator.hpp"
#include "numbers.hpp"
#include "plan.hpp"
#include "post.hpp"

namespace thalweg::mpi::detail {

/// Gradients of many ranks, on their way to the ranks that step with them.
class collecting {
public:
  virtual ~collecting() = default;
  /// Begins to send this rank's gradients, which stay as they are until all buckets have arrived.
  virtual void begin(std::span<const stored_array> own, std::span<const number_type> types, const wire& as) = 0;
  /// Lets messages go on. Whether some have arrived.
  virtual bool advance() = 0;
  /// Waits until all gradients of a bucket are where this rank wants them. Once for each bucket, in their order.
  virtual void wait_for(std::size_t bucket) = 0;
  /// Waits until the others have what they want of this rank.
  virtual void finish() = 0;
  /// By this rank in a step. `sums`: the line in numbers of the computation.
  [[nodiscard]] virtual traffic sent(const wire& as, const wire& sums) const = 0;
};

template <class T>
class averaging final : public collecting {
  struct slot {
    post mail;
    std::vector<std::byte> sent, received;
  };

  const communicator& ranks_;
  const plan& plan_;
  std::span<T* const> means_;
  std::vector<message> to_owners_;  ///< from this rank or to it, in the order of the line
  std::vector<post> arriving_;      ///< by bucket: means from others
  post leaving_;                    ///< means to others
  std::vector<T> slices_;           ///< this rank's, of all rounds
  std::array<slot, 2> slots_;       ///< one round is under way while another is added up

  std::span<const stored_array> own_;
  std::span<const number_type> types_;
  const wire* as_ = nullptr;
  std::size_t begun_ = 0, added_ = 0, next_ = 0;

  [[nodiscard]] int me() const { return ranks_.rank(); }
  [[nodiscard]] slot& slot_of(std::size_t k) { return slots_[k % 2]; }

public:
  /// `wanted`: which rank wants which means; `means`: by parameter, where they are wanted on this rank.
  averaging(const communicator& ranks, const plan& p, std::vector<message> wanted, std::span<T* const> means)
      : ranks_(ranks), plan_(p), means_(means), to_owners_(of_rank(me(), std::move(wanted))), leaving_(ranks.get(), about::sums),
        slots_{slot{{ranks.get(), about::slices_of_gradients}, {}, {}}, slot{{ranks.get(), about::slices_of_gradients}, {}, {}}} {
    arriving_.resize(p.buckets.size(), {ranks.get(), about::sums});
    slices_.resize(p.in_slices());
    for (slot& s : slots_) {
      s.sent.resize(p.longest_slice() * sizeof(T) * static_cast<std::size_t>(p.ranks));
      s.received.resize(s.sent.size());
    }
  }

  [[nodiscard]] traffic sent(const wire& as, const wire& sums) const override {
    traffic t = sent_in_exchange(me(), plan_, as);
    t += sent_by(me(), to_owners_, sums);
    return t;
  }

  void begin(std::span<const stored_array> own, std::span<const number_type> types, const wire& as) override {
    own_ = own;
    types_ = types;
    as_ = &as;
    begun_ = added_ = next_ = 0;
    std::size_t bucket = 0;
    for (const message& m : to_owners_) {
      while (m.begin >= plan_.buckets[bucket].end) ++bucket;
      if (m.to == me() && m.from != me()) arriving_[bucket].receive(mean_at(m.begin), m.size() * sizeof(T), m.from);
    }
    begin_rounds();
  }

  bool advance() override {
    const std::size_t before = added_;
    while (added_ < plan_.rounds.size() && slot_of(added_).mail.is_done()) add_round();
    leaving_.go_on();
    for (post& mail : arriving_) mail.go_on();
    return added_ > before;
  }

  void wait_for(std::size_t bucket) override {
    while (added_ < plan_.buckets[bucket].last_round) {
      slot_of(added_).mail.wait();
      add_round();
    }
    arriving_[bucket].wait();
  }

  void finish() override { leaving_.wait(); }

private:
  /// Where this rank wants the mean of an element, and of those behind it that it wants as well.
  [[nodiscard]] T* mean_at(std::size_t element) const {
    T* at = nullptr;
    plan_.for_each_parameter(element, element + 1, [&](std::size_t i, std::size_t first, std::size_t, std::size_t) { at = means_[i] + first; });
    return at;
  }
  /// Where the mean of an element is that this rank adds up in a round.
  [[nodiscard]] T* sum_at(std::size_t element, const round_of_slices& r) { return slices_.data() + r.place + (element - r.slice_of(me()).begin); }

  void begin_rounds() {
    for (; begun_ < plan_.rounds.size() && begun_ < added_ + 2; ++begun_) {
      const round_of_slices& r = plan_.rounds[begun_];
      slot& s = slot_of(begun_);
      const std::size_t first_byte = as_->at(r.begin);
      plan_.for_each_parameter(r.begin, r.end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
        pack<T>(own_[i], first, n, types_[i], s.sent.data() + as_->at(r.begin + at) - first_byte);
      });
      const piece mine = r.slice_of(me());
      const std::size_t size = as_->bytes(mine.begin, mine.end);
      for (int peer = 0; peer < plan_.ranks; ++peer) {
        const piece theirs = r.slice_of(peer);
        std::byte* const place = s.received.data() + static_cast<std::size_t>(peer) * size;
        const std::byte* const from = s.sent.data() + as_->at(theirs.begin) - first_byte;
        if (peer == me()) {
          std::memcpy(place, from, size);
          continue;
        }
        s.mail.receive(place, size, peer);
        s.mail.send(from, as_->bytes(theirs.begin, theirs.end), peer);
      }
    }
  }

  void add_round() {
    const round_of_slices& r = plan_.rounds[added_];
    add_up(r, slot_of(added_).received.data());
    ++added_;
    begin_rounds();
    for (; next_ < to_owners_.size() && to_owners_[next_].begin < r.end; ++next_) {
      const message& m = to_owners_[next_];
      if (m.from != me()) continue;
      if (m.to == me()) std::copy_n(sum_at(m.begin, r), m.size(), mean_at(m.begin));
      else leaving_.send(sum_at(m.begin, r), m.size() * sizeof(T), m.to);
    }
  }

  /// The mean of what the ranks have sent, added up in their order.
  void add_up(const round_of_slices& r, const std::byte* of_ranks) {
    const T share = T(1) / static_cast<T>(plan_.ranks);
    const piece mine = r.slice_of(me());
    const std::size_t size = as_->bytes(mine.begin, mine.end), first_byte = as_->at(mine.begin);
    plan_.for_each_parameter(mine.begin, mine.end, [&](std::size_t i, std::size_t, std::size_t n, std::size_t at) {
      T* const to = sum_at(mine.begin + at, r);
      const std::byte* const from = of_ranks + (as_->at(mine.begin + at) - first_byte);
      const std::size_t width = bytes_of(types_[i]);
      for (std::size_t begin = 0; begin < n; begin += tile) {  // all ranks' numbers of a tile, while their sum is in the first cache
        const std::size_t count = std::min(tile, n - begin);
        read_values(stored_array{const_cast<std::byte*>(from), types_[i]}, begin, count, to + begin);  // is only read
        for (std::size_t k = 1; k < static_cast<std::size_t>(plan_.ranks); ++k)
          for_each_tile<T>(from + k * size + begin * width, types_[i], count, [&](std::size_t, std::size_t, const T* numbers) {
            for (std::size_t x = 0; x < count; ++x) to[begin + x] += numbers[x];
          });
        for (std::size_t x = 0; x < count; ++x) to[begin + x] *= share;
      }
    });
  }
};

}  // namespace thalweg::mpi::detail
