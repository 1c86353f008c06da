// From text to chain and back, and what is said where that does not go.
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
        "orthogonalize_update(scale=match_rms(rms=0.2), coefficients=turbo_muon, steps=3, epsilon=1e-09, precision=bfloat16)");
  CHECK(read("update_and_average(memory=forgetting(beta=0.5))") == "update_and_average(memory=forgetting(beta=0.5))");
  CHECK(read("cosine(steps=10) | amuse(rho=0.5, scale=none)") ==
        to_text(cosine{.steps = 10} | recipes::amuse({.rho = 0.5, .scale = none{}})));
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
  CHECK(refusal("AdamW").ends_with("Received 'AdamW' at column 1. Near: adamw, adam, cautious_adamw, mars_adamw."));
  CHECK(refusal("SGD").ends_with("Received 'SGD' at column 1. Near: sgd, scale_by_psgd_kron, sf_sgd."));
  CHECK(refusal("parallel(graftng, ema, scale)") ==
        "[parse] Expected for parallel: first ensemble or grafting. Received 'graftng' at column 10. Near: grafting.");
  CHECK(refusal("0.5") == "[parse] Expected a transform or recipe. Received '0.5' at column 1.");
  CHECK(refusal("route(when(hidden_matrx, ema), otherwise())") ==
        "[parse] Expected a predicate: hidden_matrix, is_embedding, is_head, is_vector. Received 'hidden_matrx' at column 12. "
        "Near: hidden_matrix.");
}

TEST_CASE("a word that has its place elsewhere is sent there") {
  const auto sent = [](std::string_view text, std::string_view to) {
    CAPTURE(text);
    CHECK(refusal(text) == "[parse] Expected a transform or recipe. Received " + std::string(to));
  };
  sent("ema | for_steps(1, linear)",
       "'for_steps' at column 7, which stands in join(for_steps(n, schedule), …, schedule), not last.");
  sent("join(for_steps(1, linear), for_steps(1, linear))",
       "'for_steps' at column 28, which stands in join(for_steps(n, schedule), …, schedule), not last.");
  sent("change(from=1)", "'change' at column 1, which stands in piecewise(change(from, by), …).");
  sent("when(hidden_matrix, ema)", "'when' at column 1, which stands in route(when(predicate, chain), …).");
  sent("ema | otherwise()", "'otherwise' at column 7, which stands in route(…, otherwise(chain)), last.");
  sent("grafting", "'grafting' at column 1, which stands in parallel(grafting, chain, chain), first.");
}

TEST_CASE("a predicate is a name, and no more") {
  const std::string expected = "[parse] Expected a predicate's name alone, which takes no arguments: hidden_matrix, "
                               "is_embedding, is_head, is_vector. Received ";
  CHECK(refusal("route(when(hidden_matrix(x=1), ema))") == expected + "'hidden_matrix(x=1)' at column 12.");
  CHECK(refusal("route(when(x=hidden_matrix, ema))") == expected + "'x=hidden_matrix' at column 12.");
  CHECK(refusal("route(when(is_head | is_vector, ema))") == expected + "'is_head | is_vector' at column 12.");
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
  CHECK(refusal("nesterov_ema(0.9)") == of_ema + "Received '0.9' at column 14.");
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
        "[parse] Expected for orthogonalize_update: scale = spectral | match_rms(rms in (0, inf)) | none, coefficients = "
        "jordan | polar_express | heavyball | cans | turbo_muon, steps in [1, 100], whole, epsilon in (0, 1), precision = "
        "float32 | bfloat16 | float16. Received 'scale=rms' at column 22.");
  CHECK(refusal("orthogonalize_update(scale=match_rms(rms=0))") ==
        "[parse] Expected for match_rms: rms in (0, inf). Received 'rms=0' at column 38.");
  CHECK(refusal("amuse(rho=-1)").starts_with("[parse] Expected for amuse: momentum in [0, 1), beta1 in (0, 1], rho in [0, inf)"));
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
  starts("parallel", "[parse] Expected parallel with what it holds in brackets");
  starts("parallel(grafting, ema)", "[parse] Expected for parallel: ensemble, or grafting with two chains");
  starts("parallel(mean, ema)", "[parse] Expected for parallel");
  starts("parallel(ensemble)", "[parse] Expected for parallel");
  starts("parallel(ensemble, freeze)", "[parse] Expected for parallel");
  starts("parallel(ensemble, clip_by_global_norm)", "[parse] Expected for parallel");
  starts("parallel(ensemble, amuse_beta)", "[parse] Expected for parallel");
  starts("parallel(ensemble, decay_weights)", "[parse] Expected for parallel");
  starts("schedule_weight_decay(ema)", "[parse] Expected for schedule_weight_decay: one schedule without state");
  starts("schedule_weight_decay(linear, linear)", "[parse] Expected for schedule_weight_decay: one schedule");
  starts("parallel(ensemble, accumulate)", "[parse] Expected for parallel");
  starts("parallel(ensemble, route(otherwise()))", "[parse] Expected for parallel");
  starts("scheduled(beta, linear, adam)", "[parse] Expected for scheduled");
  starts("scheduled(bta, linear, ema)", "[parse] Expected a field of ema that a schedule may move: beta. Received 'bta' at column 11.");
  starts("scheduled(scale, linear, orthogonalize_update)", "[parse] Expected a field of orthogonalize_update that a schedule may "
                                                           "move: steps, epsilon. Received 'scale'");
  starts("scheduled(beta, ema, ema)", "[parse] Expected for scheduled: a field, a schedule without state");
  starts("scheduled(beta, amuse_beta, ema)", "[parse] Expected for scheduled: a field, a schedule without state");
  starts("scheduled(steps, linear, accumulate)", "[parse] Expected for scheduled: another transform: the fields of what swallows");
  starts("scheduled(alpha, linear, update_by_lookahead)", "[parse] Expected for scheduled: another transform: this one recovers x");
  starts("in_row_blocks(0, centralize_gradient)", "[parse] Expected for in_row_blocks: how many");
  starts("in_row_blocks(3, ema)", "[parse] Expected for in_row_blocks: how many");
  starts("in_row_blocks(3, scale_by_shampoo)", "[parse] Expected for in_row_blocks: how many");
  starts("in_row_blocks(centralize_gradient)", "[parse] Expected for in_row_blocks: how many");
  starts("join(for_steps(0, warmup), linear)", "[parse] Expected for join: for_steps(n, schedule)");
  starts("join(for_steps(x=1, linear), linear)", "[parse] Expected for join: for_steps(n, schedule)");
  starts("join(for_steps(1, nonsense=linear), linear)", "[parse] Expected for join: for_steps(n, schedule)");
  starts("join(for_steps(1, linear), x=linear)", "[parse] Expected for join: for_steps(n, schedule)");
  starts("join(warmup, linear)", "[parse] Expected for join");
  starts("join(for_steps(1, ema), linear)", "[parse] Expected for join");
  starts("join(for_steps(1, warmup), ema)", "[parse] Expected for join");
  starts("piecewise(change(from=0))", "[parse] Expected for change: from in [1, inf), whole, by in [0, inf). Received 'from=0'");
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
        "[parse] Expected a transform or recipe. Received '" + std::string(60, 'a') + "…' at column 1.");
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
        "[optimizer] Something stands after a transform that has written the parameters; the terminal transform (apply_update, "
        "update_by_schedule_free, …) must be the last of its chain. Received ema behind freeze.");
  CHECK(unbindable("adamw | adamw").starts_with("[optimizer] Something stands after"));
  CHECK(unbindable("route(when(hidden_matrix, freeze), otherwise()) | ema").starts_with("[optimizer] Something stands after"));
  CHECK(unbindable("ema | when_finite").starts_with("[optimizer] A transform that may stop the step (when_finite) must be the first"));
  CHECK(unbindable("route(when(hidden_matrix, when_finite), otherwise())").starts_with("[optimizer] A transform that may stop"));
  CHECK(unbindable("ema | accumulate").starts_with("[optimizer] A transform that swallows steps (accumulate) must be the first"));
  CHECK(unbindable("route(when(hidden_matrix, accumulate), otherwise())").starts_with("[optimizer] A transform that swallows"));
  CHECK(unbindable("amuse_beta | scale_by_adam").starts_with("[optimizer] Nothing downstream reads what a transform of this chain feeds"));
  CHECK(unbindable("route(when(hidden_matrix, ema))") ==
        "[route] Expected a branch for every parameter. Received 'b1' with shape (7) and role hidden, which no when(…) takes. "
        "Add otherwise(…).");
  CHECK(unbindable("orthogonalize_update").starts_with("[orthogonalize_update] Expected rank >= 2."));
  CHECK(unbindable("parallel(ensemble, scale_by_adam(epsilon=1e-300)) | ema(beta=0.999999999999)") ==
        "[ema] Expected beta in [0, 1) when rounded to float32 as well. Received 0.999999999999.");
  CHECK(unbindable("scheduled(beta, linear(steps=1), scheduled(beta, linear, ema))") == "nothing");
  CHECK(unbindable("scheduled(beta1, inverse_sqrt(steps=1), scale_by_adam) | scheduled(by, piecewise(change(from=1, by=1e300)), "
                   "scale(by=1e300))") == "[scale] Expected by in (-inf, inf). Received inf.");
  std::string routes = "ema";
  for (int i = 0; i < 11; ++i) routes += " | route(when(hidden_matrix, ema), otherwise())";
  CHECK(unbindable(routes) == "[optimizer] Expected at most 1024 ways through the routes. Received more.");
  for (int i = 0; i < 1000; ++i) routes += " | route(when(hidden_matrix, ema), otherwise())";
  CHECK(unbindable(routes) == "[optimizer] Expected at most 1024 ways through the routes. Received more.");
  CHECK(unbindable("reduce_on_plateau | adam") == "nothing");
  test::model<float> m(test::small_layers());
  auto opt = optimizer(parse("reduce_on_plateau | adam"), m.parameters(), {.lr = 0.1});
  CHECK_THROWS_WITH_AS(opt.step(m.gradients), "[reduce_on_plateau] Expected the step's loss: step(gradients, {.loss = ...}). Received none.", error);
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

  CHECK_THROWS_WITH_AS(add_transform<other::ema>(), "[parse] Expected a transform with a name of its own. Received another 'ema'.", error);
  CHECK_THROWS_AS(add_predicate("hidden_matrix", is_bias), error);
  CHECK_THROWS_AS(add_predicate("no name", is_bias), error);
  CHECK_THROWS_AS(add_predicate("empty", nullptr), error);

  add_transform<of_float_alone>();
  test::model<double> m(test::small_layers());
  CHECK_THROWS_WITH_AS(optimizer(parse("of_float_alone"), m.parameters(), {}),
                       "[of_float_alone] Expected parameters of a type that it takes. Received double.", error);
}

TEST_CASE("every word of the vocabulary binds and steps by its name alone, in float and double") {
  std::vector<std::string> all = text::names_of_transforms();
  std::erase_if(all, [](const std::string& name) { return name == "sign_momentum" || name == "of_float_alone"; });
  for (const auto& name : text::names_of_recipes()) all.push_back(name);
  for (const std::string& name : all) {
    CAPTURE(name);
    const std::string written = name == "amuse_beta" ? "amuse_beta | update_by_schedule_free" : name;
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
                             "route(when(hidden_matrix, amuse_beta), otherwise(scale(by=1e-3))) | update_by_schedule_free"});
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  constexpr std::string_view letters("()|,=. 0123456789-e_abn\0\xff", 25);
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
