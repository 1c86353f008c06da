// What the C interface trains is what optimizer trains, bit for bit.
#include <thalweg/text.hpp>
#include <thalweg/thalweg.h>

#include <cstddef>
#include <cstring>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

namespace {

using namespace thalweg;

template <class T>
struct model {
  std::vector<std::vector<T>> values, gradients;
  std::vector<parameter<T>> parameters;

  model() {
    add("embedding", {11, 6}, role::embedding, storage_order::row_major);
    add("hidden", {8, 6}, role::hidden, storage_order::row_major);
    add("transposed", {5, 9}, role::hidden, storage_order::column_major);
    add("filters", {4, 2, 3, 3}, role::hidden, storage_order::row_major);
    add("head", {3, 8}, role::head, storage_order::row_major);
    add("bias", {19}, role::hidden, storage_order::row_major);
    add("scalar", {}, role::hidden, storage_order::row_major);
    draw(values, 1);
    gradients = values;
  }

  void add(std::string name, std::vector<std::size_t> shape, role r, storage_order order) {
    values.emplace_back(element_count(shape));
    parameters.push_back({std::move(name), std::move(shape), r, values.back().data(), order});
    parameters.back().lr_factor = 1 + 0.25 * static_cast<double>(parameters.size() % 3);
    parameters.back().weight_decay_factor = static_cast<double>(parameters.size() % 2);
  }

  static void draw(std::vector<std::vector<T>>& arrays, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    for (auto& array : arrays)
      for (T& number : array) number = static_cast<T>(normal(random));
  }

  [[nodiscard]] std::vector<double> factors(double parameter<T>::*which) const {
    std::vector<double> all;
    for (const auto& p : parameters) all.push_back(p.*which);
    return all;
  }

  [[nodiscard]] std::vector<thalweg_parameter> in_c() const {
    std::vector<thalweg_parameter> all;
    for (const auto& p : parameters)
      all.push_back({p.name.c_str(), p.shape.data(), p.shape.size(), static_cast<int>(p.role),
                     static_cast<int>(p.order), p.data});
    return all;
  }
};

template <class T>
void check_agreement(const char* chain) {
  CAPTURE(std::string(chain));
  model<T> here, there;
  const options o{.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 3, .weight_lr_power = 1.5, .r = 0.5,
                  .parallel = sequential()};
  auto opt = optimizer(parse(chain), here.parameters, o);

  thalweg_options in_c = thalweg_options_default();
  in_c.lr = o.lr;
  in_c.weight_decay = o.weight_decay;
  in_c.warmup_steps = o.warmup_steps;
  in_c.weight_lr_power = o.weight_lr_power;
  in_c.r = o.r;
  in_c.threads = 1;
  const auto lr_factors = there.factors(&parameter<T>::lr_factor);
  const auto weight_decay_factors = there.factors(&parameter<T>::weight_decay_factor);
  in_c.lr_factors = lr_factors.data();
  in_c.weight_decay_factors = weight_decay_factors.data();
  thalweg_optimizer* handle = nullptr;
  const auto parameters = there.in_c();
  REQUIRE(thalweg_create(chain, std::is_same_v<T, float> ? THALWEG_FLOAT32 : THALWEG_FLOAT64, parameters.data(),
                         parameters.size(), &in_c, &handle) == THALWEG_OK);

  std::vector<const void*> gradients;
  for (const auto& g : there.gradients) gradients.push_back(g.data());
  for (unsigned step = 0; step < 7; ++step) {
    model<T>::draw(here.gradients, step);
    model<T>::draw(there.gradients, step);
    const double loss = 1 / (1.0 + step);
    const auto report = opt.step(here.gradients, {.loss = loss});
    thalweg_report reported = thalweg_report_default();
    REQUIRE(thalweg_step(handle, gradients.data(), gradients.size(), &loss, &reported) == THALWEG_OK);
    CHECK(here.values == there.values);
    CHECK(reported.taken == report.taken);
    CHECK(reported.lr == report.lr);
    CHECK(reported.has_gradient_norm == report.gradient_norm.has_value());
    CHECK(reported.gradient_norm == report.gradient_norm.value_or(0));
    if (step == 4) {
      opt.lr(0.01);
      REQUIRE(thalweg_set_lr(handle, 0.01) == THALWEG_OK);
    }
  }
  for (std::size_t i = 0; i < here.values.size(); ++i) {
    auto x = here.values[i], y = x;
    opt.averaged(i, x);
    REQUIRE(thalweg_averaged(handle, i, y.data(), y.size()) == THALWEG_OK);
    CHECK(x == y);
  }
  char* text = nullptr;
  REQUIRE(thalweg_describe(handle, &text) == THALWEG_OK);
  CHECK(std::string(text) == opt.describe());
  thalweg_free(text);
  {
    const auto at_x = opt.evaluation_point();
    REQUIRE(thalweg_begin_evaluation(handle) == THALWEG_OK);
    CHECK(here.values == there.values);
  }
  REQUIRE(thalweg_end_evaluation(handle) == THALWEG_OK);
  CHECK(here.values == there.values);
  thalweg_destroy(handle);
}

TEST_CASE("the C interface steps as optimizer does, bit for bit") {
  for (const char* chain :
       {"amuse(rho=0.5)", "cosine(steps=20) | adamw(beta2=0.95)", "clip_by_global_norm | muon",
        "scale_by_polyak | apply_update",
        "route(when(hidden_matrix, nesterov_ema | orthogonalize_update), otherwise(scale_by_adam)) | "
        "update_by_schedule_free(beta=0.8)"}) {
    check_agreement<float>(chain);
    check_agreement<double>(chain);
  }
}

TEST_CASE("the options' defaults are those of C++") {
  const options theirs;
  const thalweg_options ours = thalweg_options_default();
  CHECK(ours.size == sizeof ours);
  CHECK(ours.lr == theirs.lr);
  CHECK(ours.weight_decay == theirs.weight_decay);
  CHECK(ours.warmup_steps == theirs.warmup_steps);
  CHECK(ours.weight_lr_power == theirs.weight_lr_power);
  CHECK(ours.r == theirs.r);
  CHECK(ours.threads == 0);
  CHECK(ours.lr_factors == nullptr);
  CHECK(ours.weight_decay_factors == nullptr);
  CHECK(ours.dtypes == nullptr);
  CHECK(ours.gradient_dtypes == nullptr);
  CHECK(ours.state == static_cast<int>(theirs.state));
  CHECK(ours.weights == static_cast<int>(theirs.weights));
  CHECK(ours.seed == theirs.seed);
}

TEST_CASE("the text of a chain is that of C++") {
  for (const char* chain :
       {"amuse", "cosine(steps=20) | adamw(beta2=0.95)", "parallel(grafting, scale_by_adam, ema)"}) {
    char* text = nullptr;
    REQUIRE(thalweg_to_text(chain, &text) == THALWEG_OK);
    CHECK(std::string(text) == to_text(parse(chain)));
    thalweg_free(text);
  }
}

}  // namespace
