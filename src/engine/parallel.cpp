// Several chains run on copies of one update.
#include <algorithm>
#include <memory>
#include <utility>

#include <thalweg/core/combinators.hpp>
#include <thalweg/core/storage.hpp>

namespace thalweg::detail {

namespace {

/// The branches, laid out.
template <class T>
struct side_by_side {
  std::vector<any_transform<T>> transforms;  ///< of all, one after the other
  std::vector<path<T>> branches;
  std::vector<std::size_t> first_array;  ///< by branch
  std::size_t set = 0, sums = 0;
};

constexpr std::size_t most_branches = 16, most_sums = 64;  // a step allocates nothing

// Enough elements for an update of any type, in whole cache lines.
std::size_t room_for(std::size_t n) { return padded<float>(n); }

template <class T>
class parallel_info final : public transform_info {
  std::shared_ptr<const side_by_side<T>> what_;
  std::string text_;
  std::vector<std::pair<const transform_info*, std::size_t>> owners_;  ///< of the arrays

public:
  parallel_info(std::shared_ptr<const side_by_side<T>> what, std::string text)
      : what_(std::move(what)), text_(std::move(text)) {
    name = "parallel";
    is = {.what = kind::tensorwise, .type = id_of<parallel_info>()};
    for (std::size_t l = 0; l < what_->transforms.size(); ++l) {
      const transform_info& inside = *what_->transforms[l].info;
      for (std::size_t i = 0; i < inside.slots.size(); ++i) {
        slots.push_back({in_words(l + 1, ".", inside.name, ".", inside.slots[i].name), slot_kind::array,
                         inside.slots[i].of_its_shape});
        owners_.emplace_back(&inside, i);
      }
      is.arrays += inside.is.arrays;
      is.reads_loss |= inside.is.reads_loss;
    }
  }

  [[nodiscard]] std::string text() const override { return text_; }
  void check(const parameter_info& p) const override {
    for (const auto& l : what_->transforms) l.info->check(p);
  }
  [[nodiscard]] std::size_t scratch(const parameter_info& p) const override {
    std::size_t most = 0;
    for (const auto& l : what_->transforms) most = std::max(most, l.info->scratch(p));
    return what_->branches.size() * room_for(p.size()) + most;
  }
  [[nodiscard]] std::string computed_by() const override {
    std::string text;
    for (const auto& l : what_->transforms)
      if (const std::string by = l.info->computed_by(); !by.empty())
        text += in_words(text.empty() ? "" : ", ", l.info->name, " by ", by);
    return text;
  }
  [[nodiscard]] std::vector<std::size_t> shape(std::size_t array, const parameter_info& p) const override {
    return owners_[array].first->shape(owners_[array].second, p);
  }
};

template <class T>
class parallel_code final : public transform_code<T> {
  std::shared_ptr<const side_by_side<T>> what_;
  merge<T> merge_;
  std::vector<std::pair<const transform_code<T>*, std::size_t>> owners_;  ///< of the arrays
  using prepared = std::vector<prepared_path<T>>;  ///< by branch

public:
  parallel_code(std::shared_ptr<const side_by_side<T>> what, merge<T> how) : what_(std::move(what)), merge_(std::move(how)) {
    this->prepared_size = sizeof(prepared);
    this->may_throw = merge_.may_throw;
    for (const auto& l : what_->transforms) {
      this->may_throw = this->may_throw || l.code->may_throw;
      for (std::size_t i = 0; i < l.info->is.arrays; ++i) owners_.emplace_back(l.code.get(), i);
    }
  }

  void check_fields(std::span<const field_value_now>) const override {
    for (const auto& l : what_->transforms) l.code->check_fields();
  }
  void construct(void* memory) const override {
    auto& branches = *::new (memory) prepared;
    branches.reserve(what_->branches.size());
    for (const auto& b : what_->branches) branches.emplace_back(what_->transforms, b);
  }
  void destroy(void* memory) const noexcept override { static_cast<prepared*>(memory)->~prepared(); }

  /// What a contextual transform changes stays in its branch.
  context prepare(const context& seen, double*, void* memory, std::span<const field_value_now>) const override {
    const auto& at = *static_cast<prepared*>(memory);
    for (std::size_t b = 0; b < at.size(); ++b) {
      context c = seen;
      const auto& transforms = what_->branches[b].transforms;
      for (std::size_t i = 0; i < transforms.size(); ++i)
        c = what_->transforms[transforms[i]].code->prepare(c, nullptr, at[b].at[i]);
    }
    return seen;
  }
  void fill(std::size_t array, std::span<T> values, const T* parameter) const override {
    owners_[array].first->fill(owners_[array].second, values, parameter);
  }
  void apply(const void* memory, const whole<T>& given, std::span<T> scratch, T* const* states,
             const std::vector<std::size_t>* state_shapes) const override {
    const auto& at = *static_cast<const prepared*>(memory);
    const std::size_t n = given.update.size(), room = room_for(n), branches = at.size();
    std::array<tensor<const T>, most_branches> results;
    for (std::size_t b = 0; b < branches; ++b) {
      T* const update = scratch.data() + b * room;
      std::copy_n(given.update.data, n, update);
      results[b] = {update, given.update.shape, given.update.order, given.update.name};
      // The parameter is only read: a branch has no end that writes it.
      const in_flight<T> one{.parameter = given.parameter,
                             .data = const_cast<T*>(given.parameter.data),
                             .gradient = given.gradient.data,
                             .states = states + what_->first_array[b],
                             .state_shapes = state_shapes + what_->first_array[b],
                             .update = update,
                             .tile = nullptr,
                             .scratch = scratch.subspan(branches * room)};
      std::array<double, most_sums> sums{};
      for (std::size_t s = 0; s < what_->branches[b].stages.size(); ++s)
        run_stage<T>(what_->transforms, what_->set, what_->branches[b], at[b], s, one, sums.data(), 0, n);
    }
    merge_.apply(given.update, std::span(results).first(branches));
  }
};

}  // namespace

template <class T>
any_transform<T> make_parallel(merge<T> how, std::vector<std::vector<any_transform<T>>> branches, std::string text,
                               const pass_source<T>& source) {
  auto all = std::make_shared<side_by_side<T>>();
  all->set = source.set;
  std::vector<std::vector<std::size_t>> ways;
  std::vector<std::size_t> first_sum{0};
  std::size_t arrays = 0;
  for (auto& branch : branches) {
    ways.emplace_back();
    all->first_array.push_back(arrays);
    for (auto& l : branch) {
      if (l.state)
        throw error("parallel", "Expected branches without stored(…). Received ", l.info->text(), ".");
      arrays += l.info->is.arrays;
      first_sum.push_back(first_sum.back() + l.info->is.sums);
      ways.back().push_back(all->transforms.size());
      all->transforms.push_back(std::move(l));
    }
  }
  if (branches.size() > most_branches || first_sum.back() > most_sums)
    throw error("parallel", "Expected at most ", most_branches, " branches and ", most_sums,
                " sums over a parameter. Received ", branches.size(),
                " branches and ", first_sum.back(), " sums.");
  for (auto& w : ways) all->branches.push_back(make_path<T>(all->transforms, std::move(w), first_sum, source, true));
  return {std::make_shared<parallel_info<T>>(all, std::move(text)),
          std::make_shared<parallel_code<T>>(all, std::move(how)), nullptr};
}

template any_transform<float> make_parallel(merge<float>, std::vector<std::vector<any_transform<float>>>, std::string,
                                            const pass_source<float>&);
template any_transform<double> make_parallel(merge<double>, std::vector<std::vector<any_transform<double>>>, std::string,
                                             const pass_source<double>&);

}  // namespace thalweg::detail
