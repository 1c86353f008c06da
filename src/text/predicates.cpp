#include "predicates.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include <thalweg/core/predicate.hpp>
#include <thalweg/text/vocabulary.hpp>

#include "vocabulary.hpp"
#include "calls.hpp"

namespace thalweg::text {

namespace {

using detail::quantifier;
using shared_predicate = std::shared_ptr<const predicate>;
using predicate_maker = std::function<shared_predicate(const call&)>;

template <class Predicate>
shared_predicate make(const call& w) {
  const auto p = read_fields<Predicate>(w);
  return std::make_shared<predicate>(predicate{text_of(p), p});
}

shared_predicate make_quantified(quantifier which, const call& w) {
  if (w.arguments.empty())
    throw error("parse", "Expected ", w.text, " with predicates in brackets. Received none at column ", w.column, ".");
  std::vector<shared_predicate> all;
  std::string written;
  for (const argument& a : w.arguments) {
    all.push_back(read_predicate(a));
    written += in_words(written.empty() ? "" : ", ", all.back()->name);
  }
  const auto is_true = [all, which](const parameter_info& p) {
    const auto count = std::ranges::count_if(all, [&](const auto& one) { return one->holds(p); });
    return detail::holds(which, static_cast<std::size_t>(count), all.size());
  };
  return std::make_shared<predicate>(predicate{call_text(w.text, written), is_true});
}

struct known_predicates {
  std::map<std::string, predicate_maker, std::less<>> makers;
  std::mutex mutex;  ///< the user may add some

  known_predicates() {
    [&]<class... Predicates>(type_list<Predicates...>) {
      (makers.emplace(name_of(detail::with_defaults<Predicates>()), &make<Predicates>), ...);
    }(all_predicates());
    for (const auto which : {quantifier::all_of, quantifier::any_of, quantifier::none_of})
      makers.emplace(to_text(which), [which](const call& w) { return make_quantified(which, w); });
  }
};

known_predicates& known() {
  static known_predicates all;
  return all;
}

predicate_maker maker_of(std::string_view name) {
  const std::scoped_lock lock(known().mutex);
  const auto at = known().makers.find(name);
  return at == known().makers.end() ? nullptr : at->second;
}

}  // namespace

bool is_predicate(std::string_view name) { return maker_of(name) != nullptr; }

shared_predicate read_predicate(const argument& a) {
  const bool is_one = a.name.empty() && a.value.size() == 1;
  if (const auto maker = is_one ? maker_of(a.value.front().text) : nullptr) return maker(a.value.front());
  std::vector<std::string> names;
  {
    const std::scoped_lock lock(known().mutex);
    for (const auto& [name, maker] : known().makers) names.push_back(name);
  }
  throw error("parse", "Expected a predicate: ", joined(names), ". Received ", in_quotes(to_text(a)), " at column ", a.column, ".",
              is_one ? near(a.value.front().text, names) : "");
}

}  // namespace thalweg::text

void thalweg::add_predicate(std::string name, std::function<bool(const parameter_info&)> holds) {
  text::check_name(name);
  if (!holds) throw error("parse", "Expected a predicate for '", name, "'. Received none.");
  const auto kept = std::make_shared<text::predicate>(text::predicate{name, std::move(holds)});
  const auto make = [kept](const text::call& w) {
    text::read_fields(w, {});
    return kept;
  };
  const std::scoped_lock lock(text::known().mutex);
  if (!text::known().makers.emplace(std::move(name), make).second)
    throw error("parse", "Expected a predicate with a new name. Received a second '", kept->name, "'.");
}
