// A chain as text: as one would write it, with every hyper-parameter.
#include <thalweg/recipes.hpp>
#include <thalweg/transforms.hpp>

#include <string>

#include <doctest/doctest.h>

using namespace thalweg;

namespace {

struct sign_momentum {
  double beta = 0.9;
  constexpr auto at(const context&) const {
    return []<class T>(element<T> e) { return next(e.update); };
  }
};

struct half_signs {  // a recipe: of links, and no template
  double beta = 0.5;
  constexpr auto links() const { return ema{.beta = beta} | scale_by_sign{} | scale{.by = 0.5}; }
};

}  // namespace

// A namespace of a user's, who opens none of thalweg's.
namespace elsewhere {
struct passed_on {
  constexpr auto at(const thalweg::context&) const {
    return []<class T>(thalweg::element<T> e) { return thalweg::next(e.update); };
  }
};
constexpr auto piped = passed_on{} | thalweg::recipes::sf_sgd{.beta = 0.5};
}  // namespace elsewhere

TEST_CASE("a chain reads as it is written") {
  CHECK(to_text(chain()) == "chain()");
  CHECK(to_text(chain(freeze{})) == "freeze");
  CHECK(to_text(ema{.beta = 0.5} | scale{.by = 1e-3} | apply_update{}) == "ema(beta=0.5) | scale(by=0.001) | apply_update");
  CHECK(to_text(chain(sign_momentum{})) == "sign_momentum");
  CHECK(to_text(chain(orthogonalize_update{.scale = none{}, .steps = 3})) ==
        "orthogonalize_update(scale=none, coefficients=jordan, steps=3, epsilon=1e-07, precision=float32, norm=frobenius)");
}

TEST_CASE("a recipe stands wherever its chain may, and reads as that") {
  constexpr recipes::lion usual, made = recipes::lion({.beta1 = 0.5}), same{.beta1 = 0.5};
  static_assert(usual.beta1 == scale_by_lion{}.beta1 && made.beta1 == 0.5 && same.beta1 == 0.5);
  const std::string written = "scale_by_lion(beta1=0.5, beta2=0.99) | apply_update";
  CHECK(to_text(made) == written);
  CHECK(to_text(chain(made)) == written);
  CHECK(to_text(scale{.by = 2} | made) == "scale(by=2) | " + written);
  CHECK(to_text(chain(route(when(hidden_matrix, made), otherwise(freeze{}, same)))) ==
        "route(when(hidden_matrix, " + written + "), otherwise(freeze | " + written + "))");
  CHECK(to_text(half_signs() | scale{.by = 2}) == "ema(beta=0.5) | scale_by_sign | scale(by=0.5) | scale(by=2)");
  CHECK(to_text(elsewhere::piped) ==
        "passed_on | update_by_schedule_free(beta=0.5, decay=y, weight=plain_weight)");
}

TEST_CASE("routes show their predicates, where these have names") {
  const auto vector = [](const parameter_info& p) { return p.shape.size() == 1; };
  CHECK(to_text(route(when(hidden_matrix, ema{.beta = 0.5} | scale_by_sign{}), when(vector), otherwise(freeze{})) |
                scale{.by = 2}) ==
        "route(when(hidden_matrix, ema(beta=0.5) | scale_by_sign), when(...), otherwise(freeze)) | scale(by=2)");
  CHECK(to_text(chain(route(when([](const parameter_info&) { return true; }, freeze{}), otherwise()))) ==
        "route(when(..., freeze), otherwise())");
  CHECK(to_text(chain(route(when(all_of(name_matches{"*.bias"}, none_of(is_head), vector), freeze{}),
                            when(has_at_least{.rows = 2}), when(has_rank{3})))) ==
        "route(when(all_of(name_matches(pattern=\"*.bias\"), none_of(is_head), ...), freeze), when(has_at_least(rows=2, cols=1)), "
        "when(has_rank(rank=3)))");
}

TEST_CASE("combinators show what is in them") {
  CHECK(to_text(chain(parallel(grafting{}, ema{.beta = 0.5} | scale{.by = 2}, scale_by_sign{}))) ==
        "parallel(grafting, ema(beta=0.5) | scale(by=2), scale_by_sign)");
  CHECK(to_text(chain(in_row_blocks(3, centralize_gradient{}))) == "in_row_blocks(3, centralize_gradient)");
  CHECK(to_text(chain(scheduled(&ema::beta, linear{.steps = 10, .final = 0.5}, ema{.beta = 0.25}))) ==
        "scheduled(beta, linear(steps=10, final=0.5), ema(beta=0.25))");
  CHECK(to_text(join(for_steps(5, warmup{.steps = 5}), linear{.steps = 10, .final = 0.5}) | freeze{}) ==
        "join(for_steps(5, warmup(steps=5)), linear(steps=10, final=0.5)) | freeze");
  CHECK(to_text(chain(piecewise{change{.from = 3, .by = 0.5}, change{.from = 7, .by = 0.25}})) ==
        "piecewise(change(from=3, by=0.5), change(from=7, by=0.25))");
}
