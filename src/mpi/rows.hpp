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

#include "parcels.hpp"
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

/// How the rows of all ranks travel to the owners of their parameters, and back.
class rows_and_wholes {
  const plan& plan_;
  int me_;
  const sharded_parameters& shards_;

public:
  std::vector<message> to_owners, to_rows;

  rows_and_wholes(const communicator& ranks, const plan& p, const sharded_parameters& shards)
      : plan_(p), me_(ranks.rank()), shards_(shards) {
    distribution by_rows;
    for (const std::size_t i : p.order)
      for (int r = 0; r < p.ranks; ++r)
        if (const std::size_t n = elements(i, r)) by_rows.push_back({p.begin[i] + first(i, r), p.begin[i] + first(i, r) + n, r});
    to_owners = messages(by_rows, p.by_owner);
    to_rows = messages(p.by_owner, by_rows);
  }
  [[nodiscard]] std::size_t elements(std::size_t i, int rank) const { return shards_.rows[i].elements[static_cast<std::size_t>(rank)]; }
  [[nodiscard]] std::size_t here(std::size_t i) const { return elements(i, me_); }
  /// Where a rank's rows of a parameter begin.
  [[nodiscard]] std::size_t first(std::size_t i, int rank) const {
    std::size_t first = 0;
    for (int r = 0; r < rank; ++r) first += elements(i, r);
    return first;
  }
  /// f(parameter, first of this rank's elements of it, how many, its first element of the line)
  template <class F>
  void for_my_rows(const message& m, F f) const {
    plan_.for_each_parameter(m.begin, m.end, [&](std::size_t i, std::size_t first_of_whole, std::size_t n, std::size_t at) {
      f(i, first_of_whole - first(i, me_), n, m.begin + at);
    });
  }
};

/// The rows of gradients, of the whole batch, on their way to the owners.
template <class T>
class collecting_rows final : public collecting {
  const plan& plan_;
  const rows_and_wholes& rows_;
  std::span<T* const> means_;
  parcels parcels_;
  std::span<const number_type> types_;
  const wire* as_ = nullptr;
  std::size_t taken_ = 0;

public:
  collecting_rows(const communicator& ranks, const plan& p, const rows_and_wholes& rows, std::span<T* const> means)
      : plan_(p), rows_(rows), means_(means), parcels_(ranks, p, rows.to_owners, about::rows) {}

  void begin(std::span<const stored_array> own, std::span<const number_type> types, const wire& as) override {
    types_ = types;
    as_ = &as;
    taken_ = 0;
    for (std::size_t b = 0; b < plan_.buckets.size(); ++b)
      parcels_.begin(b, as, [&](const message& m, std::byte* to) {
        rows_.for_my_rows(m, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
          pack<T>(own[i], first, n, types[i], to + as.bytes(m.begin, at));
        });
      });
  }
  bool advance() override {
    if (taken_ < plan_.buckets.size()) parcels_.go_on(taken_);
    return false;
  }
  void wait_for(std::size_t bucket) override {
    taken_ = bucket + 1;
    parcels_.take(bucket, [&](const message& m, const std::byte* from) {
      plan_.for_each_parameter(m.begin, m.end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
        for_each_tile<T>(from + as_->bytes(m.begin, m.begin + at), types_[i], n, [&](std::size_t begin, std::size_t count, const T* numbers) {
          std::copy_n(numbers, count, means_[i] + first + begin);
        });
      });
    });
  }
  void finish() override {}
  [[nodiscard]] traffic sent(const wire& as, const wire&) const override { return parcels_.sent(as); }
};

/// New rows on their way from the owners.
class returning_rows final : public distributing {
  const plan& plan_;
  const rows_and_wholes& rows_;
  const sharded_parameters& shards_;
  std::span<const stored_array> wholes_;
  const wire& as_;
  parcels parcels_;
  std::size_t begun_ = 0, taken_ = 0;

  void take() {
    parcels_.take(taken_++, [&](const message& m, const std::byte* from) {
      rows_.for_my_rows(m, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
        const stored_array& to = shards_.rows[i].values;
        std::memcpy(place_in(to, first), from + as_.bytes(m.begin, at), n * bytes_of(to.type));
      });
    });
  }

public:
  /// `as`: parameters as they are stored.
  returning_rows(const communicator& ranks, const plan& p, const rows_and_wholes& rows, const sharded_parameters& shards,
                 std::span<const stored_array> wholes, const wire& as)
      : plan_(p), rows_(rows), shards_(shards), wholes_(wholes), as_(as), parcels_(ranks, p, rows.to_rows, about::new_rows) {}

  void begin() override { begun_ = taken_ = 0; }
  void begin(std::size_t bucket) override {
    parcels_.begin(bucket, as_, [&](const message& m, std::byte* to) {
      plan_.for_each_parameter(m.begin, m.end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
        std::memcpy(to + as_.bytes(m.begin, m.begin + at), place_in(wholes_[i], first), n * bytes_of(wholes_[i].type));
      });
    });
    begun_ = bucket + 1;
    advance();
  }
  bool advance() override {
    const std::size_t before = taken_;
    while (taken_ < begun_ && parcels_.is_done(taken_)) take();
    return taken_ > before;
  }
  void finish() override {
    while (taken_ < begun_) take();
  }
  [[nodiscard]] traffic sent() const override { return parcels_.sent(as_); }
};

template <class T>
class rows final : public rank<T> {
  using base = rank<T>;
  using one_process = thalweg::detail::host<T>;
  using base::parameters_;
  using base::plan_;
  using base::store;

  std::shared_ptr<const sharded_parameters> shards_;
  std::unique_ptr<rows_and_wholes> rows_;
  wire parameters_as_;
  std::vector<std::vector<std::byte>> y_;          ///< the rows of averaged parameters, while they hold x
  mutable bool is_saving_ = false;                 ///< x is asked for where its parameter is, and whole

  /// While one lives.
  struct saving {
    bool& is;
    explicit saving(bool& b) : is(b) { is = true; }
    ~saving() { is = false; }
  };

public:
  rows(bound_program<T> what, std::shared_ptr<binding> b, std::size_t elements_a_message, std::shared_ptr<const sharded_parameters> shards)
      : base(std::move(what), std::move(b), layout::sharded_rows, elements_a_message), shards_(std::move(shards)) {}

  void copy_parameter(std::size_t i, T* out) const override {
    const auto& p = store.parameters[i];
    const stored_array& own = shards_->rows[p.whole].values;
    if (!is_saving_ && (!p.values.rest || (store.at_evaluation_point && p.averaged)))
      return read_values(own, 0, elements_here(i), out);
    give_rows(i, out, [&](T* whole) { this->one_process::copy_parameter(i, whole); });
  }
  void average(std::size_t i, const thalweg::detail::average_of<T>& by, T* out) const override {
    by.code->average(by.scalars, 0, {});  // throws in all ranks, or in none
    give_rows(i, out, [&](T* whole) { this->one_process::average(i, by, whole); });
  }

  /// New rows arrive before all ranks agree that the step is taken: what the owners have put back goes out again.
  void run_phases(std::size_t first) override {
    try {
      base::run_phases(first);
    } catch (...) {
      give_parameters();
      throw;
    }
  }

  /// The owners' whole parameters hold x as well, for a checkpoint.
  void hold_back(const std::function<void(std::size_t, T*)>& average_into) override {
    const auto bytes_at = [](const stored_array& a, std::size_t n) {
      const auto* const bytes = static_cast<const std::byte*>(a.data);
      return std::vector<std::byte>(bytes, bytes + n * bytes_of(a.type));
    };
    this->or_end_all([&] {
      std::vector<std::vector<std::byte>> y_here(store.parameters.size()), y(store.parameters.size());
      std::vector<T> x, whole;
      for (std::size_t i = 0; i < y.size(); ++i) {
        const auto& p = store.parameters[i];
        if (!p.averaged) continue;
        y_here[i] = bytes_at(shards_->rows[i].values, elements_here(i));
        whole.resize(this->is_here(i) ? p.size : 0);
        {
          const saving now(is_saving_);
          average_into(i, whole.data());
        }
        x.resize(elements_here(i));
        give_rows(i, x.data(), [&](T* to) { std::ranges::copy(whole, to); });
        write_values(x.data(), shards_->rows[i].values, 0, x.size());
        if (!this->is_here(i)) continue;
        y[i] = bytes_at(parameters_[i], p.size);
        write_values(whole.data(), parameters_[i], 0, p.size);
      }
      y_ = std::move(y_here);
      store.held_back = std::move(y);
    });
    store.at_evaluation_point = true;
  }
  void put_back() noexcept override {
    for (std::size_t i = 0; i < y_.size(); ++i) std::ranges::copy(y_[i], static_cast<std::byte*>(shards_->rows[i].values.data));
    y_.clear();
    one_process::put_back();
  }

  void save(const thalweg::detail::write_bytes& write, const thalweg::detail::progress& now,
            const std::function<void(std::size_t, T*)>& average_into) const override {
    const saving now_saving(is_saving_);
    base::save(write, now, average_into);
  }
  thalweg::detail::loaded_progress load(
      const thalweg::detail::readable_bytes& from, thalweg::detail::progress now, const load_policy& policy,
      const std::function<void(const thalweg::detail::loaded_progress&)>& before_writing) override {
    if (!store.at_evaluation_point) take_parameters();  // the user has loaded them
    auto loaded = base::load(from, std::move(now), policy, before_writing);
    give_parameters();  // y, where the checkpoint was saved at x
    return loaded;
  }

protected:
  [[nodiscard]] bool has_all_parameters() const override { return false; }
  [[nodiscard]] std::size_t elements_given(std::size_t i) const override { return elements_here(i); }

  void make_ways() override {
    rows_ = std::make_unique<rows_and_wholes>(this->ranks(), plan_, *shards_);
    std::vector<number_type> types;
    for (const stored_array& p : parameters_) types.push_back(p.type);
    parameters_as_ = this->wire_of(types);
    this->collecting_ = std::make_unique<collecting_rows<T>>(this->ranks(), plan_, *rows_, this->means_);
    this->distributing_ = std::make_unique<returning_rows>(this->ranks(), plan_, *rows_, *shards_, parameters_, parameters_as_);
    for (std::size_t i = 0; i < store.wholes.size(); ++i) store.wholes[i].extent = elements_here(i);
  }

  void take_parameters() override {
    this->or_end_all([this] {
      parcels rows(this->ranks(), plan_, rows_->to_owners, about::rows);
      for (std::size_t b = 0; b < plan_.buckets.size(); ++b) {
        rows.begin(b, parameters_as_, [&](const message& m, std::byte* to) {
          rows_->for_my_rows(m, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
            const stored_array& from = shards_->rows[i].values;
            std::memcpy(to + parameters_as_.bytes(m.begin, at), place_in(from, first), n * bytes_of(from.type));
          });
        });
        rows.take(b, [&](const message& m, const std::byte* from) {
          plan_.for_each_parameter(m.begin, m.end, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
            std::memcpy(place_in(parameters_[i], first), from + parameters_as_.bytes(m.begin, m.begin + at), n * bytes_of(parameters_[i].type));
          });
        });
      }
    });
  }

private:
  [[nodiscard]] std::size_t elements_here(std::size_t i) const { return rows_->here(i); }

  void give_parameters() {
    this->or_end_all([this] {
      this->distributing_->begin();
      for (std::size_t b = 0; b < plan_.buckets.size(); ++b) this->distributing_->begin(b);
      this->distributing_->finish();
    });
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
    post mail(this->comm(), about::new_rows);
    if (owner == this->me()) {
      whole.resize(store.parameters[i].size);
      compute(whole.data());
      for (int r = 0; r < plan_.ranks; ++r)
        if (r == owner) std::copy_n(whole.data() + rows_->first(i, r), rows_->elements(i, r), out);
        else mail.send(whole.data() + rows_->first(i, r), rows_->elements(i, r) * sizeof(T), r);
    } else {
      mail.receive(out, elements_here(i) * sizeof(T), owner);
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
