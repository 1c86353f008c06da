// An optimizer whose chain its type does not tell: what compiled recipes and run-time chains have in common.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/core/evaluation.hpp>
#include <thalweg/core/step.hpp>

namespace thalweg {

namespace detail {
template <class T>
class engine {
public:
  virtual ~engine() = default;
  virtual step_report step(std::span<const std::span<const T>> gradients, const step_inputs& inputs) = 0;
  virtual evaluation_guard<T> evaluation_point() = 0;
  virtual void averaged(std::size_t i, std::span<T> out) const = 0;
  virtual long steps() const = 0;
  virtual double lr() const = 0;
  virtual void lr(double lr) = 0;
  virtual void save(const std::string& path) const = 0;
  virtual void load(const std::string& path) = 0;
  virtual std::string describe() const = 0;
};

/// One with an optimizer of its own in it.
template <class T, class Optimizer>
class engine_of final : public engine<T> {
  Optimizer optimizer_;

public:
  template <class... Given>
  explicit engine_of(Given&&... given) : optimizer_(std::forward<Given>(given)...) {}

  step_report step(std::span<const std::span<const T>> gradients, const step_inputs& inputs) override {
    return optimizer_.step(gradients, inputs);
  }
  evaluation_guard<T> evaluation_point() override { return optimizer_.evaluation_point(); }
  void averaged(std::size_t i, std::span<T> out) const override { optimizer_.averaged(i, out); }
  long steps() const override { return optimizer_.steps(); }
  double lr() const override { return optimizer_.lr(); }
  void lr(double lr) override { optimizer_.lr(lr); }
  void save(const std::string& path) const override { optimizer_.save(path); }
  void load(const std::string& path) override { optimizer_.load(path); }
  std::string describe() const override { return optimizer_.describe(); }
};
}  // namespace detail

/// As `thalweg::optimizer`, its type the same for every chain: made as a `compiled::optimizer` or a `runtime::optimizer`.
///
///     any_optimizer<float> opt = compiled::optimizer(recipes::lion(), parameters, {.lr = 1e-4});
///     if (!text.empty()) opt = runtime::optimizer(runtime::parse(text), parameters, {.lr = 1e-4});
template <class T>
class any_optimizer {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "thalweg: parameters are float or double");
  std::unique_ptr<detail::engine<T>> engine_;
  std::vector<std::span<const T>> gradients_;

protected:
  any_optimizer(std::unique_ptr<detail::engine<T>> engine, std::size_t parameters) : engine_(std::move(engine)) {
    gradients_.reserve(parameters);
  }

public:
  /// As `thalweg::optimizer::step`.
  template <std::ranges::input_range Gradients>
  step_report step(const Gradients& gradients, const step_inputs& inputs = {}) {
    detail::check_read_in_place<Gradients>();
    gradients_.clear();
    for (const auto& g : gradients) gradients_.emplace_back(g);
    return engine_->step(gradients_, inputs);
  }
  step_report step(std::initializer_list<std::span<const T>> gradients, const step_inputs& inputs = {}) {
    return engine_->step({gradients.begin(), gradients.size()}, inputs);
  }

  [[nodiscard]] evaluation_guard<T> evaluation_point() { return engine_->evaluation_point(); }
  void averaged(std::size_t i, std::span<T> out) const { engine_->averaged(i, out); }
  [[nodiscard]] long steps() const { return engine_->steps(); }
  [[nodiscard]] double lr() const { return engine_->lr(); }
  void lr(double lr) { engine_->lr(lr); }
  void save(const std::string& path) const { engine_->save(path); }
  void load(const std::string& path) { engine_->load(path); }
  [[nodiscard]] std::string describe() const { return engine_->describe(); }
};

}  // namespace thalweg
