// Predicates: which parameters go to a branch of a route. They have the same names in C++ and in text.
//
//     route(when(name_matches{"*.bias"}, freeze{}),
//           when(all_of(hidden_matrix, has_at_least{.rows = 64, .cols = 64}), nesterov_ema{} | orthogonalize_update{}),
//           otherwise(scale_by_adam{}))
//
// A function of your own, `bool(const parameter_info&)`, is a predicate too.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <thalweg/core/field.hpp>
#include <thalweg/core/parameter.hpp>
#include <thalweg/core/text.hpp>
#include <thalweg/core/type_list.hpp>

namespace thalweg {

/// A hidden matrix or filter, which Muon trains: not an embedding, not the head, not a vector.
struct is_hidden_matrix {
  static constexpr std::string_view name = "hidden_matrix";
  constexpr bool operator()(const parameter_info& p) const { return p.role == role::hidden && p.shape.size() >= 2; }
};
inline constexpr is_hidden_matrix hidden_matrix;

/// By the role of the parameter: `route(when(is_embedding, freeze{}), otherwise(…))`.
struct embedding_role {
  static constexpr std::string_view name = "is_embedding";
  constexpr bool operator()(const parameter_info& p) const { return p.role == role::embedding; }
};
inline constexpr embedding_role is_embedding;

struct head_role {
  static constexpr std::string_view name = "is_head";
  constexpr bool operator()(const parameter_info& p) const { return p.role == role::head; }
};
inline constexpr head_role is_head;

/// Rank below 2, for any role: biases, gains, scalars.
struct vector_shape {
  static constexpr std::string_view name = "is_vector";
  constexpr bool operator()(const parameter_info& p) const { return p.shape.size() < 2; }
};
inline constexpr vector_shape is_vector;

/// By the whole name. `*` matches any number of characters, also none; `?` matches one character.
struct name_matches {
  required<std::string> pattern;
  static constexpr auto fields = list{field{"pattern", &name_matches::pattern}};

  bool operator()(const parameter_info& p) const { return matches(p.name, static_cast<const std::string&>(pattern)); }

  static constexpr bool matches(std::string_view name, std::string_view pattern) {
    constexpr std::size_t none = std::string_view::npos;
    std::size_t at = 0, in_pattern = 0, star = none, behind_star = 0;  // what the latest `*` stands for ends before behind_star
    while (at < name.size()) {
      if (in_pattern < pattern.size() && pattern[in_pattern] == '*') {
        star = in_pattern++;
        behind_star = at;
      } else if (in_pattern < pattern.size() && pattern[in_pattern] == '?') {
        ++in_pattern;
        at = next_character(name, at);
      } else if (in_pattern < pattern.size() && pattern[in_pattern] == name[at]) {
        ++in_pattern, ++at;
      } else if (star != none) {
        in_pattern = star + 1;
        at = behind_star = next_character(name, behind_star);
      } else {
        return false;
      }
    }
    return pattern.find_first_not_of('*', in_pattern) == none;
  }

private:
  static constexpr std::size_t next_character(std::string_view text, std::size_t at) {  // of UTF-8
    do ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
    return at;
  }
};

/// By the number of dimensions: 4 for the filters of a convolution over images.
struct has_rank {
  required<long> rank;
  static constexpr auto fields = list{field{"rank", &has_rank::rank, from(0)}};

  constexpr bool operator()(const parameter_info& p) const { return p.shape.size() == static_cast<std::size_t>(rank); }
};

/// By the sides. The rows of a filter are its first dimension, its columns the product of the others; a vector has one.
struct has_at_least {
  long rows = 1;
  long cols = 1;
  static constexpr auto fields =
      list{field{"rows", &has_at_least::rows, from(1)}, field{"cols", &has_at_least::cols, from(1)}};

  bool operator()(const parameter_info& p) const {
    return p.rows() >= static_cast<std::size_t>(rows) && p.cols() >= static_cast<std::size_t>(cols);
  }
};

/// Those that may be named alone, or with their fields.
using all_predicates =
    type_list<is_hidden_matrix, embedding_role, head_role, vector_shape, name_matches, has_rank, has_at_least>;

template <class Predicate>
concept parameter_predicate = std::predicate<const Predicate&, const parameter_info&>;

namespace detail {
/// How predicates make one.
enum class quantifier { all_of, any_of, none_of };

constexpr std::string_view to_text(quantifier q) {
  constexpr std::array names{"all_of", "any_of", "none_of"};
  return names[static_cast<std::size_t>(q)];
}

/// Whether it holds for `of` predicates, of which so many are true.
constexpr bool holds(quantifier q, std::size_t are_true, std::size_t of) {
  return q == quantifier::all_of ? are_true == of : (are_true > 0) == (q == quantifier::any_of);
}

template <quantifier Which, parameter_predicate... Predicates>
  requires(sizeof...(Predicates) > 0)
struct quantified {
  std::tuple<Predicates...> predicates;
  static constexpr std::string_view name = to_text(Which);

  [[nodiscard]] std::string text() const {
    return std::apply([](const auto&... p) { return call_text(name, text_of(p)...); }, predicates);
  }
  constexpr bool operator()(const parameter_info& p) const {
    const auto count = [&](const auto&... each) { return (std::size_t{0} + ... + (each(p) ? 1 : 0)); };
    return holds(Which, std::apply(count, predicates), sizeof...(Predicates));
  }
};

/// Throws where a field of the predicate is out of range.
template <class Predicate>
constexpr Predicate checked_predicate(Predicate p) {
  if constexpr (has_fields<Predicate>) check_fields(name_of(p), p);
  return p;
}

template <quantifier Which, class... Predicates>
constexpr auto quantify(Predicates... predicates) {
  return quantified<Which, Predicates...>{{checked_predicate(std::move(predicates))...}};
}
}  // namespace detail

/// True if all hold; if at least one holds; if none holds.
template <parameter_predicate... Predicates>
constexpr auto all_of(Predicates... predicates) {
  return detail::quantify<detail::quantifier::all_of>(std::move(predicates)...);
}
template <parameter_predicate... Predicates>
constexpr auto any_of(Predicates... predicates) {
  return detail::quantify<detail::quantifier::any_of>(std::move(predicates)...);
}
template <parameter_predicate... Predicates>
constexpr auto none_of(Predicates... predicates) {
  return detail::quantify<detail::quantifier::none_of>(std::move(predicates)...);
}

}  // namespace thalweg
