// A rank that has some rows of each parameter, and the whole of those that it steps. Before a step the rows' gradients travel
// to the owners; after it the new rows travel back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rank.hpp"

namespace thalweg::mpi::detail {

/// A parameter's rows on this rank, and how many elements each rank has of it.
struct rows_of_parameter {
  stored_array values;
  std::vector<std::size_t> elements;  ///< by rank
};

/// The user's rows, and room for the whole parameters. A rank writes only those that it steps.
struct sharded_parameters {
  std::vector<rows_of_parameter> rows;
  std::vector<thalweg::detail::aligned_array<std::byte>> memory;
};

template <class T>
class rows final : public rank<T> {
  using base = rank<T>;
  using one_process = thalweg::detail::host<T>;
  using base::plan_;
  using base::store;

  std::shared_ptr<const sharded_parameters> shards_;
  std::vector<message> to_owners_, to_rows_;       ///< those of this rank, in the order of the line
  std::vector<std::vector<T>> leaving_, arriving_;  ///< by rank
  std::vector<std::vector<std::byte>> y_;          ///< the rows of averaged parameters, while they hold x
  mutable bool is_saving_ = false;                 ///< x is asked for where its parameter is, and whole

public:
  rows(bound_program<T> what, std::shared_ptr<binding> b, std::size_t elements_a_message, std::shared_ptr<const sharded_parameters> shards)
      : base(std::move(what), std::move(b), layout::sharded_rows, elements_a_message), shards_(std::move(shards)) {}

  void copy_parameter(std::size_t i, T* out) const override {
    const auto& p = store.parameters[i];
    const stored_array& own = shards_->rows[p.whole].values;
    if (!is_saving_ && (!p.values.rest || (store.at_evaluation_point && p.averaged)))
      return this->read_values(own, 0, elements_here(i), out);
    give_rows(i, out, [&](T* whole) { this->one_process::copy_parameter(i, whole); });
  }
  void average(std::size_t i, const thalweg::detail::average_of<T>& by, T* out) const override {
    by.code->average(by.scalars, 0, {});  // throws in all ranks, or in none
    give_rows(i, out, [&](T* whole) { this->one_process::average(i, by, whole); });
  }

  void hold_back(const std::function<void(std::size_t, T*)>& average_into) override {
    std::vector<std::vector<std::byte>> y(store.parameters.size());
    std::vector<T> x;
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (!store.parameters[i].averaged) continue;
      const stored_array& own = shards_->rows[i].values;
      const auto* const bytes = static_cast<const std::byte*>(own.data);
      y[i].assign(bytes, bytes + elements_here(i) * thalweg::detail::bytes_of(own.type));
      x.resize(elements_here(i));
      average_into(i, x.data());
      this->write_values(x.data(), own, 0, x.size());
    }
    y_ = std::move(y);
    store.at_evaluation_point = true;
  }
  void put_back() noexcept override {
    for (std::size_t i = 0; i < y_.size(); ++i)
      if (!y_[i].empty()) std::memcpy(shards_->rows[i].values.data, y_[i].data(), y_[i].size());
    y_.clear();
    store.at_evaluation_point = false;
  }

  void save(const thalweg::detail::write_bytes& write, const thalweg::detail::progress& now,
            const std::function<void(std::size_t, T*)>& average_into) const override {
    if (store.at_evaluation_point)
      throw error("save", "Expected the parameters at y, where ranks have rows of them. Received them at x: end the evaluation point first.");
    struct saving {
      bool& is;
      explicit saving(bool& b) : is(b) { is = true; }
      ~saving() { is = false; }
    } const now_saving(is_saving_);
    base::save(write, now, average_into);
  }
  thalweg::detail::loaded_progress load(
      const thalweg::detail::readable_bytes& from, thalweg::detail::progress now, const load_policy& policy,
      const std::function<void(const thalweg::detail::loaded_progress&)>& before_writing) override {
    if (!store.at_evaluation_point) take_parameters();  // the user has loaded them
    auto loaded = base::load(from, std::move(now), policy, before_writing);
    publish();  // y, where the checkpoint was saved at x
    return loaded;
  }

protected:
  void take_parameters() override {
    if (leaving_.empty()) make_room();
    exchange(to_owners_, [&](std::size_t i, std::size_t first, std::size_t n, T* to) { this->read_values(shards_->rows[i].values, first, n, to); },
             [&](const message& m, const T* from) {
               this->for_each_parameter(m.begin, m.end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
                 this->write_values(from + at, store.parameters[i].values, first, n);
               });
             });
  }
  [[nodiscard]] bool has_all_parameters() const override { return false; }

  void collect(std::span<const stored_array> own) override {
    exchange(to_owners_,
             [&](std::size_t i, std::size_t first, std::size_t n, T* to) {
               if (own[i].data) this->read_values(own[i], first, n, to);
               else std::fill_n(to, n, T(0));
             },
             [&](const message& m, const T* from) { std::copy_n(from, m.end - m.begin, this->mean_.data() + (m.begin - this->here().begin)); });
  }

  void publish() override {
    deliver(to_rows_,
            [&](const message& m, T* to) {
              this->for_each_parameter(m.begin, m.end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
                this->read_values(store.parameters[i].values, first, n, to + at);
              });
            },
            [&](const message& m, const T* from) {
              for_my_rows(m, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
                this->write_values(from + at, shards_->rows[i].values, first, n);
              });
            });
  }

  [[nodiscard]] traffic traffic_of_a_step() const override {
    traffic t;
    for (const auto* const all : {&to_owners_, &to_rows_}) {
      std::vector<bool> peers(static_cast<std::size_t>(plan_.ranks), false);
      for (const message& m : *all)
        if (m.from == this->me() && m.to != this->me()) peers[static_cast<std::size_t>(m.to)] = true;
      t += {static_cast<std::size_t>(std::ranges::count(peers, true)), sent_by(this->me(), *all).elements};
    }
    return t;
  }

private:
  [[nodiscard]] std::size_t elements_of(std::size_t i, int rank) const { return shards_->rows[i].elements[static_cast<std::size_t>(rank)]; }
  [[nodiscard]] std::size_t elements_here(std::size_t i) const { return elements_of(i, this->me()); }
  /// Where a rank's rows of a parameter begin.
  [[nodiscard]] std::size_t first_element(std::size_t i, int rank) const {
    std::size_t first = 0;
    for (int r = 0; r < rank; ++r) first += elements_of(i, r);
    return first;
  }

  void make_room() {
    distribution by_rows;
    for (const std::size_t i : plan_.order)
      for (int r = 0; r < plan_.ranks; ++r)
        if (const std::size_t n = elements_of(i, r)) by_rows.push_back({plan_.begin[i] + first_element(i, r), plan_.begin[i] + first_element(i, r) + n, r});
    to_owners_ = messages(by_rows, plan_.by_owner);
    to_rows_ = messages(plan_.by_owner, by_rows);
    const auto concerns_others = [this](const message& m) { return m.from != this->me() && m.to != this->me(); };
    std::erase_if(to_owners_, concerns_others);
    std::erase_if(to_rows_, concerns_others);
    leaving_.resize(static_cast<std::size_t>(plan_.ranks));
    arriving_.resize(static_cast<std::size_t>(plan_.ranks));
    for (std::size_t i = 0; i < store.wholes.size(); ++i) store.wholes[i].extent = elements_here(i);
  }

  /// f(parameter, first of this rank's elements of it, how many, place in the message)
  template <class F>
  void for_my_rows(const message& m, F f) const {
    this->for_each_parameter(m.begin, m.end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
      f(i, first - first_element(i, this->me()), n, at);
    });
  }

  /// From this rank's rows to the owners. pack(parameter, first, n, to); unpack(message, from).
  template <class Pack, class Unpack>
  void exchange(const std::vector<message>& all, Pack pack, Unpack unpack) {
    deliver(all,
            [&](const message& m, T* to) {
              for_my_rows(m, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) { pack(i, first, n, to + at); });
            },
            unpack);
  }

  /// All that goes from one rank to another travels together.
  template <class Pack, class Unpack>
  void deliver(const std::vector<message>& all, Pack pack, Unpack unpack) {
    this->or_end_all([&] { deliver_all(all, pack, unpack); });
  }
  template <class Pack, class Unpack>
  void deliver_all(const std::vector<message>& all, Pack pack, Unpack unpack) {
    const auto size = [](const message& m) { return m.end - m.begin; };
    for (auto& parcel : leaving_) parcel.clear();
    std::vector<std::size_t> expected(arriving_.size(), 0);
    for (const message& m : all) {
      if (m.to == this->me()) expected[static_cast<std::size_t>(m.from)] += size(m);
      if (m.from != this->me()) continue;
      auto& parcel = leaving_[static_cast<std::size_t>(m.to)];
      parcel.resize(parcel.size() + size(m));
      pack(m, parcel.data() + parcel.size() - size(m));
    }
    post<T> mail(this->comm());
    for (int r = 0; r < plan_.ranks; ++r) {
      const auto peer = static_cast<std::size_t>(r);
      if (r == this->me()) {
        arriving_[peer].swap(leaving_[peer]);
        continue;
      }
      arriving_[peer].resize(expected[peer]);
      if (expected[peer] > 0) mail.receive(arriving_[peer].data(), expected[peer], r);
      if (!leaving_[peer].empty()) mail.send(leaving_[peer].data(), leaving_[peer].size(), r);
    }
    mail.wait();
    std::vector<std::size_t> taken(arriving_.size(), 0);
    for (const message& m : all)
      if (m.to == this->me()) {
        const auto peer = static_cast<std::size_t>(m.from);
        unpack(m, arriving_[peer].data() + std::exchange(taken[peer], taken[peer] + size(m)));
      }
  }

  /// `compute(whole)` runs on the owner. Each rank gets its rows; for a checkpoint the owner keeps all.
  template <class F>
  void give_rows(std::size_t i, T* out, F compute) const {
    this->or_end_all([&] {
      if (!is_saving_) give_rows_of(i, out, compute);
      else if (this->is_here(i)) compute(out);
    });
  }
  template <class F>
  void give_rows_of(std::size_t i, T* out, F compute) const {
    const int owner = plan_.owner[i];
    std::vector<T> whole;
    post<T> mail(this->comm());
    if (owner == this->me()) {
      whole.resize(store.parameters[i].size);
      compute(whole.data());
      for (int r = 0; r < plan_.ranks; ++r)
        if (r == owner) std::copy_n(whole.data() + first_element(i, r), elements_of(i, r), out);
        else if (elements_of(i, r) > 0) mail.send(whole.data() + first_element(i, r), elements_of(i, r), r);
    } else if (elements_here(i) > 0) {
      mail.receive(out, elements_here(i), owner);
    }
    mail.wait();
  }
};

/// The whole parameters that rows belong to. All ranks call it.
template <class T>
std::vector<parameter<T>> whole_parameters(const communicator& ranks, std::vector<parameter<T>> given, sharded_parameters& shards) {
  std::vector<unsigned long long> own, all(given.size() * static_cast<std::size_t>(ranks.size()));
  for (const auto& p : given) own.push_back(p.shape.empty() ? 0 : p.shape.front());
  MPI_Allgather(own.data(), static_cast<int>(own.size()), MPI_UNSIGNED_LONG_LONG, all.data(), static_cast<int>(own.size()),
                MPI_UNSIGNED_LONG_LONG, ranks.get());
  for (std::size_t i = 0; i < given.size(); ++i) {
    auto& p = given[i];
    const std::size_t row = element_count(std::span(p.shape).subspan(1));
    rows_of_parameter shard{{p.data.data(), p.data.type()}, {}};
    p.shape.front() = 0;
    for (std::size_t k = i; k < all.size(); k += given.size()) {
      p.shape.front() += static_cast<std::size_t>(all[k]);
      shard.elements.push_back(static_cast<std::size_t>(all[k]) * row);
    }
    auto& memory = shards.memory.emplace_back(
        thalweg::detail::allocate<std::byte>(element_count(p.shape) * thalweg::detail::bytes_of(p.data.type())));
    if constexpr (std::is_same_v<T, float>) {
      if (shard.values.type == number_type::bfloat16) p.data = reinterpret_cast<bfloat16*>(memory.get());
      else if (shard.values.type == number_type::float16) p.data = reinterpret_cast<float16*>(memory.get());
      else p.data = reinterpret_cast<float*>(memory.get());
    } else {
      p.data = reinterpret_cast<T*>(memory.get());
    }
    shards.rows.push_back(std::move(shard));
  }
  return given;
}

/// What this layout asks of a parameter.
template <class T>
void check_rows(const std::vector<parameter<T>>& given) {
  for (const auto& p : given) {
    if (p.shape.empty() || p.order == storage_order::column_major || !p.view.parts().empty())
      throw error("mpi", "Expected row-major parameters with rows and without a view, for sharded rows. Received ", in_quotes(p.name),
                  " with shape ", p.shape, ".");
    if (!p.data.data() && element_count(p.shape) > 0)
      throw error("mpi", "Expected memory for the rows of every parameter. Received null for ", in_quotes(p.name), ".");
  }
}

}  // namespace thalweg::mpi::detail
