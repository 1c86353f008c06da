// The race's tasks in libtorch: what they deal, what they differentiate, and how they judge.
#include "../../examples/race/torch/bytes.hpp"
#include "../../examples/race/torch/networks.hpp"
#include "../../examples/race/torch/transformer.hpp"
#undef CHECK  // libtorch's logging has one, too

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include <doctest/doctest.h>
#include <unistd.h>

#include "../../examples/race/error.hpp"

namespace {

namespace nn = ::torch::nn;

std::string letters(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += static_cast<char>('a' + i * i / 7 % 26);
  return text;
}

struct folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("thalweg-tasks-" + std::to_string(getpid()));
  folder() { std::filesystem::create_directories(path); }
  ~folder() { std::filesystem::remove_all(path); }
};

race::task_settings batch_of(std::size_t size) {
  race::task_settings s;
  s.batch = size;
  return s;
}

// Filters, a batch norm, a head; the examples are noise whose sign is the label.
struct signs : race::network_of_tensors {
  nn::Conv2d filters{nullptr};
  nn::BatchNorm2d norm{nullptr};
  nn::Linear head{nullptr};
  signs() {
    filters = register_module("filters", nn::Conv2d(1, 3, 2));
    norm = register_module("norm", nn::BatchNorm2d(3));
    head = register_module("head", nn::Linear(3, 2));
  }
  ::torch::Tensor forward(const ::torch::Tensor& x) override { return head(::torch::tanh(norm(filters(x))).mean({2, 3})); }
};

race::tensors deal(std::int64_t count) {
  const auto x = ::torch::randn({count, 1, 3, 3}) + 0.5;
  return {x, (x.mean({1, 2, 3}) > 0.5).to(::torch::kLong)};
}

std::unique_ptr<race::task> task_of_signs(double nats_a_unit) {
  ::torch::manual_seed(9);
  const auto some = deal(40);
  return race::torch_task({.about = {},
                           .data = {.batches = [](unsigned seed) -> std::function<race::tensors()> {
                                      ::torch::manual_seed(seed);
                                      return [] { return deal(20); };
                                    },
                                    .fixed = some,
                                    .training = {some, deal(40)},
                                    .held_out = {deal(30), deal(10)},
                                    .statistics = {deal(40), deal(20)}},
                           .network = [] { return std::make_shared<signs>(); },
                           .nats_a_unit = nats_a_unit});
}

}  // namespace

TEST_CASE("a text is split by blocks, and one that is too short is refused") {
  constexpr std::size_t block = 1 << 16;
  const auto text = letters(20 * block + 5);
  const auto parts = race::split(text, 64);
  CHECK(parts.training.size() == 16 * block + 5);
  CHECK(parts.tuning.size() == 2 * block);
  CHECK(parts.validation.size() == 2 * block);
  CHECK(parts.tuning[3] == static_cast<std::uint8_t>(text[8 * block + 3]));
  CHECK(parts.validation[block + 3] == static_cast<std::uint8_t>(text[19 * block + 3]));
  CHECK_THROWS_WITH_AS(race::split(letters(9 * block + 65), 64),
                       "[race] Expected a text of more than 589889 bytes, to be split into blocks of 65536. Received 589889 "
                       "bytes.", race::error);
  CHECK_NOTHROW(race::split(letters(9 * block + 66), 64));
  CHECK_THROWS_WITH_AS(race::read_text("/nowhere/bible.txt"), "[race] Expected a readable file /nowhere/bible.txt. Received none.",
                       race::error);
}

TEST_CASE("a window's labels are the next bytes, and the seed deals the windows") {
  const auto parts = race::split(letters(11 << 16), 64);
  const auto data = race::windows(parts, 64, batch_of(3));
  const auto one = data.batches(1), same = data.batches(1), other = data.batches(2);
  const auto first = one();
  CHECK(first.inputs.sizes() == ::c10::IntArrayRef({3, 64}));
  CHECK(first.labels.numel() == 3 * 64);
  CHECK(::torch::equal(first.inputs.slice(1, 1), first.labels.view({3, 64}).slice(1, 0, 63)));
  CHECK(::torch::equal(first.inputs, same().inputs));
  CHECK(!::torch::equal(first.inputs, other().inputs));
  CHECK(!::torch::equal(first.inputs, one().inputs));
  CHECK(data.held_out.front().inputs[0][5].item<std::int64_t>() == parts.validation[5]);
  auto tuning = batch_of(3);
  tuning.tuning = true;
  CHECK(race::windows(parts, 64, tuning).held_out.front().inputs[0][5].item<std::int64_t>() == parts.tuning[5]);
}

TEST_CASE("a causal block does not look ahead, another one does") {
  ::torch::manual_seed(1);
  const auto x = ::torch::randn({1, 5, 8});
  auto changed = x.clone();
  changed[0][3][2] += 1;
  for (const bool causal : {true, false}) {
    race::transformer_block block(8, 2, causal);
    const auto before = block.forward(x)[0], after = block.forward(changed)[0];
    CHECK(::torch::allclose(before.slice(0, 0, 3), after.slice(0, 0, 3), 0, 1e-7) == causal);
    CHECK(!::torch::allclose(before[4], after[4], 0, 1e-7));
  }
}

TEST_CASE("gradients are those of finite differences, in the task's unit") {
  for (const double unit : {1.0, std::log(2.0)}) {
    const auto task = task_of_signs(unit);
    const auto model = task->start(1);
    model->differentiate(race::examples::fixed);
    std::vector<std::vector<float>> gradients;
    for (const auto view : model->gradients()) gradients.emplace_back(view.begin(), view.end());
    const auto parameters = model->parameters();
    REQUIRE(gradients.size() == parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      float& number = parameters[i].data[0];
      const float kept = number;
      const auto loss_at = [&](float value) {
        number = value;
        return model->differentiate(race::examples::fixed);
      };
      const double slope = (loss_at(kept + 1e-2f) - loss_at(kept - 1e-2f)) / 2e-2;
      number = kept;
      CAPTURE(parameters[i].name);
      CHECK(std::abs(slope - static_cast<double>(gradients[i][0])) < 2e-3);
      CHECK(parameters[i].weight_decay_factor == (parameters[i].shape.size() > 1 ? 1 : 0));
    }
  }
}

TEST_CASE("a judgement depends on the parameters alone: batch norms are gathered anew for it") {
  const auto task = task_of_signs(1);
  const auto model = task->start(1);
  const auto before = model->judge(race::judged_on::held_out);
  for (int i = 0; i < 5; ++i) model->differentiate(race::examples::next);  // moves the running statistics
  const auto after = model->judge(race::judged_on::held_out);
  CHECK(before.loss == after.loss);
  CHECK(before.accuracy == after.accuracy);
  model->parameters()[0].data[0] += 1;
  CHECK(model->judge(race::judged_on::held_out).loss != before.loss);
}

TEST_CASE("a bound chain trains the model where it is, and a seed is a run") {
  const auto task = task_of_signs(1);
  const auto trained = [&](unsigned seed) {
    const auto model = task->start(seed);
    model->bind(thalweg::parse("amuse"), {.lr = 0.02, .warmup_steps = 5});
    const double before = model->judge(race::judged_on::held_out).loss;
    for (int i = 0; i < 40; ++i) model->step(model->differentiate(race::examples::next));
    const double after = model->judge(race::judged_on::held_out).loss;
    CHECK(after < before);
    return after;
  };
  CHECK(trained(1) == trained(1));
  CHECK(trained(1) != trained(2));
}

TEST_CASE("gpt: roles, fused matrices, the first loss, and a loss that can be differentiated twice") {
  const folder in;
  std::ofstream(in.path / "bible.txt") << letters(11 << 16);
  auto settings = batch_of(2);
  settings.folder = in.path;
  const auto task = race::gpt(settings);
  const auto model = task->start(1);
  std::size_t fused = 0;
  for (const auto& p : model->parameters()) {
    CAPTURE(p.name);
    const auto expected = p.name.find("embedding") != p.name.npos ? thalweg::role::embedding
                          : p.name == "head.weight"               ? thalweg::role::head
                                                                  : thalweg::role::hidden;
    CHECK(p.role == expected);
    fused += thalweg::name_matches::matches(p.name, task->describe().fused);
  }
  CHECK(fused == 3);
  CHECK(model->differentiate(race::examples::next) == doctest::Approx(8).epsilon(0.05));  // 256 bytes alike: 8 bits

  auto& graph = dynamic_cast<race::learner&>(*model);
  const auto leaves = graph.leaves();
  const auto first = ::torch::autograd::grad({graph.loss(race::examples::fixed)}, leaves, {}, true, true);
  ::torch::Tensor square = ::torch::zeros({});
  for (const auto& g : first) square = square + g.square().sum();
  const auto second = ::torch::autograd::grad({square}, leaves, {}, false, false, true);
  double size = 0;
  for (const auto& g : second)
    if (g.defined()) size += g.abs().sum().item<double>();
  CHECK(std::isfinite(size));
  CHECK(size > 0);
}
