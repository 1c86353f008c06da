#include "../engine/transform_with_text.hpp"
#include "combinators.hpp"

#include <array>
#include <functional>
#include <optional>
#include <utility>

#include <thalweg/core/error.hpp>
#include <thalweg/core/combinators.hpp>
#include <thalweg/text/vocabulary.hpp>
#include <thalweg/transforms/join.hpp>
#include <thalweg/transforms/parallel.hpp>
#include <thalweg/transforms/piecewise.hpp>
#include <thalweg/transforms/schedule_weight_decay.hpp>

#include "../passes/recipes.hpp"
#include "vocabulary.hpp"
#include "calls.hpp"

namespace thalweg::text {

namespace {

[[noreturn]] void refuse(const call& w, std::string_view expected) {
  throw error("parse", "Expected for ", w.text, ": ", expected, ". Received ", in_quotes(to_text(w)), " at column ",
              w.column, ".");
}

/// A positional argument.
const pipe& plain(const call& w, std::size_t i, std::string_view expected) {
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
  const bool is = leaf && leaf->is.what == detail::kind::contextual && leaf->is.scalars == 0;
  return is ? std::move(leaf) : nullptr;
}

std::optional<long> count(const pipe& words) {
  const auto n = words.size() == 1 ? read_whole_number(words.front()) : std::nullopt;
  return n && *n >= 1 ? n : std::nullopt;
}

// ---- schedules ------------------------------------------------------------------------------------

struct any_schedule {
  shared_leaf what;
  [[nodiscard]] context at(const context& c) const { return what->at(c); }
};

/// `join(…)` and `piecewise(…)`: only the text determines their number of parts.
struct composed_schedule {
  std::string name, written;
  std::function<context(const context&)> ask;
  [[nodiscard]] std::string text() const { return written; }
  [[nodiscard]] context at(const context& c) const { return ask(c); }
};

shared_leaf composed(std::string name, std::string written, std::function<context(const context&)> ask) {
  return leaf_for<lowered_here>(composed_schedule{std::move(name), std::move(written), std::move(ask)});
}

shared_leaf make_join(const call& w, parse_links parse) {
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
    const call& share = words.front();
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

shared_leaf make_piecewise(const call& w, parse_links) {
  std::vector<thalweg::piecewise<1>> changes;
  std::string written;
  for (const argument& a : w.arguments) {
    if (!a.name.empty() || a.value.size() != 1 || a.value.front().text != "change")
      refuse_argument(w.text, in_words("change(", fields_in_words<change>(), "), …"), a);
    changes.push_back({{read_fields<change>(a.value.front())}});
    written += in_words(written.empty() ? "" : ", ", changes.back().changes[0]);
  }
  return composed("piecewise", written.empty() ? "piecewise" : in_words("piecewise(", written, ")"),
                  [changes](context c) {
                    for (const auto& change : changes) c = change.at(c);
                    return c;
                  });
}

shared_leaf make_schedule_weight_decay(const call& w, parse_links parse) {
  constexpr std::string_view expected = "one schedule without state";
  const shared_leaf moves = w.arguments.size() == 1 ? schedule(plain(w, 0, expected), parse) : nullptr;
  if (!moves) refuse(w, expected);
  const auto decay = thalweg::schedule_weight_decay(any_schedule{moves});
  return composed(w.text, call_text(w.text, moves->text()), [decay](const context& c) { return decay.at(c); });
}

// ---- scheduled ------------------------------------------------------------------------------------

/// What becomes a transform for each type of numbers by one function: `make(std::type_identity<T>, set)`.
template <class Make>
class made_leaf final : public leaf {
  std::string text_;
  Make make_;

public:
  made_leaf(std::string called, detail::traits traits, std::vector<moving_field> moving, std::string text, Make make)
      : text_(std::move(text)), make_(std::move(make)) {
    name = std::move(called);
    is = traits;
    fields = std::move(moving);
  }
  [[nodiscard]] std::string text() const override { return text_; }
  [[nodiscard]] context at(const context& c) const override {  // of a schedule, itself on a schedule
    const auto schedule = make_(std::type_identity<double>(), 0);
    std::vector<std::byte> memory(schedule.code->prepared_size);
    schedule.code->construct(memory.data());
    const context after = schedule.code->prepare(c, nullptr, memory.data());
    schedule.code->destroy(memory.data());
    return after;
  }
  [[nodiscard]] detail::any_transform<float> erased(std::type_identity<float> t, std::size_t set) const override {
    return make_(t, set);
  }
  [[nodiscard]] detail::any_transform<double> erased(std::type_identity<double> t, std::size_t set) const override {
    return make_(t, set);
  }
};

shared_leaf make_scheduled(const call& w, parse_links parse) {
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
    throw error("parse", "Expected a field of ", inner->name, " that a schedule may change: ",
                known.empty() ? "none" : known, ". Received ", in_quotes(to_text(w.arguments[0])), " at column ", w.arguments[0].column, ".");
  if (!detail::fields_may_move(inner->is))
    refuse_argument(w.text, "another transform: a schedule may not change the fields of one that gathers or skips steps, "
                            "or computes x from them", w.arguments[2]);
  std::string text = in_words("scheduled(", inner->fields[*field].name, ", ", moves->text(), ", ", inner->text(), ")");
  const auto make = [=, field = *field]<class T>(std::type_identity<T> type, std::size_t set) {
    return detail::make_scheduled<T>(inner->erased(type, set),
                                     {field, inner->fields[field].value,
                                      [moves](const context& c) { return moves->at(c); }, moves->is.reads_loss}, text);
  };
  detail::traits is = inner->is;
  is.reads_loss = is.reads_loss || moves->is.reads_loss;
  return std::make_shared<made_leaf<decltype(make)>>(inner->name, is, inner->fields, text, make);
}

// ---- stored ---------------------------------------------------------------------------------------

shared_leaf make_stored(const call& w, parse_links parse) {
  constexpr std::string_view expected = "same, float32, bfloat16 or eight_bits, then an element-wise transform that keeps arrays";
  if (w.arguments.size() != 2) refuse(w, expected);
  const pipe& how = plain(w, 0, expected);
  const auto type = how.size() == 1 ? read_value<state_in>(how.front(), {}) : std::nullopt;
  if (!type) refuse_argument(w.text, std::string(expected), w.arguments[0]);
  const shared_leaf inner = single(plain(w, 1, expected), parse);
  if (!inner || !detail::has_kernel(inner->is.what) || inner->is.arrays == 0)
    refuse_argument(w.text, std::string(expected), w.arguments[1]);
  const std::string text = call_text(w.text, *type, inner->text());
  const auto make = [=, type = *type]<class T>(std::type_identity<T> of, std::size_t set) {
    auto made = inner->erased(of, set);
    made.info = std::make_shared<detail::transform_with_text>(std::move(made.info), false, text);
    made.state = type;
    return made;
  };
  return std::make_shared<made_leaf<decltype(make)>>(inner->name, inner->is, inner->fields, text, make);
}

// ---- parallel -------------------------------------------------------------------------------------

struct merging {
  std::string_view name;
  std::size_t chains;  ///< required number of chains; 0 means any
};
constexpr std::array mergings{merging{"ensemble", 0}, merging{"grafting", 2}};

template <class T>
detail::merge<T> merge_of(const merging& how) {
  using branches = std::span<const tensor<const T>>;
  if (how.chains == 2)
    return {[](tensor<T> u, branches b) { grafting()(u, std::array{b[0], b[1]}); }};
  return {[](tensor<T> u, branches b) { ensemble()(u, b); }};
}

shared_leaf make_parallel(const call& w, parse_links parse) {
  constexpr std::string_view expected =
      "ensemble, or grafting with two chains; then chains, without a route, an end that writes the parameters, anything "
      "model-wise, accumulate, a scalar state or decay_weights; put decay_weights before or behind parallel";
  const pipe& how = plain(w, 0, expected);
  const auto* const merge = std::ranges::find(mergings, how.front().text, &merging::name);
  if (merge == mergings.end() && how.size() == 1) {
    std::vector<std::string> known;
    for (const auto& m : mergings) known.emplace_back(m.name);
    if (const std::string close = near(how.front().text, known); !close.empty())
      throw error("parse", "Expected for parallel: first ensemble or grafting. Received ", in_quotes(how.front().text),
                  " at column ", how.front().column, ".", close);
  }
  const std::size_t chains = w.arguments.size() - 1;
  if (how.size() != 1 || !how.front().arguments.empty() || merge == mergings.end() || chains == 0 ||
      (merge->chains && merge->chains != chains))
    refuse(w, expected);

  std::string text = in_words("parallel(", merge->name);
  std::vector<std::vector<shared_leaf>> branches;
  detail::traits is{.what = detail::kind::tensorwise};
  for (std::size_t i = 1; i <= chains; ++i) {
    const auto links = parse(plain(w, i, expected));
    const std::string written = to_text(links);
    text += in_words(", ", written.empty() ? "chain()" : written);
    branches.emplace_back();
    for (const node& n : links) {
      const auto* leaf = std::get_if<shared_leaf>(&n);
      if (!leaf || !detail::fits_a_branch((*leaf)->is)) refuse_argument(w.text, std::string(expected), w.arguments[i]);
      is.arrays += (*leaf)->is.arrays;
      branches.back().push_back(*leaf);
    }
  }
  text += ")";
  const auto make = [=]<class T>(std::type_identity<T> type, std::size_t set) {
    std::vector<std::vector<detail::any_transform<T>>> erased;
    for (const auto& branch : branches) {
      erased.emplace_back();
      for (const auto& leaf : branch) erased.back().push_back(leaf->erased(type, set));
    }
    return detail::make_parallel<T>(merge_of<T>(*merge), std::move(erased), text,
                                    {.set = set, .known = &passes::of_recipes<T>()});
  };
  static_cast<void>(make(std::type_identity<double>(), 0));  // only for its errors
  return std::make_shared<made_leaf<decltype(make)>>("parallel", is, std::vector<moving_field>(), text, make);
}

// ---- blocks ---------------------------------------------------------------------------------------

shared_leaf make_in_row_blocks(const call& w, parse_links parse) {
  constexpr std::string_view expected =
      "how many (in [1, inf), whole) and a tensor-wise transform of the update, without state";
  if (w.arguments.size() != 2) refuse(w, expected);
  const auto blocks = count(plain(w, 0, expected));
  if (!blocks) refuse_argument(w.text, std::string(expected), w.arguments[0]);
  const shared_leaf inner = single(plain(w, 1, expected), parse);
  if (!inner || inner->is.what != detail::kind::tensorwise || inner->is.arrays)
    refuse_argument(w.text, std::string(expected), w.arguments[1]);
  const auto make = [=, blocks = *blocks]<class T>(std::type_identity<T> type, std::size_t set) {
    return detail::make_row_blocks<T>(inner->erased(type, set), blocks);
  };
  return std::make_shared<made_leaf<decltype(make)>>(w.text, detail::traits{.what = detail::kind::tensorwise},
                                                     std::vector<moving_field>(),
                                                     call_text(w.text, in_words(*blocks), inner->text()), make);
}

struct named_combinator {
  std::string_view name;
  shared_leaf (*make)(const call&, parse_links);
};
constexpr std::array combinators{named_combinator{"in_row_blocks", &make_in_row_blocks}, named_combinator{"join", &make_join},
                                 named_combinator{"parallel", &make_parallel}, named_combinator{"piecewise", &make_piecewise},
                                 named_combinator{"schedule_weight_decay", &make_schedule_weight_decay},
                                 named_combinator{"scheduled", &make_scheduled}, named_combinator{"stored", &make_stored}};

const named_combinator* combinator_of(std::string_view name) {
  const auto at = std::ranges::find(combinators, name, &named_combinator::name);
  return at == combinators.end() ? nullptr : at;
}

}  // namespace

bool is_combinator(std::string_view name) { return combinator_of(name); }

std::vector<std::string> names_of_combinators() {
  std::vector<std::string> names;
  for (const auto& c : combinators) names.emplace_back(c.name);
  return names;
}

shared_leaf make_combinator(const call& w, parse_links parse) {
  if (w.arguments.empty() && w.text != "piecewise")
    throw error("parse", "Expected ", w.text, " with its arguments in brackets. Received none at column ", w.column, ".");
  return combinator_of(w.text)->make(w, parse);
}

}  // namespace thalweg::text
