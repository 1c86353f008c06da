// The host as one rank of many: gradients are averaged over the ranks, each parameter is stepped by its owner, and its owner
// gives it to all.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/adaptors/mpi.hpp>
#include <thalweg/core/error.hpp>

#include "../checkpoint/checksum.hpp"
#include "../checkpoint/held_arrays.hpp"
#include "../engine/host.hpp"
#include "../engine/processes.hpp"
#include "../engine/tasks.hpp"
#include "communicator.hpp"
#include "plan.hpp"

namespace thalweg::mpi::detail {

using thalweg::detail::bound_program;
using thalweg::detail::stored_array;

template <class T>
MPI_Datatype mpi_type() {
  return std::is_same_v<T, float> ? MPI_FLOAT : MPI_DOUBLE;
}

constexpr std::string_view to_text(layout l) {
  constexpr std::array<std::string_view, 3> names{"sharded state", "replicated", "sharded rows"};
  return names[static_cast<std::size_t>(l)];
}

/// Calls f(begin, count) for parts of n elements that MPI can count.
template <class F>
void in_parts(std::size_t n, F f) {
  constexpr std::size_t most = std::size_t{1} << 30;
  for (std::size_t begin = 0; begin < n; begin += most) f(begin, static_cast<int>(std::min(most, n - begin)));
}

/// Messages under way. Those between two ranks arrive in the order in which they were sent.
template <class T>
class post {
  MPI_Comm by_;
  std::vector<MPI_Request> under_way_;

  MPI_Request* next() { return &under_way_.emplace_back(MPI_REQUEST_NULL); }

public:
  explicit post(MPI_Comm by) : by_(by) {}
  void send(const T* from, std::size_t n, int to) {
    in_parts(n, [&](std::size_t begin, int count) { MPI_Isend(from + begin, count, mpi_type<T>(), to, 0, by_, next()); });
  }
  void receive(T* to, std::size_t n, int from) {
    in_parts(n, [&](std::size_t begin, int count) { MPI_Irecv(to + begin, count, mpi_type<T>(), from, 0, by_, next()); });
  }
  void wait() {
    MPI_Waitall(static_cast<int>(under_way_.size()), under_way_.data(), MPI_STATUSES_IGNORE);
    under_way_.clear();
  }
};

/// What becomes of the binding while it goes on: until the device takes over, whoever fails must tell the others.
struct binding {
  explicit binding(MPI_Comm given) : ranks(given) {}

  communicator ranks;
  bool has_device = false;
};

template <class T>
class rank : public thalweg::detail::host<T>, public thalweg::detail::processes {
  using base = thalweg::detail::host<T>;

  std::shared_ptr<binding> binding_;
  layout layout_;
  std::size_t elements_a_message_;
  std::vector<message> to_owners_, to_slices_;  ///< in the order of the line
  std::vector<T> slices_;                       ///< of this rank, of all rounds
  std::array<std::vector<T>, 2> sent_, received_;  ///< of two rounds: one is under way while the other is worked on
  std::vector<unsigned char> has_gradient_;
  std::vector<stored_array> given_;

protected:
  using base::bound;
  using base::store;

  plan plan_{};
  std::vector<T> mean_;  ///< the gradients of the parameters here; later, the parameters

  [[nodiscard]] const communicator& ranks() const { return binding_->ranks; }
  [[nodiscard]] MPI_Comm comm() const { return ranks().get(); }
  [[nodiscard]] int me() const { return ranks().rank(); }
  [[nodiscard]] bool is_replicated() const { return layout_ == layout::replicated; }
  [[nodiscard]] bool is_here(std::size_t i) const override { return is_replicated() || plan_.owner[i] == me(); }
  /// The part of the line of which `mean_` has the elements.
  [[nodiscard]] piece here() const { return is_replicated() ? piece{0, plan_.length, me()} : plan_.owned(me()); }

  /// Does what the others wait for. A rank without memory for it ends all.
  template <class F>
  void or_end_all(F f) const {
    try {
      f();
    } catch (const std::exception& why) {
      ranks().abort(why);
    }
  }

  // What depends on where the parameters are: here, on every rank.
  /// Between the plan and the first state.
  virtual void take_parameters() {}
  [[nodiscard]] virtual bool has_all_parameters() const { return true; }
  /// Brings the gradients of all ranks into `mean_`.
  virtual void collect(std::span<const stored_array> own) { average(own); }
  /// What a rank sends in a step.
  [[nodiscard]] virtual traffic traffic_of_a_step() const {
    traffic t = of_rounds(plan_);
    t += of_rounds(plan_);
    if (is_replicated()) return t;
    t += sent_by(me(), to_owners_);
    t += sent_by(me(), to_slices_);
    return t;
  }

public:
  rank(bound_program<T> what, std::shared_ptr<binding> b, layout l, std::size_t elements_a_message)
      : base(std::move(what)), binding_(std::move(b)), layout_(l), elements_a_message_(elements_a_message) {}

  void bind(const options& o) override {
    binding_->has_device = true;
    agree("bind", {});
    std::vector<parameter_cost> costs;
    for (const auto& p : store.parameters) costs.push_back({p.size, cost_of(p)});
    plan_ = make_plan(std::move(costs), ranks().size(), elements_a_message_);
    ranks().compare(in_lines(o));
    std::exception_ptr failure;
    try {
      make_room();
    } catch (...) {
      failure = std::current_exception();
    }
    agree("bind", failure);
    take_parameters();
    try {
      base::bind(o);
    } catch (...) {
      failure = std::current_exception();
    }
    agree("bind", failure);
  }

  void check_usable() const override { communicator::check_thread(); }

  void agree(std::string_view call, std::exception_ptr failure) const override { ranks().agree(call, failure); }

  std::span<const stored_array> mean(std::span<const stored_array> own, step_inputs& inputs) override {
    take_inputs(inputs);
    for (std::size_t i = 0; i < own.size(); ++i) has_gradient_[i] = own[i].data != nullptr;
    MPI_Allreduce(MPI_IN_PLACE, has_gradient_.data(), static_cast<int>(has_gradient_.size()), MPI_BYTE, MPI_BOR, comm());
    if (std::ranges::count(has_gradient_, 0) == std::ssize(own)) {
      std::ranges::fill(given_, stored_array());
      return given_;
    }
    or_end_all([&] { collect(own); });
    for (std::size_t i = 0; i < own.size(); ++i) {
      T* const place = mean_.data() + (is_here(i) ? plan_.begin[i] - here().begin : 0);
      given_[i] = has_gradient_[i] ? stored_array{place, thalweg::detail::type_of<T>} : stored_array{};
    }
    return given_;
  }

  std::optional<std::size_t> stopped_by() override {
    unsigned long long first = base::stopped_by().value_or(store.parameters.size());
    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_UNSIGNED_LONG_LONG, MPI_MIN, comm());
    if (first == store.parameters.size()) return {};
    return static_cast<std::size_t>(first);
  }

  void copy_parameter(std::size_t i, T* out) const override {
    const auto& p = store.parameters[i];
    const bool is_everywhere = is_replicated() || !p.values.rest || (store.at_evaluation_point && p.averaged);
    if (is_everywhere || is_here(i)) base::copy_parameter(i, out);
    if (!is_everywhere) give(i, out);
  }
  void average(std::size_t i, const thalweg::detail::average_of<T>& by, T* out) const override {
    by.code->average(by.scalars, 0, {});  // throws in all ranks, or in none
    if (is_here(i)) base::average(i, by, out);
    if (!is_replicated()) give(i, out);
  }

  void save(const thalweg::detail::write_bytes& write, const thalweg::detail::progress& now,
            const std::function<void(std::size_t, T*)>& average_into) const override {
    store.gather();
    // Where the disk is full, the others still send what they have: in the end all are told.
    std::exception_ptr failure;
    const auto write_here = [&](std::span<const std::byte> piece, std::size_t left) {
      if (me() != 0 || failure) return;
      try {
        write(piece, left);
      } catch (...) {
        failure = std::current_exception();
      }
    };
    std::vector<std::byte> room;
    const auto held = held_arrays_with(room);
    thalweg::detail::write_checkpoint<T>(write_here, store, now, average_into, &held);
    if (failure) std::rethrow_exception(failure);
  }

  thalweg::detail::loaded_progress load(
      const thalweg::detail::readable_bytes& from, thalweg::detail::progress now, const load_policy& policy,
      const std::function<void(const thalweg::detail::loaded_progress&)>& before_writing) override {
    store.gather();
    std::vector<std::byte> room;
    const auto held = held_arrays_with(room);
    bool agreed = false;
    const auto agree_before_writing = [&](const thalweg::detail::loaded_progress& read) {
      before_writing(read);
      agreed = true;
      agree("load", {});
    };
    try {
      auto loaded = thalweg::detail::read_checkpoint<T>(from, store, std::move(now), policy, agree_before_writing, &held);
      store.scatter();
      return loaded;
    } catch (...) {
      if (!agreed) agree("load", std::current_exception());
      throw;
    }
  }

  void describe(thalweg::detail::description& d) const override {
    base::describe(d);
    const traffic t = traffic_of_a_step();
    d.header += in_words(d.header.empty() ? "" : ", ", "rank ", me(), " of ", ranks().size(), " by MPI (", to_text(layout_),
                         is_replicated() ? "" : in_words(", costliest rank ", hundredths(plan_.imbalance()), " × the mean"), "; it sends ",
                         t.elements * sizeof(T), " bytes in ", t.messages, " messages a step and has ", store.state_bytes,
                         " bytes of state)");
  }

protected:
  void join(std::exception_ptr failure, std::span<std::byte> computed) override {
    agree("step", failure);
    if (is_replicated()) return;
    MPI_Allreduce(MPI_IN_PLACE, computed.data(), static_cast<int>(computed.size() / sizeof(std::uint64_t)), MPI_UINT64_T, MPI_BOR,
                  comm());
  }

  void publish() override {
    if (!is_replicated()) or_end_all([this] { give_parameters(); });
  }

  /// f(parameter, its first element, how many, place behind `begin`) for the elements [begin, end) of the line.
  template <class F>
  void for_each_parameter(std::size_t begin, std::size_t end, F f) const {
    const auto ends_before = [this](std::size_t i, std::size_t element) { return plan_.begin[i] + plan_.costs[i].elements <= element; };
    auto at = std::ranges::partition_point(plan_.order, [&](std::size_t i) { return ends_before(i, begin); });
    for (; at != plan_.order.end() && plan_.begin[*at] < end; ++at) {
      const std::size_t first = std::max(begin, plan_.begin[*at]);
      const std::size_t last = std::min(end, plan_.begin[*at] + plan_.costs[*at].elements);
      if (first < last) f(*at, first - plan_.begin[*at], last - first, first - begin);
    }
  }

  static stored_array behind(const stored_array& a, std::size_t first) {
    return {static_cast<std::byte*>(a.data) + first * thalweg::detail::bytes_of(a.type), a.type};
  }
  static void read_values(const stored_array& from, std::size_t first, std::size_t n, T* to) {
    if (const T* const values = stored_array{from.data, from.type}.template as<T>()) std::copy_n(values + first, n, to);
    else if constexpr (std::is_same_v<T, float>) thalweg::detail::read(behind(from, first), 0, n, to);
  }
  static void write_values(const T* from, const stored_array& to, std::size_t first, std::size_t n) {
    if (T* const values = stored_array{to.data, to.type}.template as<T>()) std::copy_n(from, n, values + first);
    else if constexpr (std::is_same_v<T, float>) thalweg::detail::write(from, behind(to, first), 0, n);
  }

private:
  void give_parameters() {
    for_each_parameter(here().begin, here().end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
      read_values(store.parameters[i].values, first, n, mean_.data() + at);
    });
    post<T> mail(comm());
    for (const message& m : to_slices_)
      if (m.to == me() && m.from != me()) mail.receive(in_slices(m), m.end - m.begin, m.from);
    for (const message& m : to_slices_) {
      if (m.from != me()) continue;
      const T* const from = mean_.data() + (m.begin - here().begin);
      if (m.to == me()) std::copy_n(from, m.end - m.begin, in_slices(m));
      else mail.send(from, m.end - m.begin, m.to);
    }
    mail.wait();
    gather_slices([&](std::size_t begin, std::size_t end, const T* values) {
      for_each_parameter(begin, end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
        if (!is_here(i)) write_values(values + at, store.parameters[i].values, first, n);
      });
    });
  }

  [[nodiscard]] double cost_of(const thalweg::detail::bound_parameter<T>& p) const {
    const auto& kinds = bound.what.paths[p.path].kinds;
    const bool as_matrix = std::ranges::find(kinds, thalweg::detail::kind::tensorwise) != kinds.end();
    // To take an element through memory costs about as much as four operations for each unit of a matrix's short side.
    return static_cast<double>(p.size) + (as_matrix ? thalweg::detail::product_cost(p.info) / 4 : 0);
  }

  /// What must be the same in all ranks.
  [[nodiscard]] std::vector<std::string> in_lines(const options& o) const {
    std::vector<std::string> lines{
        in_words("numbers of ", thalweg::detail::type_of<T>), in_words("chain: ", bound.what.text),
        in_words("options: ", o, ", seed=", o.seed, ", state ", o.state, ", weights ", o.weights),
        in_words("passes: ", bound.what.run_by), in_words("layout: ", to_text(layout_), ", ", elements_a_message_, " elements a message"),
        in_words(store.parameters.size(), " parameters")};
    store.gather();
    for (std::size_t i = 0; i < store.parameters.size(); ++i) {
      const auto& p = store.parameters[i];
      const std::span values(static_cast<const std::byte*>(p.values.data), has_all_parameters() ? p.bytes() : 0);
      lines.push_back(in_words("parameter ", in_quotes(p.info.name), " with shape ", p.info.shape, ", ", p.info.role, ", of ",
                               p.values.type, p.info.order == storage_order::column_major ? ", column-major" : "", ", lr_factor=",
                               p.info.lr_factor, ", weight_decay_factor=", p.info.weight_decay_factor, ", path ", p.path, ", owner ",
                               plan_.owner[i], ", values with checksum ", thalweg::detail::checksum(values)));
    }
    return lines;
  }

  void make_room() {
    to_owners_ = messages(plan_.by_slice, plan_.by_owner);
    to_slices_ = messages(plan_.by_owner, plan_.by_slice);
    const auto concerns_others = [this](const message& m) { return m.from != me() && m.to != me(); };
    std::erase_if(to_owners_, concerns_others);
    std::erase_if(to_slices_, concerns_others);
    has_gradient_.resize(store.parameters.size());
    given_.resize(store.parameters.size());
    mean_.resize(std::max<std::size_t>(1, here().end - here().begin));
    if (!has_all_parameters()) return;
    slices_.resize(plan_.rounds * plan_.slice);
    for (std::size_t k = 0; k < 2; ++k) {
      sent_[k].resize(plan_.block());
      received_[k].resize(plan_.block());
    }
  }

  static double hundredths(double x) { return static_cast<double>(static_cast<long>(x * 100 + 0.5)) / 100; }

  /// The loss becomes the mean of the ranks'; all must ask for the same measures.
  void take_inputs(step_inputs& inputs) const {
    const std::array<double, 3> own{inputs.loss ? 1.0 : 0.0, inputs.loss.value_or(0), double(inputs.measure == measure::norms)};
    std::vector<double> all(own.size() * static_cast<std::size_t>(ranks().size()));
    MPI_Allgather(own.data(), static_cast<int>(own.size()), MPI_DOUBLE, all.data(), static_cast<int>(own.size()), MPI_DOUBLE, comm());
    double sum = 0;
    for (std::size_t r = 0; r < all.size(); r += own.size()) {
      if (all[r] != all[0] || all[r + 2] != all[2])
        throw error("step", "Expected ", all[r] != all[0] ? "a loss" : "norms to be measured", " on every rank, or on none. Received ",
                    all[0] + all[2] > all[r] + all[r + 2] ? "it on rank 0 and not on rank " : "it not on rank 0, but on rank ",
                    r / own.size(), ".");
      sum += all[r + 1];
    }
    if (inputs.loss) inputs.loss = sum * (1.0 / ranks().size());
  }

  T* in_slices(const message& m) { return slices_.data() + plan_.place_in_slices(m.begin, me()); }

  /// Elements of the line in round k.
  [[nodiscard]] std::pair<std::size_t, std::size_t> extent_of(std::size_t k) const {
    return {k * plan_.block(), std::min(plan_.length, (k + 1) * plan_.block())};
  }

  /// Adds up this rank's slices of the gradients, and sends each to its owner while the next one is under way.
  void average(std::span<const stored_array> own) {
    post<T> mail(comm());
    const std::size_t first_here = here().begin;
    if (!is_replicated())
      for (const message& m : to_owners_)
        if (m.to == me() && m.from != me()) mail.receive(mean_.data() + (m.begin - first_here), m.end - m.begin, m.from);
    const auto begin_round = [&](std::size_t k) {
      auto& out = sent_[k % 2];
      const auto extent = extent_of(k);
      for_each_parameter(extent.first, extent.second, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
        if (own[i].data) read_values(own[i], first, n, out.data() + at);
        else std::fill_n(out.data() + at, n, T(0));
      });
      const int count = static_cast<int>(plan_.slice);
      MPI_Request request;
      MPI_Ialltoall(out.data(), count, mpi_type<T>(), received_[k % 2].data(), count, mpi_type<T>(), comm(), &request);
      return request;
    };
    auto next = to_owners_.begin();
    MPI_Request under_way = begin_round(0);
    for (std::size_t k = 0; k < plan_.rounds; ++k) {
      MPI_Wait(&under_way, MPI_STATUS_IGNORE);
      if (k + 1 < plan_.rounds) under_way = begin_round(k + 1);
      add_up(received_[k % 2].data(), slices_.data() + k * plan_.slice);
      if (is_replicated()) continue;
      for (; next != to_owners_.end() && next->begin < extent_of(k).second; ++next) {
        if (next->from != me()) continue;
        if (next->to == me()) std::copy_n(in_slices(*next), next->end - next->begin, mean_.data() + (next->begin - first_here));
        else mail.send(in_slices(*next), next->end - next->begin, next->to);
      }
    }
    mail.wait();
    if (is_replicated())
      gather_slices([&](std::size_t begin, std::size_t end, const T* values) { std::copy_n(values, end - begin, mean_.data() + begin); });
  }

  /// The mean of what the ranks have sent, added up in their order.
  void add_up(const T* of_ranks, T* to) const {
    const T share = T(1) / static_cast<T>(ranks().size());
    std::copy_n(of_ranks, plan_.slice, to);
    for (std::size_t r = 1; r < static_cast<std::size_t>(ranks().size()); ++r)
      for (std::size_t k = 0; k < plan_.slice; ++k) to[k] += of_ranks[r * plan_.slice + k];
    for (std::size_t k = 0; k < plan_.slice; ++k) to[k] *= share;
  }

  /// take(begin, end, values) for the elements of each round, from the slices of all ranks.
  template <class F>
  void gather_slices(F take) {
    const auto begin_round = [&](std::size_t k) {
      const int count = static_cast<int>(plan_.slice);
      MPI_Request request;
      MPI_Iallgather(slices_.data() + k * plan_.slice, count, mpi_type<T>(), received_[k % 2].data(), count, mpi_type<T>(), comm(),
                     &request);
      return request;
    };
    MPI_Request under_way = begin_round(0);
    for (std::size_t k = 0; k < plan_.rounds; ++k) {
      MPI_Wait(&under_way, MPI_STATUS_IGNORE);
      if (k + 1 < plan_.rounds) under_way = begin_round(k + 1);
      const auto extent = extent_of(k);
      take(extent.first, extent.second, received_[k % 2].data());
    }
  }

  /// What the owner of a parameter has, to all.
  void give(std::size_t i, T* values) const {
    in_parts(store.parameters[i].size, [&](std::size_t begin, int count) {
      MPI_Bcast(values + begin, count, mpi_type<T>(), plan_.owner[i], comm());
    });
  }

  [[nodiscard]] thalweg::detail::held_arrays held_arrays_with(std::vector<std::byte>& room) const {
    return {.is_here = [this](std::size_t i) { return is_here(i); },
            .has_all_parameters = has_all_parameters(),
            .bring =
                [this, &room](std::size_t i, std::size_t bytes, std::span<const std::byte> own) -> std::span<const std::byte> {
              if (is_here(i) && me() == 0) return own;
              const int owner = plan_.owner[i];
              if (is_replicated() || (me() != 0 && me() != owner)) return {};
              if (me() == owner) {
                in_parts(bytes, [&](std::size_t b, int n) { MPI_Send(own.data() + b, n, MPI_BYTE, 0, 0, comm()); });
                return {};
              }
              or_end_all([&] { room.resize(bytes); });
              in_parts(bytes, [&](std::size_t b, int n) {
                MPI_Recv(room.data() + b, n, MPI_BYTE, owner, 0, comm(), MPI_STATUS_IGNORE);
              });
              return room;
            },
            .together =
                [this](const std::function<void()>& check) {
                  std::exception_ptr failure;
                  try {
                    check();
                  } catch (...) {
                    failure = std::current_exception();
                  }
                  agree("save", failure);
                }};
  }
};

}  // namespace thalweg::mpi::detail
