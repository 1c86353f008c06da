// New parameters on their way: from their owners to slices, and each slice to all ranks.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "communicator.hpp"
#include "numbers.hpp"
#include "plan.hpp"
#include "post.hpp"

namespace thalweg::mpi::detail {

/// New parameters on their way to all ranks.
class distributing {
public:
  virtual ~distributing() = default;
  /// Before the first bucket.
  virtual void begin() = 0;
  /// Begins to send the parameters of a bucket. Once for each, in their order.
  virtual void begin(std::size_t bucket) = 0;
  /// Lets messages go on. Whether some have arrived.
  virtual bool advance() = 0;
  /// Waits until all parameters are here.
  virtual void finish() = 0;
  [[nodiscard]] virtual traffic sent() const = 0;
};

class returning final : public distributing {
  struct slot {
    post mail;
    std::vector<std::byte> received;
  };

  const communicator& ranks_;
  const plan& plan_;
  std::span<const stored_array> parameters_;
  wire as_;
  std::vector<message> to_slices_;  ///< from this rank or to it, in the order of the line
  std::vector<std::byte> leaving_, slices_;
  std::vector<post> mail_;           ///< by bucket: from owners to slices
  std::array<slot, 2> slots_;
  std::size_t free_ = 0, next_ = 0;  ///< in `leaving_`; among the messages
  std::size_t wanted_ = 0, begun_ = 0, taken_ = 0;  ///< rounds: of stepped buckets, under way or done, done
  std::size_t bucket_ = 0;           ///< of the next round to begin

  [[nodiscard]] int me() const { return ranks_.rank(); }
  [[nodiscard]] slot& slot_of(std::size_t k) { return slots_[k % 2]; }

public:
  /// `parameters`: of all ranks, as they are on this one.
  returning(const communicator& ranks, const plan& p, std::span<const stored_array> parameters)
      : ranks_(ranks), plan_(p), parameters_(parameters), slots_{slot{{ranks.get(), about::slices_of_parameters}, {}},
                                                                 slot{{ranks.get(), about::slices_of_parameters}, {}}} {
    std::vector<std::size_t> widths;
    std::size_t widest = 0;
    for (const stored_array& one : parameters) widest = std::max(widest, widths.emplace_back(bytes_of(one.type)));
    as_ = wire(p, widths);
    to_slices_ = of_rank(me(), messages(p.by_owner, p.by_slice));
    mail_.resize(p.buckets.size(), {ranks.get(), about::parameters});
    for (slot& s : slots_) s.received.resize(p.longest_slice() * widest * static_cast<std::size_t>(p.ranks));
    leaving_.resize(p.owned(me()) * widest);
    slices_.resize(p.in_slices() * widest);
  }

  [[nodiscard]] traffic sent() const override {
    traffic t = sent_by(me(), to_slices_, as_);
    t += sent_to_all(me(), plan_, as_);
    return t;
  }

  void begin() override { free_ = next_ = wanted_ = begun_ = taken_ = bucket_ = 0; }

  void begin(std::size_t bucket) override {
    for (; next_ < to_slices_.size() && to_slices_[next_].begin < plan_.buckets[bucket].end; ++next_) {
      const message& m = to_slices_[next_];
      const std::size_t size = as_.bytes(m.begin, m.end);
      std::byte* const slice = m.to == me() ? in_slices(m.begin) : nullptr;
      if (m.from != me()) {
        mail_[bucket].receive(slice, size, m.from);
        continue;
      }
      std::byte* const packed = slice ? slice : leaving_.data() + std::exchange(free_, free_ + size);
      const std::size_t first_byte = as_.at(m.begin);
      plan_.for_each_parameter(m.begin, m.end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
        std::memcpy(packed + (as_.at(m.begin + at) - first_byte), place_in(parameters_[i], first), n * bytes_of(parameters_[i].type));
      });
      if (!slice) mail_[bucket].send(packed, size, m.to);
    }
    wanted_ = plan_.buckets[bucket].last_round;
    advance();
  }

  bool advance() override {
    for (bool moved = false;; moved = true)
      if (taken_ < begun_ && slot_of(taken_).mail.is_done()) take_round();
      else if (may_begin() && mail_[bucket_].is_done()) begin_round();
      else return moved;
  }
  void finish() override {
    while (taken_ < wanted_)
      if (may_begin()) {
        mail_[bucket_].wait();
        begin_round();
      } else {
        slot_of(taken_).mail.wait();
        take_round();
      }
    for (post& m : mail_) m.wait();
  }

private:
  /// Where this rank keeps the bytes of its slices.
  [[nodiscard]] std::byte* in_slices(std::size_t element) {
    const round_of_slices& r = plan_.round_of(element);
    return slices_.data() + place_of(r) + (as_.at(element) - as_.at(r.slice_of(me()).begin));
  }
  /// Rounds keep room for the widest numbers.
  [[nodiscard]] std::size_t place_of(const round_of_slices& r) const { return r.place * (slices_.size() / plan_.in_slices()); }

  /// Whether a round may go to all once its bucket's slices are here.
  [[nodiscard]] bool may_begin() {
    if (begun_ == wanted_ || begun_ == taken_ + 2) return false;
    while (plan_.buckets[bucket_].last_round <= begun_) ++bucket_;
    return true;
  }

  void begin_round() {
    const round_of_slices& r = plan_.rounds[begun_];
    slot& s = slot_of(begun_++);
    const piece mine = r.slice_of(me());
    for (int peer = 0; peer < plan_.ranks; ++peer) {
      if (peer == me()) continue;
      const piece theirs = r.slice_of(peer);
      s.mail.receive(s.received.data() + (as_.at(theirs.begin) - as_.at(r.begin)), as_.bytes(theirs.begin, theirs.end), peer);
      s.mail.send(slices_.data() + place_of(r), as_.bytes(mine.begin, mine.end), peer);
    }
  }

  void take_round() {
    const round_of_slices& r = plan_.rounds[taken_];
    const std::byte* const received = slot_of(taken_++).received.data();
    const std::byte* const own = slices_.data() + place_of(r);
    const piece mine = r.slice_of(me());
    plan_.for_each_parameter(r.begin, r.end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
      if (plan_.owner[i] == me()) return;
      const std::size_t begin = r.begin + at, end = begin + n, width = bytes_of(parameters_[i].type);
      // The slices of the others, and between them this rank's own.
      const auto take = [&](std::size_t from, std::size_t to, const std::byte* bytes, std::size_t begin_of_bytes) {
        if (from < to)
          std::memcpy(place_in(parameters_[i], first + (from - begin)), bytes + as_.bytes(begin_of_bytes, from), (to - from) * width);
      };
      const std::size_t own_begin = std::clamp(mine.begin, begin, end), own_end = std::clamp(mine.end, begin, end);
      take(begin, own_begin, received, r.begin);
      take(own_begin, own_end, own, mine.begin);
      take(own_end, end, received, r.begin);
    });
  }
};

}  // namespace thalweg::mpi::detail
