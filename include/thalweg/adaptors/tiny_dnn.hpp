// tiny-dnn: an optimizer that its networks train with, in their own memory.
//
//     tiny_dnn::network<tiny_dnn::sequential> net;
//     net << tiny_dnn::fully_connected_layer<tiny_dnn::activation::tan_h>(64, 32)
//         << tiny_dnn::fully_connected_layer<tiny_dnn::activation::softmax>(32, 10);
//     thalweg::tiny_dnn::optimizer opt(thalweg::recipes::amuse(), net, {.lr = 0.02, .warmup_steps = 100});
//     net.fit<tiny_dnn::cross_entropy_multiclass>(opt, images, labels, 32, 10);
//     { const auto at_x = opt.evaluation_point(); net.test(held_out, held_out_labels); }
//
// tiny-dnn's headers hold definitions: one unit of a program may include them, or this. Beside
// `using namespace thalweg` its own names are `::tiny_dnn::…`.
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

/// A weight vector of a layer, and the matrix or filter that it is.
struct parameter {
  std::string name{};
  ::tiny_dnn::vec_t* values = nullptr;
  std::vector<std::size_t> shape{};
  thalweg::role role = role::hidden;
  storage_order order = storage_order::row_major;
  double lr_factor = 1, weight_decay_factor = 1;
};

/// The vectors that a network trains, in the order in which it updates them. It is a value: what is guessed wrong can
/// be set before it is bound, and `describe()` shows it. Layers with `set_trainable(false)` are left out.
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

/// What `network::fit` and `train` take. tiny-dnn passes one weight vector after the other and never says that a
/// batch is complete; since the vectors are known from the network, the step is taken when the last of them has come.
/// So every chain works, also one that looks at all parameters at once. Gradients are copied as they come, parameters
/// are not.
///
/// Every call that would touch weights whose memory was replaced (`*net[0]->weights()[0] = std::move(other)`) is
/// refused, with nothing read or written; `reset()` binds the new memory. The layers must outlive the optimizer.
///
/// `fit` calls `reset()` when it begins, which forgets all state, as tiny-dnn's own optimizers do: many epochs are one
/// call of `fit`, not many. It begins at y, where the one before left the weights. Options are no state: they stay as
/// they were given, and lr as it was last set.
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
  /// `chain`: whatever `thalweg::optimizer` takes.
  template <class Given>
  optimizer(const Given& chain, std::vector<parameter> parameters, const options& o)
      : chain_(thalweg::detail::program_of<T>(chain)), options_(o), parameters_(std::move(parameters)), bound_(memory()),
        engine_(chain_, views(), options_), gradients_(parameters_.size()) {}
  template <class Given, class Net>
  optimizer(const Given& chain, ::tiny_dnn::network<Net>& net, const options& o)
      : optimizer(chain, parameters_of(net), o) {}

  /// Called by tiny-dnn for each weight vector of a batch. Throws, with nothing written, where they are not those that
  /// were bound, in their order.
  void update(const ::tiny_dnn::vec_t& gradient, ::tiny_dnn::vec_t& weights, bool /*parallelize*/) override {
    const std::size_t i = std::exchange(arrived_, 0);
    const auto& p = parameters_[i];
    if (&weights != p.values)
      throw error("update", "Expected '", p.name, "', as the network was when it was bound. Received another weight "
                  "vector, of ", weights.size(), " elements; bind anew once layers are added, removed or frozen.");
    check_bound("update", i);
    gradients_[i].assign(gradient.begin(), gradient.end());
    if (i + 1 < parameters_.size()) {
      arrived_ = i + 1;
    } else {
      check_bound("update");  // those that came first, again
      report_ = engine_.step(gradients_);
    }
  }

  /// Forgets all state, but not the lr, and starts anew from the weights as they are. `fit` calls it.
  void reset() override {
    if (!at_x_.expired())
      throw error("reset", "Expected the parameters at y. Received them at x: let the evaluation point go first.");
    thalweg::optimizer<T> anew(chain_, views(), options_);
    anew.lr(engine_.lr());
    engine_ = std::move(anew);
    bound_ = memory();
    arrived_ = 0;
    report_ = {};
  }

  /// While it lives the network holds x, the average, and its weights must stay in their memory.
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

  /// What is trained, in the order in which it is bound.
  [[nodiscard]] const std::vector<parameter>& parameters() const { return parameters_; }
  [[nodiscard]] long steps() const { return engine_.steps(); }
  /// Of the latest step.
  [[nodiscard]] const step_report& report() const { return report_; }
  [[nodiscard]] double lr() const { return engine_.lr(); }
  /// Sets the base learning rate, also of runs to come: `reset()` leaves it.
  void lr(double lr) { engine_.lr(lr); }
  [[nodiscard]] std::string describe() const { return engine_.describe(); }
  /// The optimizer of these vectors' memory, for whatever else it can do; until the next `reset()`.
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
