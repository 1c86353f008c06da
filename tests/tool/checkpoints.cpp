// What `thalweg` shows, compares and converts. PyTorch's AdamW is written out by hand here.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <thalweg/text.hpp>

#include "../../src/tool/commands.hpp"

using namespace thalweg;

namespace {

/// Arrays by their names, in the order of which a file holds them.
template <class T>
using arrays = std::map<std::string, std::pair<std::vector<std::size_t>, std::vector<T>>>;

template <class T>
std::string file_of(const arrays<T>& all, std::string dtype = sizeof(T) == 4 ? "F32" : "F64") {
  detail::safetensors::header h;
  std::string values;
  for (const auto& [name, array] : all) {
    const std::size_t begin = values.size();
    values.append(reinterpret_cast<const char*>(array.second.data()), array.second.size() * sizeof(T));
    h.tensors[name] = {dtype, array.first, begin, values.size()};
  }
  return detail::safetensors::to_bytes(h) + values;
}

tool::tensor_file opened(const std::string& bytes) { return tool::tensor_file(tool::bytes_in_memory("file", bytes)); }

template <class T>
struct small_model {
  std::vector<T> w{1, -2, 3, -4, 5, -6}, b{0.5, -0.25, 0.125};
  std::vector<parameter<T>> parameters() {
    return {as_parameter("layer.w", w, {2, 3}, role::hidden), as_parameter("layer.b", b)};
  }
  /// The gradient of a step, which no step has twice.
  static std::array<std::vector<T>, 2> gradients(long step) {
    std::array<std::vector<T>, 2> g{std::vector<T>(6), std::vector<T>(3)};
    for (std::size_t k = 0; k < 2; ++k)
      for (std::size_t i = 0; i < g[k].size(); ++i)
        g[k][i] = static_cast<T>(std::sin(static_cast<double>(step) * 1.7 + static_cast<double>(3 * i + k)));
    return g;
  }
  void train(optimizer<T>& opt, long first, long last) {
    for (long step = first; step <= last; ++step) {
      const auto g = gradients(step);
      opt.step(std::vector<std::span<const T>>{g[0], g[1]});
    }
  }
};

/// torch.optim.AdamW, one array.
struct torch_adamw {
  double lr, beta1, beta2, epsilon, decay;
  std::vector<double> exp_avg{}, exp_avg_sq{};
  void step(std::vector<double>& p, const std::vector<double>& g, long t) {
    exp_avg.resize(p.size());
    exp_avg_sq.resize(p.size());
    const auto steps = static_cast<double>(t);
    for (std::size_t i = 0; i < p.size(); ++i) {
      p[i] *= 1 - lr * decay;
      exp_avg[i] += (1 - beta1) * (g[i] - exp_avg[i]);
      exp_avg_sq[i] = beta2 * exp_avg_sq[i] + (1 - beta2) * g[i] * g[i];
      const double root = std::sqrt(exp_avg_sq[i]) / std::sqrt(1 - std::pow(beta2, steps)) + epsilon;
      p[i] -= lr / (1 - std::pow(beta1, steps)) * exp_avg[i] / root;
    }
  }
};

const std::string adamw_text = "adamw(beta2=0.95)", settings = "lr=0.01, weight_decay=0.1";
const options of_settings{.lr = 0.01, .weight_decay = 0.1, .parallel = sequential()};

arrays<float> state_of_adamw() {
  arrays<float> all{{"b", {{2}, {1, 2}}}};
  all["b.exp_avg"] = all["b.exp_avg_sq"] = {{2}, {0.5, 0.25}};
  all["b.step"] = {{}, {7}};
  return all;
}

std::string refusal(const arrays<float>& all, const tool::optimizer_of_file& there, std::string dtype = "F32") {
  try {
    const std::string bytes = file_of(all, std::move(dtype));
    static_cast<void>(tool::from_torch(opened(bytes), there));
  } catch (const error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("PyTorch's state of AdamW goes on in thalweg") {
  small_model<double> theirs;
  torch_adamw w{0.01, 0.9, 0.95, 1e-8, 0.1}, b = w;
  const auto train = [&](long first, long last) {
    for (long t = first; t <= last; ++t) {
      const auto g = small_model<double>::gradients(t);
      w.step(theirs.w, g[0], t);
      b.step(theirs.b, g[1], t);
    }
  };
  train(1, 4);
  const std::string saved = file_of<double>({{"layer.w", {{2, 3}, theirs.w}},
                                             {"layer.b", {{3}, theirs.b}},
                                             {"layer.w.exp_avg", {{2, 3}, w.exp_avg}},
                                             {"layer.w.exp_avg_sq", {{2, 3}, w.exp_avg_sq}},
                                             {"layer.b.exp_avg", {{3}, b.exp_avg}},
                                             {"layer.b.exp_avg_sq", {{3}, b.exp_avg_sq}},
                                             {"layer.w.step", {{}, {4}}},
                                             {"layer.b.step", {{}, {4}}}});
  small_model<double> ours;
  ours.w = theirs.w;
  ours.b = theirs.b;
  optimizer<double> opt(adamw_text, ours.parameters(), of_settings);
  opt.load_bytes(tool::from_torch(opened(saved), {.chain = adamw_text, .options = settings, .roles = {}, .step = {}}));
  ours.train(opt, 5, 8);
  train(5, 8);
  for (std::size_t i = 0; i < 6; ++i) CHECK(ours.w[i] == doctest::Approx(theirs.w[i]).epsilon(1e-13));
  for (std::size_t i = 0; i < 3; ++i) CHECK(ours.b[i] == doctest::Approx(theirs.b[i]).epsilon(1e-13));
}

TEST_CASE("a checkpoint that went to PyTorch and back goes on bit for bit") {
  for (const std::string& text : {adamw_text, std::string("muon(auxiliary_lr=1)")}) {
    CAPTURE(text);
    small_model<float> model;
    optimizer<float> opt(text, model.parameters(), of_settings);
    model.train(opt, 1, 5);
    const std::string saved = opt.to_bytes(), theirs = tool::to_torch(opened(saved));
    const auto torch = opened(theirs);
    arrays<float> with_weights{{"layer.w", {{2, 3}, model.w}}, {"layer.b", {{3}, model.b}}};
    for (const auto& [name, t] : torch.header().tensors) {
      std::vector<float> values((t.end - t.begin) / sizeof(float));
      std::memcpy(values.data(), torch.bytes(t).data(), t.end - t.begin);
      with_weights[name] = {t.shape, values};
    }
    CHECK(with_weights.at("layer.b.step").second == std::vector<float>{5});
    CHECK(with_weights.contains("layer.w.momentum_buffer") == (text != adamw_text));

    small_model<float> resumed = model;
    optimizer<float> again(text, resumed.parameters(), of_settings);
    const std::string back = file_of(with_weights);
    again.load_bytes(tool::from_torch(
        opened(back), {.chain = text, .options = settings, .roles = {{"*.b", role::head}, {"*", role::hidden}}, .step = {}}));
    model.train(opt, 6, 9);
    resumed.train(again, 6, 9);
    CHECK(model.w == resumed.w);
    CHECK(model.b == resumed.b);
    const std::string here = opt.to_bytes(), there = again.to_bytes();
    const std::string differs = tool::differences(opened(here), opened(there));  // of averages, which the chain has not
    CHECK_MESSAGE(std::ranges::count(differs, '\n') == (text == adamw_text ? 1 : 2), differs);
    CHECK(differs.find(".weight_sum: ") != std::string::npos);
  }
}

TEST_CASE("a state that is not PyTorch's is refused") {
  const tool::optimizer_of_file adamw{.chain = adamw_text, .options = "", .roles = {}, .step = {}};
  CHECK(refusal(state_of_adamw(), adamw) == "");
  auto changed = state_of_adamw();
  changed.erase("b");
  CHECK(refusal(changed, adamw) == "[convert] Expected the parameter 'b' in the same file as its state. Received 'b.exp_avg' alone.");
  changed = state_of_adamw();
  changed.erase("b.exp_avg_sq");
  CHECK(refusal(changed, adamw) == "[convert] Expected 'b.exp_avg_sq' for 'b/scale_by_adam.second_moment'. Received none.");
  changed = state_of_adamw();
  changed["b.momentum_buffer"] = {{2}, {1, 1}};
  CHECK(refusal(changed, adamw) == "[convert] Expected only states that the chain has. Received 'b.momentum_buffer'.");
  changed = state_of_adamw();
  changed["b.exp_avg"] = {{1}, {1}};
  CHECK(refusal(changed, adamw) == "[convert] Expected 'b.exp_avg' with shape (2) of F32, BF16 or F16. Received shape (1) of F32.");
  changed = state_of_adamw();
  for (const float steps : {0.5f, -1.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    changed["b.step"] = {{}, {steps}};
    CHECK(refusal(changed, adamw).find("Expected a count of steps, one number of F32 or F64, in 'b.step'.") != std::string::npos);
  }
  changed["b.step"] = {{}, {0}};
  CHECK(refusal(changed, adamw) == "");
  changed.erase("b.step");
  CHECK(refusal(changed, adamw) == "[convert] Expected a tensor NAME.step, or --step N. Received neither.");
  CHECK(refusal(changed, {.chain = adamw_text, .options = "", .roles = {}, .step = 3}) == "");
  CHECK(refusal(state_of_adamw(), {.chain = adamw_text, .options = "", .roles = {}, .step = 3}) ==
        "[convert] Expected --step 7, as the file says. Received 3.");
  changed = state_of_adamw();
  changed["c"] = changed["c.exp_avg"] = changed["c.exp_avg_sq"] = {{1}, {1}};
  changed["c.step"] = {{}, {8}};
  CHECK(refusal(changed, adamw) ==
        "[convert] Expected one count of steps for all parameters. Received 7 and, in 'c.step', 8.");
  changed = state_of_adamw();
  changed["b.exp_avg"] = {{2}, {std::numeric_limits<float>::infinity(), 1}};
  CHECK(refusal(changed, adamw).find("Expected finite numbers in 'b/scale_by_adam.first_moment'") != std::string::npos);

  CHECK(refusal(state_of_adamw(), {.chain = "lion", .options = "", .roles = {}, .step = {}}) ==
        "[convert] Expected a chain with the states of PyTorch's AdamW or Muon: those of scale_by_adam and nesterov_ema. "
        "Received 'b/scale_by_lion.momentum'.");
  CHECK(refusal(state_of_adamw(), {.chain = adamw_text, .options = "lr=-1", .roles = {}, .step = {}}).find("lr in [0, inf)") !=
        std::string::npos);
  CHECK(refusal(state_of_adamw(), {.chain = adamw_text, .options = "lr=1) | b(c", .roles = {}, .step = {}}) != "");
  CHECK(refusal({}, adamw) == "[convert] Expected parameters and their states in 'file'. Received none.");
  CHECK(refusal({{"b", {{2}, {1, 2}}}}, adamw, "I32") ==
        "[convert] Expected parameters of F32, BF16 or F16, or all of F64. Received 'b' of I32.");
}

TEST_CASE("PyTorch's state of a bfloat16 model goes on as that of the same floats") {
  const auto halves = [](std::vector<float> numbers) {
    std::vector<bfloat16> all;
    for (const float x : numbers) all.push_back(bfloat16(x));
    return all;
  };
  const arrays<float> in_float{{"w", {{2}, {1, -2}}}, {"w.exp_avg", {{2}, {0.5, -0.25}}}, {"w.exp_avg_sq", {{2}, {0.375, 3}}}};
  arrays<bfloat16> in_halves;
  for (const auto& [name, array] : in_float) in_halves[name] = {array.first, halves(array.second)};
  const std::string floats = file_of(in_float), narrow = file_of(in_halves, "BF16");
  const tool::optimizer_of_file adamw{.chain = adamw_text, .options = settings, .roles = {}, .step = 3};

  std::vector<float> w{1, -2}, x(2);
  auto narrow_w = halves(w);
  optimizer<float> of_floats(adamw_text, {as_parameter("w", w)}, of_settings);
  optimizer<float> of_halves(adamw_text, {{.name = "w", .shape = {2}, .data = narrow_w.data()}}, of_settings);
  of_floats.load_bytes(tool::from_torch(opened(floats), adamw));
  of_halves.load_bytes(tool::from_torch(opened(narrow), adamw));
  for (int step = 0; step < 3; ++step) {
    of_floats.step(std::array{std::vector<float>{0.5, -1}});
    of_halves.step(std::array{halves({0.5, -1})});
  }
  of_halves.averaged(0, x);
  CHECK(x == w);
  CHECK(of_halves.steps() == 6);

  const std::string saved = of_halves.to_bytes(), back = tool::to_torch(opened(saved));
  const auto torch = opened(back);
  CHECK(torch.header().tensors.size() == 3);  // exp_avg, exp_avg_sq and step: PyTorch has no place for a lower half
  const std::string of_doubles = file_of<double>({{"w", {{2}, {1, -2}}}, {"w.exp_avg", {{2}, {0.5, -0.25}}}});
  CHECK_THROWS_WITH(static_cast<void>(tool::from_torch(opened(of_doubles), adamw)),
                    doctest::Contains("Expected 'w.exp_avg_sq' for 'w/scale_by_adam.second_moment'. Received none."));
}

TEST_CASE("arrays of 16 and 8 bits are shown, compared and converted by their numbers") {
  std::vector<bfloat16> w(300, bfloat16(1)), g;
  for (int i = 0; i < 300; ++i) g.push_back(bfloat16(0.5f + static_cast<float>(i) / 600));
  const auto saved_as = [&](state_in state) {
    auto weights = w;
    options o = of_settings;
    o.state = state;
    o.seed = 3;
    optimizer<float> opt(adamw_text, {{.name = "w", .shape = {300}, .data = weights.data()}}, o);
    for (int step = 0; step < 3; ++step) opt.step(std::array{g});
    return opt.to_bytes();
  };
  const std::string full = saved_as(state_in::same), eight = saved_as(state_in::eight_bits), half = saved_as(state_in::bfloat16);
  const auto first_moments = [](const std::string& bytes) { return *opened(bytes).numbers("w/scale_by_adam.first_moment"); };
  for (std::size_t i = 0; i < 300; ++i) {
    const double m = double(static_cast<float>(g[i])) * (1 - 0.9 * 0.9 * 0.9);
    REQUIRE(first_moments(full)[i] == doctest::Approx(m));
    REQUIRE(first_moments(half)[i] == doctest::Approx(m).epsilon(0.01));
    REQUIRE(first_moments(eight)[i] == doctest::Approx(m).epsilon(0.2));  // three roundings
  }

  const std::string text = tool::shown(opened(eight));
  for (const char* const part : {"numbers  F32, 1 parameter in BF16\nseed     3\n", "checksums agree\n",
                                 "w          lower_half                          I16   (300)\n",
                                 "w          scale_by_adam.first_moment          U8    (300)  3.",
                                 "w          scale_by_adam.first_moment.scales   F32   (2)"})
    CHECK_MESSAGE(text.find(part) != std::string::npos, part, "\n", text);
  CHECK(tool::shown(opened(half)).find("scale_by_adam.first_moment   BF16  (300)  3.5") != std::string::npos);

  const std::string differs = tool::differences(opened(full), opened(eight));
  for (const char* const part : {"only in 'file': w/scale_by_adam.first_moment.scales\n", "w/lower_half: other bytes of I16\n",
                                 "w/scale_by_adam.first_moment: F32 (300) / U8 (300)\n",
                                 "w/scale_by_adam.first_moment   differs by "})
    CHECK_MESSAGE(differs.find(part) != std::string::npos, part, "\n", differs);

  const std::string theirs = tool::to_torch(opened(eight));
  const auto torch = opened(theirs);
  CHECK(torch.header().tensors.at("w.exp_avg").dtype == "F32");
  CHECK(*torch.numbers("w.exp_avg") == first_moments(eight));
  CHECK(torch.header().tensors.size() == 3);

  CHECK(!opened(file_of<std::uint8_t>({{"codes", {{2}, {1, 2}}}, {"codes.scales", {{1}, {1}}}}, "U8")).numbers("codes"));
  detail::safetensors::header h;  // a checkpoint whose scales are too few
  h.metadata["thalweg"] = "2";
  h.tensors = {{"w/m", {"U8", {300}, 0, 300}}, {"w/m.scales", {"F32", {1}, 300, 304}}};
  const std::string damaged = detail::safetensors::to_bytes(h) + std::string(304, '\0');
  CHECK_THROWS_WITH(static_cast<void>(opened(damaged).numbers("w/m")), "[load] Expected 2 scales of 'w/m' in 'file'. Received 4 bytes.");
}

TEST_CASE("a chain that PyTorch does not have is not converted to it") {
  small_model<float> model;
  optimizer<float> opt("lion", model.parameters(), of_settings);
  const std::string saved = opt.to_bytes(), weights = file_of<float>({{"w", {{1}, {1}}}});
  CHECK_THROWS_WITH(static_cast<void>(tool::to_torch(opened(saved))), doctest::Contains("scale_by_lion.momentum"));
  CHECK_THROWS_WITH(static_cast<void>(tool::to_torch(opened(weights))), doctest::Contains("Expected a checkpoint of thalweg."));
}

TEST_CASE("an array is shown with its norm") {
  const std::string bytes = file_of<double>({{"v", {{2}, {3, -4}}}, {"zero", {{1}, {0}}}});
  const std::string text = tool::shown(opened(bytes));
  CHECK_MESSAGE(text.find("v            F64   (2)    5     4\n") != std::string::npos, text);
  CHECK(text.find("zero         F64   (1)    0     0\n") != std::string::npos);
}

TEST_CASE("a checkpoint is shown, and what is damaged in it") {
  small_model<float> model;
  optimizer<float> opt(adamw_text, model.parameters(), of_settings);
  model.train(opt, 1, 3);
  std::string bytes = opt.to_bytes();
  const std::string text = tool::shown(opened(bytes));
  for (const char* const part : {"checkpoint of thalweg, version 2, saved at y\n",
                                 "chain    scale_by_adam(beta1=0.9, beta2=0.95, epsilon=1e-08, floor=0) | apply_update\n",
                                 "steps    3 of 3 calls\n", "lr=0.01", "weight_decay=0.1", "checksums agree\n",
                                 "layer.w    scale_by_adam.first_moment   F32   (2, 3)"})
    CHECK_MESSAGE(text.find(part) != std::string::npos, part, "\n", text);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  CHECK(tool::shown(opened(bytes)).find("checksums differ, damaged: 'layer.") != std::string::npos);
}

TEST_CASE("what differs between two checkpoints") {
  small_model<float> model;
  optimizer<float> opt(adamw_text, model.parameters(), of_settings);
  model.train(opt, 1, 3);
  const std::string before = opt.to_bytes();
  CHECK(tool::differences(opened(before), opened(before)) == "");
  model.train(opt, 4, 4);
  const std::string after = opt.to_bytes(), text = tool::differences(opened(before), opened(after));
  CHECK(text.find("step: 3 / 4\n") != std::string::npos);
  CHECK(text.find("layer.w/scale_by_adam.first_moment") != std::string::npos);

  const std::string a = file_of<double>({{"gone", {{1}, {1}}}, {"v", {{2}, {8, 0}}}, {"s", {{2}, {1, 1}}}}),
                    b = file_of<double>({{"new", {{1}, {1}}}, {"v", {{2}, {8, 2}}}, {"s", {{2, 1}, {1, 1}}}});
  const std::string of_arrays = tool::differences(opened(a), opened(b));
  for (const char* const part : {"only in 'file': gone\n", "only in 'file': new\n", "s: F64 (2) / F64 (2, 1)\n",
                                 "v  differs by  2  of the largest  25 %\n"})
    CHECK_MESSAGE(of_arrays.find(part) != std::string::npos, part, "\n", of_arrays);
}
