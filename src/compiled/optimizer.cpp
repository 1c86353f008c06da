#include <thalweg/compiled.hpp>

#include <algorithm>
#include <array>

#include <thalweg/core/optimizer.hpp>

#include "passes.hpp"

namespace thalweg::compiled {

namespace {

struct instruction_set {
  std::size_t index;  ///< in `architectures`
  std::string_view name;
};

/// Those that the machine has.
const std::vector<instruction_set>& available() {
  static const auto sets = []<class... Arch>(xsimd::arch_list<Arch...>) {
    std::vector<instruction_set> sets;
    std::size_t i = 0;
    ((is_available<Arch>() ? sets.push_back({i, Arch::name()}) : void(), ++i), ...);
    return sets;
  }(architectures());
  return sets;
}

template <class Chain, class T>
class engine_of final : public detail::engine<T> {
  thalweg::optimizer<Chain, T, dispatched_passes> optimizer_;

public:
  engine_of(const Chain& chain, std::vector<parameter<T>> parameters, const options& o, const dispatched_passes& passes)
      : optimizer_(chain, std::move(parameters), o, passes) {}

  void step(std::span<const std::span<const T>> gradients) override { optimizer_.step(gradients); }
  evaluation_guard<T> evaluation_point() override { return optimizer_.evaluation_point(); }
  void averaged(std::size_t i, std::span<T> out) const override { optimizer_.averaged(i, out); }
  long steps() const override { return optimizer_.steps(); }
  double lr() const override { return optimizer_.lr(); }
  void lr(double lr) override { optimizer_.lr(lr); }
  std::string describe() const override { return optimizer_.describe(); }
};

}  // namespace

std::span<const std::string_view> instruction_sets() {
  static const auto names = [] {
    std::vector<std::string_view> names;
    for (const auto& set : available()) names.push_back(set.name);
    return names;
  }();
  return names;
}

template <class T>
std::unique_ptr<detail::engine<T>> detail::bind(const recipe& chosen, std::vector<parameter<T>> parameters,
                                                const options& o, std::size_t set) {
  if (set >= available().size())
    throw error("optimizer", "Expected an instruction set below ", available().size(), ". Received ", set, ".");
  static const auto texts = [] {  // they outlive every optimizer
    std::vector<std::string> texts;
    for (const auto& s : available()) texts.push_back(in_words("compiled for ", s.name));
    return texts;
  }();
  const dispatched_passes passes{.set = available()[set].index, .text = texts[set]};
  return std::visit([&]<class Chain>(const Chain& chain) -> std::unique_ptr<engine<T>> {
    return std::make_unique<engine_of<Chain, T>>(chain, std::move(parameters), o, passes);
  }, chosen);
}

template std::unique_ptr<detail::engine<float>> detail::bind(const recipe&, std::vector<parameter<float>>,
                                                             const options&, std::size_t);
template std::unique_ptr<detail::engine<double>> detail::bind(const recipe&, std::vector<parameter<double>>,
                                                              const options&, std::size_t);

}  // namespace thalweg::compiled
