// A transform behind the interface of run-time chains. Its kernels become passes of their own, over what lies in L1.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <thalweg/core/optimizer.hpp>
#include <thalweg/runtime/leaf.hpp>
#include <thalweg/runtime/word.hpp>
#include <thalweg/transforms/in_row_blocks.hpp>

namespace thalweg::runtime::detail {

/// A pass of one transform's kernel: from where the update is to where it shall be, or into the parameter.
template <class Transform>
inline constexpr thalweg::detail::traffic own_traffic{.from_gradient = false,
                                                      .writes_update = !terminal<Transform>,
                                                      .writes_parameter = terminal<Transform>,
                                                      .moved = true};

/// A path of this one transform: what the engine knows of positions, it knows of these.
template <class Transform>
using own_plan = thalweg::detail::path_plan<std::tuple<Transform>, thalweg::detail::path<0>>;

template <class Transform>
using prepared_of = decltype(thalweg::detail::prepare_position<own_plan<Transform>, 0>(
    std::declval<const std::tuple<Transform>&>(), std::declval<context&>(), nullptr));

template <class Transform, std::size_t... I>
constexpr auto average_by(std::index_sequence<I...>, const Transform& t, const double* scalars) {
  const auto average = t.average(scalars[I]...);
  using kernel = thalweg::detail::average_kernel<std::remove_const_t<decltype(average)>>;
  return thalweg::detail::bound_kernel<states_of<Transform>::arrays, kernel>{kernel{average}};
}

template <class Transform>
constexpr auto absorb_by(const Transform& t, long call) {
  const auto kernel = t.absorb(call);
  return thalweg::detail::bound_kernel<states_of<Transform>::arrays, std::remove_const_t<decltype(kernel)>>{kernel};
}
inline constexpr thalweg::detail::traffic absorb_traffic{
    .from_gradient = true, .writes_update = false, .writes_parameter = false};

template <class Transform, class T, class Passes>
class place_of final : public place<T> {
  using prepared = prepared_of<Transform>;
  using scalar_indices = std::make_index_sequence<states_of<Transform>::scalars>;

  std::tuple<Transform> transform_;
  Passes passes_;
  std::optional<prepared> prepared_;

  [[nodiscard]] const Transform& transform() const { return std::get<0>(transform_); }

public:
  place_of(const Transform& t, Passes passes) : transform_(t), passes_(passes) {}

  context prepare(const context& seen, double* scalars) override {
    context c = seen;
    prepared_.emplace(thalweg::detail::prepare_position<own_plan<Transform>, 0>(transform_, c, scalars));
    return c;
  }

  void change([[maybe_unused]] std::size_t number, [[maybe_unused]] double value) override {
    if constexpr (has_fields<Transform>) {
      auto& t = std::get<0>(transform_);
      std::size_t i = 0;
      const auto set = [&](const auto& field) {
        using kept = std::remove_cvref_t<decltype(t.*field.place)>;
        if constexpr (std::is_arithmetic_v<kept>)
          if (i == number) t.*field.place = field_value<kept>(value);
        ++i;
      };
      for_each_field<Transform>(set);
      check_fields(name_of(t), t);
    }
  }

  void run([[maybe_unused]] std::size_t n, [[maybe_unused]] const arrays<T>& a,
           [[maybe_unused]] const double* sums) const noexcept override {
    if constexpr (elementwise<Transform>) {
      passes_.template run<own_traffic<Transform>>(n, a, *prepared_);
    } else if constexpr (thalweg::detail::reducing<Transform>) {
      constexpr std::size_t count = thalweg::detail::sums_of<Transform>;
      static_assert(count <= most_sums_of_one);
      std::array<double, count> own;
      std::copy_n(sums, count, own.begin());
      const auto kernel =
          thalweg::detail::at_sums(std::make_index_sequence<count>(), transform(), prepared_->seen, own);
      passes_.template run<own_traffic<Transform>>(
          n, a, thalweg::detail::bound_kernel<states_of<Transform>::arrays, std::remove_const_t<decltype(kernel)>>{kernel});
    }
  }

  void absorb([[maybe_unused]] long call, [[maybe_unused]] std::size_t n,
              [[maybe_unused]] const arrays<T>& a) const override {
    if constexpr (gate<Transform>) passes_.template run<absorb_traffic>(n, a, absorb_by(transform(), call));
  }

  void average([[maybe_unused]] const double* scalars, [[maybe_unused]] std::size_t n,
               [[maybe_unused]] const arrays<T>& a) const override {
    if constexpr (averaging<Transform>) {
      const auto kernel = average_by(scalar_indices(), transform(), scalars);
      if (n) passes_.template run<thalweg::detail::average_traffic>(n, a, kernel);
    }
  }

  void reduce([[maybe_unused]] std::size_t n, [[maybe_unused]] const T* update, [[maybe_unused]] const T* gradient,
              [[maybe_unused]] const T* parameter, [[maybe_unused]] double* sums) const override {
    if constexpr (thalweg::detail::reducing<Transform>) {
      std::ranges::copy(passes_.reduce(n, update, gradient, parameter, prepared_->reduce), sums);
    }
  }

  void apply([[maybe_unused]] const whole<T>& given, [[maybe_unused]] std::span<T> scratch,
             [[maybe_unused]] T* const* states,
             [[maybe_unused]] const std::vector<std::size_t>* state_shapes) const override {
    if constexpr (!contextual<Transform> && !elementwise<Transform> && !thalweg::detail::reducing<Transform>)
      thalweg::detail::call_apply(
          thalweg::detail::array_indices<Transform>(), transform(), prepared_->seen, given, scratch,
          [&](std::size_t j) {
            return tensor<T>{states[j], state_shapes[j], given.update.order, given.update.name};
          });
  }
};

// What is in blocks already is in no larger ones.
template <class Transform>
inline constexpr bool is_blocked = false;
template <class Transform>
inline constexpr bool is_blocked<blocked<Transform>> = true;

/// `Passes::in(set)` gives the passes for an instruction set.
template <class Transform, class Passes>
class wrapped final : public leaf {
  Transform transform_;

  template <class T>
  static constexpr bool takes = contextual<Transform> || elementwise<Transform> ||
                                thalweg::detail::reducing<Transform> || tensorwise_of<Transform, T>;

  template <class T>
  [[nodiscard]] std::unique_ptr<place<T>> put_among([[maybe_unused]] std::size_t set) const {
    if constexpr (takes<T>) {
      auto passes = Passes::in(set);
      return std::make_unique<place_of<Transform, T, decltype(passes)>>(transform_, passes);
    } else {
      throw error(name, "Expected parameters of a type that it takes. Received ", sizeof(T) == 4 ? "float" : "double", ".");
    }
  }

  template <class T>
  void fill_array([[maybe_unused]] std::size_t array, [[maybe_unused]] std::span<T> values,
                  [[maybe_unused]] const T* parameter) const {
    for_each_slot([&]<class Slot>(Slot) {
      if constexpr (Slot::kind == slot_kind::array)
        if (array-- == 0)
          for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = Slot::initial(transform_, Slot::of_its_shape ? parameter[i] : T(0));
    });
  }

  template <class F>
  static void for_each_slot(F f) {
    [&]<class... Slots>(state<Slots...>) { (f(Slots()), ...); }(states_of<Transform>());
  }

public:
  explicit wrapped(Transform t) : transform_(std::move(t)) {
    name = name_of(transform_);
    is = {.what = thalweg::detail::kind_of<Transform>(),
          .writes = terminal<Transform>,
          .averages = averaging<Transform>,
          .stops = stopping<Transform>,
          .swallows = gate<Transform>,
          .reads_loss = thalweg::detail::reads_loss<Transform>,
          .passes_on = requires(const Transform& t, const context& c) { t.pass_on(c); },
          .arrays = states_of<Transform>::arrays,
          .scalars = states_of<Transform>::scalars,
          .sums = thalweg::detail::sum_count_of<Transform>()};
    if constexpr (requires { typename Transform::feeds; }) is.feeds = typeid(typename Transform::feeds);
    if constexpr (requires { typename Transform::reads; }) is.reads = typeid(typename Transform::reads);
    for_each_slot([&]<class Slot>(Slot) {
      bool of_its_shape = false;
      if constexpr (Slot::kind == slot_kind::array) of_its_shape = Slot::of_its_shape;
      slots.push_back({std::string(Slot::name), Slot::kind, of_its_shape});
    });
    if constexpr (has_fields<Transform>) {
      const auto add = [&](const auto& field) {
        constexpr bool moves = std::is_arithmetic_v<std::remove_cvref_t<decltype(transform_.*field.place)>>;
        double value = 0;
        if constexpr (moves) value = static_cast<double>(transform_.*field.place);
        fields.push_back({std::string(field.name), value, moves});
      };
      for_each_field<Transform>(add);
    }
  }

  [[nodiscard]] std::string text() const override { return text_of(transform_); }
  void check([[maybe_unused]] const parameter_info& p) const override {
    if constexpr (requires { transform_.check(p); }) transform_.check(p);
  }
  void check(std::type_identity<float>) const override { thalweg::detail::check_leaf<float>(transform_); }
  void check(std::type_identity<double>) const override { thalweg::detail::check_leaf<double>(transform_); }
  [[nodiscard]] std::size_t scratch([[maybe_unused]] const parameter_info& p) const override {
    if constexpr (requires { transform_.scratch(p); }) return transform_.scratch(p);
    else return 0;
  }
  [[nodiscard]] std::string computed_by() const override {
    if constexpr (requires { transform_.computed_by(); }) return transform_.computed_by();
    else return "";
  }

  [[nodiscard]] double initial([[maybe_unused]] std::size_t scalar) const override {
    double value = 0;
    for_each_slot([&]<class Slot>(Slot) {
      if constexpr (Slot::kind == slot_kind::scalar)
        if (scalar-- == 0) value = Slot::initial(transform_);
    });
    return value;
  }
  [[nodiscard]] std::vector<std::size_t> shape([[maybe_unused]] std::size_t array,
                                               [[maybe_unused]] const parameter_info& p) const override {
    std::vector<std::size_t> shape;
    for_each_slot([&]<class Slot>(Slot) {
      if constexpr (Slot::kind == slot_kind::array)
        if (array-- == 0) shape = Slot::shape(transform_, p);
    });
    return shape;
  }
  void fill(std::size_t array, std::span<float> values, const float* parameter) const override {
    fill_array(array, values, parameter);
  }
  void fill(std::size_t array, std::span<double> values, const double* parameter) const override {
    fill_array(array, values, parameter);
  }

  [[nodiscard]] bool proceeds([[maybe_unused]] double sum) const override {
    if constexpr (stopping<Transform>) return transform_.proceeds(sum);
    else return true;
  }
  [[nodiscard]] bool opens([[maybe_unused]] long call) const override {
    if constexpr (gate<Transform>) return transform_.opens(call);
    else return true;
  }
  [[nodiscard]] context at(const context& c) const override {
    if constexpr (contextual<Transform> && states_of<Transform>::scalars == 0) return transform_.at(c);
    else return c;
  }
  [[nodiscard]] shared_leaf in_row_blocks([[maybe_unused]] long blocks) const override {
    constexpr bool fits = !is_blocked<Transform> && states_of<Transform>::arrays == 0 && tensorwise_transform<Transform>;
    if constexpr (fits) {
      if constexpr (tensorwise_transform<blocked<Transform>>)
        return std::make_shared<wrapped<blocked<Transform>, Passes>>(blocked<Transform>{transform_, blocks});
    }
    return nullptr;
  }

  [[nodiscard]] bool may_throw(std::type_identity<float>) const override {
    return thalweg::detail::may_throw<Transform, float>();
  }
  [[nodiscard]] bool may_throw(std::type_identity<double>) const override {
    return thalweg::detail::may_throw<Transform, double>();
  }
  [[nodiscard]] std::unique_ptr<place<float>> put(std::type_identity<float>, std::size_t set) const override {
    return put_among<float>(set);
  }
  [[nodiscard]] std::unique_ptr<place<double>> put(std::type_identity<double>, std::size_t set) const override {
    return put_among<double>(set);
  }
};

}  // namespace thalweg::runtime::detail
