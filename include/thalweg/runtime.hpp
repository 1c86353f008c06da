// Chains from text, at run time: no compiler, the same results.
//
//     const auto chain = runtime::parse("nesterov_ema(beta=0.95) | orthogonalize_update | update_by_schedule_free");
//     auto opt = runtime::optimizer(chain, parameters, {.lr = 0.02, .warmup_steps = 100});
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <thalweg/core/any_optimizer.hpp>
#include <thalweg/core/options.hpp>
#include <thalweg/core/tensor.hpp>

namespace thalweg::runtime {

namespace detail {
struct tree;
}

/// A chain whose transforms are known at run time: a value, cheap to copy.
class chain {
  std::shared_ptr<const detail::tree> tree_;

public:
  explicit chain(std::shared_ptr<const detail::tree> tree) : tree_(std::move(tree)) {}
  [[nodiscard]] const detail::tree& tree() const { return *tree_; }
};

/// The chain that a text describes: transforms and recipes by name, with the fields that are not to have their defaults.
///
///     nesterov_ema(beta=0.95) | orthogonalize_update(scale=match_rms(rms=0.2)) | update_by_schedule_free(beta=0.9)
///     cosine(steps=6000) | adamw(beta2=0.95)
///     route(when(hidden_matrix, nesterov_ema | orthogonalize_update), otherwise(scale_by_adam)) | apply_update
///     scheduled(beta, linear(steps=1000, final=0.9), nesterov_ema(beta=0.95))
///     parallel(grafting, scale_by_adam, nesterov_ema | in_row_blocks(3, orthogonalize_update))
///     join(for_steps(100, warmup(steps=100)), linear(steps=900)) | piecewise(change(from=500, by=0.1)) | adam
///
/// Throws `error("parse", …)`, which says what may stand where the text goes wrong, with the ranges of all fields:
/// `[parse] Expected a transform or recipe. Received 'nestrov_ema' at column 1. Near: nesterov_ema, nesterov_momentum.`
chain parse(std::string_view text);

/// The text that `parse` makes the same chain of, with every field: what `to_text` of the compile-time chain says.
std::string to_text(const chain& c);

namespace detail {
/// For `compiled::instruction_sets()[set]`.
template <class T>
std::unique_ptr<thalweg::detail::engine<T>> bind(const chain& c, std::vector<parameter<T>> parameters, const options& o,
                                                 std::size_t set);
}  // namespace detail

/// As `thalweg::optimizer`, for a chain that is known at run time. Each transform runs on a few thousand numbers at a
/// time, which stay in the processor's first cache on their way through the chain; the results are bit for bit those
/// of the compile-time chain in the same registers. A recipe by its name alone runs compiled. Throws what those throw.
///
///     auto opt = runtime::optimizer(runtime::parse("amuse(rho=0.5)"), parameters, {.lr = 0.02, .warmup_steps = 100});
///     for (auto& batch : data) { backward(batch, gradients); opt.step(gradients); }
template <class T>
class optimizer : public any_optimizer<T> {
public:
  optimizer(const chain& c, const std::vector<parameter<T>>& parameters, const options& o, std::size_t set = 0)
      : any_optimizer<T>(detail::bind<T>(c, parameters, o, set), parameters.size()) {}
};

}  // namespace thalweg::runtime
