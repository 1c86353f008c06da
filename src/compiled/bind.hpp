// Every recipe's engine for parameters of one type: a unit of its own for each, since they take their time.
#pragma once

#include <thalweg/compiled.hpp>
#include <thalweg/core/optimizer.hpp>

#include "passes.hpp"

namespace thalweg::compiled {

template <class Chain, class T>
class engine_of final : public thalweg::detail::engine<T> {
  thalweg::optimizer<Chain, T, dispatched_passes> optimizer_;

public:
  engine_of(const Chain& chain, std::vector<parameter<T>> parameters, const options& o, const dispatched_passes& passes)
      : optimizer_(chain, std::move(parameters), o, passes) {}

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

template <class T>
std::unique_ptr<thalweg::detail::engine<T>> detail::bind(const recipe& chosen, std::vector<parameter<T>> parameters,
                                                         const options& o, std::size_t set) {
  const dispatched_passes passes = passes_for(set);
  return std::visit([&]<class Chain>(const Chain& chain) -> std::unique_ptr<thalweg::detail::engine<T>> {
    return std::make_unique<engine_of<Chain, T>>(chain, std::move(parameters), o, passes);
  }, chosen);
}

}  // namespace thalweg::compiled
