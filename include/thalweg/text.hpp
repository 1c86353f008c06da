// Chains from text, at run time: no compiler, the same results.
//
//     auto opt = optimizer("nesterov_ema(beta=0.95) | orthogonalize_update | update_by_schedule_free", parameters,
//                          {.lr = 0.02});
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <thalweg/core/optimizer_class.hpp>

namespace thalweg {

namespace text {
struct tree;
}

/// A chain from text: a value, cheap to copy. Transforms that follow each other as in a recipe share the recipe's pass.
/// Each other transform has a pass of its own. All passes run over 1024 numbers, which stay in L1, then over the next.
/// The results are equal to those of the same chain in C++, bit for bit, if both use the same instruction set.
class parsed_chain {
  std::shared_ptr<const text::tree> tree_;

public:
  explicit parsed_chain(std::shared_ptr<const text::tree> tree) : tree_(std::move(tree)) {}
  [[nodiscard]] const text::tree& tree() const { return *tree_; }

  /// The program that an optimizer runs.
  template <class T>
  [[nodiscard]] detail::program<T> as_program(std::size_t which) const;
};

/// The chain that a text describes: transforms and recipes by name, with the fields that differ from their defaults.
/// You may leave out the names of required fields if you keep their order.
///
///     nesterov_ema(beta=0.95) | orthogonalize_update(scale=match_rms(rms=0.2)) | update_by_schedule_free(beta=0.9)
///     cosine(steps=6000) | adamw(beta2=0.95)
///     route(when(hidden_matrix, nesterov_ema | orthogonalize_update), otherwise(scale_by_adam)) | apply_update
///     route(when(name_matches("*.bias"), scale_lr(2)), otherwise()) | adam
///     scheduled(beta, linear(steps=1000, final=0.9), nesterov_ema(beta=0.95))
///     parallel(grafting, scale_by_adam, nesterov_ema | in_row_blocks(3, orthogonalize_update))
///     join(for_steps(100, warmup(steps=100)), linear(steps=900)) | piecewise(change(from=500, by=0.1)) | adam
///
/// Throws `error("parse", …)`. The message says what is expected at that place, with the ranges of all fields:
/// `[parse] Expected a transform or recipe. Received 'nestrov_ema' at column 1. Near: nesterov_ema.`
///
///     const auto chain = parse("amuse(rho=0.5)");
///     auto opt = optimizer(chain, parameters, {.lr = 0.02, .warmup_steps = 100});
parsed_chain parse(std::string_view text);

/// A parameter's view from text (<thalweg/core/view.hpp>): `stack | row_blocks(q=64, k=16, v=16)`. You may leave out
/// the names of blocks.
///
///     parameters[3].view = parse_view("stack | row_blocks(768, 768, 768)");
view::list parse_view(std::string_view text);

/// The text of the chain with every field, from which `parse` makes the same chain. In C++ `to_text` gives the same text.
std::string to_text(const parsed_chain& c);

}  // namespace thalweg
