#include "perceptron.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/core.h>

#include "network.hpp"
#include "text.hpp"

namespace race {
namespace {

constexpr std::size_t training_sample = 5000, fixed_examples = 1000;

struct setting {
  data_set data;
  std::vector<Eigen::Index> widths;
  std::size_t batch;
  bool tuning;

  const images& held_out() const { return tuning ? data.tuning : data.validation; }
};

class perceptron_model final : public model {
  const setting& setting_;
  network<float> net_;
  batches batches_;
  batch fixed_;
  thalweg::optimizer<float> opt_;

public:
  perceptron_model(const setting& s, unsigned seed)
      : setting_(s), net_(s.widths, seed), batches_(s.data, s.batch, seed) {
    gather_first(s.data.training, 0, std::min(fixed_examples, s.data.training.size()), fixed_);
  }

  std::vector<thalweg::parameter<float>> parameters() override { return net_.parameters(); }
  std::vector<std::span<const float>> gradients() override { return net_.gradients(); }

  double differentiate(examples which) override {
    const batch& chosen = which == examples::next ? batches_.next() : fixed_;
    return net_.backward(chosen.images, chosen.labels).loss;
  }

  score judge(judged_on which) override {
    return which == judged_on::training ? mean_over(setting_.data.training, training_sample)
                                        : mean_over(setting_.held_out(), setting_.held_out().size());
  }

  thalweg::optimizer<float>& bind(const thalweg::parsed_chain& chain, const thalweg::options& options) override {
    return opt_ = thalweg::optimizer<float>(chain, parameters(), options);
  }
  void step(double loss) override { opt_.step(gradients(), {.loss = loss}); }

private:
  void gather_first(const images& from, std::size_t first, std::size_t last, batch& to) const {
    std::vector<std::uint32_t> indices(last - first);
    std::iota(indices.begin(), indices.end(), static_cast<std::uint32_t>(first));
    gather(setting_.data, from, indices, to);
  }

  score mean_over(const images& set, std::size_t count) {
    count = std::min(count, set.size());
    score sum;
    batch block;
    for (std::size_t i = 0; i < count; i += 1000) {
      const std::size_t last = std::min<std::size_t>(i + 1000, count);
      gather_first(set, i, last, block);
      const auto [loss, accuracy] = net_.forward(block.images, block.labels);
      const double share = static_cast<double>(last - i) / static_cast<double>(count);
      sum.loss += share * loss;
      sum.accuracy += share * accuracy;
    }
    return sum;
  }
};

class perceptron_task final : public task {
  setting setting_;

public:
  explicit perceptron_task(setting s) : setting_(std::move(s)) {}

  description describe() const override {
    return {.data = setting_.data.name,
            .model = joined(setting_.widths, "–") + " perceptron",
            .batches = fmt::format("{} images", setting_.batch),
            .split = split_in_words(setting_.data, setting_.tuning)};
  }
  std::unique_ptr<model> start(unsigned seed) const override {
    return std::make_unique<perceptron_model>(setting_, seed);
  }
};

}  // namespace

std::unique_ptr<task> perceptron(data_set data, const task_settings& settings) {
  std::vector<Eigen::Index> widths{static_cast<Eigen::Index>(data.training.width)};
  for (const std::size_t width : settings.hidden.empty() ? std::vector<std::size_t>{64, 64} : settings.hidden)
    widths.push_back(static_cast<Eigen::Index>(width));
  widths.push_back(10);
  return std::make_unique<perceptron_task>(
      setting{std::move(data), std::move(widths), settings.batch, settings.tuning});
}

std::unique_ptr<task> perceptron_on_fashion_mnist(const task_settings& settings) {
  return perceptron(fashion_mnist(settings.folder), settings);
}
std::unique_ptr<task> perceptron_on_digits(const task_settings& settings) {
  return perceptron(digits(settings.folder), settings);
}

}  // namespace race
