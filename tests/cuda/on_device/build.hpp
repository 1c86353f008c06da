// Chains run on a device, beside which the host's parameters follow.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <thalweg/cuda/optimizer.hpp>
#include <thalweg/cuda/orthogonalize_update.hpp>

#include "../../machine/machine.hpp"
#include "../model_on_device.hpp"

namespace test {

inline constexpr bool runs_unfused = false;  // on a device every chain is fused

/// The arrays of the device lie as far from where loads are aligned as the host's do.
template <class T>
class machine_on_device final : public machine<T> {
  std::vector<std::span<T>> of_host_;
  arrays_on_device<T> values_, gradients_;
  thalweg::optimizer<T> optimizer_;

public:
  machine_on_device(const maker<T>& make, std::vector<thalweg::parameter<T>> parameters, const thalweg::options& o)
      : of_host_(spans_of(parameters)), values_(copied(of_host_), offset_of(of_host_)),
        gradients_(copied(of_host_), offset_of(of_host_)),
        optimizer_(make(moved(std::move(parameters)), o)) {}

  void step(const std::vector<std::span<const T>>& gradients) override {
    gradients_.put(copied(gradients));
    optimizer_.step(gradients_.spans(), {.loss = 1});
    follow();
  }
  std::shared_ptr<void> evaluation_point() override {
    struct guard {
      machine_on_device& machine;
      std::optional<thalweg::evaluation_guard<T>> at_x;
      explicit guard(machine_on_device& m) : machine(m), at_x(m.optimizer_.evaluation_point()) { machine.follow(); }
      ~guard() {
        at_x.reset();
        machine.follow();
      }
    };
    return std::make_shared<guard>(*this);
  }
  void averaged(std::size_t i, std::span<T> out) const override {
    arrays_on_device<T> x({std::vector<T>(out.size())});
    optimizer_.averaged(i, x[0]);
    std::ranges::copy(x.get().front(), out.begin());
  }
  void lr(double lr) override { optimizer_.lr(lr); }
  std::string describe() const override { return optimizer_.describe(); }

private:
  static std::vector<std::span<T>> spans_of(const std::vector<thalweg::parameter<T>>& parameters) {
    std::vector<std::span<T>> all;
    for (const auto& p : parameters) all.emplace_back(static_cast<T*>(p.data), thalweg::element_count(p.shape));
    return all;
  }
  template <class Spans>
  static std::vector<std::vector<T>> copied(const Spans& spans) {
    std::vector<std::vector<T>> all;
    for (const auto& s : spans) all.emplace_back(s.begin(), s.end());
    return all;
  }
  static std::size_t offset_of(const std::vector<std::span<T>>& spans) {
    return spans.empty() ? 0 : reinterpret_cast<std::uintptr_t>(spans.front().data()) % 64 / sizeof(T);
  }
  std::vector<thalweg::parameter<T>> moved(std::vector<thalweg::parameter<T>> parameters) {
    for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].data = values_[i].data();
    return parameters;
  }
  void follow() {
    const auto now = values_.get();
    for (std::size_t i = 0; i < now.size(); ++i) std::ranges::copy(now[i], of_host_[i].begin());
    if (!values_.sentinels_stand() || !gradients_.sentinels_stand())
      throw std::logic_error("something was written beside the device's arrays");
  }
};

template <class T>
builder<T> builder_on_device(maker<T> make) {
  return [make = std::move(make)](std::vector<thalweg::parameter<T>> parameters, const thalweg::options& o) {
    return std::make_unique<machine_on_device<T>>(make, std::move(parameters), o);
  };
}
template <class T, class Given>
builder<T> build(const Given& given) {
  return builder_on_device<T>([given](std::vector<thalweg::parameter<T>> parameters, const thalweg::options& o) {
    return thalweg::cuda::optimizer(given, std::move(parameters), o);
  });
}

template <class... Leaves>
constexpr bool have_tensorwise(const std::tuple<Leaves...>*) {
  return (thalweg::tensorwise_transform<Leaves> || ...);
}
/// Whether all tensor-wise transforms of a chain have a device form.
template <class T, class... Leaves>
constexpr bool have_forms(const std::tuple<Leaves...>*) {
  return ((!thalweg::tensorwise_transform<Leaves> ||
           thalweg::cuda::has_device_form<Leaves, T>) && ...);
}

template <class Chain>
std::optional<builders> builders_on_device(const Chain& chain) {
  constexpr const typename thalweg::detail::laid_out<Chain>::leaves* leaves = nullptr;
  if constexpr (have_forms<float>(leaves))
    return builders{build<float>(chain), build<double>(chain), have_tensorwise(leaves)};
  else
    return std::nullopt;
}

}  // namespace test
