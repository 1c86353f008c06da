// The optimizer: a chain that is bound to parameters. It owns the state. Nothing else writes parameters or state.
//
//     auto opt = optimizer(recipes::amuse(), parameters, {.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 100});
//     for (auto& batch : data) { backward(batch, gradients); opt.step(gradients); }
//     { auto at_x = opt.evaluation_point(); validate(model); }
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/core/checkpoint.hpp>
#include <thalweg/core/evaluation.hpp>
#include <thalweg/core/instruction_sets.hpp>
#include <thalweg/core/options.hpp>
#include <thalweg/core/program.hpp>
#include <thalweg/core/recipe.hpp>
#include <thalweg/core/step.hpp>

namespace thalweg {

namespace recipes {
/// A recipe of this namespace as a program whose passes the library holds, for `instruction_sets()[which]`.
template <class T, class Recipe>
detail::program<T> as_program(const Recipe& recipe, std::size_t which);

/// Declared for the recipes of this namespace only.
template <class Recipe>
std::true_type is_in_library(const Recipe&);
}  // namespace recipes

namespace detail {
template <class T>
class engine;
template <class T>
class device;
template <class T>
struct bound_program;
/// Makes the device that a program runs on: the host, or a GPU.
template <class T>
using device_maker = std::function<std::shared_ptr<device<T>>(bound_program<T> bound)>;

/// The program of a text, as thalweg::parse reads it.
template <class T>
program<T> program_of_text(std::string_view text, std::size_t which);

/// A chain, or one transform: core/lower.hpp defines it, for those who compile chains.
template <class Given>
struct bindable;

/// The program of anything that an optimizer can be made from. Where the library holds the passes, they are those for
/// `instruction_sets()[which]`.
template <class T, class Given>
program<T> program_of(const Given& given, std::size_t which = 0) {
  if constexpr (std::convertible_to<const Given&, std::string_view>) return program_of_text<T>(given, which);
  else if constexpr (requires { given.template as_program<T>(which); }) return given.template as_program<T>(which);
  else if constexpr (recipe<Given> && requires { is_in_library(given); })
    return recipes::as_program<T>(given, which);
  else {
    static_assert(requires { sizeof(bindable<Given>); },
                  "thalweg: to make an optimizer from a chain, include <thalweg/thalweg.hpp> or <thalweg/core/optimizer.hpp>");
    return bindable<Given>::template lowered<T>(given);
  }
}
template <class T, class Given>
program<T> program_of(const on_instruction_set<Given>& given) {
  return program_of<T>(given.given, given.which);
}
}  // namespace detail

/// A chain that is bound to parameters. The type is the same for every chain, so an optimizer can be a member that is
/// empty at first, and can be assigned an optimizer of another chain. Throws `error` if a hyper-parameter, a shape or
/// an array is wrong.
///
/// `given`: a chain, a recipe, one transform, `unfused(chain)`, a text (`"amuse(rho=0.5)"`) or the result of `parse`.
///
/// An optimizer may be moved, but not copied. The rules for threads are those of std::vector. Several threads may use
/// different optimizers at once, and an optimizer may move between threads. Several threads may call the const members
/// of one optimizer at once, but not while another thread steps, sets, moves or destroys it, or begins or ends an
/// evaluation point. To give x to a validation thread, copy it with `averaged` between two steps.
///
///     optimizer<float> opt;
///     opt = optimizer(recipes::lion(), parameters, {.lr = 1e-4});
///     opt = optimizer("amuse(rho=0.5)", parameters, {.lr = 0.02, .warmup_steps = 100});
template <class T>
class optimizer {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "thalweg: parameters are float or double");
  std::unique_ptr<detail::engine<T>> engine_;

public:
  /// Empty: all members but assignment throw.
  optimizer() noexcept;
  optimizer(optimizer&&) noexcept;
  optimizer& operator=(optimizer&&) noexcept;
  ~optimizer();

  template <class Given>
  optimizer(const Given& given, std::vector<parameter<T>> parameters, const options& o)
      : optimizer(detail::program_of<T>(given), std::move(parameters), o) {}
  optimizer(detail::program<T> p, std::vector<parameter<T>> parameters, const options& o);
  /// On another device than the host.
  optimizer(detail::program<T> p, std::vector<parameter<T>> parameters, const options& o,
            const detail::device_maker<T>& make_device);

  /// Takes one step: reads the gradients, writes the parameters and the state. If a gradient is wrong, it throws before
  /// it writes anything. If a tensor-wise function of yours throws, parameters and state are restored.
  ///
  /// `gradients`: one contiguous range per parameter, in the order of the parameters. A range may be a std::optional.
  /// Its elements have type T; for float also `bfloat16` or `float16`. `gradient_view` takes any of these.
  ///
  /// If a parameter has no gradient (an empty range, `nullopt`), the parameter and its state do not change. Bias
  /// corrections and averages count the steps in which the parameter had a gradient. Schedules count all steps. With
  /// `accumulate`, a missing gradient counts as zeros, unless all gradients of the step are missing. A gradient of
  /// zeros is different: momentum and weights decay.
  ///
  ///     const auto report = opt.step(gradients, {.loss = loss});
  template <class Gradients>
  step_report step(const Gradients& gradients, const step_inputs& inputs = {}) {
    detail::check_read_in_place<Gradients>();
    std::size_t i = 0;
    for (const auto& g : gradients) take_gradient(i++, detail::elements_of<T>(g));
    return take_step(i, inputs);
  }
  step_report step(std::initializer_list<std::span<const T>> gradients, const step_inputs& inputs = {}) {
    std::size_t i = 0;
    for (const auto& g : gradients) take_gradient(i++, g);
    return take_step(i, inputs);
  }

  /// Takes a step with the mean of the gradients that `accumulate` has collected, even if they are too few. If there
  /// are none, the report says that no step was taken.
  step_report flush();
  /// Discards them.
  void drop();

  /// While the guard lives the parameters hold x, the average. Afterwards they hold y again, bit for bit. In a chain
  /// without an average, x is y. The guard holds a copy of y.
  [[nodiscard]] evaluation_guard<T> evaluation_point();

  /// Copies x of parameter `i` to `out`. The parameters do not change.
  void averaged(std::size_t i, std::span<T> out) const;

  /// The number of steps taken.
  [[nodiscard]] long steps() const;

  [[nodiscard]] double lr() const;
  /// Sets the base learning rate, for a schedule of your own. `warmup_steps` still applies.
  void lr(double lr);

  /// Sets an option ("weight_decay") or a transform's field ("scale_by_adam.beta2") from the next step on. If several
  /// transforms have this name, it sets all; "scale_by_adam#2.beta2" sets the second. A checkpoint stores the value.
  /// Throws if the name is unknown or the value is out of range. You cannot set the fields of `accumulate` or the field
  /// `memory` of `update_and_average`.
  ///
  ///     opt.set("scale_by_adam.beta2", 0.95);
  void set(std::string_view name, double value);
  [[nodiscard]] double get(std::string_view name) const;

  /// Multiplies the rows of a matrix, and those of what the optimizer keeps as a copy of it (z, averages), so that x is scaled
  /// as y is. Momenta and second moments stay. `name`: of a parameter, or of a part that its view makes ("qkv.q"). `by`: one
  /// number for each block of equally many rows, a head for example. Throws before it changes anything.
  ///
  ///     opt.scale_rows("blocks.3.q", qk_clip(largest_logits));  // <thalweg/core/qk_clip.hpp>
  void scale_rows(std::string_view name, std::span<const double> by);

  /// Writes all that the next step needs, except the parameters, to a safetensors file. It replaces the file whole or
  /// not at all, and may be called during an evaluation point. The content: <thalweg/core/checkpoint.hpp>.
  ///
  ///     opt.save("opt.safetensors");
  void save(const std::string& path) const;

  /// Continues where `save` stopped, bit for bit. The parameters must have the values that they had then. All options
  /// must be the same, except lr and the values changed by `set`, which are restored. If the file is wrong or damaged,
  /// it throws before it changes anything. A file of an earlier version may have no checksums: the report says so.
  ///
  /// With another policy the optimizer keeps its own chain and options, or loads only the parameters that the
  /// checkpoint has. Use it to add and remove parameters.
  ///
  ///     const auto report = opt.load("opt.safetensors", {.parameters = parameter_match::partial});
  load_report load(const std::string& path, const load_policy& policy = {});

  /// The same in memory: the bytes that `save` would write, and a `load` of them.
  [[nodiscard]] std::string to_bytes() const;
  load_report load_bytes(std::string_view bytes, const load_policy& policy = {});

  /// A table with the shape, role, chain, state and bytes of each parameter.
  [[nodiscard]] std::string describe() const;

private:
  void take_gradient(std::size_t i, const gradient_view& g);
  step_report take_step(std::size_t gradient_count, const step_inputs& inputs);
};

template <class Given, class T>
optimizer(Given, std::vector<parameter<T>>, options) -> optimizer<T>;

extern template class optimizer<float>;
extern template class optimizer<double>;

}  // namespace thalweg
