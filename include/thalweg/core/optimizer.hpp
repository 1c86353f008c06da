// The optimizer: one place where parameters meet a chain. It owns the state, and it alone writes.
//
//     auto opt = optimizer(recipes::amuse(), parameters, {.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 100});
//     for (auto& batch : data) { backward(batch, gradients); opt.step(gradients); }
//     { auto at_x = opt.evaluation_point(); validate(model); }
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <thalweg/core/bound_chain.hpp>
#include <thalweg/core/checkpoint.hpp>
#include <thalweg/core/evaluation.hpp>
#include <thalweg/core/gradients.hpp>
#include <thalweg/core/options.hpp>
#include <thalweg/core/pass.hpp>
#include <thalweg/core/step.hpp>
#include <thalweg/core/storage.hpp>
#include <thalweg/core/tasks.hpp>
#include <thalweg/core/unfused.hpp>
#include <thalweg/core/workspace.hpp>

namespace thalweg {

/// Binds a chain to parameters. Throws `error` where a hyper-parameter, a shape or an array is not what it must be.
///
/// It may be moved, not copied. Threads, as with a std::vector: distinct optimizers may be used on distinct threads at
/// once, and one may go from thread to thread. Of one optimizer the const members may be called at once; none of them
/// while another thread steps, sets, moves or destroys it, or begins or ends an evaluation point. So x for a validation
/// thread is copied, with `averaged`, between two steps.
template <class Chain, class T, class Passes = detail::fused_passes>
class optimizer {
  using bound_chain = detail::bound_chain<Chain, T, Passes::fused>;
  using plan = typename bound_chain::plan;
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "thalweg: parameters are float or double");

public:
  /// `given`: a chain, one transform, or `unfused(chain)`.
  template <class Given>
  optimizer(Given given, std::vector<parameter<T>> parameters, options o, Passes passes = {})
      : optimizer(o, detail::bindable<Given>::links(std::move(given)), parameters, passes) {}

  optimizer(optimizer&&) noexcept = default;
  optimizer& operator=(optimizer&&) noexcept = default;

  /// One step: reads the gradients, writes the parameters and the state. What is wrong with the gradients is thrown
  /// before anything is written; where a tensor-wise function of the user's throws, parameters and state are put back.
  ///
  /// `gradients`: one contiguous range of T a parameter, in the order of the parameters.
  ///
  ///     const auto report = opt.step(gradients, {.loss = loss});
  template <std::ranges::input_range Gradients>
  step_report step(const Gradients& gradients, const step_inputs& inputs = {}) {
    detail::check_read_in_place<Gradients>();
    std::size_t i = 0;
    for (const auto& g : gradients) gradients_.take(i++, std::span<const T>(g));
    return take_step(i, inputs);
  }
  step_report step(std::initializer_list<std::span<const T>> gradients, const step_inputs& inputs = {}) {
    std::size_t i = 0;
    for (const auto& g : gradients) gradients_.take(i++, g);
    return take_step(i, inputs);
  }

  /// While the guard lives the parameters hold x, the average; y is back bit for bit after. Chains without an
  /// average are at x always. Holds a copy of y: no other memory has room for it.
  [[nodiscard]] auto evaluation_point() {
    chain_.check_averages();
    return evaluation_guard<T>(store_, [this](std::size_t i, T* out) { average_into(i, out); });
  }

  /// Copies x of parameter `i` to `out`; the parameters are not touched.
  void averaged(std::size_t i, std::span<T> out) const {
    gradients_.check_room(i, out);
    const auto& p = store_->parameters[i];
    chain_.check_averages(p.path);
    if (store_->at_evaluation_point) std::copy_n(p.data, p.size, out.data());
    else average_into(i, out.data());
  }

  /// How many steps were taken.
  [[nodiscard]] long steps() const { return chain_.steps(); }

  [[nodiscard]] double lr() const { return chain_.settings().lr; }
  /// Sets the base learning rate, for schedules that the user keeps. `warmup_steps` still applies.
  void lr(double lr) { chain_.lr(lr); }

  /// Writes all that the next step depends on to a safetensors file, which is replaced whole or not at all; also while an
  /// evaluation point lives. What is in it, and what is not: <thalweg/core/checkpoint.hpp>.
  ///
  ///     opt.save("opt.safetensors");
  void save(const std::string& path) const {
    detail::save_checkpoint<T>(path, *store_, chain_.progress(), [this](std::size_t i, T* out) { average_into(i, out); });
  }

  /// Goes on where `save` left off, bit for bit. The parameters must be bound and hold what they held then; all options
  /// but lr, which is restored, must be those of then. Throws before anything is changed.
  void load(const std::string& path) {
    chain_.adopt(detail::load_checkpoint<T>(path, *store_, chain_.progress()));
  }

  /// A table: each parameter, its shape, role, the chain it was routed to, its state and its bytes.
  [[nodiscard]] std::string describe() const;

private:
  optimizer(const options& o, const Chain& chain, std::vector<parameter<T>>& parameters, Passes passes);

  void allocate_states();
  void share_out();

  step_report take_step(std::size_t gradient_count, const step_inputs& given);
  void absorb();
  void average_into(std::size_t i, T* out) const;

  [[no_unique_address]] Passes passes_;
  std::shared_ptr<detail::storage<T>> store_ = std::make_shared<detail::storage<T>>();
  bound_chain chain_;
  detail::given_gradients<T> gradients_;

  // The work of a step: the tasks up to each model-wise barrier, and to the end.
  std::array<std::vector<detail::task>, plan::phases.size()> tasks_;
  using measures = typename plan::sums_type;
  std::vector<measures> partial_sums_;  ///< one a task
  detail::workspace<T> work_;
  std::vector<T> rollback_;
};

template <class Given, class T>
optimizer(Given, std::vector<parameter<T>>, options)
    -> optimizer<decltype(detail::bindable<Given>::links(std::declval<Given>())), T,
                 typename detail::bindable<Given>::passes>;

}  // namespace thalweg

#include <thalweg/core/engine.hpp>
