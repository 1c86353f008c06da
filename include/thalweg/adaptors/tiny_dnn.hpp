// tiny-dnn: an optimizer that its networks train with, in their own memory.
//
//     tiny_dnn::network<tiny_dnn::sequential> net;
//     net << tiny_dnn::fully_connected_layer<tiny_dnn::activation::tan_h>(64, 32)
//         << tiny_dnn::fully_connected_layer<tiny_dnn::activation::softmax>(32, 10);
//     thalweg::tiny_dnn::optimizer opt(thalweg::recipes::amuse(), net, {.lr = 0.02, .warmup_steps = 100});
//     net.fit<tiny_dnn::cross_entropy_multiclass>(opt, images, labels, 32, 10);
//     { const auto at_x = opt.evaluation_point(); net.test(held_out, held_out_labels); }
//
// tiny-dnn's headers contain definitions, so only one source file of a program may include them, or this header. After
// `using namespace thalweg`, write `::tiny_dnn::…` for tiny-dnn's own names.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tiny_dnn/tiny_dnn.h>

#include <thalweg/core/error.hpp>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/core/tensor.hpp>

namespace thalweg::tiny_dnn {

/// A weight vector of a layer, with the shape of its matrix or filter.
struct parameter {
  std::string name{};
  ::tiny_dnn::vec_t* values = nullptr;
  std::vector<std::size_t> shape{};
  thalweg::role role = role::hidden;
  storage_order order = storage_order::row_major;
  double lr_factor = 1, weight_decay_factor = 1;
};

/// The vectors that a network trains, in the order in which it updates them. You may change a wrong role or shape
/// before binding; `describe()` shows them. Layers with `set_trainable(false)` are left out.
///
/// | layer | its weights are | role |
/// |---|---|---|
/// | `fully-connected` | (outputs, inputs), by columns | hidden; of the last such layer head |
/// | `conv` | (outputs, inputs, height, width) | hidden |
/// | any other, and all biases | a vector | hidden |
template <class Net>
std::vector<parameter> parameters_of(::tiny_dnn::network<Net>& net) {
  std::vector<parameter> all;
  std::size_t number = 0, head = 0;
  for (::tiny_dnn::layer* const l : net) {
    const std::string layer = l->layer_type(), prefix = in_words(number++, ".", layer, ".");
    if (!l->trainable()) continue;
    std::size_t next = 0;
    const auto types = l->in_types();
    const auto weights = l->weights();
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (!::tiny_dnn::is_trainable_weight(types[i])) continue;
      parameter p{.name = prefix + ::tiny_dnn::to_string(types[i]), .values = weights[next++]};
      p.shape = {p.values->size()};
      const auto s = l->in_shape()[i], in = l->in_shape()[0];
      if (types[i] == ::tiny_dnn::vector_type::weight && layer == "fully-connected") {
        p.shape = {s.height_, s.width_};
        p.order = storage_order::column_major;
        head = all.size() + 1;
      } else if (types[i] == ::tiny_dnn::vector_type::weight && layer == "conv") {
        p.shape = {s.depth_ / in.depth_, in.depth_, s.height_, s.width_};
      }
      all.push_back(std::move(p));
    }
  }
  if (head > 0) all[head - 1].role = role::head;
  return all;
}

/// An optimizer for `network::fit` and `train`. tiny-dnn passes one weight vector after the other, and never says
/// that a batch is complete. The adaptor gets the list of vectors from the network, and takes the step after the
/// last one. So every chain works, also one that needs all gradients at once. It copies gradients, but not
/// parameters.
///
/// If the memory of weights was replaced (`*net[0]->weights()[0] = std::move(other)`), every call that would use it
/// throws, before it reads or writes. `reset()` binds the new memory. The layers must outlive the optimizer.
///
/// `fit` begins with `reset()`, which deletes all state, as with tiny-dnn's own optimizers. So train all epochs in one
/// call of `fit`. A second call begins at y, where the first one left the weights. `reset()` keeps the options and the
/// last lr.
class optimizer final : public ::tiny_dnn::optimizer {
  using T = ::tiny_dnn::float_t;

  thalweg::detail::program<T> chain_;
  options options_;
  std::vector<parameter> parameters_;
  std::vector<std::span<const T>> bound_;
  thalweg::optimizer<T> engine_;
  std::vector<std::vector<T>> gradients_;
  std::size_t arrived_ = 0;  ///< of this batch's gradients
  step_report report_{};
  std::weak_ptr<const bool> at_x_;

public:
  /// `chain`: as for `thalweg::optimizer`.
  template <class Given>
  optimizer(const Given& chain, std::vector<parameter> parameters, const options& o)
      : chain_(thalweg::detail::program_of<T>(chain)), options_(o), parameters_(std::move(parameters)), bound_(memory()),
        engine_(chain_, views(), options_), gradients_(parameters_.size()) {}
  template <class Given, class Net>
  optimizer(const Given& chain, ::tiny_dnn::network<Net>& net, const options& o)
      : optimizer(chain, parameters_of(net), o) {}

  /// Called by tiny-dnn for each weight vector of a batch. Throws before it writes, if these are not the bound vectors
  /// in their order.
  void update(const ::tiny_dnn::vec_t& gradient, ::tiny_dnn::vec_t& weights, bool /*parallelize*/) override {
    const std::size_t i = std::exchange(arrived_, 0);
    const auto& p = parameters_[i];
    if (&weights != p.values)
      throw error("update", "Expected '", p.name, "', as the network was when it was bound. Received another weight "
                  "vector, of ", weights.size(),
                  " elements; make a new optimizer after you add, remove or freeze layers.");
    check_bound("update", i);
    gradients_[i].assign(gradient.begin(), gradient.end());
    if (i + 1 < parameters_.size()) {
      arrived_ = i + 1;
    } else {
      check_bound("update");  // those that came first, again
      report_ = engine_.step(gradients_);
    }
  }

  /// Deletes all state except lr, and starts again from the current weights. `fit` calls it.
  void reset() override {
    if (!at_x_.expired())
      throw error("reset", "Expected the parameters at y. Received them at x: end the evaluation point first.");
    thalweg::optimizer<T> anew(chain_, views(), options_);
    anew.lr(engine_.lr());
    engine_ = std::move(anew);
    bound_ = memory();
    arrived_ = 0;
    report_ = {};
  }

  /// While the guard lives, the network holds x, the average. Do not replace the memory of weights meanwhile.
  [[nodiscard]] auto evaluation_point() {
    check_bound("evaluation_point");
    struct at_x {
      std::shared_ptr<const bool> alive;
      evaluation_guard<T> guard;
    };
    at_x held{std::make_shared<const bool>(), engine_.evaluation_point()};
    at_x_ = held.alive;
    return held;
  }

  /// Copies x of parameters()[i] to `out`.
  void averaged(std::size_t i, std::span<T> out) const {
    check_bound("averaged");
    engine_.averaged(i, out);
  }

  /// The trained vectors, in the order of binding.
  [[nodiscard]] const std::vector<parameter>& parameters() const { return parameters_; }
  [[nodiscard]] long steps() const { return engine_.steps(); }
  /// The report of the latest step.
  [[nodiscard]] const step_report& report() const { return report_; }
  [[nodiscard]] double lr() const { return engine_.lr(); }
  /// Sets the base learning rate, also for later runs: `reset()` keeps it.
  void lr(double lr) { engine_.lr(lr); }
  [[nodiscard]] std::string describe() const { return engine_.describe(); }
  /// The optimizer behind this one, for all its other members. Valid until the next `reset()`.
  [[nodiscard]] thalweg::optimizer<T>& engine() {
    check_bound("engine");
    return engine_;
  }

private:
  std::vector<std::span<const T>> memory() const {
    std::vector<std::span<const T>> all;
    for (const auto& p : parameters_) all.emplace_back(*p.values);
    return all;
  }
  void check_bound(std::string_view where, std::size_t i) const {
    const std::span<const T> now = *parameters_[i].values;
    if (now.data() != bound_[i].data() || now.size() != bound_[i].size())
      throw error(where, "Expected '", parameters_[i].name, "' in the memory in which it was bound. Received it in "
                  "another; call reset().");
  }
  void check_bound(std::string_view where) const {
    for (std::size_t i = 0; i < parameters_.size(); ++i) check_bound(where, i);
  }
  std::vector<thalweg::parameter<T>> views() const {
    std::vector<thalweg::parameter<T>> all;
    for (const auto& p : parameters_) {
      all.push_back(as_parameter(p.name, std::span<T>(*p.values), p.shape, p.role));
      all.back().order = p.order;
      all.back().lr_factor = p.lr_factor;
      all.back().weight_decay_factor = p.weight_decay_factor;
    }
    return all;
  }
};

}  // namespace thalweg::tiny_dnn
