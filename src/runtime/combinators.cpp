#include "combinators.hpp"

#include <array>
#include <functional>
#include <optional>
#include <utility>

#include <thalweg/core/error.hpp>
#include <thalweg/runtime/vocabulary.hpp>
#include <thalweg/transforms/join.hpp>
#include <thalweg/transforms/parallel.hpp>
#include <thalweg/transforms/piecewise.hpp>
#include <thalweg/transforms/schedule_weight_decay.hpp>

#include "path.hpp"
#include "vocabulary.hpp"
#include "words.hpp"

namespace thalweg::runtime::detail {

namespace {

[[noreturn]] void refuse(const word& w, std::string_view expected) {
  throw error("parse", "Expected for ", w.text, ": ", expected, ". Received ", quoted(to_text(w)), " at column ",
              w.column, ".");
}

/// A positional argument.
const pipe& plain(const word& w, std::size_t i, std::string_view expected) {
  if (i >= w.arguments.size() || !w.arguments[i].name.empty()) refuse(w, expected);
  return w.arguments[i].value;
}

/// The one transform that a pipe is, if it is one.
shared_leaf single(const pipe& words, parse_links parse) {
  const auto links = parse(words);
  const auto* leaf = links.size() == 1 ? std::get_if<shared_leaf>(&links.front()) : nullptr;
  return leaf ? *leaf : nullptr;
}
shared_leaf schedule(const pipe& words, parse_links parse) {
  shared_leaf leaf = single(words, parse);
  const bool is = leaf && leaf->is.what == kind::contextual && leaf->is.scalars == 0;
  return is ? std::move(leaf) : nullptr;
}

std::optional<long> count(const pipe& words) {
  const auto n = words.size() == 1 ? read_whole_number(words.front()) : std::nullopt;
  return n && *n >= 1 ? n : std::nullopt;
}

// What combinators hold needs no passes of its own.
struct no_passes {
  static thalweg::detail::fused_passes in(std::size_t) { return {}; }
};

// ---- schedules ------------------------------------------------------------------------------------

struct any_schedule {
  shared_leaf what;
  [[nodiscard]] context at(const context& c) const { return what->at(c); }
};

/// `join(…)` and `piecewise(…)`, whose number of parts their types do not tell.
struct composed_schedule {
  std::string name, written;
  std::function<context(const context&)> ask;
  [[nodiscard]] std::string text() const { return written; }
  [[nodiscard]] context at(const context& c) const { return ask(c); }
};

shared_leaf composed(std::string name, std::string written, std::function<context(const context&)> ask) {
  return std::make_shared<wrapped<composed_schedule, no_passes>>(
      composed_schedule{std::move(name), std::move(written), std::move(ask)});
}

shared_leaf make_join(const word& w, parse_links parse) {
  constexpr std::string_view expected = "for_steps(n, schedule), …, schedule, with steps in [1, inf)";
  const auto part = [&](std::size_t i, const pipe& words) {
    shared_leaf s = schedule(words, parse);
    if (!s) refuse_argument(w.text, std::string(expected), w.arguments[i]);
    return s;
  };
  // From the last to the first: join(a, b, c) is a, and then join(b, c), as if training began there.
  const std::size_t last = w.arguments.size() - 1;
  plain(w, last, expected);
  shared_leaf behind = part(last, w.arguments[last].value);
  std::string written = in_words(behind->text(), ")");
  for (std::size_t i = last; i-- > 0;) {
    const pipe& words = plain(w, i, expected);
    const word& share = words.front();
    const bool fits = words.size() == 1 && share.text == "for_steps" && share.arguments.size() == 2 &&
                      share.arguments[0].name.empty() && share.arguments[1].name.empty();
    const auto steps = fits ? count(share.arguments[0].value) : std::nullopt;
    if (!steps) refuse_argument(w.text, std::string(expected), w.arguments[i]);
    const any_schedule first{part(i, share.arguments[1].value)};
    written = in_words("for_steps(", *steps, ", ", first.what->text(), "), ", written);
    behind = composed("join", in_words("join(", written),
                      [joined = thalweg::join(for_steps(*steps, first), any_schedule{behind})](const context& c) {
                        return joined.at(c);
                      });
  }
  if (last == 0)
    behind = composed("join", in_words("join(", written), [behind](const context& c) { return behind->at(c); });
  return behind;
}

shared_leaf make_piecewise(const word& w, parse_links) {
  std::vector<thalweg::piecewise<1>> changes;
  std::string written;
  for (const argument& a : w.arguments) {
    if (!a.name.empty() || a.value.size() != 1 || a.value.front().text != "change")
      refuse_argument(w.text, in_words("change(", expected_fields<change>(), "), …"), a);
    changes.push_back({{read_fields<change>(a.value.front())}});
    written += in_words(written.empty() ? "" : ", ", changes.back().changes[0]);
  }
  return composed("piecewise", written.empty() ? "piecewise" : in_words("piecewise(", written, ")"),
                  [changes](context c) {
                    for (const auto& change : changes) c = change.at(c);
                    return c;
                  });
}

shared_leaf make_schedule_weight_decay(const word& w, parse_links parse) {
  constexpr std::string_view expected = "one schedule without state";
  const shared_leaf moves = w.arguments.size() == 1 ? schedule(plain(w, 0, expected), parse) : nullptr;
  if (!moves) refuse(w, expected);
  const auto decay = thalweg::schedule_weight_decay(any_schedule{moves});
  return composed(w.text, call_text(w.text, moves->text()), [decay](const context& c) { return decay.at(c); });
}

// ---- scheduled ------------------------------------------------------------------------------------

/// What stands for another transform and asks it.
class standing_for : public leaf {
protected:
  shared_leaf inner_;

public:
  explicit standing_for(shared_leaf inner) : leaf(*inner), inner_(std::move(inner)) {}
  void check(const parameter_info& p) const override { inner_->check(p); }
  void check(std::type_identity<float> t) const override { inner_->check(t); }
  void check(std::type_identity<double> t) const override { inner_->check(t); }
  [[nodiscard]] std::vector<std::size_t> shape(std::size_t array, const parameter_info& p) const override {
    return inner_->shape(array, p);
  }
  [[nodiscard]] std::size_t scratch(const parameter_info& p) const override { return inner_->scratch(p); }
  [[nodiscard]] std::string computed_by() const override { return inner_->computed_by(); }
  [[nodiscard]] double initial(std::size_t scalar) const override { return inner_->initial(scalar); }
  void fill(std::size_t array, std::span<float> values, const float* parameter) const override {
    inner_->fill(array, values, parameter);
  }
  void fill(std::size_t array, std::span<double> values, const double* parameter) const override {
    inner_->fill(array, values, parameter);
  }
  [[nodiscard]] bool proceeds(double sum) const override { return inner_->proceeds(sum); }
  [[nodiscard]] bool opens(long call) const override { return inner_->opens(call); }
  [[nodiscard]] shared_leaf in_row_blocks(long) const override { return nullptr; }
  [[nodiscard]] bool may_throw(std::type_identity<float> t) const override { return inner_->may_throw(t); }
  [[nodiscard]] bool may_throw(std::type_identity<double> t) const override { return inner_->may_throw(t); }
};

template <class T>
class scheduled_place final : public place<T> {
  std::unique_ptr<place<T>> inner_;
  shared_leaf schedule_;
  std::size_t field_;
  double value_;

public:
  scheduled_place(std::unique_ptr<place<T>> inner, shared_leaf schedule, std::size_t field, double value)
      : inner_(std::move(inner)), schedule_(std::move(schedule)), field_(field), value_(value) {}

  context prepare(const context& c, double* scalars) override {
    context of_value = c;
    of_value.lr = value_;
    inner_->change(field_, schedule_->at(of_value).lr);
    return inner_->prepare(c, scalars);
  }
  void change(std::size_t field, double value) override { inner_->change(field, value); }
  void run(std::size_t n, const arrays<T>& a, const double* sums) const noexcept override { inner_->run(n, a, sums); }
  void absorb(long call, std::size_t n, const arrays<T>& a) const override { inner_->absorb(call, n, a); }
  void average(const double* scalars, std::size_t n, const arrays<T>& a) const override {
    inner_->average(scalars, n, a);
  }
  void reduce(std::size_t n, const T* update, const T* gradient, const T* parameter, double* sums) const override {
    inner_->reduce(n, update, gradient, parameter, sums);
  }
  void apply(const whole<T>& given, std::span<T> scratch, T* const* states,
             const std::vector<std::size_t>* state_shapes) const override {
    inner_->apply(given, scratch, states, state_shapes);
  }
};

class scheduled_leaf final : public standing_for {
  shared_leaf schedule_;
  std::size_t field_;

  template <class T>
  [[nodiscard]] std::unique_ptr<place<T>> put_among(std::size_t set) const {
    return std::make_unique<scheduled_place<T>>(inner_->put(std::type_identity<T>(), set), schedule_, field_,
                                                fields[field_].value);
  }

public:
  scheduled_leaf(shared_leaf inner, shared_leaf schedule, std::size_t field)
      : standing_for(std::move(inner)), schedule_(std::move(schedule)), field_(field) {}
  [[nodiscard]] std::string text() const override {
    return in_words("scheduled(", fields[field_].name, ", ", schedule_->text(), ", ", inner_->text(), ")");
  }
  [[nodiscard]] context at(const context& c) const override {  // of a schedule, itself on a schedule
    return put_among<double>(0)->prepare(c, nullptr);
  }
  [[nodiscard]] std::unique_ptr<place<float>> put(std::type_identity<float>, std::size_t set) const override {
    return put_among<float>(set);
  }
  [[nodiscard]] std::unique_ptr<place<double>> put(std::type_identity<double>, std::size_t set) const override {
    return put_among<double>(set);
  }
};

shared_leaf make_scheduled(const word& w, parse_links parse) {
  constexpr std::string_view expected = "a field, a schedule without state, the transform that has the field";
  if (w.arguments.size() != 3) refuse(w, expected);
  const pipe& place = plain(w, 0, expected);
  const shared_leaf moves = schedule(plain(w, 1, expected), parse);
  if (!moves) refuse_argument(w.text, std::string(expected), w.arguments[1]);
  const shared_leaf inner = single(plain(w, 2, expected), parse);
  if (!inner) refuse_argument(w.text, std::string(expected), w.arguments[2]);

  std::string known;
  std::optional<std::size_t> field;
  for (std::size_t i = 0; i < inner->fields.size(); ++i) {
    const moving_field& f = inner->fields[i];
    if (!f.moves) continue;
    known += in_words(known.empty() ? "" : ", ", f.name);
    if (place.size() == 1 && place.front().arguments.empty() && place.front().text == f.name) field = i;
  }
  if (!field)
    throw error("parse", "Expected a field of ", inner->name, " that a schedule may move: ",
                known.empty() ? "none" : known, ". Received ", quoted(to_text(w.arguments[0])), " at column ", w.arguments[0].column, ".");
  if (inner->is.swallows)
    refuse_argument(w.text, "another transform: the fields of what swallows steps (accumulate) may not move",
                    w.arguments[2]);
  if (inner->is.averages && inner->is.scalars == 0)
    refuse_argument(w.text, "another transform: this one recovers x by its fields, which therefore may not move",
                    w.arguments[2]);
  return std::make_shared<scheduled_leaf>(inner, moves, *field);
}

// ---- parallel -------------------------------------------------------------------------------------

constexpr std::size_t most_chains = 16, most_sums = 64;

struct merge {
  std::string_view name;
  std::size_t chains;  ///< that it wants, 0 for any number
};
constexpr std::array merges{merge{"ensemble", 0}, merge{"grafting", 2}};

/// The chains of a `parallel`, laid out.
struct side_by_side {
  const merge* how;
  std::vector<shared_leaf> leaves;  ///< of all, one after the other, and the end of a chain
  std::vector<path> chains;
  std::vector<std::size_t> first_array;  ///< by chain
};

template <class T>
class parallel_place final : public place<T> {
  std::shared_ptr<const side_by_side> what_;
  std::vector<places<T>> at_;  ///< by chain

public:
  parallel_place(std::shared_ptr<const side_by_side> what, std::size_t set) : what_(std::move(what)) {
    for (const path& p : what_->chains) {
      places<T> at;
      for (const std::size_t l : p.leaf) at.push_back(what_->leaves[l]->put(std::type_identity<T>(), set));
      at_.push_back(std::move(at));
    }
  }

  context prepare(const context& seen, double*) override {
    for (const auto& chain : at_) {
      context c = seen;
      for (const auto& place : chain) c = place->prepare(c, nullptr);
    }
    return seen;
  }

  void apply(const whole<T>& given, std::span<T> scratch, T* const* states,
             const std::vector<std::size_t>* state_shapes) const override {
    const std::size_t n = given.update.size(), room = thalweg::detail::padded<float>(n), chains = at_.size();
    std::array<tensor<const T>, most_chains> results;
    for (std::size_t i = 0; i < chains; ++i) {
      T* const update = scratch.data() + i * room;
      std::copy_n(given.update.data, n, update);
      results[i] = {update, given.update.shape, given.update.order, given.update.name};
      // The parameter is only read: a branch has no end that writes it.
      const traveller<T> t{given.parameter, const_cast<T*>(given.parameter.data), states + what_->first_array[i],
                           state_shapes + what_->first_array[i], given.gradient.data, update, nullptr,
                           scratch.subspan(chains * room)};
      std::array<double, most_sums> sums{};
      const path& p = what_->chains[i];
      for (std::size_t s = 0; s < p.stages.size(); ++s) run_stage(p, at_[i], s, t, sums.data(), 0, n);
    }
    if (what_->how->chains == 2) thalweg::grafting()(given.update, std::array{results[0], results[1]});
    else thalweg::ensemble()(given.update, std::span(results).first(chains));
  }

  void change(std::size_t, double) override {}
  void run(std::size_t, const arrays<T>&, const double*) const noexcept override {}
  void absorb(long, std::size_t, const arrays<T>&) const override {}
  void average(const double*, std::size_t, const arrays<T>&) const override {}
  void reduce(std::size_t, const T*, const T*, const T*, double*) const override {}
};

class parallel_leaf final : public leaf {
  std::shared_ptr<const side_by_side> what_;
  std::string text_;
  std::vector<std::pair<const leaf*, std::size_t>> owners_;  ///< of the arrays

public:
  parallel_leaf(std::shared_ptr<const side_by_side> what, std::string text)
      : what_(std::move(what)), text_(std::move(text)) {
    name = "parallel";
    is = {.what = kind::tensorwise};
    for (std::size_t l = 0; l + 1 < what_->leaves.size(); ++l) {
      const leaf& inside = *what_->leaves[l];
      for (std::size_t i = 0; i < inside.slots.size(); ++i) {
        slots.push_back({in_words(l + 1, ".", inside.name, ".", inside.slots[i].name), slot_kind::array,
                         inside.slots[i].of_its_shape});
        owners_.emplace_back(&inside, i);
      }
      is.arrays += inside.is.arrays;
      is.reads_loss |= inside.is.reads_loss;
    }
  }

  [[nodiscard]] std::string text() const override { return text_; }
  void check(const parameter_info& p) const override {
    for (const auto& l : what_->leaves) l->check(p);
  }
  void check(std::type_identity<float> t) const override {
    for (const auto& l : what_->leaves) l->check(t);
  }
  void check(std::type_identity<double> t) const override {
    for (const auto& l : what_->leaves) l->check(t);
  }
  [[nodiscard]] std::string computed_by() const override {
    std::string text;
    for (const auto& l : what_->leaves)
      if (const std::string by = l->computed_by(); !by.empty())
        text += in_words(text.empty() ? "" : ", ", l->name, " by ", by);
    return text;
  }
  [[nodiscard]] std::vector<std::size_t> shape(std::size_t array, const parameter_info& p) const override {
    return owners_[array].first->shape(owners_[array].second, p);
  }
  [[nodiscard]] std::size_t scratch(const parameter_info& p) const override {
    std::size_t most = 0;
    for (const auto& l : what_->leaves) most = std::max(most, l->scratch(p));
    return what_->chains.size() * thalweg::detail::padded<float>(p.size()) + most;
  }
  [[nodiscard]] double initial(std::size_t) const override { return 0; }
  void fill(std::size_t array, std::span<float> values, const float* parameter) const override {
    owners_[array].first->fill(owners_[array].second, values, parameter);
  }
  void fill(std::size_t array, std::span<double> values, const double* parameter) const override {
    owners_[array].first->fill(owners_[array].second, values, parameter);
  }
  [[nodiscard]] bool proceeds(double) const override { return true; }
  [[nodiscard]] bool opens(long) const override { return true; }
  [[nodiscard]] context at(const context& c) const override { return c; }
  [[nodiscard]] shared_leaf in_row_blocks(long) const override { return nullptr; }
  [[nodiscard]] bool may_throw(std::type_identity<float> t) const override {
    return std::ranges::any_of(what_->leaves, [t](const auto& l) { return l->may_throw(t); });
  }
  [[nodiscard]] bool may_throw(std::type_identity<double> t) const override {
    return std::ranges::any_of(what_->leaves, [t](const auto& l) { return l->may_throw(t); });
  }
  [[nodiscard]] std::unique_ptr<place<float>> put(std::type_identity<float>, std::size_t set) const override {
    return std::make_unique<parallel_place<float>>(what_, set);
  }
  [[nodiscard]] std::unique_ptr<place<double>> put(std::type_identity<double>, std::size_t set) const override {
    return std::make_unique<parallel_place<double>>(what_, set);
  }
};

shared_leaf make_parallel(const word& w, parse_links parse) {
  constexpr std::string_view expected =
      "ensemble, or grafting with two chains; then chains, without a route, an end that writes the parameters, anything "
      "model-wise, accumulate, a scalar state or decay_weights, which stands before or behind it";
  const pipe& how = plain(w, 0, expected);
  const auto merge = std::ranges::find(merges, how.front().text, &merge::name);
  if (merge == merges.end() && how.size() == 1) {
    std::vector<std::string> known;
    for (const auto& m : merges) known.emplace_back(m.name);
    if (const std::string close = near(how.front().text, known); !close.empty())
      throw error("parse", "Expected for parallel: first ensemble or grafting. Received ", quoted(how.front().text),
                  " at column ", how.front().column, ".", close);
  }
  const std::size_t chains = w.arguments.size() - 1;
  if (how.size() != 1 || !how.front().arguments.empty() || merge == merges.end() || chains == 0 ||
      (merge->chains && merge->chains != chains))
    refuse(w, expected);
  if (chains > most_chains) refuse(w, in_words("at most ", most_chains, " chains"));

  auto all = std::make_shared<side_by_side>();
  all->how = &*merge;
  std::string text = in_words("parallel(", merge->name);
  std::vector<std::vector<std::size_t>> ways;
  std::size_t arrays = 0;
  for (std::size_t i = 1; i <= chains; ++i) {
    const auto links = parse(plain(w, i, expected));
    const std::string written = to_text(links);
    text += in_words(", ", written.empty() ? "chain()" : written);
    ways.emplace_back();
    all->first_array.push_back(arrays);
    for (const node& n : links) {
      const auto* leaf = std::get_if<shared_leaf>(&n);
      const bool fits = leaf && (*leaf)->is.what != kind::modelwise && !(*leaf)->is.writes && !(*leaf)->is.swallows &&
                        (*leaf)->is.scalars == 0 && !(*leaf)->is.passes_on;
      if (!fits) refuse_argument(w.text, std::string(expected), w.arguments[i]);
      arrays += (*leaf)->is.arrays;
      ways.back().push_back(all->leaves.size());
      all->leaves.push_back(*leaf);
    }
  }
  std::vector<std::size_t> first_sum{0};
  for (const auto& l : all->leaves) first_sum.push_back(first_sum.back() + l->is.sums);
  if (first_sum.back() > most_sums) refuse(w, "fewer transforms that sum over a parameter");

  using end = thalweg::detail::end_of_branch;
  all->leaves.push_back(std::make_shared<wrapped<end, no_passes>>(end()));
  for (auto& way : ways) {
    way.push_back(all->leaves.size() - 1);
    all->chains.emplace_back(all->leaves, std::move(way), first_sum, true);
  }
  return std::make_shared<parallel_leaf>(std::move(all), text + ")");
}

// ---- blocks ---------------------------------------------------------------------------------------

shared_leaf make_in_row_blocks(const word& w, parse_links parse) {
  constexpr std::string_view expected =
      "how many (in [1, inf), whole) and a tensor-wise transform of the update, without state";
  if (w.arguments.size() != 2) refuse(w, expected);
  const auto blocks = count(plain(w, 0, expected));
  if (!blocks) refuse_argument(w.text, std::string(expected), w.arguments[0]);
  const shared_leaf inner = single(plain(w, 1, expected), parse);
  shared_leaf blocked = inner ? inner->in_row_blocks(*blocks) : nullptr;
  if (!blocked) refuse_argument(w.text, std::string(expected), w.arguments[1]);
  return blocked;
}

struct combinator {
  std::string_view name;
  shared_leaf (*make)(const word&, parse_links);
};
constexpr std::array combinators{combinator{"in_row_blocks", &make_in_row_blocks}, combinator{"join", &make_join},
                                 combinator{"parallel", &make_parallel}, combinator{"piecewise", &make_piecewise},
                                 combinator{"schedule_weight_decay", &make_schedule_weight_decay},
                                 combinator{"scheduled", &make_scheduled}};

const combinator* find(std::string_view name) {
  const auto at = std::ranges::find(combinators, name, &combinator::name);
  return at == combinators.end() ? nullptr : at;
}

}  // namespace

bool is_combinator(std::string_view name) { return find(name); }

std::vector<std::string> names_of_combinators() {
  std::vector<std::string> names;
  for (const auto& c : combinators) names.emplace_back(c.name);
  return names;
}

shared_leaf make_combinator(const word& w, parse_links parse) {
  if (w.arguments.empty() && w.text != "piecewise")
    throw error("parse", "Expected ", w.text, " with what it holds in brackets. Received none at column ", w.column, ".");
  return find(w.text)->make(w, parse);
}

}  // namespace thalweg::runtime::detail
