// From text to chain and back, and the errors for wrong texts.
#include <thalweg/thalweg.hpp>
#include <thalweg/text.hpp>
#include <thalweg/thalweg.hpp>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/text/vocabulary.hpp>

#include "../../src/text/vocabulary.hpp"
#include "replay.hpp"

using namespace thalweg;

namespace {

std::string refusal(std::string_view text) {
  try {
    return "understood as " + to_text(parse(text));
  } catch (const error& e) {
    return e.what();
  }
}

std::string read(std::string_view text) { return to_text(parse(text)); }

/// What an optimizer of a text says at binding.
std::string unbindable(std::string_view text) {
  test::model<float> m(test::small_layers());
  try {
    optimizer(parse(text), m.parameters(), {.lr = 0.1, .warmup_steps = 2});
  } catch (const error& e) {
    return e.what();
  }
  return "nothing";
}

struct sign_momentum {  // a user's
  double beta = 0.9;
  static constexpr auto fields = list{field{"beta", &sign_momentum::beta, from(0).below(1)}};
  using states = state<zeros<"momentum">>;
  constexpr auto at(const context&) const {
    return [b = beta]<class T>(element<T> e, T momentum) {
      momentum = lerp(e.update, momentum, b);
      return next(sign(momentum), momentum);
    };
  }
};

struct of_float_alone {
  void apply(const context&, tensor<float>) const noexcept {}
};

namespace other {
struct ema {  // not the library's
  constexpr context at(context c) const { return c; }
};
}  // namespace other

}  // namespace

TEST_CASE("what is not said has its default, and every field is shown") {
  CHECK(read("nesterov_ema(beta=0.5)|orthogonalize_update | \n update_by_schedule_free ( beta = 0.25 , decay = y )") ==
        to_text(nesterov_ema{.beta = 0.5} | orthogonalize_update{} |
                update_by_schedule_free{.beta = 0.25, .decay = decay_point::y}));
  CHECK(read("chain()") == "chain()");
  CHECK(read("freeze()") == "freeze");
  CHECK(read("chain(scale(by=-1e-3) | chain(freeze))") == "scale(by=-0.001) | freeze");
  CHECK(read("orthogonalize_update(scale=match_rms, coefficients=turbo_muon, steps=3, epsilon=1e-9, precision=bfloat16)") ==
        "orthogonalize_update(scale=match_rms(rms=0.2), coefficients=turbo_muon, steps=3, epsilon=1e-09, precision=bfloat16, "
        "norm=frobenius)");
  for (const char* set : {"deepseek_v4", "polar_express_for(lower=1e-04)", "cans_for(lower=0.01, degree=three)",
                          "cans_for(lower=0.001, degree=five)",
                          "polynomials(steps=\"3.4445 -4.775 2.0315; 1.5 -0.5\", margin=1)"}) {
    const std::string chain = in_words("orthogonalize_update(scale=unit_rms_norm, coefficients=", set,
                                       ", steps=10, epsilon=0, precision=float32, norm=schatten_4)");
    CHECK(read(chain) == chain);
  }
  CHECK(read("orthogonalize_update(coefficients=polar_express_for)") ==
        to_text(chain(orthogonalize_update{.coefficients = polar_express_for{}})));
  CHECK(read("muon(coefficients=cans_for, steps=7, matrix_epsilon=0, norm=schatten_4)") ==
        to_text(chain(recipes::muon({.coefficients = cans_for{}, .steps = 7, .matrix_epsilon = 0, .norm = norm::schatten_4}))));
  CHECK(refusal("muon(coefficients=polynomials(\"1 x\"))").starts_with("[polynomials] Expected 1 to 32 steps"));
  CHECK(refusal("muon(coefficients=polar_express_for(lower=1))") ==
        "[parse] Expected for polar_express_for: lower in [1e-15, 1). Received 'lower=1' at column 37.");
  CHECK(read("update_and_average(memory=forgetting(beta=0.5))") == "update_and_average(memory=forgetting(beta=0.5))");
  CHECK(read("cosine(steps=10) | amuse(rho=0.5, scale=none)") ==
        to_text(cosine{.steps = 10} | recipes::amuse({.rho = 0.5, .scale = none{}})));
  const std::string amuse = read("amuse"), later = read("amuse(beta1_steps=2e3, decay_at_y=0.5)");
  CHECK(amuse == to_text(chain(recipes::amuse())));
  CHECK(amuse.ends_with(" | amuse_beta(beta1=0.6, rho=0.8) | update_by_schedule_free(beta=0.9, decay=z, weight=plain_weight)"));
  CHECK(later == to_text(chain(recipes::amuse({.beta1_steps = 2000, .decay_at_y = 0.5}))));
  CHECK(later.ends_with(" | amuse_beta(beta1=0.6, rho=0.8, beta1_steps=2000) | update_by_schedule_free(beta=0.9, decay=z, "
                        "weight=plain_weight, decay_at_y=0.5)"));
  CHECK(read(later) == later);
  CHECK(read("amuse_sgd") == to_text(chain(recipes::amuse_sgd())));
  CHECK(refusal("amuse_beta(beta1_steps=1) | update_by_schedule_free") ==
        "[parse] Expected for amuse_beta: beta1 in [0.001, 1], rho in [0, inf), beta1_steps in [2, inf), whole. Received "
        "'beta1_steps=1' at column 12.");
  CHECK(refusal("scheduled(beta1_steps, linear(9), amuse_beta)").starts_with("[parse] Expected"));
  CHECK(read("route(when(hidden_matrix), otherwise(ema(beta=0.5), scale_by_sign)) | freeze") ==
        "route(when(hidden_matrix), otherwise(ema(beta=0.5) | scale_by_sign)) | freeze");
  CHECK(read("route(otherwise())") == "route(otherwise())");
  CHECK(read("join(cosine(steps=3))") == "join(cosine(steps=3, final=0))");
  CHECK(read("piecewise") == "piecewise");
  CHECK(read("parallel(ensemble, chain(), ema(beta=0.5))") == "parallel(ensemble, chain(), ema(beta=0.5))");
}

TEST_CASE("an unknown name lists the near ones") {
  CHECK(refusal("nestrov_ema(beta=0.9)") ==
        "[parse] Expected a transform or recipe. Received 'nestrov_ema' at column 1. Near: nesterov_ema.");
  CHECK(refusal("ema | adma") == "[parse] Expected a transform or recipe. Received 'adma' at column 7. Near: adam.");
  CHECK(refusal("ema | zzzzzzzzzzzz") == "[parse] Expected a transform or recipe. Received 'zzzzzzzzzzzz' at column 7.");
  CHECK(refusal("AdamW").ends_with("Received 'AdamW' at column 1. Near: adamw."));
  CHECK(refusal("SGD").ends_with("Received 'SGD' at column 1. Near: sgd."));
  CHECK(refusal("parallel(graftng, ema, scale)") ==
        "[parse] Expected for parallel: first ensemble or grafting. Received 'graftng' at column 10. Near: grafting.");
  CHECK(refusal("0.5") == "[parse] Expected a transform or recipe. Received '0.5' at column 1.");
  CHECK(refusal("route(when(hidden_matrx, ema), otherwise())") ==
        "[parse] Expected a predicate: all_of, any_of, has_at_least, has_rank, hidden_matrix, is_embedding, is_head, is_vector, "
        "name_matches, none_of. Received 'hidden_matrx' at column 12. Near: hidden_matrix.");
}

TEST_CASE("a word that has its place elsewhere is sent there") {
  const auto sent = [](std::string_view text, std::string_view to) {
    CAPTURE(text);
    CHECK(refusal(text) == "[parse] Expected a transform or recipe. Received " + std::string(to));
  };
  sent("ema | for_steps(1, linear(9))",
       "'for_steps' at column 7, which stands in join(for_steps(n, schedule), …, schedule), not last.");
  sent("join(for_steps(1, linear(9)), for_steps(1, linear(9)))",
       "'for_steps' at column 31, which stands in join(for_steps(n, schedule), …, schedule), not last.");
  sent("change(from=1)", "'change' at column 1, which stands in piecewise(change(from, by), …).");
  sent("when(hidden_matrix, ema)", "'when' at column 1, which stands in route(when(predicate, chain), …).");
  sent("ema | otherwise()", "'otherwise' at column 7, which stands in route(…, otherwise(chain)), last.");
  sent("grafting", "'grafting' at column 1, which stands in parallel(grafting, chain, chain), first.");
}

TEST_CASE("predicates take their fields, and other predicates") {
  const auto of_route = [](std::string_view predicate) { return read("route(when(" + std::string(predicate) + "))"); };
  CHECK(of_route("name_matches('*.bias')") == "route(when(name_matches(pattern=\"*.bias\")))");
  CHECK(of_route("name_matches(pattern='a\"b?')") == "route(when(name_matches(pattern='a\"b?')))");
  CHECK(of_route("has_rank(4)") == "route(when(has_rank(rank=4)))");
  CHECK(of_route("has_at_least(cols=64)") == "route(when(has_at_least(rows=1, cols=64)))");
  CHECK(of_route("all_of(hidden_matrix, none_of(any_of(is_head, name_matches(\"é*\"))))") ==
        "route(when(all_of(hidden_matrix, none_of(any_of(is_head, name_matches(pattern=\"é*\"))))))");

  const auto refused = [](std::string_view predicate) { return refusal("route(when(" + std::string(predicate) + ", ema))"); };
  CHECK(refused("hidden_matrix(x=1)") == "[parse] Expected for hidden_matrix: no arguments. Received 'x=1' at column 26.");
  CHECK(refused("name_matches") ==
        "[name_matches] Expected pattern, as in name_matches(pattern=\"*\"). Received 'name_matches' at column 12.");
  CHECK(refused("name_matches(bias)") ==
        "[parse] Expected for name_matches: pattern in quotation marks. Received 'bias' at column 25.");
  CHECK(refused("name_matches(\"*.bias)") == "[parse] Expected a second \". Received the end at column 40.");
  CHECK(refused("has_rank(-1)") == "[parse] Expected for has_rank: rank in [0, inf), whole. Received '-1' at column 21.");
  CHECK(refused("has_at_least(64)") ==
        "[parse] Expected for has_at_least: rows in [1, inf), whole, cols in [1, inf), whole. Received '64' at column 25. Give "
        "its name.");
  CHECK(refused("all_of") == "[parse] Expected all_of with predicates in brackets. Received none at column 12.");
  const std::string expected = "[parse] Expected a predicate: all_of, any_of, has_at_least, has_rank, hidden_matrix, "
                               "is_embedding, is_head, is_vector, name_matches, none_of. Received ";
  CHECK(refused("any_of(hidden_matrix, ema)") == expected + "'ema' at column 34.");
  CHECK(refused("x=hidden_matrix") == expected + "'x=hidden_matrix' at column 12.");
  CHECK(refused("is_head | is_vector") == expected + "'is_head | is_vector' at column 12.");
  CHECK(refused("\"*.bias\"") == expected + "'\"*.bias\"' at column 12.");
  CHECK(refusal("name_matches(\"*.bias\") | adam") ==
        "[parse] Expected a transform or recipe. Received 'name_matches' at column 1, which stands in route(when(predicate, "
        "chain), …).");
  CHECK(refusal("adam(beta1=\"0.9\")").ends_with("Received 'beta1=\"0.9\"' at column 6."));
  CHECK(refusal("\"adam\"") == "[parse] Expected a transform or recipe. Received '\"adam\"' at column 1.");
}

TEST_CASE("a parameter is chosen by its name, and treated in blocks") {
  const auto links = nesterov_ema{} | route(when(name_matches{"*.qkv.?eight"}, in_row_blocks(3, orthogonalize_update{})),
                                            when(all_of(hidden_matrix, has_at_least{.rows = 3, .cols = 3}, none_of(has_rank{3})),
                                                 orthogonalize_update{}),
                                            otherwise(scale{2}));
  const std::vector<test::layer> layers{{"0.qkv.weight", {6, 5}}, {"0.out.weight", {5, 5}}, {"1.qkv.weight", {9, 2}},
                                        {"thin", {2, 5}}, {"filter", {3, 2, 2}}, {"0.qkv.bias", {6}}};
  test::replays<float>(links, layers);
  test::model<float> m(layers);
  const std::string table = optimizer(parse(to_text(links)), m.parameters(), {}).describe();
  const auto row = [&](std::string_view name) {
    const std::size_t begin = table.find("\n" + std::string(name));
    return table.substr(begin, table.find('\n', begin + 1) - begin);
  };
  for (const char* name : {"0.qkv.weight", "1.qkv.weight"}) CHECK(row(name).find("in_row_blocks") != std::string::npos);
  CHECK(row("0.out.weight").find("nesterov_ema | orthogonalize_update") != std::string::npos);
  for (const char* name : {"thin", "filter", "0.qkv.bias"}) CHECK(row(name).find("nesterov_ema | scale") != std::string::npos);
}

TEST_CASE("what has no default must be said") {
  CHECK(refusal("cosine | adamw") == "[cosine] Expected steps, as in cosine(steps=1000). Received 'cosine' at column 1.");
  CHECK(refusal("adamw | linear(final=0.5)") ==
        "[linear] Expected steps, as in linear(steps=1000). Received 'linear(final=0.5)' at column 9.");
  CHECK(refusal("warmup_stable_decay(steps=9)") ==
        "[warmup_stable_decay] Expected warmup_steps, decay_steps, as in warmup_stable_decay(warmup_steps=1000, steps=1000, "
        "decay_steps=1000). Received 'warmup_stable_decay(steps=9)' at column 1.");
  CHECK(refusal("scale_lr()") == "[scale_lr] Expected by, as in scale_lr(by=0.5). Received 'scale_lr' at column 1.");
  CHECK(refusal("piecewise(change(from=3))") ==
        "[change] Expected by, as in change(from=1000, by=0.5). Received 'change(from=3)' at column 11.");
  std::string all;  // the words that say nothing alone
  for (const std::string& name : text::names_of_transforms())
    if (refusal(name).starts_with("[" + name + "] Expected ")) all += name + " ";
  CHECK(all == "accumulate anneal_beta average_from clip_by_value cosine cosine_restarts exponential inverse_sqrt linear "
               "one_cycle reciprocal scale scale_lr skip_large_updates warmup warmup_stable_decay ");
}

TEST_CASE("required fields may stand without their names, in their order; others have names") {
  CHECK(read("cosine(1000)") == "cosine(steps=1000, final=0)");
  CHECK(read("linear(10, final=0.5)") == "linear(steps=10, final=0.5)");
  CHECK(read("warmup_stable_decay(1, 2, decay_steps=3)") ==
        "warmup_stable_decay(warmup_steps=1, steps=2, decay_steps=3, final=0)");
  CHECK(read("piecewise(change(30, 0.1))") == "piecewise(change(from=30, by=0.1))");
  CHECK(refusal("linear(10, 0.5)") ==
        "[parse] Expected for linear: steps in [1, inf), whole, final in [0, 1]. Received '0.5' at column 12. Give its name, as in "
        "final=0.5.");
  CHECK(refusal("cosine(10, steps=20)") ==
        "[parse] Expected for cosine: steps in [1, inf), whole, final in [0, 1]. Received 'steps=20', a second time at column "
        "12.");
  CHECK(refusal("clip_by_global_norm(1.0)") ==
        "[parse] Expected for clip_by_global_norm: max_norm in (0, inf). Received '1.0' at column 21. Give its name, as in "
        "max_norm=1.0.");
  CHECK(refusal("orthogonalize_update(scale=match_rms(0.2))") ==
        "[parse] Expected for match_rms: rms in (0, inf). Received '0.2' at column 38. Give its name, as in rms=0.2.");
  CHECK(refusal("orthogonalize_update(jordan)").ends_with("Received 'jordan' at column 22. Give its name, as in coefficients=jordan."));
  CHECK(refusal("adamw(0.001)").ends_with("Received '0.001' at column 7. Give its name."));
  CHECK(refusal("sgd(-1)") == "[parse] Expected for sgd: momentum in [0, 1). Received '-1' at column 5.");
}

TEST_CASE("whole numbers may be written with an exponent or a point") {
  CHECK(read("cosine(steps=1e6)") == "cosine(steps=1000000, final=0)");
  CHECK(read("join(for_steps(1e2, warmup(1.5e1)), linear(1000.0))") ==
        "join(for_steps(100, warmup(steps=15)), linear(steps=1000, final=0))");
  CHECK(read("cosine(steps=9007199254740993)") == "cosine(steps=9007199254740993, final=0)");
  for (const char* number : {"1.5", "1e-1", "1e16", "1e999", "nan", "0", "0.0", "-1e3"})
    CHECK(refusal("cosine(steps=" + std::string(number) + ")") ==
          "[parse] Expected for cosine: steps in [1, inf), whole, final in [0, 1]. Received 'steps=" + std::string(number) +
              "' at column 8.");
}

TEST_CASE("an option of the optimizer is no field of a transform") {
  const std::string expected = "[parse] Expected for ema: beta in [0, 1). Received ";
  CHECK(refusal("ema(lr=1e-3)") == expected + "'lr=1e-3' at column 5. lr is an option of the optimizer, outside of the chain.");
  CHECK(refusal("ema(weight_decay=0)") ==
        expected + "'weight_decay=0' at column 5. weight_decay is an option of the optimizer, outside of the chain.");
  CHECK(refusal("adamw(warmup_steps=100)").ends_with("warmup_steps is an option of the optimizer, outside of the chain."));
  CHECK(refusal("warmup_stable_decay(warmup_steps=0, steps=1, decay_steps=1)").ends_with("Received 'warmup_steps=0' at column 21."));
}

TEST_CASE("names from elsewhere lead to those of this library") {
  const auto leads = [](const std::string& name, const std::string& to) {
    CHECK(refusal(name) == "[parse] Expected a transform or recipe. Received '" + name + "' at column 1. Near: " + to + ".");
  };
  leads("schedule_free_adamw", "sf_adamw");
  leads("AdamWScheduleFree", "sf_adamw");
  leads("schedule_free_adam", "sf_adamw, sf_radam, sf_muon, sf_plus");
  leads("ScheduleFreePlus", "sf_plus");
  leads("sgdm", "sgd");
  leads("adam_w", "adamw");
  leads("muon_w", "muon, orthogonalize_directions");
  leads("WSD", "warmup_stable_decay");
  leads("clip_grad_norm_", "clip_by_global_norm");
  leads("cosine_annealing_lr", "cosine");
}

TEST_CASE("predicates of the core go by their names, and take what they take there") {
  const auto links = chain(route(when(is_embedding, scale{2}), when(is_head, scale{3}), when(is_vector, scale{5}), otherwise()));
  const std::vector<test::layer> layers{
      {"w", {2, 3}}, {"table", {4, 3}, role::embedding}, {"out", {2, 3}, role::head}, {"b", {3}}};
  CHECK(to_text(links) == "route(when(is_embedding, scale(by=2)), when(is_head, scale(by=3)), when(is_vector, scale(by=5)), "
                          "otherwise())");
  test::replays<float>(links, layers);
}

TEST_CASE("an argument that does not fit lists those that do, with their ranges") {
  const std::string of_ema = "[parse] Expected for nesterov_ema: beta in [0, 1), look_ahead = interpolate | add_ema. ";
  CHECK(refusal("nesterov_ema(bta=0.9)") == of_ema + "Received 'bta=0.9' at column 14.");
  CHECK(refusal("nesterov_ema(0.9)") == of_ema + "Received '0.9' at column 14. Give its name, as in beta=0.9.");
  CHECK(refusal("nesterov_ema(beta=1)") == of_ema + "Received 'beta=1' at column 14.");
  CHECK(refusal("nesterov_ema(beta=interpolate)") == of_ema + "Received 'beta=interpolate' at column 14.");
  CHECK(refusal("nesterov_ema(beta=nan)") == of_ema + "Received 'beta=nan' at column 14.");
  CHECK(refusal("nesterov_ema(beta=-inf)") == of_ema + "Received 'beta=-inf' at column 14.");
  CHECK(refusal("nesterov_ema(beta=1e999)") == of_ema + "Received 'beta=1e999' at column 14.");
  CHECK(refusal("nesterov_ema(beta=0.9x)") == of_ema + "Received 'beta=0.9x' at column 14.");
  CHECK(refusal("nesterov_ema(beta=0.9(1))") == "[parse] Expected ',' or ')'. Received '(' at column 22.");
  CHECK(refusal("nesterov_ema(beta=0.9 | 0.8)") == of_ema + "Received 'beta=0.9 | 0.8' at column 14.");
  CHECK(refusal("nesterov_ema(look_ahead=1)") == of_ema + "Received 'look_ahead=1' at column 14.");
  CHECK(refusal("nesterov_ema(beta=0.5, beta=0.5)") == of_ema + "Received 'beta=0.5', a second time at column 24.");
  CHECK(refusal("cosine(steps=1.5)") ==
        "[parse] Expected for cosine: steps in [1, inf), whole, final in [0, 1]. Received 'steps=1.5' at column 8.");
  CHECK(refusal("cosine(steps=99999999999999999999)") ==
        "[parse] Expected for cosine: steps in [1, inf), whole, final in [0, 1]. Received 'steps=99999999999999999999' at "
        "column 8.");
  CHECK(refusal("freeze(1)") == "[parse] Expected for freeze: no arguments. Received '1' at column 8.");
  CHECK(refusal("orthogonalize_update(scale=rms)") ==
        "[parse] Expected for orthogonalize_update: scale = spectral | match_rms(rms in (0, inf)) | unit_rms_norm | "
        "nuclear_norm | none, coefficients = jordan | polar_express | heavyball | cans | turbo_muon | deepseek_v4 | "
        "polar_express_for(lower in [1e-15, 1)) | cans_for(lower in [1e-15, 1), degree = three | five) | polynomials(steps in "
        "quotation marks, margin in [1, 2]), steps in [1, 100], whole, epsilon in [0, 1), precision = float32 | bfloat16 | "
        "float16, norm = frobenius | schatten_4. Received 'scale=rms' at column 22.");
  CHECK(refusal("orthogonalize_update(scale=match_rms(rms=0))") ==
        "[parse] Expected for match_rms: rms in (0, inf). Received 'rms=0' at column 38.");
  CHECK(refusal("amuse(rho=-1)").starts_with("[parse] Expected for amuse: momentum in [0, 1), beta1 in [0.001, 1], rho in [0, inf)"));
}

TEST_CASE("what combinators do not take") {
  const auto starts = [](std::string_view text, std::string_view with) {
    CAPTURE(text);
    CHECK(refusal(text).substr(0, with.size()) == with);
  };
  starts("route", "[parse] Expected for route: when(predicate, chain)");
  starts("route()", "[parse] Expected for route: when(predicate, chain)");
  starts("route(ema)", "[parse] Expected for route: when(predicate, chain), …, otherwise(chain). Received 'ema' at column 7.");
  starts("route(otherwise(ema), when(hidden_matrix, ema))", "[parse] Expected for route");
  starts("route(when())", "[parse] Expected for route");
  starts("route(a=otherwise())", "[parse] Expected for route");
  starts("route(when(hidden_matrix | hidden_matrix, ema))", "[parse] Expected a predicate");
  starts("route(when(hidden_matrix, x=ema))", "[parse] Expected for when: chains. Received 'x=ema' at column 27.");
  starts("parallel", "[parse] Expected parallel with its arguments in brackets");
  starts("parallel(grafting, ema)", "[parse] Expected for parallel: ensemble, or grafting with two chains");
  starts("parallel(mean, ema)", "[parse] Expected for parallel");
  starts("parallel(ensemble)", "[parse] Expected for parallel");
  starts("parallel(ensemble, freeze)", "[parse] Expected for parallel");
  starts("parallel(ensemble, clip_by_global_norm)", "[parse] Expected for parallel");
  starts("parallel(ensemble, amuse_beta)", "[parse] Expected for parallel");
  starts("parallel(ensemble, decay_weights)", "[parse] Expected for parallel");
  starts("schedule_weight_decay(ema)", "[parse] Expected for schedule_weight_decay: one schedule without state");
  starts("schedule_weight_decay(linear(9), linear(9))", "[parse] Expected for schedule_weight_decay: one schedule");
  starts("parallel(ensemble, accumulate(2))", "[parse] Expected for parallel");
  starts("parallel(ensemble, route(otherwise()))", "[parse] Expected for parallel");
  starts("scheduled(beta, linear(9), adam)", "[parse] Expected for scheduled");
  starts("scheduled(bta, linear(9), ema)", "[parse] Expected a field of ema that a schedule may change: beta. Received 'bta' at column 11.");
  starts("scheduled(scale, linear(9), orthogonalize_update)", "[parse] Expected a field of orthogonalize_update that a schedule may "
                                                           "change: steps, epsilon. Received 'scale'");
  starts("scheduled(beta, ema, ema)", "[parse] Expected for scheduled: a field, a schedule without state");
  starts("scheduled(beta, amuse_beta, ema)", "[parse] Expected for scheduled: a field, a schedule without state");
  starts("scheduled(steps, linear(9), accumulate(2))", "[parse] Expected for scheduled: another transform: a schedule may not change the fields");
  starts("scheduled(alpha, linear(9), update_by_lookahead)",
         "[parse] Expected for scheduled: another transform: a schedule may not change the fields of one that gathers or skips steps, or computes x");
  starts("in_row_blocks(0, centralize_gradient)", "[parse] Expected for in_row_blocks: how many");
  starts("in_row_blocks(3, ema)", "[parse] Expected for in_row_blocks: how many");
  starts("in_row_blocks(3, scale_by_shampoo)", "[parse] Expected for in_row_blocks: how many");
  starts("in_row_blocks(centralize_gradient)", "[parse] Expected for in_row_blocks: how many");
  starts("join(for_steps(0, warmup(9)), linear(9))", "[parse] Expected for join: for_steps(n, schedule)");
  starts("join(for_steps(x=1, linear(9)), linear(9))", "[parse] Expected for join: for_steps(n, schedule)");
  starts("join(for_steps(1, nonsense=linear(9)), linear(9))", "[parse] Expected for join: for_steps(n, schedule)");
  starts("join(for_steps(1, linear(9)), x=linear(9))", "[parse] Expected for join: for_steps(n, schedule)");
  starts("join(warmup(9), linear(9))", "[parse] Expected for join");
  starts("join(for_steps(1, ema), linear(9))", "[parse] Expected for join");
  starts("join(for_steps(1, warmup(9)), ema)", "[parse] Expected for join");
  starts("piecewise(change(from=0, by=1))", "[parse] Expected for change: from in [1, inf), whole, by in [0, inf). Received 'from=0'");
  starts("piecewise(ema)", "[parse] Expected for piecewise: change(");
  starts("chain(x=ema)", "[parse] Expected for chain: chains");
}

TEST_CASE("text that is none") {
  CHECK(refusal("") == "[parse] Expected a name or a number. Received the end at column 1.");
  CHECK(refusal("ema |") == "[parse] Expected a name or a number. Received the end at column 6.");
  CHECK(refusal("ema ema") == "[parse] Expected '|' or the end. Received 'ema' at column 5.");
  CHECK(refusal("ema)") == "[parse] Expected '|' or the end. Received ')' at column 4.");
  CHECK(refusal("ema(") == "[parse] Expected a name or a number. Received the end at column 5.");
  CHECK(refusal("ema(beta=") == "[parse] Expected a name or a number. Received the end at column 10.");
  CHECK(refusal("ema(beta=0.5") == "[parse] Expected ',' or ')'. Received the end at column 13.");
  CHECK(refusal("((((") == "[parse] Expected a name or a number. Received '(' at column 1.");
  CHECK(refusal(std::string_view("ema\0", 4)) == "[parse] Expected '|' or the end. Received '\\x00' at column 4.");
  CHECK(refusal("\xff\x1b[2J") == "[parse] Expected a name or a number. Received '\\xff' at column 1.");
  std::string deep;
  for (int i = 0; i < 20000; ++i) deep += "a(";
  CHECK(refusal(deep) == "[parse] Expected brackets at most 32 deep. Received more at column 66.");
  CHECK(refusal(std::string(70000, 'a')) == "[parse] Expected a text of at most 65536 characters. Received 70000.");
  CHECK(refusal(std::string(60000, 'a')) ==
        "[parse] Expected a transform or recipe. Received '" + std::string(100, 'a') + "…' at column 1.");
}

TEST_CASE("every option of every recipe is refused where its transforms would refuse it") {
  for (const std::string& name : text::names_of_recipes()) {
    const std::string wrong = refusal(name + "(?)");
    CHECK(wrong.starts_with("[parse]"));
    const std::string known = refusal(name + "(nothing=1)");
    for (std::size_t at = known.find(" in "); at != std::string::npos; at = known.find(" in ", at + 1)) {
      const std::size_t begin = known.find_last_of(' ', at - 1) + 1;
      const std::string option = known.substr(begin, at - begin);
      if (option.find('(') != std::string::npos) continue;  // a choice's own
      for (const char* value : {"-1", "0", "0.3", "0.5", "0.7", "1", "2", "101", "1e300"}) {
        const std::string said = refusal(name + "(" + option + "=" + value + ")");
        CAPTURE(said);
        CHECK((said.starts_with("understood") || said.starts_with("[parse] Expected for " + name + ":")));
      }
    }
  }
}

TEST_CASE("chains that cannot be bound say so in the words of the compile-time ones") {
  CHECK(unbindable("freeze | ema") ==
        "[optimizer] Expected the transform that writes the parameters (apply_update, "
        "update_by_schedule_free, …) at the end of its chain. Received ema behind freeze.");
  CHECK(unbindable("adamw | adamw").starts_with("[optimizer] Expected the transform that writes the parameters"));
  CHECK(unbindable("route(when(hidden_matrix, freeze), otherwise()) | ema").starts_with("[optimizer] Expected the transform that writes the parameters"));
  CHECK(unbindable("ema | when_finite").starts_with("[optimizer] Expected a transform that may stop the step (when_finite) only as the first"));
  CHECK(unbindable("route(when(hidden_matrix, when_finite), otherwise())").starts_with("[optimizer] Expected a transform that may stop"));
  CHECK(unbindable("ema | accumulate(2)").starts_with("[optimizer] Expected a transform that gathers steps (accumulate) only as the first"));
  CHECK(unbindable("route(when(hidden_matrix, accumulate(2)), otherwise())").starts_with("[optimizer] Expected a transform that gathers"));
  CHECK(unbindable("amuse_beta | scale_by_adam").starts_with("[optimizer] Expected a later transform that reads the number"));
  CHECK(unbindable("route(when(hidden_matrix, ema))") ==
        "[route] Expected a branch for every parameter. Received 'b1' with shape (7) and role hidden, which no when(…) takes. "
        "Add otherwise(…).");
  CHECK(unbindable("route(when(name_matches('\xff')), otherwise())") ==
        "[optimizer] Expected a chain in UTF-8. Received 'route(when(name_matches(pattern=\"\\xff\")), otherwise())'.");
  CHECK(unbindable("orthogonalize_update").starts_with("[orthogonalize_update] Expected rank >= 2."));
  CHECK(unbindable("parallel(ensemble, scale_by_adam(epsilon=1e-300)) | ema(beta=0.999999999999)") ==
        "[ema] Expected beta in [0, 1) when rounded to float32 as well. Received 0.999999999999.");
  CHECK(unbindable("scheduled(beta, linear(steps=1), scheduled(beta, linear(9), ema))") == "nothing");
  CHECK(unbindable("scheduled(beta1, inverse_sqrt(steps=1), scale_by_adam) | scheduled(by, piecewise(change(from=1, by=1e300)), "
                   "scale(by=1e300))") == "[scale] Expected by in (-inf, inf). Received inf.");
  std::string routes = "ema";
  for (int i = 0; i < 11; ++i) routes += " | route(when(hidden_matrix, ema), otherwise())";
  CHECK(unbindable(routes) == "[optimizer] Expected at most 1024 combinations of route branches. Received more. "
                            "Use fewer routes.");
  for (int i = 0; i < 1000; ++i) routes += " | route(when(hidden_matrix, ema), otherwise())";
  CHECK(unbindable(routes) == "[optimizer] Expected at most 1024 combinations of route branches. Received more. "
                            "Use fewer routes.");
  CHECK(unbindable("reduce_on_plateau | adam") == "nothing");
  test::model<float> m(test::small_layers());
  auto opt = optimizer(parse("reduce_on_plateau | adam"), m.parameters(), {.lr = 0.1});
  CHECK_THROWS_WITH_AS(opt.step(m.gradients), "[reduce_on_plateau] Expected a loss with the gradients. Received none.", error);
}

TEST_CASE("a user's transform and predicate") {
  CHECK(refusal("sign_momentum").starts_with("[parse] Expected a transform or recipe."));
  add_transform<sign_momentum>();
  add_transform<sign_momentum>();  // the same again
  add_predicate("is_bias", [](const parameter_info& p) { return p.shape.size() == 1; });
  CHECK(read("sign_momentum | freeze") == "sign_momentum(beta=0.9) | freeze");
  CHECK(refusal("sign_momentum(beta=2)") ==
        "[parse] Expected for sign_momentum: beta in [0, 1). Received 'beta=2' at column 15.");
  test::model<float> a(test::small_layers()), b(test::small_layers());
  const auto is_bias = [](const parameter_info& p) { return p.shape.size() == 1; };
  auto here = optimizer(route(when(is_bias, scale_lr{.by = 2}), otherwise()) | sign_momentum{.beta = 0.5}, a.parameters(), {.lr = 0.1});
  auto there = optimizer(
      on_instruction_set{test::set_of_here(),
                         "route(when(is_bias, scale_lr(by=2)), otherwise()) | sign_momentum(beta=0.5)"},
      b.parameters(), {.lr = 0.1});
  a.train(here, 1, 5);
  b.train(there, 1, 5);
  CHECK(test::same_bits(a.values, b.values));

  CHECK_THROWS_WITH_AS(add_transform<other::ema>(), "[parse] Expected a transform with a new name. Received a second 'ema'.", error);
  CHECK_THROWS_AS(add_predicate("hidden_matrix", is_bias), error);
  CHECK_THROWS_AS(add_predicate("no name", is_bias), error);
  CHECK_THROWS_AS(add_predicate("empty", nullptr), error);

  add_transform<of_float_alone>();
  test::model<double> m(test::small_layers());
  CHECK_THROWS_WITH_AS(optimizer(parse("of_float_alone"), m.parameters(), {}),
                       "[of_float_alone] Expected parameters of a type that the transform supports. Received double.", error);
}

TEST_CASE("every word of the vocabulary binds and steps by its name alone, or as its refusal says, in float and double") {
  std::vector<std::string> all = text::names_of_transforms();
  std::erase_if(all, [](const std::string& name) { return name == "sign_momentum" || name == "of_float_alone"; });
  for (const auto& name : text::names_of_recipes()) all.push_back(name);
  for (const std::string& name : all) {
    CAPTURE(name);
    const std::string said = refusal(name), as_in = ", as in ";
    const std::size_t example = said.find(as_in);
    std::string written = name;
    if (example != said.npos) written = said.substr(example + as_in.size(), said.find(". Received") - example - as_in.size());
    if (name == "amuse_beta" || name == "anneal_beta") written += " | update_by_schedule_free";  // which reads what they say
    const auto steps = [&]<class T>(std::type_identity<T>) {
      test::model<T> m({{"matrix", {6, 9}}, {"square", {5, 5}}});
      optimizer<T> opt(written, m.parameters(), {.lr = 1e-3, .warmup_steps = 2});
      for (long t = 1; t <= 3; ++t) {
        m.differentiate(t);
        opt.step(m.gradients, {.loss = 1.0});
      }
      CHECK(test::distance(m.values, m.values) == 0);  // finite
    };
    steps(std::type_identity<float>());
    steps(std::type_identity<double>());
  }
}

TEST_CASE("texts with random errors are refused, or understood as what they then say") {
  std::vector<std::string> texts = text::names_of_recipes();
  for (std::string& t : texts) t = read(t);
  texts.insert(texts.end(), {"join(for_steps(5, warmup(steps=5)), linear(steps=10, final=0.5)) | adam(beta1=0.5)",
                             "piecewise(change(from=3, by=0.5), change(from=7, by=0.25)) | parallel(grafting, ema, adam)",
                             "scheduled(beta, linear(steps=10, final=0.5), ema(beta=0.25)) | in_row_blocks(3, equalize_rows)",
                             "route(when(hidden_matrix, amuse_beta), otherwise(scale(by=1e-3))) | update_by_schedule_free",
                             "route(when(any_of(name_matches('w\"*'), has_rank(2)), scale(1e2)), otherwise()) | linear(9)"});
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  constexpr std::string_view letters("()|,=. 0123456789-e_abn\"'\0\xff", 27);
  test::model<float> m({{"w", {2, 3}}, {"b", {3}}});
  std::size_t understood = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = texts[below(texts.size())];
    for (std::size_t n = 1 + below(3); n > 0 && !text.empty(); --n) {
      const std::size_t at = below(text.size()), length = below(8);
      switch (below(4)) {
        case 0: text[at] = letters[below(letters.size())]; break;
        case 1: text.erase(at, length); break;
        case 2: text.insert(at, 1, letters[below(letters.size())]); break;
        default: text.insert(below(text.size()), text.substr(at, 10 * length)); break;
      }
    }
    try {
      const auto chain = parse(text);
      const std::string canonical = to_text(chain);
      CHECK(read(canonical) == canonical);
      if (++understood % 16 == 0) {
        auto opt = optimizer(chain, m.parameters(), {.lr = 1e-3, .warmup_steps = 2});
        opt.step(m.gradients, {.loss = 1});
      }
    } catch (const error& e) {
      CHECK(std::string_view(e.what()).starts_with("["));
    }
  }
  CHECK(understood > 100);
}
