#include <torch/torch.h>
#undef CHECK  // its logging has one, too

#include <thalweg/adaptors/torch.hpp>
#include <thalweg/thalweg.hpp>
#include <thalweg/thalweg.hpp>

#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../message.hpp"

namespace {

using namespace thalweg;
using test::message;
namespace tt = thalweg::torch;
namespace nn = ::torch::nn;

// Words to labels: an embedding, a raw position table, a hidden layer, a head.
struct reader : nn::Module {
  nn::Embedding words{nullptr};
  ::torch::Tensor position_embedding;
  nn::Linear hidden{nullptr}, head{nullptr};

  explicit reader(bool sparse = false) {
    words = register_module("words", nn::Embedding(nn::EmbeddingOptions(7, 4).sparse(sparse)));
    hidden = register_module("hidden", nn::Linear(4, 5));
    head = register_module("head", nn::Linear(5, 3));
    position_embedding = register_parameter("position_embedding", ::torch::randn({6, 4}));
  }
  ::torch::Tensor forward(const ::torch::Tensor& x) {
    return head(::torch::tanh(hidden(words(x) + position_embedding)));
  }
  void differentiate(int step) {
    ::torch::manual_seed(static_cast<std::uint64_t>(step));
    const auto text = ::torch::randint(7, {6}, ::torch::kLong), labels = ::torch::randint(3, {6}, ::torch::kLong);
    ::torch::cross_entropy_loss(forward(text), labels).backward();
  }
};

std::shared_ptr<reader> read() {
  ::torch::manual_seed(5);
  return std::make_shared<reader>();
}

template <class T>
std::vector<T> numbers(const ::torch::Tensor& t) {
  return {t.data_ptr<T>(), t.data_ptr<T>() + t.numel()};
}
template <class T, class Parameters>
std::vector<std::vector<T>> all_numbers(const Parameters& parameters) {
  std::vector<std::vector<T>> all;
  for (const auto& p : parameters) all.push_back(numbers<T>(p.values));
  return all;
}

TEST_CASE("names, order and roles of a module's parameters") {
  const auto model = read();
  const auto found = tt::parameters_of(*model);
  const auto named = model->named_parameters();
  REQUIRE(found.size() == named.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].name == named[i].key());
    CHECK(found[i].values.is_same(named[i].value()));
    const bool embeds = found[i].name == "words.weight" || found[i].name == "position_embedding";
    CHECK(found[i].role == (embeds ? role::embedding : found[i].name == "head.weight" ? role::head : role::hidden));
  }

  const auto text = tt::optimizer(recipes::amuse(), *model, {.warmup_steps = 1}).describe();
  CHECK(text.find("head.weight         (3, 5)  head") != std::string::npos);
  CHECK(text.find("words.weight        (7, 4)  embedding") != std::string::npos);

  auto mine = found;
  mine[0].role = role::head;
  CHECK(tt::optimizer(recipes::amuse(), mine, {.warmup_steps = 1}).parameters()[0].role == role::head);

  const auto listed = tt::parameters_of(model->parameters());
  CHECK(listed.size() == found.size());
  CHECK(listed[1].name == "1");
  CHECK(listed[1].role == role::unspecified);
}

// The initials of the roles of linear layers and raw parameters that are registered under these names in this order:
// `a.b` is b in a module a. With a blank between two.
std::string roles_of(const std::vector<std::string>& names) {
  struct folder : nn::Module {};
  folder root;
  for (const auto& name : names) {
    nn::Module* at = &root;
    std::size_t begin = 0;
    for (auto end = name.find('.'); end != std::string::npos; begin = end + 1, end = name.find('.', begin))
      at = at->register_module(name.substr(begin, end - begin), std::make_shared<folder>()).get();
    const auto last = name.substr(begin);
    if (last == "raw") at->register_parameter(last, ::torch::randn({3, 3}));
    else if (last == "filter") at->register_parameter(last, ::torch::randn({3, 3, 1, 1}));
    else if (last == "vector") at->register_parameter(last, ::torch::randn({3}));
    else at->register_module(last, nn::Linear(nn::LinearOptions(3, 3).bias(false)));
  }
  std::string roles;
  for (const auto& p : tt::parameters_of(root))
    roles += p.role == role::embedding ? 'e' : p.role == role::head ? 'h' : '-';
  return roles;
}

TEST_CASE("roles are told from the full dotted name") {
  // embeddings: `embed` in any component, or a component wte or wpe
  CHECK(roles_of({"token_embedding.raw", "last"}) == "eh");
  CHECK(roles_of({"embeddings.words.raw", "last"}) == "eh");
  CHECK(roles_of({"embed.projection"}) == "e");
  CHECK(roles_of({"wte.raw", "decoder.wpe.raw", "last"}) == "eeh");
  CHECK(roles_of({"awte.raw", "wpe2.raw", "last"}) == "--h");

  // the head: by its name, wherever it is registered
  for (const auto* name : {"lm_head", "head", "classifier", "fc_out", "output"})
    CHECK(roles_of({name, "last"}) == "h-");
  CHECK(roles_of({"model.lm_head.raw", "last"}) == "h-");
  CHECK(roles_of({"output.filter", "last"}) == "h-");
  CHECK(roles_of({"heads", "multi_head", "Head", "headline.raw", "last"}) == "----h");

  // of several the last; vectors are none
  CHECK(roles_of({"block.output", "lm_head", "last"}) == "-h-");
  CHECK(roles_of({"head.vector", "last"}) == "-h");

  // what is named as both is an embedding
  CHECK(roles_of({"embed.output", "last"}) == "eh");
}

TEST_CASE("a custom module's table is an embedding, its head the one that is named so, and the last layer hidden") {
  struct table : nn::Module {
    ::torch::Tensor weight = register_parameter("weight", ::torch::randn({7, 4}));
  };
  struct language : nn::Module {
    std::shared_ptr<table> tokens = register_module("token_embedding", std::make_shared<table>());
    nn::Linear lm_head = register_module("lm_head", nn::Linear(4, 7));
    nn::Linear hidden = register_module("hidden", nn::Linear(4, 4));
  } model;
  const auto text = tt::optimizer(recipes::amuse(), model, {.warmup_steps = 1}).describe();
  CHECK(text.find("token_embedding.weight  (7, 4)  embedding") != std::string::npos);
  CHECK(text.find("lm_head.weight          (7, 4)  head") != std::string::npos);
  CHECK(text.find("hidden.weight           (4, 4)  hidden") != std::string::npos);
}

TEST_CASE("filters of one dimension are filters; a stack of matrices says so") {
  struct sound : nn::Module {
    nn::Conv1d filters = register_module("filters", nn::Conv1d(nn::Conv1dOptions(2, 3, 5)));
    ::torch::Tensor experts = register_parameter("experts", ::torch::randn({4, 6, 3}));
    nn::Linear last = register_module("last", nn::Linear(3, 2));
  } model;
  auto parameters = tt::parameters_of(model);
  CHECK(message([&] { (void)tt::optimizer(recipes::muon(), parameters, {}); })
            .starts_with("[orthogonalize_update] Expected a matrix, or filters of rank >= 4. Received 'experts' with shape (4, 6, 3)."));
  for (auto& p : parameters)
    if (p.name == "experts") p.view = {view::stack{}};
  const auto table = tt::optimizer(recipes::muon(), parameters, {}).describe();
  CHECK(table.find("filters.weight  (3, 10)  hidden") != std::string::npos);
  CHECK(table.find("experts[3]      (6, 3)   hidden") != std::string::npos);
}

TEST_CASE("a named head that is tied to an embedding is an embedding, and no other layer takes its place") {
  struct tied : nn::Module {
    nn::Linear hidden = register_module("hidden", nn::Linear(4, 4));
    nn::Embedding words = register_module("words", nn::Embedding(7, 4));
    struct scores : nn::Module {};
    std::shared_ptr<scores> head = register_module("head", std::make_shared<scores>());
    tied() { head->register_parameter("weight", words->weight); }
  } model;
  const auto found = tt::parameters_of(model);
  REQUIRE(found.size() == 3);
  CHECK(found[0].role == role::hidden);
  CHECK(found[2].name == "words.weight");
  CHECK(found[2].role == role::embedding);
}

TEST_CASE("a tensor that two modules share is there once, and an embedding") {
  struct tied : nn::Module {
    nn::Linear head = register_module("head", nn::Linear(nn::LinearOptions(4, 7).bias(false)));
    nn::Embedding words = register_module("words", nn::Embedding(7, 4));
    tied() { words->weight = words->register_parameter("weight2", head->weight); }
  } model;
  const auto found = tt::parameters_of(model);
  REQUIRE(found.size() == 2);
  CHECK(found[0].name == "head.weight");
  CHECK(found[0].role == role::embedding);
}

template <class T>
void agrees_with_the_core() {
  const auto model = read();
  model->to(::c10::CppTypeToScalarType<T>::value);
  const auto parameters = tt::parameters_of<T>(*model);
  auto opt = tt::optimizer(recipes::amuse(), parameters, {.lr = 0.1, .weight_decay = 0.1, .warmup_steps = 2});

  auto values = all_numbers<T>(parameters);
  std::vector<thalweg::parameter<T>> views;
  std::vector<const void*> addresses;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto sizes = parameters[i].values.sizes();
    views.push_back({parameters[i].name, {sizes.begin(), sizes.end()}, parameters[i].role, values[i].data()});
    addresses.push_back(parameters[i].values.data_ptr());
  }
  auto twin = thalweg::optimizer(recipes::amuse(), views, {.lr = 0.1, .weight_decay = 0.1, .warmup_steps = 2});

  for (int step = 0; step < 6; ++step) {
    opt.zero_grad();
    model->differentiate(step);
    std::vector<std::vector<T>> gradients;
    for (const auto& p : parameters) gradients.push_back(numbers<T>(p.values.grad()));
    opt.step();
    twin.step(gradients);
  }
  CHECK(opt.steps() == 6);
  CHECK(all_numbers<T>(parameters) == values);
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(parameters[i].values.data_ptr() == addresses[i]);

  const auto y = values;
  const auto x = opt.averaged(2);
  CHECK(all_numbers<T>(parameters) == y);
  {
    const auto at_x = opt.evaluation_point();
    const auto twin_at_x = twin.evaluation_point();
    CHECK(all_numbers<T>(parameters) == values);
    CHECK(all_numbers<T>(parameters) != y);
    CHECK(numbers<T>(x) == values[2]);
  }
  CHECK(all_numbers<T>(parameters) == y);
  CHECK(message([&] { (void)opt.averaged(99); }) == "[averaged] Expected an index below 6. Received 99.");
}

TEST_CASE("the module's own memory is trained, as the core trains any other") {
  agrees_with_the_core<float>();
  agrees_with_the_core<double>();
}

/// A module of 16 bits, and in float32 what the same gradients make of its weights.
void trains_as_float32(::torch::ScalarType type, tt::undefined_gradients undefined) {
  const auto model = read();
  model->to(type);
  auto opt = tt::optimizer("amuse", *model, {.lr = 0.1, .weight_decay = 0.1, .warmup_steps = 2}, undefined);
  std::vector<std::vector<float>> values;
  std::vector<const void*> addresses;
  for (const auto& p : opt.parameters()) {
    REQUIRE((p.values.scalar_type() == type));
    values.push_back(numbers<float>(p.values.to(::torch::kFloat)));
    addresses.push_back(p.values.data_ptr());
  }
  std::vector<thalweg::parameter<float>> views;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& p = opt.parameters()[i];
    views.push_back({p.name, {p.values.sizes().begin(), p.values.sizes().end()}, p.role, values[i].data()});
  }
  thalweg::optimizer<float> twin("amuse", views, {.lr = 0.1, .weight_decay = 0.1, .warmup_steps = 2});
  for (int step = 0; step < 6; ++step) {
    opt.zero_grad();
    ::torch::manual_seed(static_cast<std::uint64_t>(step));
    for (const auto& p : opt.parameters())
      p.values.mutable_grad() = ::torch::randn(p.values.sizes()).to(step == 3 ? ::torch::kFloat : type);
    std::vector<std::vector<float>> gradients;
    for (const auto& p : opt.parameters()) gradients.push_back(numbers<float>(p.values.grad().to(::torch::kFloat)));
    if (step == 4) {  // nothing was learned about this one
      opt.parameters()[0].values.mutable_grad().reset();
      gradients[0].assign(undefined == tt::undefined_gradients::are_zero ? gradients[0].size() : 0, 0.f);
    }
    opt.step();
    twin.step(gradients);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    CHECK(opt.parameters()[i].values.data_ptr() == addresses[i]);
    const auto x = opt.averaged(i);
    std::vector<float> of_twin(values[i].size());
    twin.averaged(i, of_twin);
    CHECK((x.scalar_type() == ::torch::kFloat));
    CHECK(numbers<float>(x) == of_twin);
    const auto nearest = ::torch::tensor(values[i]).to(type).to(::torch::kFloat);
    CHECK(::torch::allclose(opt.parameters()[i].values.flatten().to(::torch::kFloat), nearest, 1e-2));
  }
}

TEST_CASE("a module of 16 bits trains in place, exactly as float32 with the same gradients") {
  trains_as_float32(::torch::kBFloat16, tt::undefined_gradients::are_none);
  trains_as_float32(::torch::kBFloat16, tt::undefined_gradients::are_zero);
  trains_as_float32(::torch::kHalf, tt::undefined_gradients::are_none);
}

TEST_CASE("backward of a bfloat16 module, and its average while it is validated") {
  const auto model = read();
  model->to(::torch::kBFloat16);
  auto opt = tt::optimizer("amuse", *model, {.lr = 0.05, .warmup_steps = 5, .state = state_in::bfloat16});
  const auto loss = [&] {
    const ::torch::NoGradGuard none;
    return ::torch::cross_entropy_loss(model->forward(::torch::arange(6)), ::torch::arange(6) % 3).item<float>();
  };
  const float before = loss();
  for (int step = 0; step < 60; ++step) {
    opt.zero_grad();
    ::torch::cross_entropy_loss(model->forward(::torch::arange(6)), ::torch::arange(6) % 3).backward();
    opt.step();
  }
  const auto y = model->head->weight.detach().clone();
  {
    const auto at_x = opt.evaluation_point();
    CHECK(loss() < before / 2);
    CHECK(!::torch::equal(model->head->weight, y));
  }
  CHECK(::torch::equal(model->head->weight, y));
}

TEST_CASE("AdamW as libtorch's own") {
  const auto model = read(), twin = read();
  auto opt = tt::optimizer(recipes::adamw(), model->parameters(), {.lr = 0.01, .weight_decay = 0.1});
  ::torch::optim::AdamW theirs(twin->parameters(), ::torch::optim::AdamWOptions(0.01).weight_decay(0.1));
  for (int step = 0; step < 8; ++step) {
    opt.zero_grad(), theirs.zero_grad();
    model->differentiate(step), twin->differentiate(step);
    opt.step(), theirs.step();
  }
  for (std::size_t i = 0; i < model->parameters().size(); ++i)
    CHECK(::torch::allclose(model->parameters()[i], twin->parameters()[i], 1e-4, 1e-6));
}

TEST_CASE("a chain may be bound from text, with the library's passes") {
  const auto model = read(), twin = read();
  auto opt = tt::optimizer("adamw", *model, {.lr = 0.01});
  auto own = tt::optimizer(recipes::adamw(), *twin, {.lr = 0.01});
  for (int step = 0; step < 3; ++step) {
    model->differentiate(step), twin->differentiate(step);
    opt.step(), own.step();
  }
  CHECK(opt.describe().find("compiled for") != std::string::npos);
  CHECK(opt.engine().steps() == 3);
  for (std::size_t i = 0; i < model->parameters().size(); ++i)
    CHECK(::torch::allclose(model->parameters()[i], twin->parameters()[i], 1e-5, 1e-7));
}

TEST_CASE("a parameter without a gradient stands still, or counts as zero; of none at all a step is refused") {
  for (const auto undefined : {tt::undefined_gradients::are_none, tt::undefined_gradients::are_zero}) {
  const auto model = read();
  auto opt = tt::optimizer(recipes::sgd({.momentum = 0.5}), *model, {.lr = 1}, undefined);
  const auto start = all_numbers<float>(opt.parameters());
  CHECK(message([&] { opt.step(); }) ==
        "[step] Expected a gradient. Received none for any parameter; call backward() first.");
  CHECK(all_numbers<float>(opt.parameters()) == start);
  CHECK(opt.steps() == 0);

  model->words->weight.mutable_grad() = ::torch::ones({7, 4});
  opt.step();
  CHECK(model->words->weight[0][0].item<float>() == doctest::Approx(start[1][0] - 1));  // 0 is position_embedding
  CHECK(numbers<float>(model->head->weight) == start[4]);
  model->words->weight.mutable_grad().reset();
  model->hidden->bias.mutable_grad() = ::torch::ones({5});
  opt.step();
  const double moved = undefined == tt::undefined_gradients::are_zero ? 1.5 : 1;  // momentum goes on, or not
  CHECK(model->words->weight[0][0].item<float>() == doctest::Approx(start[1][0] - moved));
  }
}

TEST_CASE("what requires no gradients at binding is left out; what is frozen later stands still") {
  const auto model = read();
  model->words->weight.requires_grad_(false);
  auto opt = tt::optimizer(recipes::adamw(), *model, {.lr = 0.1});
  CHECK(opt.parameters().size() == 5);
  const auto frozen = numbers<float>(model->words->weight);
  model->differentiate(1);
  opt.step();
  CHECK(numbers<float>(model->words->weight) == frozen);

  model->head->weight.requires_grad_(false);
  const auto values = numbers<float>(model->head->weight);
  CHECK(opt.step().without_gradient == 1);
  CHECK(numbers<float>(model->head->weight) == values);
  model->head->weight.requires_grad_(true);
  CHECK(opt.step().without_gradient == 0);
  CHECK(numbers<float>(model->head->weight) != values);

  for (auto& p : model->parameters()) p.requires_grad_(false);
  CHECK(message([&] { (void)tt::optimizer(recipes::adamw(), *model, {}); }) ==
        "[torch] Expected a parameter that requires gradients. Received none.");
}

TEST_CASE("memory that was replaced after binding is never written") {
  const auto refused = [](auto& opt, const std::string& name) {
    const auto says = "Expected '" + name + "' in the memory in which it was bound.";
    CHECK(message([&] { opt.step(); }).starts_with("[step] " + says));
    CHECK(message([&] { (void)opt.evaluation_point(); }).starts_with("[evaluation_point] " + says));
    CHECK(message([&] { (void)opt.averaged(0); }).starts_with("[averaged] " + says));
  };
  const auto model = read();
  auto opt = tt::optimizer(recipes::amuse(), *model, {.lr = 0.1, .warmup_steps = 1});
  model->differentiate(1);
  opt.step();

  SUBCASE("by another type and back") {
    model->to(::torch::kDouble);
    refused(opt, "position_embedding");
    model->to(::torch::kFloat);
    refused(opt, "position_embedding");
  }
  SUBCASE("by a file's") {
    std::stringstream file;
    ::torch::save(model->hidden, file);
    ::torch::load(model->hidden, file);
    refused(opt, "hidden.weight");
  }
  SUBCASE("while at x: y is put back into the old memory, which is still there") {
    const auto held = std::optional(opt.evaluation_point());
    { const auto gone = std::move(opt); }
    model->to(::torch::kDouble);
  }
}

TEST_CASE("a run that is resumed goes on bit for bit") {
  const auto path = (std::filesystem::temp_directory_path() / "thalweg-unit-torch.safetensors").string();
  const options settings{.lr = 0.1, .warmup_steps = 2};
  const auto model = read(), resumed = std::make_shared<reader>();
  auto opt = tt::optimizer(recipes::amuse(), *model, settings);
  const auto train = [](reader& m, auto& o, int from, int to) {
    for (int step = from; step < to; ++step) o.zero_grad(), m.differentiate(step), o.step();
  };
  train(*model, opt, 0, 4);
  std::stringstream weights;
  ::torch::save(model, weights);
  opt.save(path);
  train(*model, opt, 4, 8);

  auto model_again = resumed;
  auto bound_too_early = tt::optimizer(recipes::amuse(), *resumed, settings);
  ::torch::load(model_again, weights);
  CHECK(message([&] { bound_too_early.load(path); }).starts_with("[load] Expected 'position_embedding' in the memory"));
  CHECK(message([&] { bound_too_early.save(path); }).starts_with("[save] Expected 'position_embedding' in the memory"));
  auto again = tt::optimizer(recipes::amuse(), *resumed, settings);
  again.load(path);
  train(*resumed, again, 4, 8);
  CHECK(all_numbers<float>(again.parameters()) == all_numbers<float>(opt.parameters()));
  std::filesystem::remove(path);
}

TEST_CASE("gradients are refused that are not dense, before anything is written") {
  ::torch::manual_seed(5);
  const auto model = std::make_shared<reader>(true);
  auto opt = tt::optimizer(recipes::adamw(), *model, {.lr = 0.1});
  const auto values = all_numbers<float>(opt.parameters());
  model->differentiate(1);
  CHECK(message([&] { opt.step(); }) == "[step] Expected the gradient of 'words.weight' to be dense. Received it "
                                        "sparse; build the module without sparse(true).");
  CHECK(all_numbers<float>(opt.parameters()) == values);

  model->words->weight.mutable_grad() = ::torch::ones({4, 7}).t();
  CHECK(message([&] { opt.step(); }) == "[step] Expected the gradient of 'words.weight' to be contiguous. Received it "
                                        "with gaps or in another order. Replace it by its contiguous().");
  model->words->weight.mutable_grad() = ::torch::ones({7, 4});
  opt.step();
  CHECK(opt.steps() == 1);
}

TEST_CASE("parameters are refused that are not what they must be") {
  const auto bind = [](const ::torch::Tensor& t) {
    return message([&] { (void)tt::optimizer(recipes::adamw(), std::vector{t}, {}); });
  };
  const auto grad = ::torch::requires_grad();
  CHECK(bind(::torch::ones({2, 3}, grad.dtype(::torch::kDouble))) ==
        "[torch] Expected '0' in Float, BFloat16 or Half. Received Double. A module is bound in float; for double, pass "
        "parameters_of<double>(*model).");
  CHECK(message([&] {
          (void)tt::optimizer(recipes::adamw(), tt::parameters_of<double>(std::vector{::torch::ones({2}, grad.dtype(::torch::kHalf))}), {});
        }).starts_with("[torch] Expected '0' in Double. Received Half. "));
  CHECK(bind(::torch::ones({2, 3}, grad.dtype(::torch::kComplexFloat)))
            .starts_with("[torch] Expected '0' in Float, BFloat16 or Half. Received ComplexFloat"));
  CHECK(bind(::torch::empty({2, 3}, grad.device(::torch::kMeta)))
            .starts_with("[torch] Expected '0' on the CPU. Received it on meta"));
  CHECK(bind(::torch::ones({2, 3}).t().requires_grad_()).starts_with("[torch] Expected '0' to be contiguous."));
  CHECK(bind(::torch::ones({2, 3}).to_sparse().requires_grad_()).starts_with("[torch] Expected '0' to be dense."));
  CHECK(bind(::torch::ones({2, 3}, grad) * 2).starts_with("[torch] Expected '0' to be a leaf."));
  CHECK(bind(::torch::ones({0, 3}, grad))== "[optimizer] Expected a parameter with elements. Received none.");
  CHECK(bind({}) == "[torch] Expected values for '0'. Received an undefined tensor.");
  CHECK(bind(::torch::tensor(1.f, grad)) == "nothing was thrown");  // a scalar
}

TEST_CASE("zero_grad fills the gradients with zeros, and keeps their memory") {
  const auto model = read();
  auto opt = tt::optimizer(recipes::adamw(), *model, {.lr = 0.1});
  opt.zero_grad();
  CHECK(!model->head->bias.grad().defined());
  model->differentiate(1);
  const void* memory = model->head->bias.grad().data_ptr();
  CHECK(model->head->bias.grad().abs().sum().item<float>() > 0);
  opt.zero_grad();
  for (const auto& p : model->parameters()) CHECK(p.grad().abs().sum().item<float>() == 0);
  CHECK(model->head->bias.grad().data_ptr() == memory);
}

TEST_CASE("a graph from before the step is not differentiated after it") {
  const auto model = read();
  auto opt = tt::optimizer(recipes::adamw(), *model, {.lr = 0.1});
  const auto before = model->forward(::torch::zeros({6}, ::torch::kLong)).sum();
  model->differentiate(1);
  { const auto at_x = opt.evaluation_point(); }  // y is back: no harm done
  model->forward(::torch::zeros({6}, ::torch::kLong)).sum().backward();
  opt.step();
  CHECK_THROWS_WITH_AS(before.backward(), doctest::Contains("modified by an inplace operation"), ::c10::Error);
}

}  // namespace
