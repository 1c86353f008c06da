// The input that an optimizer refuses when it is made: the exact errors, and nothing written.
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/nesterov_ema.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>
#include <thalweg/transforms/scale.hpp>
#include <thalweg/transforms/scale_by_shampoo.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "model.hpp"

using namespace thalweg;
using test::model;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// The refusal's text, or "" where there was none. `refused` sees that the parameters are as they were.
template <class T, class Given>
std::string refusal(const Given& given, const std::vector<parameter<T>>& parameters, options o) {
  try {
    optimizer(given, parameters, std::move(o));
  } catch (const error& e) {
    return e.what();
  }
  return "";
}

template <class Given>
std::string refusal(const Given& given, options o = {}) {
  model<float> m(test::small_layers());
  const auto before = m.values;
  const std::string text = refusal<float>(given, m.parameters(), std::move(o));
  CHECK(test::same_bits(m.values, before));
  return text;
}

std::string refusal_of(const std::vector<parameter<float>>& parameters) {
  return refusal<float>(scale{1}, parameters, {});
}

bool is_refusal(const std::string& text) {
  return text.starts_with("[") && text.find("] Expected ") != text.npos &&
         text.find(". Received ") != text.npos && text.back() == '.';
}

}  // namespace

TEST_CASE("an error is an invalid_argument of the form [where] what") {
  const error e("here", "Expected this. Received that.");
  const std::invalid_argument& base = e;
  CHECK(std::string(base.what()) == "[here] Expected this. Received that.");
}

TEST_CASE("options out of range") {
  const auto says = [](options o, const char* text) { CHECK(refusal(scale{1}, std::move(o)) == text); };
  says({.lr = -1}, "[optimizer] Expected lr in [0, inf). Received -1.");
  says({.lr = not_a_number}, "[optimizer] Expected lr in [0, inf). Received nan.");
  says({.lr = inf}, "[optimizer] Expected lr in [0, inf). Received inf.");
  says({.lr = -inf}, "[optimizer] Expected lr in [0, inf). Received -inf.");
  says({.weight_decay = -0.25}, "[optimizer] Expected weight_decay in [0, inf). Received -0.25.");
  says({.weight_decay = not_a_number}, "[optimizer] Expected weight_decay in [0, inf). Received nan.");
  says({.warmup_steps = -1}, "[optimizer] Expected warmup_steps in [0, inf). Received -1.");
  says({.weight_lr_power = -2}, "[optimizer] Expected weight_lr_power in [0, inf). Received -2.");
  says({.weight_lr_power = inf}, "[optimizer] Expected weight_lr_power in [0, inf). Received inf.");
  says({.r = -1e-9}, "[optimizer] Expected r in [0, inf). Received -1e-09.");
  says({.lr = 0}, "");
  says({.lr = -0.0}, "");
  says({.lr = 5e-324, .weight_decay = 1e300, .warmup_steps = 1000000000000}, "");
}

TEST_CASE("hyper-parameters out of range, by the transform's name, wherever it stands in the chain") {
  CHECK(refusal(ema{.beta = 1}) == "[ema] Expected beta in [0, 1). Received 1.");
  CHECK(refusal(ema{.beta = -0.5}) == "[ema] Expected beta in [0, 1). Received -0.5.");
  CHECK(refusal(scale{.by = not_a_number}) == "[scale] Expected by in (-inf, inf). Received nan.");
  CHECK(refusal(scale{1} | update_by_schedule_free{.beta = 1.5}) ==
        "[update_by_schedule_free] Expected beta in [0, 1]. Received 1.5.");
  const auto nobody = [](const parameter_info&) { return false; };
  CHECK(refusal(route(when(nobody, ema{.beta = 2}), otherwise())) ==
        "[ema] Expected beta in [0, 1). Received 2.");
}

TEST_CASE("a choice of a transform's is checked like a field of its own") {
  CHECK(refusal(route(when(hidden_matrix, orthogonalize_update{.scale = match_rms{.rms = -1}}),
                      otherwise())) == "[orthogonalize_update] Expected rms in (0, inf). Received -1.");
  CHECK(refusal(route(when(hidden_matrix, orthogonalize_update{.steps = 0}), otherwise())) ==
        "[orthogonalize_update] Expected steps in [1, 100]. Received 0.");
}

TEST_CASE("a transform that refuses a parameter names it") {
  CHECK(refusal(nesterov_ema{} | orthogonalize_update{}) ==
        "[orthogonalize_update] Expected rank >= 2. Received 'b1' with shape (7). Route it elsewhere: "
        "route(when(hidden_matrix, ...), otherwise(...)).");
}

TEST_CASE("parameters that are not what they must be") {
  std::vector<float> memory(64, 1.0f);
  float* const data = memory.data();
  CHECK(refusal_of({}) == "[optimizer] Expected at least one parameter. Received none.");
  CHECK(refusal_of({{.name = "w", .shape = {2, 3}}}) ==
        "[optimizer] Expected memory for every parameter. Received null for 'w' with shape (2, 3).");
  CHECK(
      refusal_of({{.name = "a", .shape = {2}, .data = data}, {.name = "", .shape = {3}, .data = data + 8}}) ==
      "[optimizer] Expected a name for every parameter. Received none for parameter 1 with shape (3).");
  CHECK(refusal_of({{.name = "a", .shape = {2}, .data = data},
                    {.name = "b", .shape = {2}, .data = data + 8},
                    {.name = "a", .shape = {3}, .data = data + 16}}) ==
        "[optimizer] Expected parameters of distinct names. Received 'a' twice.");
  CHECK(refusal_of({{.name = "w", .shape = {2, 0, 3}, .data = data}}) ==
        "[optimizer] Expected a parameter with elements. Received none.");
  CHECK(refusal_of({{.name = "f", .shape = {2, 3, 2}, .data = data, .order = storage_order::column_major}}) ==
        "[optimizer] Expected a matrix where storage is column-major. Received 'f' with shape (2, 3, 2).");
  CHECK(refusal_of({{.name = "v", .shape = {3}, .data = data, .order = storage_order::column_major}}) ==
        "[optimizer] Expected a matrix where storage is column-major. Received 'v' with shape (3).");
  CHECK(refusal_of({{.name = "w", .shape = {2, 3}, .data = data, .order = storage_order::column_major}}) ==
        "");
  CHECK(refusal_of({{.name = "s", .data = data}}) == "");
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const double wrong : {-1.0, -1e-300, infinity, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(refusal_of({{.name = "s", .data = data, .lr_factor = wrong}}) ==
          in_words("[optimizer] Expected lr_factor of 's' in [0, inf). Received ", wrong, "."));
    CHECK(refusal_of({{.name = "s", .data = data, .weight_decay_factor = wrong}}) ==
          in_words("[optimizer] Expected weight_decay_factor of 's' in [0, inf). Received ", wrong, "."));
  }
  for (const double right : {0.0, 1e-300, 1e300})
    CHECK(refusal_of({{.name = "s", .data = data, .lr_factor = right, .weight_decay_factor = right}}) == "");
}

TEST_CASE("shapes that overflow are refused, whatever their product wraps to") {
  float one = 1;
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  for (const auto& shape : std::vector<std::vector<std::size_t>>{
           {most},
           {most / 2, 3},
           {std::size_t{1} << 32, std::size_t{1} << 32},
           {std::size_t{1} << 32, std::size_t{1} << 32, 2},
           {std::size_t{1} << 61},
           {std::size_t{1} << 53},  // whose states would overflow
           {3, most / 3 + 1, 1},
           {std::size_t{1} << 21, std::size_t{1} << 21, std::size_t{1} << 22}}) {
    const std::string text = refusal_of({{.name = "w", .shape = shape, .data = &one}});
    CHECK(text == "[optimizer] Expected dimensions that fit into memory. Received 'w' with shape " +
                      to_text(std::span(shape)) + ".");
  }
}

TEST_CASE("names are UTF-8") {
  float one = 1;
  const auto named = [&](std::string name) { return refusal_of({{.name = std::move(name), .shape = {1}, .data = &one}}); };
  for (const char* name : {"w", "größe", "重み", "\U0001F600", "\x7f", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) CHECK(named(name) == "");
  const auto refused = [&](std::string name, std::string shown) {
    CHECK(named(std::move(name)) == "[optimizer] Expected names in UTF-8. Received '" + shown + "' with shape (1).");
  };
  refused("\xff", "\\xff");
  refused("w\xc3", "w\\xc3");
  refused("\xc3(", "\\xc3(");
  refused("\xc0\xaf", "\\xc0\\xaf");                        // in more bytes than it needs
  refused("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
  refused("\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf");
  refused("\xed\xa0\x80", "\\xed\\xa0\\x80");              // half of a surrogate pair
  refused("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");      // above U+10FFFF
  refused("é\x80", "é\\x80");
}

TEST_CASE("messages stay short, and hold nothing that a terminal obeys") {
  std::vector<float> memory(8);
  const auto twice = [&](const std::string& name) {
    return refusal_of({{.name = name, .shape = {1}, .data = memory.data()}, {.name = name, .shape = {1}, .data = memory.data() + 4}});
  };
  CHECK(twice("\x1b[2J\x9b") == "[optimizer] Expected names in UTF-8. Received '\\x1b[2J\\x9b' with shape (1).");
  CHECK(twice("\xc2\x9b" "2J") == "[optimizer] Expected parameters of distinct names. Received '\\xc2\\x9b2J' twice.");
  CHECK(twice(std::string(100, 'w')) ==
        "[optimizer] Expected parameters of distinct names. Received '" + std::string(100, 'w') + "' twice.");
  CHECK(twice(std::string(10000, 'w')) ==
        "[optimizer] Expected parameters of distinct names. Received '" + std::string(100, 'w') + "…' twice.");
  CHECK(refusal_of({{.name = "w", .shape = std::vector<std::size_t>(16, 1)}}) ==
        "[optimizer] Expected memory for every parameter. Received null for 'w' with shape (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "
        "1, 1, 1, 1).");
  std::vector<std::size_t> shape(5000, 1);
  shape.back() = 2;
  CHECK(refusal_of({{.name = "w", .shape = shape}}) ==
        "[optimizer] Expected memory for every parameter. Received null for 'w' with shape (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "
        "1, 1, 1, …, 2).");
  CHECK(std::string(error("here", "Expected ", std::string(999, 'a') + "é", ". Received ", std::string(1000, 'b'), ".").what()) ==
        "[here] Expected " + std::string(999, 'a') + "…. Received " + std::string(1000, 'b') + ".");
}

TEST_CASE("a state that no memory holds is refused by its name, and its parameter's") {
  float one = 1;
  const std::size_t side = std::size_t{1} << 32;
  CHECK(refusal<float>(scale_by_shampoo{}, {{.name = "tall", .shape = {side, 1}, .data = &one}}, {}) ==
        "[optimizer] Expected states that fit into memory. Received scale_by_shampoo.left with shape (4294967296, 4294967296) for "
        "'tall' with shape (4294967296, 1).");
}

TEST_CASE("a pointer that is not aligned to its type is refused") {
  alignas(double) std::byte memory[64]{};
  for (const std::size_t offset : {1, 2, 4}) {
    auto* const odd = reinterpret_cast<double*>(memory + offset);
    CHECK(refusal<double>(scale{1}, {{.name = "w", .shape = {2}, .data = odd}}, {}) ==
          "[optimizer] Expected memory aligned to its element type. Received 'w' with shape (2).");
  }
}

TEST_CASE("parameters that overlap are refused, whatever their order; neighbours are not") {
  std::vector<float> memory(64, 1.0f);
  float* const data = memory.data();
  const auto two = [&](std::size_t a, std::size_t a_size, std::size_t b, std::size_t b_size) {
    return refusal_of({{.name = "a", .shape = {a_size}, .data = data + a},
                       {.name = "b", .shape = {b_size}, .data = data + b}});
  };
  const std::string overlap =
      "[optimizer] Expected parameters that do not overlap in memory. Received 'a' and 'b', which overlap. Bind "
      "shared weights once; a head that is tied to an embedding is an embedding.";
  CHECK(two(0, 8, 7, 8) == overlap);
  CHECK(two(7, 8, 0, 8) == overlap);
  CHECK(two(0, 20, 5, 2) == overlap);  // one inside the other
  CHECK(is_refusal(two(3, 8, 3, 8)));            // the same memory twice
  CHECK(two(0, 8, 8, 8) == "");
  CHECK(two(8, 8, 0, 8) == "");
  CHECK(is_refusal(
      refusal_of({{.name = "a", .shape = {30}, .data = data},  // behind one that lies within as well
                  {.name = "b", .shape = {2}, .data = data + 40},
                  {.name = "c", .shape = {2}, .data = data + 28}})));
}

TEST_CASE("every refusal has DESIGN's form") {
  std::vector<float> memory(8);
  for (const std::string& text :
       {refusal(scale{1}, {.lr = not_a_number}), refusal(ema{.beta = 7}), refusal_of({}),
        refusal_of({{.name = "w", .shape = {0}, .data = memory.data()}}),
        refusal(route(when(hidden_matrix, scale{1})))})
    CHECK(
        is_refusal(text.substr(0, text.rfind(". Add") == text.npos ? text.size() : text.rfind(". Add") + 1)));
}

TEST_CASE("hyper-parameters and parameters are copied from what binding was given, but for their memory") {
  std::vector<float> w{1, 2, 3};
  auto opt = [&] {
    std::vector<parameter<float>> parameters{{.name = "w", .shape = {3}, .data = w.data()}};
    auto links = scale{.by = 2} | scale{.by = 3};
    auto made = optimizer(links, parameters, {.lr = 1});
    parameters[0].name = "gone";
    links = scale{.by = 100} | scale{.by = 100};
    return made;
  }();
  opt.step({std::vector<float>{1, 1, 1}});
  CHECK(w == std::vector<float>{-5, -4, -3});
  CHECK(opt.describe().find("w  ") != std::string::npos);
}
