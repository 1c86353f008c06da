// A rank that has some rows of each parameter, and the whole of those that it steps. Before a step the rows' gradients travel
// to the owners; after it the new rows travel back. Of a parameter with a view, each part has an owner of its own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <variant>
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

/// Where the elements of a part lie in the parameter that a view has divided: `lines` times `length` elements, `stride` apart.
struct place_of_part {
  std::size_t whole, begin, lines, length, stride;

  /// How many of them lie before an element of the whole.
  [[nodiscard]] std::size_t before(std::size_t element) const {
    if (element <= begin) return 0;
    const std::size_t line = (element - begin) / stride;
    return line < lines ? line * length + std::min((element - begin) % stride, length) : lines * length;
  }
};

template <class T>
place_of_part place_of(const thalweg::detail::bound_parameter<T>& p) {
  if (!p.lies_in) return {p.whole, p.offset, 1, p.size, p.size};
  const std::size_t width = bytes_of(p.values.type);
  return {p.whole, p.offset, p.lies_in->count, p.lies_in->length / width, p.lies_in->stride / width};
}

/// How the rows of all ranks travel to the owners of their parameters, and back. A rank's elements of a part follow each other
/// there: a part's elements stand in the order of the whole.
class rows_and_wholes {
  const plan& plan_;
  int me_;
  const sharded_parameters& shards_;
  std::vector<place_of_part> parts_;

  /// Where a rank's rows begin, of the parameter that the user has given.
  [[nodiscard]] std::size_t first_row(std::size_t whole, int rank) const {
    const auto& elements = shards_.rows[whole].elements;
    return std::accumulate(elements.begin(), elements.begin() + rank, std::size_t{0});
  }

public:
  std::vector<message> to_owners, to_rows;

  rows_and_wholes(const communicator& ranks, const plan& p, const sharded_parameters& shards, std::vector<place_of_part> parts)
      : plan_(p), me_(ranks.rank()), shards_(shards), parts_(std::move(parts)) {
    distribution by_rows;
    for (const std::size_t i : p.order)
      for (int r = 0; r < p.ranks; ++r)
        if (const std::size_t n = elements(i, r)) by_rows.push_back({p.begin[i] + first(i, r), p.begin[i] + first(i, r) + n, r});
    to_owners = messages(by_rows, p.by_owner);
    to_rows = messages(p.by_owner, by_rows);
  }
  /// How many elements of a part a rank has.
  [[nodiscard]] std::size_t elements(std::size_t i, int rank) const { return first(i, rank + 1) - first(i, rank); }
  [[nodiscard]] std::size_t here(std::size_t i) const { return elements(i, me_); }
  /// The first of them.
  [[nodiscard]] std::size_t first(std::size_t i, int rank) const { return parts_[i].before(first_row(parts_[i].whole, rank)); }
  /// This rank's rows of the parameter that a part is of.
  [[nodiscard]] const stored_array& rows_of(std::size_t i) const { return shards_.rows[parts_[i].whole].values; }
  /// f(begin, count, k) for elements [begin, begin + count) of these rows, which are n of this rank's elements of a part from
  /// number `from` on: that of number from + k, and those behind it that lie together.
  template <class F>
  void for_each_piece(std::size_t i, std::size_t from, std::size_t n, F f) const {
    const place_of_part& p = parts_[i];
    const std::size_t number = first(i, me_) + from, row = first_row(p.whole, me_);
    for (std::size_t k = 0; k < n;) {
      const std::size_t at = (number + k) % p.length, count = std::min(n - k, p.length - at);
      f(p.begin + (number + k) / p.length * p.stride + at - row, count, k);
      k += count;
    }
  }
  [[nodiscard]] bool lies_together(std::size_t i) const {
    std::size_t pieces = 0;
    for_each_piece(i, 0, here(i), [&](std::size_t, std::size_t, std::size_t) { ++pieces; });
    return pieces <= 1;
  }
  /// This rank's elements [from, from + n) of a part, one behind the other, out of its rows or into them.
  void copy_out(const stored_array& rows, std::size_t i, std::size_t from, std::size_t n, std::byte* to) const {
    const std::size_t width = bytes_of(rows.type);
    for_each_piece(i, from, n, [&](std::size_t begin, std::size_t count, std::size_t k) {
      std::memcpy(to + k * width, place_in(rows, begin), count * width);
    });
  }
  void copy_in(const std::byte* from_bytes, const stored_array& rows, std::size_t i, std::size_t from, std::size_t n) const {
    const std::size_t width = bytes_of(rows.type);
    for_each_piece(i, from, n, [&](std::size_t begin, std::size_t count, std::size_t k) {
      std::memcpy(place_in(rows, begin), from_bytes + k * width, count * width);
    });
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
  std::span<const stored_array> wholes_;
  const wire& as_;
  parcels parcels_;
  std::size_t begun_ = 0, taken_ = 0;

  void take() {
    parcels_.take(taken_++, [&](const message& m, const std::byte* from) {
      rows_.for_my_rows(m, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
        rows_.copy_in(from + as_.bytes(m.begin, at), rows_.rows_of(i), i, first, n);
      });
    });
  }

public:
  /// `as`: parameters as they are stored.
  returning_rows(const communicator& ranks, const plan& p, const rows_and_wholes& rows, std::span<const stored_array> wholes, const wire& as)
      : plan_(p), rows_(rows), wholes_(wholes), as_(as), parcels_(ranks, p, rows.to_rows, about::new_rows) {}

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
  std::vector<place_of_part> parts_;               ///< until `rows_` has them
  std::unique_ptr<rows_and_wholes> rows_;
  wire parameters_as_;
  std::vector<std::vector<std::byte>> y_;          ///< the rows of averaged parameters, while they hold x
  std::vector<stored_array> here_;                 ///< the gradients of a step, by part
  std::vector<std::vector<T>> copies_;             ///< of those that do not lie together in the rows
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

  /// Before the rest is bound: a part lies together here, and is found in the rows by `rows_`.
  void bind(const options& o) override {
    std::vector<place_of_part> parts;
    for (auto& p : store.parameters) {
      parts.push_back(place_of(p));
      p.lies_in.reset();
      p.offset = 0;
    }
    parts_ = std::move(parts);
    base::bind(o);
  }

  /// Gradients come as the rows lie.
  std::span<const stored_array> mean(std::span<const stored_array> own, step_inputs& inputs) override {
    for (std::size_t i = 0; i < own.size(); ++i) {
      here_[i] = own[i];
      if (!own[i].data) continue;
      if (copies_[i].empty()) {
        rows_->for_each_piece(i, 0, elements_here(i), [&](std::size_t begin, std::size_t, std::size_t) { here_[i].data = place_in(own[i], begin); });
      } else {
        here_[i].data = copies_[i].data();
        rows_->copy_out(own[i], i, 0, elements_here(i), static_cast<std::byte*>(here_[i].data));
      }
    }
    return base::mean(here_, inputs);
  }

  // What is computed goes to `out`, this rank's rows of the parameter that the user has given; for a checkpoint, to `out` itself.
  void copy_parameter(std::size_t i, T* out) const override {
    const auto& p = store.parameters[i];
    if (!is_saving_ && (!p.values.rest || (store.at_evaluation_point && p.averaged)))
      return rows_->for_each_piece(i, 0, elements_here(i), [&](std::size_t begin, std::size_t n, std::size_t) {
        read_values(rows_->rows_of(i), begin, n, out + begin);
      });
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
    this->or_end_all([&] {
      std::vector<std::vector<std::byte>> y_here(store.parameters.size()), y(store.parameters.size());
      std::vector<T> x, whole;
      for (std::size_t i = 0; i < y.size(); ++i) {
        const auto& p = store.parameters[i];
        if (!p.averaged) continue;
        const stored_array& rows = rows_->rows_of(i);
        y_here[i].resize(elements_here(i) * bytes_of(rows.type));
        rows_->copy_out(rows, i, 0, elements_here(i), y_here[i].data());
        whole.resize(this->is_here(i) ? p.size : 0);
        {
          const saving now(is_saving_);
          average_into(i, whole.data());
        }
        rows_of_owner(i, x, [&](T* to) { std::ranges::copy(whole, to); });
        rows_->for_each_piece(i, 0, x.size(), [&](std::size_t begin, std::size_t n, std::size_t k) { write_values(x.data() + k, rows, begin, n); });
        if (!this->is_here(i)) continue;
        const auto* const bytes = static_cast<const std::byte*>(parameters_[i].data);
        y[i].assign(bytes, bytes + p.bytes());
        write_values(whole.data(), parameters_[i], 0, p.size);
      }
      y_ = std::move(y_here);
      store.held_back = std::move(y);
    });
    store.at_evaluation_point = true;
  }
  void put_back() noexcept override {
    for (std::size_t i = 0; i < y_.size(); ++i)
      if (!y_[i].empty()) rows_->copy_in(y_[i].data(), rows_->rows_of(i), i, 0, elements_here(i));
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
    rows_ = std::make_unique<rows_and_wholes>(this->ranks(), plan_, *shards_, std::move(parts_));
    here_.resize(store.parameters.size());
    copies_.resize(here_.size());
    for (std::size_t i = 0; i < here_.size(); ++i)
      if (!rows_->lies_together(i)) copies_[i].resize(elements_here(i));
    std::vector<number_type> types;
    for (const stored_array& p : parameters_) types.push_back(p.type);
    parameters_as_ = this->wire_of(types);
    this->collecting_ = std::make_unique<collecting_rows<T>>(this->ranks(), plan_, *rows_, this->means_);
    this->distributing_ = std::make_unique<returning_rows>(this->ranks(), plan_, *rows_, parameters_, parameters_as_);
    for (std::size_t w = 0; w < store.wholes.size(); ++w) store.wholes[w].extent = shards_->rows[w].elements[static_cast<std::size_t>(this->me())];
  }

  void take_parameters() override {
    this->or_end_all([this] {
      parcels rows(this->ranks(), plan_, rows_->to_owners, about::rows);
      for (std::size_t b = 0; b < plan_.buckets.size(); ++b) {
        rows.begin(b, parameters_as_, [&](const message& m, std::byte* to) {
          rows_->for_my_rows(m, [&](std::size_t i, std::size_t first, std::size_t n, std::size_t at) {
            rows_->copy_out(rows_->rows_of(i), i, first, n, to + parameters_as_.bytes(m.begin, at));
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
      if (is_saving_) {
        if (this->is_here(i)) compute(out);
        return;
      }
      std::vector<T> own;
      rows_of_owner(i, own, compute);
      rows_->for_each_piece(i, 0, own.size(), [&](std::size_t begin, std::size_t n, std::size_t k) { std::copy_n(own.data() + k, n, out + begin); });
    });
  }
  /// This rank's elements of what `compute(whole)` makes on the owner.
  template <class F>
  void rows_of_owner(std::size_t i, std::vector<T>& own, F compute) const {
    const int owner = plan_.owner[i];
    std::vector<T> whole;
    post mail(this->comm(), about::new_rows);
    own.resize(elements_here(i));
    if (owner == this->me()) {
      whole.resize(store.parameters[i].size);
      compute(whole.data());
      for (int r = 0; r < plan_.ranks; ++r)
        if (r == owner) std::copy_n(whole.data() + rows_->first(i, r), own.size(), own.data());
        else mail.send(whole.data() + rows_->first(i, r), rows_->elements(i, r) * sizeof(T), r);
    } else {
      mail.receive(own.data(), own.size() * sizeof(T), owner);
    }
    mail.wait();
  }
};

/// The whole parameters that rows belong to. All ranks call it.
template <class T>
std::vector<parameter<T>> whole_parameters(const communicator& ranks, std::vector<parameter<T>> given, sharded_parameters& shards) {
  ranks.compare({in_words(given.size(), " parameters with rows on every rank")});
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
    if (p.shape.empty() || p.order == storage_order::column_major)
      throw error("mpi", "Expected row-major parameters with rows, for sharded rows. Received ", in_quotes(p.name), " with shape ", p.shape, ".");
    for (const view::part& one : p.view.parts())
      if (const auto* const stack = std::get_if<view::stack>(&one); stack && stack->stride)
        throw error("mpi", "Expected a stack without a stride, for sharded rows. Received ", in_quotes(p.name), " with shape ", p.shape,
                    " and a stride of ", *stack->stride, ".");
    if (!p.data.data() && element_count(p.shape) > 0)
      throw error("mpi", "Expected memory for the rows of every parameter. Received null for ", in_quotes(p.name), ".");
  }
}

}  // namespace thalweg::mpi::detail
