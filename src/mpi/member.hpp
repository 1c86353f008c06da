// What a rank is whatever its device: its place among the others, the plan, what all must have in common, and how they agree.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
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
#include <thalweg/core/device.hpp>
#include <thalweg/core/error.hpp>

#include "../checkpoint/checksum.hpp"
#include "../checkpoint/held_arrays.hpp"
#include "../engine/processes.hpp"
#include "../engine/tasks.hpp"
#include "communicator.hpp"
#include "numbers.hpp"
#include "plan.hpp"
#include "post.hpp"

namespace thalweg::mpi::detail {

using thalweg::detail::bound_program;

constexpr std::string_view to_text(layout l) {
  constexpr std::array<std::string_view, 3> names{"sharded state", "replicated", "sharded rows"};
  return names[static_cast<std::size_t>(l)];
}

/// What becomes of the binding while it goes on: until the device takes over, whoever fails must tell the others.
struct binding {
  explicit binding(MPI_Comm given) : ranks(given) {}

  communicator ranks;
  bool has_device = false;
};

template <class T>
class member : public thalweg::detail::processes {
  std::shared_ptr<binding> binding_;
  layout layout_;
  std::size_t elements_a_message_;

protected:
  plan plan_{};

  [[nodiscard]] const communicator& ranks() const { return binding_->ranks; }
  [[nodiscard]] MPI_Comm comm() const { return ranks().get(); }
  [[nodiscard]] int me() const { return ranks().rank(); }
  [[nodiscard]] bool is_replicated() const { return layout_ == layout::replicated; }
  /// Whether this rank steps parameter `i`.
  [[nodiscard]] bool steps(std::size_t i) const { return is_replicated() || plan_.owner[i] == me(); }
  /// Which rank sends which means of gradients to which rank.
  [[nodiscard]] std::vector<message> messages_of_means() const {
    if (!is_replicated()) return messages(plan_.by_slice, plan_.by_owner);
    std::vector<message> to_all;
    for (const piece& slice : plan_.by_slice)
      for (int r = 0; r < plan_.ranks; ++r) to_all.push_back({slice.begin, slice.end, slice.rank, r});
    return to_all;
  }

  /// Does what the others wait for. A rank without memory for it ends all.
  template <class F>
  void or_end_all(F f) const {
    try {
      f();
    } catch (const std::exception& why) {
      ranks().abort(why);
    }
  }

  /// Runs f; what one rank throws, all throw.
  template <class F>
  void together(std::string_view call, F f) const {
    std::exception_ptr failure;
    try {
      f();
    } catch (...) {
      failure = std::current_exception();
    }
    agree(call, failure);
  }

public:
  member(std::shared_ptr<binding> b, layout l, std::size_t elements_a_message)
      : binding_(std::move(b)), layout_(l), elements_a_message_(elements_a_message) {}

  void agree(std::string_view call, std::exception_ptr failure) const override { ranks().agree(call, failure); }

protected:
  using bytes_of_parameter = std::function<std::span<const std::byte>(std::size_t)>;

  /// Makes the plan. All ranks do, and find out whether they bind the same: of the parameters, what `bytes_here` says.
  void make_plan_together(const options& o, const bound_program<T>& bound, const thalweg::detail::storage<T>& store,
                          const bytes_of_parameter& bytes_here) {
    binding_->has_device = true;
    agree("bind", {});
    std::vector<parameter_cost> costs;
    for (const auto& p : store.parameters) costs.push_back({p.size, cost_of(bound, p)});
    plan_ = make_plan(std::move(costs), ranks().size(), elements_a_message_);
    std::vector<std::string> lines;
    together("bind", [&] { lines = in_lines(o, bound, store, bytes_here); });
    ranks().compare(lines);
  }

  /// The first of those parameters on any rank, of which there are `count`; none where no rank has one.
  [[nodiscard]] std::optional<std::size_t> first_of_all(std::optional<std::size_t> own, std::size_t count) const {
    unsigned long long first = own.value_or(count);
    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_UNSIGNED_LONG_LONG, MPI_MIN, comm());
    if (first == count) return {};
    return static_cast<std::size_t>(first);
  }

  /// The loss becomes the mean of the ranks'; all must ask for the same measures.
  void take_inputs(step_inputs& inputs) const {
    const std::array<double, 3> own{inputs.loss ? 1.0 : 0.0, inputs.loss.value_or(0), double(inputs.measure == measure::norms)};
    std::vector<double> all;
    or_end_all([&] { all.resize(own.size() * static_cast<std::size_t>(ranks().size())); });
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

  // A checkpoint is one file, on rank 0. `has_all_parameters`: whether those of the store are on every rank.
  void save_together(const thalweg::detail::storage<T>& store, const thalweg::detail::write_bytes& write,
                     const thalweg::detail::progress& now, const std::function<void(std::size_t, T*)>& average_into,
                     bool has_all_parameters) const {
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
    const auto held = held_arrays_with(room, has_all_parameters);
    thalweg::detail::write_checkpoint<T>(write_here, store, now, average_into, &held);
    if (failure) std::rethrow_exception(failure);
  }
  thalweg::detail::loaded_progress load_together(thalweg::detail::storage<T>& store, const thalweg::detail::readable_bytes& from,
                                                 thalweg::detail::progress now, const load_policy& policy,
                                                 const std::function<void(const thalweg::detail::loaded_progress&)>& before_writing,
                                                 bool has_all_parameters) const {
    std::vector<std::byte> room;
    const auto held = held_arrays_with(room, has_all_parameters);
    bool agreed = false;
    const auto agree_before_writing = [&](const thalweg::detail::loaded_progress& read) {
      before_writing(read);
      agreed = true;
      agree("load", {});
    };
    try {
      return thalweg::detail::read_checkpoint<T>(from, store, std::move(now), policy, agree_before_writing, &held);
    } catch (...) {
      if (!agreed) agree("load", std::current_exception());
      throw;
    }
  }

  /// For `describe`; a parenthesis stays open.
  [[nodiscard]] std::string words(std::string_view by, const traffic& sent, std::size_t state_bytes) const {
    return in_words("rank ", me(), " of ", ranks().size(), " by ", by, " (", to_text(layout_),
                    is_replicated() ? "" : in_words(", costliest rank ", hundredths(plan_.imbalance()), " × the mean"), "; it sends ",
                    sent.bytes, " bytes in ", sent.messages, " messages a step and has ", state_bytes, " bytes of state");
  }

private:
  [[nodiscard]] thalweg::detail::held_arrays held_arrays_with(std::vector<std::byte>& room, bool has_all_parameters) const {
    return {.is_here = [this](std::size_t i) { return steps(i); },
            .has_all_parameters = has_all_parameters,
            .bring =
                [this, &room](std::size_t i, std::size_t bytes, std::span<const std::byte> own) -> std::span<const std::byte> {
              if (steps(i) && me() == 0) return own;
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
            .together = [this](const std::function<void()>& check) { together("save", check); }};
  }

  static double hundredths(double x) { return static_cast<double>(static_cast<long>(x * 100 + 0.5)) / 100; }

  [[nodiscard]] static double cost_of(const bound_program<T>& bound, const thalweg::detail::bound_parameter<T>& p) {
    const auto& kinds = bound.what.paths[p.path].kinds;
    const bool as_matrix = std::ranges::find(kinds, thalweg::detail::kind::tensorwise) != kinds.end();
    // To take an element through memory costs about as much as four operations for each unit of a matrix's short side.
    return static_cast<double>(p.size) + (as_matrix ? thalweg::detail::product_cost(p.info) / 4 : 0);
  }

  /// What must be the same in all ranks.
  [[nodiscard]] std::vector<std::string> in_lines(const options& o, const bound_program<T>& bound, const thalweg::detail::storage<T>& store,
                                                 const bytes_of_parameter& bytes_here) const {
    std::vector<std::string> lines{
        in_words("numbers of ", thalweg::detail::type_of<T>), in_words("chain: ", bound.what.text),
        in_words("options: ", o, ", seed=", o.seed, ", state ", o.state, ", weights ", o.weights),
        in_words("passes: ", bound.what.run_by), in_words("layout: ", to_text(layout_), ", ", elements_a_message_, " elements a message"),
        in_words(store.parameters.size(), " parameters")};
    for (std::size_t i = 0; i < store.parameters.size(); ++i) {
      const auto& p = store.parameters[i];
      lines.push_back(in_words("parameter ", in_quotes(p.info.name), " with shape ", p.info.shape, ", ", p.info.role, ", of ",
                               p.values.type, p.info.order == storage_order::column_major ? ", column-major" : "", ", lr_factor=",
                               p.info.lr_factor, ", weight_decay_factor=", p.info.weight_decay_factor, ", path ", p.path, ", owner ",
                               plan_.owner[i], ", values with checksum ", thalweg::detail::checksum(bytes_here(i))));
    }
    return lines;
  }
};

}  // namespace thalweg::mpi::detail
