// The one engine: what binding, a step, an evaluation point and a checkpoint are, for every chain and every device.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <thalweg/core/device.hpp>
#include <thalweg/core/evaluation.hpp>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/core/options.hpp>
#include <thalweg/core/step.hpp>
#include <thalweg/core/tensor.hpp>

#include "gradients.hpp"

namespace thalweg::detail {

template <class T>
class engine {
  options options_;
  long steps_ = 0;
  long calls_ = 0;  ///< of `step`, where a gate swallows some
  gathered_losses losses_{};

  /// What the next step replaces: by path, the scalars, the sum of the average's weights, and the largest lr
  /// so far where this lr weighs.
  struct moving_numbers {
    std::vector<std::vector<double>> scalars;
    std::vector<double> weight_sums, largest_lrs;
  };
  moving_numbers now_, next_;
  std::vector<double> spare_scalars_;

  std::shared_ptr<device<T>> device_;
  given_gradients<T> gradients_;

  [[nodiscard]] const program<T>& what() const { return device_->bound.what; }
  [[nodiscard]] const storage<T>& store() const { return device_->store; }
  /// One of the parameters that take a path: their factors are the same.
  [[nodiscard]] const parameter_info& one_of(std::size_t path) const {
    return store().parameters[device_->bound.members[path].front()].info;
  }

public:
  engine(program<T> p, std::vector<parameter<T>> parameters, const options& o, const device_maker<T>& make_device);

  void take_gradient(std::size_t i, std::span<const T> g) { gradients_.take(i, g); }
  step_report step(std::size_t gradient_count, const step_inputs& given);

  evaluation_guard<T> evaluation_point();
  void averaged(std::size_t i, std::span<T> out) const;

  [[nodiscard]] long steps() const { return steps_; }
  [[nodiscard]] double lr() const { return options_.lr; }
  void lr(double lr);

  void check_usable() const { device_->check_usable(); }
  void save(const write_bytes& write) const;
  load_report load(const readable_bytes& from);
  [[nodiscard]] std::string describe() const;

private:
  /// Gives the parameters their paths and states, but for the memory of these.
  void bind(bound_program<T>& bound, std::vector<parameter<T>>& given, std::vector<bound_parameter<T>>& to) const;
  void check_loss_is_there(const step_inputs& given) const;
  /// What the transforms make of the next step; `next_` is what will be, if it is taken. Returns its lr.
  double prepare(const step_inputs& inputs);
  [[nodiscard]] average_of<T> average_by(std::size_t path) const;
  /// Throws where x is asked for and lost.
  void check_average(std::size_t path) const;
  void average_into(std::size_t i, T* out) const;
  [[nodiscard]] progress progress_now() const;
};

}  // namespace thalweg::detail
