// parallel: applies several chains to the same update and merges the results.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/core/combinators.hpp>
#include <thalweg/core/lower.hpp>

namespace thalweg {

/// A merge: the mean of all branches.
struct ensemble {
  template <class T>
  void operator()(tensor<T> update, std::type_identity_t<std::span<const tensor<const T>>> branches) const noexcept {
    for (std::size_t i = 0; i < update.size(); ++i) {
      double sum = 0;
      for (const auto& b : branches) sum += b.data[i];
      update.data[i] = static_cast<T>(sum / static_cast<double>(branches.size()));
    }
  }
};

/// A merge: the length of the first branch, in the direction of the second; zero where the second is zero.
/// Agarwal et al., arXiv 2002.11803.
struct grafting {
  template <class T>
  void operator()(tensor<T> update, const std::array<tensor<const T>, 2>& branches) const noexcept {
    const auto norm = [](tensor<const T> t) {
      double sum = 0;
      for (const T x : t.values()) sum += static_cast<double>(x) * x;
      return sqrt(sum);
    };
    const double length = norm(branches[0]), unit = norm(branches[1]);
    const T by = saturated<T>(unit == 0 ? 0 : length / unit);
    for (std::size_t i = 0; i < update.size(); ++i) update.data[i] = by * branches[1].data[i];
  }
};

namespace detail {
template <class... Links>
std::tuple<Links...> leaves_in(const chained<Links...>&);
}

template <class Merge, class... Chains>
struct parallel_chains {
  Merge merge;
  std::tuple<Chains...> chains;
  static constexpr std::string_view name = "parallel";
  static constexpr bool is_combinator = true;
  using leaves_type = decltype(std::tuple_cat(detail::leaves_in(std::declval<Chains>())...));

  [[nodiscard]] std::string text() const {
    return std::apply([&](const auto&... c) { return call_text(name, name_of(merge), to_text(c)...); }, chains);
  }

  template <class T, class Passes>
  [[nodiscard]] detail::any_transform<T> lowered(std::size_t set) const {
    std::vector<std::vector<detail::any_transform<T>>> branches;
    detail::known_passes<T> known;
    const auto add = [&]<class... Links>(const chained<Links...>& c) {
      auto& branch = branches.emplace_back();
      const auto add_to_branch = [&](const auto& l) { branch.push_back(detail::erased<T, Passes, false>(l, set)); };
      c.links.for_each(add_to_branch);
      using way = detail::cut_way<Passes::fused, std::tuple<typename detail::run_as<Links>::type...>,
                                  std::index_sequence_for<Links...>>;
      detail::for_each_stage<way>([&](auto kernels) { detail::add_pass<T, Passes>(known, kernels); });
    };
    std::apply([&](const auto&... c) { (add(c), ...); }, chains);

    using results = std::array<tensor<const T>, sizeof...(Chains)>;
    const auto put_together = [merge = merge](tensor<T> update, std::span<const tensor<const T>> given) {
      results all;
      std::ranges::copy(given, all.begin());
      merge(update, all);
    };
    const bool quiet = std::is_nothrow_invocable_v<const Merge&, tensor<T>, const results&>;
    return detail::make_parallel<T>({put_together, !quiet}, std::move(branches), text(),
                                    {.fused = Passes::fused, .set = set, .known = &known});
  }
};

namespace detail {
template <class Leaf>
constexpr bool may_be_in_a_branch() {
  if constexpr (is_routed<Leaf>) return false;
  else return fits_a_branch(traits_of<Leaf>());
}
template <class... Links>
constexpr bool is_branch_chain(chained<Links...>*) { return (may_be_in_a_branch<Links>() && ...); }
}  // namespace detail

/// Every chain gets a copy of the update. `merge(update, results)` combines the results into the new update.
/// Element-wise neighbours in a chain are fused. `parallel` as a whole is tensor-wise, and has the states of its
/// chains. A contextual transform acts only on its own chain.
///
///     auto c = parallel(grafting{}, scale_by_adam{}, nesterov_ema{} | orthogonalize_update{});
template <class Merge, class... Branches>
constexpr auto parallel(Merge merge, Branches... branches) {
  static_assert(sizeof...(Branches) > 0, "thalweg: parallel(merge, chain...) needs a chain");
  const auto make = [&]<class... Chains>(Chains... chains) {
    static_assert((detail::is_branch_chain(static_cast<Chains*>(nullptr)) && ...),
                  "thalweg: a chain in parallel(merge, chain...) may have no route, no end that writes the parameters, "
                  "nothing model-wise, no accumulate, no scalar state and nothing that spends the weight decay (decay_weights); put "
                  "decay_weights before or behind it");
    return parallel_chains<Merge, Chains...>{std::move(merge), {std::move(chains)...}};
  };
  return make(chain(std::move(branches))...);
}

}  // namespace thalweg
