#include "plan.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace thalweg::mpi::detail {

namespace {

/// More of them would hide little more: the first one's gradients and the last one's return remain.
constexpr std::size_t most_buckets = 16;

/// Adds elements behind those that are there.
void append(distribution& to, std::size_t begin, std::size_t end, int rank) {
  if (begin == end) return;
  if (!to.empty() && to.back().rank == rank && to.back().end == begin) to.back().end = end;
  else to.push_back({begin, end, rank});
}

/// Deals the parameters out: sets owners, and buckets that take their owners equally long.
void deal(plan& made, std::size_t buckets) {
  std::vector<std::size_t> order(made.costs.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return made.costs[i].cost; });
  std::vector<double> busy(static_cast<std::size_t>(made.ranks), 0.0), begins(order.size());
  for (const std::size_t i : order) {
    const auto least = std::ranges::min_element(busy);
    begins[i] = *least;
    *least += made.costs[i].cost;
    made.owner[i] = static_cast<int>(least - busy.begin());
  }
  const double busiest = std::ranges::max(busy);
  for (const std::size_t i : order)
    if (busiest > 0)
      made.bucket_of[i] = std::min(buckets - 1, static_cast<std::size_t>(begins[i] / busiest * static_cast<double>(buckets)));
  // Those that nobody has anything in are left out.
  std::vector<std::size_t> number(buckets, 0);
  for (const std::size_t b : made.bucket_of) number[b] = 1;
  std::exclusive_scan(number.begin(), number.end(), number.begin(), std::size_t{0});
  for (std::size_t& b : made.bucket_of) b = number[b];
}

}  // namespace

std::vector<message> messages(const distribution& now, const distribution& wanted) {
  std::vector<message> all;
  for (std::size_t i = 0, k = 0; i < now.size() && k < wanted.size();) {
    const std::size_t begin = std::max(now[i].begin, wanted[k].begin), end = std::min(now[i].end, wanted[k].end);
    if (begin < end) all.push_back({begin, end, now[i].rank, wanted[k].rank});
    ++(now[i].end <= wanted[k].end ? i : k);
  }
  return all;
}

std::vector<message> of_rank(int rank, std::vector<message> all) {
  std::erase_if(all, [rank](const message& m) { return m.from != rank && m.to != rank; });
  return all;
}

std::size_t plan::longest_slice() const {
  std::size_t longest = 0;
  for (const round_of_slices& r : rounds) longest = std::max(longest, r.slice);
  return longest;
}

std::size_t plan::place_at_owner(std::size_t element) const {
  std::size_t found = 0;
  for_each_parameter(element, element + 1, [&](std::size_t i, std::size_t first, std::size_t, std::size_t) { found = place[i] + first; });
  return found;
}

std::size_t plan::owned(int rank) const {
  std::size_t sum = 0;
  for (const piece& p : by_owner) sum += p.rank == rank ? p.size() : 0;
  return sum;
}

double plan::imbalance() const {
  std::vector<double> of_rank(static_cast<std::size_t>(ranks), 0.0);
  for (std::size_t i = 0; i < costs.size(); ++i) of_rank[static_cast<std::size_t>(owner[i])] += costs[i].cost;
  const double all = std::accumulate(of_rank.begin(), of_rank.end(), 0.0);
  return all > 0 ? std::ranges::max(of_rank) * ranks / all : 1;
}

plan make_plan(std::vector<parameter_cost> costs, int ranks, std::size_t most) {
  plan made{.ranks = ranks, .costs = std::move(costs), .owner = {}, .bucket_of = {}, .begin = {}, .place = {}, .order = {},
            .buckets = {}, .rounds = {}, .by_owner = {}, .by_slice = {}};
  const std::size_t count = made.costs.size();
  for (auto* const by_parameter : {&made.bucket_of, &made.begin, &made.place, &made.order}) by_parameter->resize(count);
  made.owner.resize(count);
  const auto of_all = static_cast<std::size_t>(ranks);
  const std::size_t in_a_round = of_all * std::max<std::size_t>(1, most);
  std::size_t elements = 0;
  for (const auto& c : made.costs) elements += c.elements;
  deal(made, std::clamp<std::size_t>(elements / in_a_round, 1, most_buckets));

  std::iota(made.order.begin(), made.order.end(), 0);
  std::ranges::stable_sort(made.order, {}, [&](std::size_t i) { return std::pair(made.bucket_of[i], made.owner[i]); });
  std::vector<std::size_t> of_owner(of_all, 0);
  for (const std::size_t i : made.order) {
    const std::size_t n = made.costs[i].elements;
    made.begin[i] = made.length;
    made.place[i] = std::exchange(of_owner[static_cast<std::size_t>(made.owner[i])], of_owner[static_cast<std::size_t>(made.owner[i])] + n);
    if (made.bucket_of[i] == made.buckets.size()) made.buckets.push_back({made.length, made.length, 0, 0});
    made.length += n;
    made.buckets.back().end = made.length;
    append(made.by_owner, made.begin[i], made.length, made.owner[i]);
  }

  for (bucket& b : made.buckets) {
    b.first_round = made.rounds.size();
    const std::size_t n = b.end - b.begin, rounds = (n + in_a_round - 1) / in_a_round;
    const std::size_t slice = rounds == 0 ? 0 : (n + rounds * of_all - 1) / (rounds * of_all);
    for (std::size_t begin = b.begin; begin < b.end; begin += of_all * slice) {
      const round_of_slices& added = made.rounds.emplace_back(round_of_slices{begin, std::min(b.end, begin + of_all * slice), slice, made.in_slices()});
      for (int r = 0; r < ranks; ++r)
        if (const piece own = added.slice_of(r); own.size() > 0) made.by_slice.push_back(own);
    }
    b.last_round = made.rounds.size();
  }
  return made;
}

wire::wire(const plan& of, std::vector<std::size_t> bytes_of_an_element)
    : of_(&of), bytes_(std::move(bytes_of_an_element)), begin_(bytes_.size()) {
  for (const std::size_t i : of.order) begin_[i] = std::exchange(length_, length_ + of.costs[i].elements * bytes_[i]);
}

std::size_t wire::at(std::size_t element) const {
  if (element >= of_->length) return length_;
  const auto holder = std::ranges::partition_point(
      of_->order, [&](std::size_t i) { return of_->begin[i] + of_->costs[i].elements <= element; });
  return begin_[*holder] + (element - of_->begin[*holder]) * bytes_[*holder];
}

traffic& traffic::operator+=(const traffic& more) {
  messages += more.messages;
  bytes += more.bytes;
  return *this;
}

traffic sent_by(int rank, std::span<const message> all, const wire& as) {
  traffic sum;
  for (const message& m : all)
    if (m.from == rank && m.to != rank) sum += {1, as.bytes(m.begin, m.end)};
  return sum;
}

traffic sent_in_exchange(int rank, const plan& p, const wire& as) {
  traffic sum;
  for (const piece& slice : p.by_slice)
    if (slice.rank != rank) sum += {1, as.bytes(slice.begin, slice.end)};
  return sum;
}

traffic sent_to_all(int rank, const plan& p, const wire& as) {
  traffic sum;
  const auto others = static_cast<std::size_t>(p.ranks) - 1;
  for (const piece& slice : p.by_slice)
    if (slice.rank == rank) sum += {others, others * as.bytes(slice.begin, slice.end)};
  return sum;
}

}  // namespace thalweg::mpi::detail
