#pragma once
// A multi-layer perceptron with hand-written gradients: ReLU layers under a softmax cross-entropy.
//
//   a₀ = images,  aₗ = max(0, aₗ₋₁ Wₗᵀ + bₗ),  loss = mean of −log softmax(last layer without the max)[label]
//
// The network owns every parameter and every gradient; an optimizer sees views of them and nothing else.

#include <Eigen/Core>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <thalweg/core/parameter.hpp>

#include "score.hpp"

namespace race {

template <class T>
using matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
using row = Eigen::Matrix<T, 1, Eigen::Dynamic>;

template <class T>
class network {
public:
  // widths: pixels, the hidden layers, classes. The same seed gives the same weights, whoever trains them.
  network(const std::vector<Eigen::Index>& widths, unsigned seed) {
    std::mt19937 random(seed);
    for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
      const auto in = widths[l];
      const auto out = widths[l + 1];
      std::normal_distribution<double> he(0, std::sqrt(2 / static_cast<double>(in)));
      affine layer{matrix<T>(out, in), row<T>::Zero(out)};
      for (auto& w : layer.weight.reshaped()) w = static_cast<T>(he(random));
      layers_.push_back(layer);
      gradients_.push_back(layer);
    }
    activations_.resize(layers_.size() + 1);
  }

  // What the optimizer binds: weights as (out, in) and biases. All but the last layer is "hidden".
  std::vector<thalweg::parameter<T>> parameters() {
    std::vector<thalweg::parameter<T>> views;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      auto& [weight, bias] = layers_[l];
      const auto out = static_cast<std::size_t>(weight.rows());
      const auto in = static_cast<std::size_t>(weight.cols());
      const bool last = l + 1 == layers_.size();
      const auto role = last ? thalweg::role::head : thalweg::role::hidden;
      const auto name = last ? std::string("head") : "hidden" + std::to_string(l + 1);
      views.push_back({.name = name + ".weight", .shape = {out, in}, .role = role, .data = weight.data()});
      views.push_back({.name = name + ".bias", .shape = {out}, .role = role, .data = bias.data()});
    }
    return views;
  }

  // In the order of parameters(); filled by backward().
  std::vector<std::span<const T>> gradients() const {
    std::vector<std::span<const T>> views;
    for (const auto& [weight, bias] : gradients_) {
      views.push_back({weight.data(), static_cast<std::size_t>(weight.size())});
      views.push_back({bias.data(), static_cast<std::size_t>(bias.size())});
    }
    return views;
  }

  // Leaves each layer's output in activations_, the last as probabilities.
  score forward(const matrix<T>& images, std::span<const std::uint8_t> labels) {
    activations_.front() = images;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      auto& output = activations_[l + 1];
      output.noalias() = activations_[l] * layers_[l].weight.transpose();
      output.rowwise() += layers_[l].bias;
      if (l + 1 < layers_.size()) output = output.cwiseMax(T(0));
    }
    return softmax(activations_.back(), labels);
  }

  // Forward, then the gradient of the mean loss with respect to every parameter.
  score backward(const matrix<T>& images, std::span<const std::uint8_t> labels) {
    const score result = forward(images, labels);
    matrix<T> delta = activations_.back();  // d loss / d output = (probabilities − one-hot) / examples
    for (Eigen::Index i = 0; i < delta.rows(); ++i) delta(i, labels[static_cast<std::size_t>(i)]) -= T(1);
    delta /= static_cast<T>(delta.rows());
    for (std::size_t l = layers_.size(); l-- > 0;) {
      gradients_[l].weight.noalias() = delta.transpose() * activations_[l];
      gradients_[l].bias = delta.colwise().sum();
      if (l == 0) break;
      const matrix<T> below = delta * layers_[l].weight;
      delta = (activations_[l].array() > T(0)).select(below, T(0));  // through the ReLU
    }
    return result;
  }

private:
  struct affine {
    matrix<T> weight;
    row<T> bias;
  };

  // Outputs become probabilities; the score is taken on the way.
  static score softmax(matrix<T>& outputs, std::span<const std::uint8_t> labels) {
    score sum;
    for (Eigen::Index i = 0; i < outputs.rows(); ++i) {
      auto output = outputs.row(i);
      const auto label = labels[static_cast<std::size_t>(i)];
      Eigen::Index best = 0;
      output.array() -= output.maxCoeff(&best);  // no exponential overflows, and the largest is e⁰
      const double of_label = output[label];
      output = output.array().exp();
      const T total = output.sum();
      output /= total;
      sum.loss += std::log(static_cast<double>(total)) - of_label;
      sum.accuracy += best == label;
    }
    const auto examples = static_cast<double>(outputs.rows());
    return {sum.loss / examples, sum.accuracy / examples};
  }

  std::vector<affine> layers_;
  std::vector<affine> gradients_;
  std::vector<matrix<T>> activations_;
};

}  // namespace race
