// An optimizer of T with any chain (type-erased), for the tests of chains. <build.hpp> says where it runs; the include
// folders select that header.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/core/optimizer.hpp>

namespace test {

/// Parameters and gradients are in the host's memory, whatever it runs on.
template <class T>
struct machine {
  virtual ~machine() = default;
  virtual void step(const std::vector<std::span<const T>>& gradients) = 0;
  [[nodiscard]] virtual std::shared_ptr<void> evaluation_point() = 0;  ///< the parameters hold x while it lives
  virtual void averaged(std::size_t i, std::span<T> out) const = 0;
  virtual void lr(double) = 0;
  virtual std::string describe() const = 0;
};

template <class T>
using builder =
    std::function<std::unique_ptr<machine<T>>(std::vector<thalweg::parameter<T>>, const thalweg::options&)>;
/// What makes an optimizer on the device in question.
template <class T>
using maker = std::function<thalweg::optimizer<T>(std::vector<thalweg::parameter<T>>, const thalweg::options&)>;

template <class T>
struct machine_on_host final : machine<T> {
  thalweg::optimizer<T> optimizer;
  explicit machine_on_host(thalweg::optimizer<T> o) : optimizer(std::move(o)) {}
  void step(const std::vector<std::span<const T>>& gradients) override { optimizer.step(gradients, {.loss = 1}); }
  std::shared_ptr<void> evaluation_point() override {
    return std::make_shared<thalweg::evaluation_guard<T>>(optimizer.evaluation_point());
  }
  void averaged(std::size_t i, std::span<T> out) const override { optimizer.averaged(i, out); }
  void lr(double lr) override { optimizer.lr(lr); }
  std::string describe() const override { return optimizer.describe(); }
};

template <class T>
builder<T> builder_on_host(maker<T> make) {
  return [make = std::move(make)](std::vector<thalweg::parameter<T>> parameters, const thalweg::options& o) {
    return std::make_unique<machine_on_host<T>>(make(std::move(parameters), o));
  };
}
/// Binds `given`, a chain, a transform or `unfused(…)`, to parameters.
template <class T, class Given>
builder<T> build_on_host(const Given& given) {
  return builder_on_host<T>([given](std::vector<thalweg::parameter<T>> parameters, const thalweg::options& o) {
    return thalweg::optimizer<T>(given, std::move(parameters), o);
  });
}

struct builders {
  builder<float> in_float;
  builder<double> in_double;
  bool multiplies_together = false;  ///< equal matrices, and may add up in another order where they are more
};

}  // namespace test
