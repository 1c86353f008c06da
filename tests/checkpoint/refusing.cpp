// The input that `load` and `save` refuse: the exact errors, and that nothing has changed afterwards.
#include <thalweg/thalweg.hpp>
#include <thalweg/thalweg.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../core/model.hpp"
#include "sealed.hpp"

using namespace thalweg;
using nlohmann::json;
using test::bytes_of;
using test::model;
using test::same_bits;

namespace {

const options settings{.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 3};

/// Every kind of state: two routes with scalars, an average, arrays of three shapes.
const auto amuse = route(when(hidden_matrix, nesterov_ema{} | scale_by_factored_rms{}),
                         otherwise(scale_by_exp_avg_sq{})) |
                   amuse_beta{} | update_by_schedule_free{};

/// A trained optimizer, its checkpoints at y and at x, and what must not change.
template <class T>
struct subject {
  test::folder folder;
  model<T> m = model<T>(test::small_layers());
  decltype(optimizer(amuse, std::vector<parameter<T>>(), settings)) opt = optimizer(amuse, m.parameters(), settings);
  std::string at_y, at_x;
  typename model<T>::arrays x;

  subject() {
    m.train(opt, 1, 5);
    opt.save(folder / "y");
    at_y = bytes_of(folder / "y");
    const auto point = opt.evaluation_point();
    opt.save(folder / "x");
    at_x = bytes_of(folder / "x");
    x = m.values;
  }

  /// What `load` throws of a file with these bytes; "" where it takes them.
  std::string refusal(const std::string& bytes) {
    test::put_bytes(folder / "given", bytes);
    return refusal_of_file(folder / "given");
  }
  std::string refusal_of_file(const std::string& path) {
    const auto values = m.values;
    std::string said;
    try {
      opt.load(path);
    } catch (const error& e) {
      said = e.what();
    }
    CHECK(same_bits(m.values, values));
    opt.save(folder / "after");
    CHECK(bytes_of(folder / "after") == at_y);
    return said;
  }
  std::string refusal(const std::string& bytes, const std::function<void(test::parts&)>& edit) {
    auto parts = test::taken_apart(bytes);
    edit(parts);
    return refusal(test::put_together(parts));
  }
};

/// Other numbers in the same memory.
void set(model<float>& m, const model<float>::arrays& values) {
  for (std::size_t i = 0; i < values.size(); ++i) std::ranges::copy(values[i], m.values[i].begin());
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

struct odd {
  static constexpr std::string_view name = "b/ema";
  using states = state<zeros<"momentum">>;
  constexpr auto at(const context&) const {
    return []<class T>(element<T> e, T s) { return next(e.update, s); };
  }
};

}  // namespace

#define CHECK_SAYS(text, part)          \
  do {                                  \
    const std::string said = (text);    \
    CAPTURE(said);                      \
    CHECK(contains(said, part));        \
    CHECK(contains(said, "[load] Expected")); \
  } while (false)

TEST_CASE("what is whole is taken") {
  subject<float> s;
  CHECK(s.refusal(s.at_y) == "");
  CHECK(s.refusal(s.at_x) == "");
  CHECK(s.refusal(s.at_y, [](auto&) {}) == "");  // without the padding
  CHECK(s.refusal(s.at_y, [](auto& p) { p.metadata("options.lr") = "2e-2"; }) == "");
}

TEST_CASE("load refuses files that are cut off, at whatever byte, and files that go on") {
  subject<float> s;
  for (const std::string* whole : {&s.at_y, &s.at_x})
    for (std::size_t n = 0; n < whole->size(); n += n < 40 || n + 40 > whole->size() ? 1 : 37)
      CHECK_SAYS(s.refusal(whole->substr(0, n)), "safetensors file");
  CHECK_SAYS(s.refusal(s.at_y + '\0'), "whose header speaks of");
}

TEST_CASE("load refuses headers of absurd length before it asks for memory") {
  subject<float> s;
  const std::size_t has = s.at_y.size() - 8;
  const std::uint64_t one = 1, most = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t length : {one + has, one << 40, one << 63, most}) {
    auto bytes = s.at_y;
    std::memcpy(bytes.data(), &length, sizeof length);
    CHECK_SAYS(s.refusal(bytes), in_words("with a header of ", length));
  }
  // A file that has such a length, with a hole in it.
  const std::uint64_t length = 100'000'001;
  test::put_bytes(s.folder / "given", test::with_header("", ""));
  std::filesystem::resize_file(s.folder / "given", length + 8);
  std::fstream(s.folder / "given", std::ios::in | std::ios::out | std::ios::binary)
      .write(reinterpret_cast<const char*>(&length), sizeof length);
  CHECK_SAYS(s.refusal_of_file(s.folder / "given"), "with a header of 100000001");
}

TEST_CASE("load refuses headers that are no JSON, or none of safetensors") {
  subject<float> s;
  const auto header = [&](const std::string& text) { return s.refusal(test::with_header(text, "")); };
  for (const char* text : {"", " ", "{", "{]", "nul", "{\"a\":}", "{\"__metadata__\":{},}", "{} {}", "\"\xff\"",
                           "{\"\xc3\":1}", "'{}'", "{\"a\":\"\\ud800\"}", "{\"a\":{\"shape\":[01]}}"})
    CHECK_SAYS(header(text), "whose header is no JSON");
  for (const char* text : {"[]", "1", "\"a\"", "null", "true"})
    CHECK_SAYS(header(text), "whose header is no JSON object");
  for (const char* text : {"{\"__metadata__\":1}", "{\"__metadata__\":[]}"})
    CHECK_SAYS(header(text), "whose __metadata__ is no object");
  for (const char* value : {"1", "null", "[]", "{}"})
    CHECK_SAYS(header(in_words("{\"__metadata__\":{\"a\":", value, "}}")), "whose metadata 'a' is no text");
  for (const char* entry :
       {"1", "{}", R"({"dtype":"F32","shape":[]})", R"({"dtype":1,"shape":[],"data_offsets":[0,4]})",
        R"({"dtype":"F32","shape":1,"data_offsets":[0,4]})", R"({"dtype":"F32","shape":[],"data_offsets":[0]})",
        R"({"dtype":"F32","shape":[],"data_offsets":[0,4,8]})", R"({"dtype":"F32","shape":[],"data_offsets":{}})",
        R"({"dtype":"F32","shape":[],"data_offsets":[0,4],"more":1})"})
    CHECK_SAYS(header(in_words("{\"a\":", entry, "}")), "'a' is not of a dtype");
  for (const char* number : {"-1", "1.5", "1e3", "\"1\"", "null", "18446744073709551616", "true"}) {
    CHECK_SAYS(header(in_words(R"({"a":{"dtype":"F32","shape":[)", number, R"(],"data_offsets":[0,4]}})")),
               "no natural numbers");
    CHECK_SAYS(header(in_words(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,)", number, "]}}")),
               "no natural numbers");
  }
}

TEST_CASE("load refuses deep nesting, of whatever kind") {
  subject<float> s;
  const auto repeated = [](const std::string& text, int n) {
    std::string all;
    for (int i = 0; i < n; ++i) all += text;
    return all;
  };
  for (const int depth : {5, 1000, 1'000'000}) {
    for (const char* open : {"[", "{\"a\":"})
      CHECK_SAYS(s.refusal(test::with_header(repeated(open, depth), "")), "Received one ");
    CHECK_SAYS(s.refusal(test::with_header(repeated("[", depth) + repeated("]", depth), "")), "is no JSON object");
    CHECK_SAYS(s.refusal(test::with_header("{\"a\":{\"shape\":" + repeated("[", depth), "")), "no natural numbers");
    CHECK_SAYS(s.refusal(test::with_header("{\"__metadata__\":" + repeated("{\"a\":", depth), "")), "'a' is no text");
  }
}

TEST_CASE("load refuses keys that come twice, spelled alike or not") {
  subject<float> s;
  const std::string text = s.at_y.substr(8, test::header_length(s.at_y)), arrays = s.at_y.substr(8 + text.size());
  const auto with = [&](const std::string& behind, const std::string& more) {
    auto changed = text;
    const auto at = changed.find(behind);
    REQUIRE(at != changed.npos);
    changed.insert(at + behind.size(), more);
    return s.refusal(test::with_header(changed, arrays));
  };
  CHECK_SAYS(with("{\"__metadata__\":{", "\"step\":\"4\","), "'step' twice");
  CHECK_SAYS(with("{\"__metadata__\":{", "\"ste\\u0070\":\"4\","), "'step' twice");
  CHECK_SAYS(with("{", "\"__metadata__\":{},"), "'__metadata__' twice");
  CHECK_SAYS(with("{\"data_offsets\":", "[0,4],\"data_offsets\":"), "'data_offsets' twice");
  CHECK_SAYS(with("{", "\"b1/update_by_schedule_free.z\":{\"dtype\":\"F32\",\"shape\":[7],\"data_offsets\":[0,28]},"),
             "'b1/update_by_schedule_free.z' twice");
}

TEST_CASE("load refuses arrays that overlap, leave holes or reach beyond the file") {
  subject<float> s;
  const std::string z = "w1/update_by_schedule_free.z";
  const auto moved = [&](std::size_t begin, std::size_t end) {
    return s.refusal(s.at_y, [&](auto& p) { p.header[z]["data_offsets"] = {begin, end}; });
  };
  const auto offsets = test::taken_apart(s.at_y).header[z]["data_offsets"];
  const std::size_t begin = offsets[0], end = offsets[1], all = test::taken_apart(s.at_y).arrays.size();
  REQUIRE(begin > 0);
  REQUIRE(end < all);
  CHECK_SAYS(moved(begin - 4, end), "lies at bytes");
  CHECK_SAYS(moved(begin + 4, end), "lies at bytes");
  CHECK_SAYS(moved(begin, end - 4), "lies at bytes");
  CHECK_SAYS(moved(begin, end + 4), "lies at bytes");
  CHECK_SAYS(moved(end, begin), "lies at bytes");
  CHECK_SAYS(moved(0, end - begin), "lies at bytes");
  CHECK_SAYS(moved(all, all + end - begin), "lies at bytes");
  CHECK_SAYS(moved(begin, std::numeric_limits<std::size_t>::max()), "lies at bytes");
  CHECK_SAYS(moved(std::numeric_limits<std::size_t>::max() - 3, std::numeric_limits<std::size_t>::max()), "");
}

TEST_CASE("load refuses shapes, also those whose product overflows to the right size") {
  subject<float> s;
  const std::string z = "w1/update_by_schedule_free.z";
  const auto shaped = [&](const json& shape) {
    return s.refusal(s.at_y, [&](auto& p) { p.header[z]["shape"] = shape; });
  };
  const std::uint64_t one = 1, most = std::numeric_limits<std::uint64_t>::max();
  for (const json& shape : {json{7, 5}, json{35}, json{5, 7, 1}, json::array(), json{0}, json{5, 7, one << 63},
                            json{5, 7, (one << 32) + 1, one << 32}, json{most, most, 5, 7}})
    CHECK_SAYS(shaped(shape), "Expected 'w1/update_by_schedule_free.z' with shape (5, 7) of F32");
  CHECK_SAYS(s.refusal(s.at_y, [&](auto& p) { p.header[z]["dtype"] = "F64"; }), "of F64");
  CHECK_SAYS(s.refusal(s.at_y, [&](auto& p) { p.header[z]["dtype"] = "f32"; }), "of f32");
}

TEST_CASE("load refuses numbers of another type") {
  subject<float> in_float;
  subject<double> in_double;
  auto parts = test::taken_apart(in_double.at_y);
  parts.header["__metadata__"] = test::taken_apart(in_float.at_y).header["__metadata__"];
  CHECK_SAYS(in_float.refusal(test::put_together(parts)), "of F32. Received shape");
}

TEST_CASE("load refuses states that are missing or too many") {
  subject<float> s;
  const auto last = [](test::parts& p) {  // the array at the file's end
    std::string name;
    std::size_t at = 0;
    for (const auto& [key, value] : p.header.items())
      if (key != "__metadata__" && value["data_offsets"][1] >= at) name = key, at = value["data_offsets"][1];
    return name;
  };
  CHECK_SAYS(s.refusal(s.at_y, [&](auto& p) {
    const auto name = last(p);
    p.arrays.resize(p.header[name]["data_offsets"][0]);
    p.header.erase(name);
  }), "Expected 'b2/update_by_schedule_free.z' in the checkpoint. Received none.");
  CHECK_SAYS(s.refusal(s.at_y, [&](auto& p) {
    const std::size_t end = p.arrays.size();
    p.header["b2/momentum"] = {{"dtype", "F32"}, {"shape", {1}}, {"data_offsets", {end, end + 4}}};
    p.arrays.resize(end + 4);
  }), "Received 'b2/momentum'");
  CHECK_SAYS(s.refusal(s.at_y, [&](auto& p) {
    p.header["nothing"] = {{"dtype", "F32"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
  }), "Received 'nothing'");
  CHECK_SAYS(s.refusal(s.at_y, [&](auto& p) { p.metadata("mode") = "x"; }), "Expected 'w1/y' in the checkpoint");
  CHECK_SAYS(s.refusal(s.at_x, [&](auto& p) { p.metadata("mode") = "y"; }), "Received 'b1/y'");
  CHECK_SAYS(s.refusal(s.at_y, [](auto& p) { p.header.erase("__metadata__"); }), "no version of thalweg");
  const std::map<std::string, std::string> metadata = test::taken_apart(s.at_y).header["__metadata__"];
  REQUIRE(metadata.size() > 20);
  for (const auto& entry : metadata) {
    const std::string& key = entry.first;
    CAPTURE(key);
    const auto without = s.refusal(s.at_y, [&](auto& p) { p.header["__metadata__"].erase(key); });
    if (contains(key, "checksum at x") || key == "numbers") CHECK(without == "");  // there may be none
    else CHECK_SAYS(without, key == "thalweg" ? "no version of thalweg" : "Expected '" + key + "' in the metadata.");
    const auto with_more = s.refusal(s.at_y, [&](auto& p) { p.metadata(key + " ") = entry.second; });
    CHECK_SAYS(with_more, "Received '" + key + " '");
  }
}

TEST_CASE("load refuses values that are not finite, and y that is not the one that was saved") {
  subject<float> s;
  const auto with = [&](const std::string& name, float value) {
    return s.refusal(s.at_x, [&](auto& p) {
      const std::size_t begin = p.header[name]["data_offsets"][0];
      std::memcpy(p.arrays.data() + begin + 4, &value, 4);
    });
  };
  for (const std::string name : {"w1/update_by_schedule_free.z", "w1/scale_by_factored_rms.rows"})
    for (const float value : {NAN, -NAN, INFINITY, -INFINITY})
      CHECK_SAYS(with(name, value), "Expected finite numbers in '" + name + "'");
  CHECK_SAYS(with("b1/y", 0.25f), "Expected 'b1/y' as it was saved. Received it damaged");
}

TEST_CASE("load refuses metadata that says what cannot be") {
  subject<float> s;
  const auto with = [&](const char* key, const std::string& value) {
    return s.refusal(s.at_y, [&](auto& p) {
      REQUIRE(p.header["__metadata__"].contains(key));
      p.metadata(key) = value;
    });
  };
  for (const char* key : {"step", "calls"}) {
    for (const char* value : {"-1", "9007199254740992", "9007199254740993", "9223372036854775807"})
      CHECK_SAYS(with(key, value), "in [0, 9007199254740992). Received");
    for (const char* value : {"", "1.5", "1e3", " 5", "5 ", "0x5", "five", "9223372036854775808", "nan"})
      CHECK_SAYS(with(key, value), in_words("Expected a number as '", key, "'"));
  }
  CHECK_SAYS(with("step", "6"), "Expected no more steps than calls. Received 6 of 5.");
  CHECK_SAYS(with("calls", "4"), "Expected no more steps than calls. Received 5 of 4.");
  for (const char* value : {"", "z", "xy"}) CHECK_SAYS(with("mode", value), "Expected a mode of x or y");
  CHECK_SAYS(with("thalweg", "3"), "version 1 or 2. Received");
  CHECK_SAYS(with("thalweg", "1"), "Expected 'w1' as it was");  // by that version's checksum
  for (const char* key : {"route 0.weight_sum", "route 1.amuse_beta.warmup_average_weight",
                          "route 0.update_by_schedule_free.beta"}) {
    for (const char* value : {"nan", "inf", "-inf"}) CHECK_SAYS(with(key, value), in_words("Expected ", key, " in "));
    for (const char* value : {"", "1e999", "0.5 ", "1,5", "0x1p3"})
      CHECK_SAYS(with(key, value), in_words("Expected a number as '", key));
  }
  CHECK_SAYS(with("route 0.weight_sum", "-1"), "Expected route 0.weight_sum in [0, inf)");
  CHECK_SAYS(with("options.lr", "-1"), "Expected options.lr in [0, inf). Received -1.");
  CHECK_SAYS(with("options.lr", "nan"), "Expected options.lr in [0, inf). Received nan.");
  CHECK_SAYS(with("options.warmup_steps", "-3"), "Expected options.warmup_steps in [0, inf)");
  CHECK_SAYS(with("options.warmup_steps", "4"),
             "Expected a checkpoint of warmup_steps=3, as this optimizer has. Received one of 4.");
  CHECK_SAYS(with("options.weight_decay", "0.05000000000000001"), "Expected a checkpoint of weight_decay=0.05");
  CHECK_SAYS(with("options.r", "1"), "Expected a checkpoint of r=0");
  CHECK_SAYS(with("options.weight_lr_power", "1"), "Expected a checkpoint of weight_lr_power=2");
  CHECK_SAYS(with("w2/route", "1"), "Expected 'w2' on the same route as in this optimizer");
  CHECK_SAYS(with("b1/route", "0"), "Expected 'b1' on the same route as in this optimizer");
  CHECK_SAYS(with("b1/route", "-1"), "Expected a number as 'b1/route'");
}

TEST_CASE("load refuses another chain, and shows where the texts part") {
  subject<float> s;
  model<float> m(test::small_layers());
  auto other = optimizer(route(when(hidden_matrix, nesterov_ema{.beta = 0.9} | scale_by_factored_rms{}),
                               otherwise(scale_by_exp_avg_sq{})) | amuse_beta{} | update_by_schedule_free{},
                         m.parameters(), settings);
  m.train(other, 1, 5);
  other.save(s.folder / "other");
  const auto said = s.refusal_of_file(s.folder / "other");
  CAPTURE(said);
  CHECK(said.starts_with("[load] Expected a checkpoint of this chain:\n  route(when(hidden_matrix, "
                         "nesterov_ema(beta=0.95"));
  CHECK(contains(said, "\nReceived one of another:\n  route(when(hidden_matrix, nesterov_ema(beta=0.9, "));
  CHECK(said.ends_with("\nThey differ from character 48 on: '…esterov_ema(beta=0.95, look_ahead=interp…' here, "
                       "'…esterov_ema(beta=0.9, look_ahead=interpo…' in the checkpoint."));
}

TEST_CASE("load refuses the same words for other routes") {
  test::folder folder;
  model<float> m(test::small_layers());
  const auto by = [&](auto predicate) {
    return optimizer(route(when(predicate, ema{}), otherwise(ema{})) | update_by_schedule_free{}, m.parameters(),
                     settings);
  };
  auto opt = by([](const parameter_info& p) { return p.shape.size() > 1; });
  opt.save(folder / "file");
  auto other = by([](const parameter_info& p) { return p.name == "w1"; });
  CHECK_THROWS_WITH_AS(other.load(folder / "file"),
                       "[load] Expected 'w2' on the same route as in this optimizer. Received it on another route.", error);
  auto turned = by([](const parameter_info& p) { return p.shape.size() < 2; });  // the same routes, numbered otherwise
  turned.load(folder / "file");
}

TEST_CASE("load refuses other factors of a parameter, and goes on with the same") {
  test::folder folder;
  const auto layers_with = [](double lr, double weight_decay) {
    auto layers = test::small_layers();
    layers[1].lr_factor = lr;
    layers[1].weight_decay_factor = weight_decay;
    return layers;
  };
  model<float> m(layers_with(0.5, 0));
  auto opt = optimizer(amuse, m.parameters(), settings);
  m.train(opt, 1, 4);
  opt.save(folder / "file");
  const auto resumed = [&](double lr, double weight_decay) {
    model<float> other(layers_with(lr, weight_decay));
    other.values = m.values;
    auto again = optimizer(amuse, other.parameters(), settings);
    again.load(folder / "file");
    other.train(again, 5, 7);
    return other.values;
  };
  const std::string of_b1 = "=1 of 'b1', as this optimizer has. Received one of ";
  CHECK_THROWS_WITH_AS(resumed(1, 0), ("[load] Expected a checkpoint of lr_factor" + of_b1 + "0.5.").c_str(), error);
  CHECK_THROWS_WITH_AS(resumed(0.5, 1),
                       ("[load] Expected a checkpoint of weight_decay_factor" + of_b1 + "0.").c_str(), error);
  const auto values = resumed(0.5, 0);
  m.train(opt, 5, 7);
  CHECK(same_bits(values, m.values));
}

TEST_CASE("load refuses parameters that the checkpoint does not go with") {
  subject<float> s;
  model<float> m(test::small_layers());
  auto opt = optimizer(amuse, m.parameters(), settings);
  opt.save(s.folder / "before");
  const auto before = bytes_of(s.folder / "before");
  const auto refusal = [&](const std::string& name) {
    const auto values = m.values;
    std::string said;
    try {
      opt.load(s.folder / name);
    } catch (const error& e) {
      said = e.what();
    }
    CHECK(same_bits(m.values, values));
    set(m, model<float>(test::small_layers()).values);
    opt.save(s.folder / "after");
    CHECK(bytes_of(s.folder / "after") == before);
    return said;
  };
  CHECK(refusal("y") == "[load] Expected 'w1' as it was when the checkpoint was saved, at y. Received other values. "
                        "Load the parameters that go with the checkpoint first.");
  CHECK_SAYS(refusal("x"), "Expected 'w1' as it was when the checkpoint was saved, at x. Received other values.");
  set(m, s.x);
  CHECK(refusal("y") == "[load] Expected 'w1' at y, since the checkpoint was saved there. Received it at x, from which "
                        "training cannot continue. Load the parameters as they were in training; or save both, the "
                        "parameters and the checkpoint, at an evaluation point.");
  set(m, s.m.values);
  m.values[4][0] = std::nextafter(m.values[4][0], 9.f);
  CHECK_SAYS(refusal("y"), "Expected 'b2' as it was");
  set(m, s.m.values);
  std::swap(m.values[0][0], m.values[0][1]);
  CHECK_SAYS(refusal("y"), "Expected 'w1' as it was");

  model<float> plain(test::small_layers());
  auto adam = optimizer(recipes::adam(), plain.parameters(), settings);
  plain.train(adam, 1, 2);
  adam.save(s.folder / "adam");
  plain.values[2][3] = -plain.values[2][3];
  plain.values[2][4] = -plain.values[2][4];
  CHECK_THROWS_WITH_AS(adam.load(s.folder / "adam"),
                       "[load] Expected 'w2' as it was when the checkpoint was saved. Received other values. Load the "
                       "parameters that go with the checkpoint first.", error);
}

TEST_CASE("load refuses other parameters") {
  subject<float> s;
  auto layers = test::small_layers();
  const auto refusal = [&] {
    model<float> m(layers);
    auto opt = optimizer(amuse, m.parameters(), settings);
    try {
      opt.load(s.folder / "y");
    } catch (const error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  layers[0].shape = {7, 5};
  CHECK_SAYS(refusal(), "Expected 'w1/");
  layers = test::small_layers();
  layers.pop_back();
  CHECK_SAYS(refusal(), "Received 'b2/");
  layers = test::small_layers();
  layers[0].name = "W1";
  CHECK_SAYS(refusal(), "Expected 'W1/");
}

TEST_CASE("load refuses while an evaluation point lives") {
  subject<float> s;
  const auto point = s.opt.evaluation_point();
  const auto x = s.m.values;
  CHECK_THROWS_WITH_AS(s.opt.load(s.folder / "x"),
                       "[load] Expected the parameters at y. Received them at x: end the evaluation point first.",
                       error);
  CHECK(same_bits(s.m.values, x));
}

TEST_CASE("load refuses what is no file") {
  subject<float> s;
  CHECK_SAYS(s.refusal_of_file(s.folder / "missing"), "missing'. Received 'No such file or directory'.");
  CHECK_SAYS(s.refusal_of_file(s.folder.path()), "which is not a regular file");
  CHECK_SAYS(s.refusal_of_file("/dev/zero"), "which is not a regular file");
  REQUIRE(mkfifo((s.folder / "pipe").c_str(), 0600) == 0);
  CHECK_SAYS(s.refusal_of_file(s.folder / "pipe"), "which is not a regular file");
  CHECK_SAYS(s.refusal_of_file(""), "Received 'No such file or directory'.");
}

TEST_CASE("save refuses a state that is not finite, and the old file stays") {
  test::folder folder;
  model<float> m(test::small_layers());
  auto opt = optimizer(reduce_on_plateau{} | ema{} | update_by_schedule_free{}, m.parameters(), settings);
  opt.step(m.gradients, {.loss = 1.0});
  opt.save(folder / "file");
  const auto old = bytes_of(folder / "file");
  opt.step(m.gradients, {.loss = 1.0});
  m.gradients[1][2] = NAN;
  opt.step(m.gradients, {.loss = 1.0});
  CHECK_THROWS_WITH_AS(opt.save(folder / "file"),
                       "[save] Expected finite numbers in 'b1/ema.momentum'. Received nan.", error);
  CHECK(bytes_of(folder / "file") == old);
  CHECK(folder.count() == 1);

  struct runaway {
    using states = state<scalar<"size">>;
    constexpr auto at(const context& c, double) const { return next(c, std::numeric_limits<double>::infinity()); }
  };
  auto lost = optimizer(chain(runaway{}), m.parameters(), settings);
  m.differentiate(1);
  lost.step(m.gradients);
  CHECK_THROWS_WITH_AS(lost.save(folder / "file"),
                       "[save] Expected finite numbers in 'route 0.runaway.size'. Received inf.", error);
  CHECK(bytes_of(folder / "file") == old);
}

TEST_CASE("the losses of a step that is half gathered are no others") {
  test::folder folder;
  model<float> m(test::small_layers());
  auto opt = optimizer(accumulate{.steps = 3} | scale_by_polyak{}, m.parameters(), settings);
  for (int call = 0; call < 5; ++call) opt.step(m.gradients, {.loss = 0.1});
  opt.save(folder / "file");
  const auto whole = test::taken_apart(bytes_of(folder / "file"));
  const auto with = [&](const char* key, const char* value) {
    auto parts = whole;
    REQUIRE(parts.header["__metadata__"].contains(key));
    parts.metadata(key) = value;
    test::put_bytes(folder / "edited", test::put_together(parts));
    std::string said;
    try {
      opt.load(folder / "edited");
    } catch (const error& e) {
      said = e.what();
    }
    opt.save(folder / "after");
    CHECK(bytes_of(folder / "after") == bytes_of(folder / "file"));
    return said;
  };
  for (const char* value : {"-1", "0", "6"}) CHECK_SAYS(with("losses", value), "Expected losses in [1, 5]");
  CHECK_SAYS(with("losses", "1.5"), "Expected a number as 'losses'");
  for (const char* value : {"nan", "inf"}) CHECK_SAYS(with("sum of losses", value), "Expected sum of losses in (");
  CHECK(with("losses", "2") == "");

  auto deaf = optimizer(accumulate{.steps = 3} | ema{}, m.parameters(), settings);
  deaf.step(m.gradients, {.loss = INFINITY});
  deaf.save(folder / "file");
  deaf.load(folder / "file");
}

TEST_CASE("save refuses names that no reader could tell apart, and takes all others") {
  test::folder folder;
  std::vector<float> a(3), b(3);
  const auto is_a = [](const parameter_info& p) { return p.name == "a"; };
  auto opt = optimizer(route(when(is_a, odd{}), otherwise(ema{})),
                       std::vector{as_parameter("a", a), as_parameter("a/b", b)}, settings);
  CHECK_THROWS_WITH_AS(opt.save(folder / "file"),
                       "[save] Expected parameter names that give each state a different name. Received two of "
                       "'a/b/ema.momentum'.",
                       error);
  CHECK(folder.count() == 0);
  auto in_utf8 = optimizer(ema{}, std::vector{as_parameter("größe \"\\\n\x01", a)}, settings);
  in_utf8.save(folder / "file");
  in_utf8.load(folder / "file");
}
