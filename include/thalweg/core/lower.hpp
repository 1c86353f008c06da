// From a chain's types to a program: the only code of thalweg that is compiled for every chain. It has the calls of
// `at` for each transform, and a pass over memory for each stage.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/layout.hpp>
#include <thalweg/core/pass.hpp>
#include <thalweg/core/program.hpp>
#include <thalweg/core/unfused.hpp>

namespace thalweg::detail {

// ---- one transform --------------------------------------------------------------------------------

/// Calls f(slot, index among the arrays or the scalars) for each slot of a transform.
template <class Transform, class F>
constexpr void for_each_slot(F f) {
  [&]<class... Slots>([[maybe_unused]] state<Slots...> declared) {
    [[maybe_unused]] std::size_t arrays = 0, scalars = 0;
    (f(Slots(), Slots::kind == slot_kind::array ? arrays++ : scalars++), ...);
  }(states_of<Transform>());
}

template <class Transform>
class info_of final : public transform_info {
  Transform transform_;

public:
  explicit info_of(const Transform& t) : transform_(t) {
    is = traits_of<Transform>();
    name = name_of(transform_);
    for_each_slot<Transform>([&]<class Slot>(Slot, std::size_t) {
      bool of_its_shape = false;
      if constexpr (Slot::kind == slot_kind::array) of_its_shape = Slot::of_its_shape;
      slots.push_back({std::string(Slot::name), Slot::kind, of_its_shape, requires { Slot::holds_weights; }});
    });
  }

  [[nodiscard]] std::string text() const override { return text_of(transform_); }
  [[nodiscard]] const void* transform() const override { return &transform_; }
  void check([[maybe_unused]] const parameter_info& p) const override {
    if constexpr (requires { transform_.check(p); }) transform_.check(p);
  }
  [[nodiscard]] std::size_t scratch([[maybe_unused]] const parameter_info& p) const override {
    if constexpr (requires { transform_.scratch(p); }) return transform_.scratch(p);
    else return 0;
  }
  [[nodiscard]] std::string computed_by() const override {
    if constexpr (requires { transform_.computed_by(); }) return transform_.computed_by();
    else return "";
  }
  [[nodiscard]] std::string_view remark() const override {
    if constexpr (requires { Transform::remark; }) return Transform::remark;
    else return "";
  }
  [[nodiscard]] std::vector<number_field> numbers() const override {
    std::vector<number_field> all;
    if constexpr (has_fields<Transform> && fields_may_move(traits_of<Transform>())) {
      std::size_t number = 0;
      for_each_field<Transform>([&](const auto& field) {
        using value_type = given_value<std::remove_cvref_t<decltype(transform_.*field.member)>>;  // none that may be absent
        if constexpr (std::is_arithmetic_v<value_type>)
          all.push_back({field.name, number, static_cast<double>(field.of(transform_)), std::is_integral_v<value_type>});
        ++number;
      });
    }
    return all;
  }
  [[nodiscard]] double initial([[maybe_unused]] std::size_t scalar) const override {
    double value = 0;
    for_each_slot<Transform>([&]<class Slot>(Slot, [[maybe_unused]] std::size_t number) {
      if constexpr (Slot::kind == slot_kind::scalar)
        if (number == scalar) value = Slot::initial(transform_);
    });
    return value;
  }
  [[nodiscard]] std::vector<std::size_t> shape([[maybe_unused]] std::size_t array,
                                               [[maybe_unused]] const parameter_info& p) const override {
    std::vector<std::size_t> shape;
    for_each_slot<Transform>([&]<class Slot>(Slot, [[maybe_unused]] std::size_t number) {
      if constexpr (Slot::kind == slot_kind::array)
        if (number == array) shape = Slot::shape(transform_, p);
    });
    return shape;
  }
  [[nodiscard]] bool proceeds([[maybe_unused]] double sum) const override {
    if constexpr (stopping<Transform>) return transform_.proceeds(sum);
    else return true;
  }
  [[nodiscard]] std::optional<long> limit() const override {
    if constexpr (stopping<Transform> && requires { transform_.limit; }) return transform_.limit;
    else return {};
  }
  [[nodiscard]] bool opens([[maybe_unused]] long call) const override {
    if constexpr (gate<Transform>) return transform_.opens(call);
    else return true;
  }
};

// What `at` returned, without the new scalars, which replace the old ones.
template <std::size_t N, class Value>
constexpr Value take(Value value, double*) {
  static_assert(N == 0, "thalweg: at(context, scalars...) must return next(..., scalars...), a double for each scalar");
  return value;
}
template <std::size_t N, class Value, class... Scalars>
constexpr Value take(next_t<Value, Scalars...> result, double* scalars) {
  static_assert(N == sizeof...(Scalars),
                "thalweg: at(context, scalars...) must return next(..., scalars...), a double for each scalar");
  std::apply([&](auto... s) { ((*scalars++ = s), ...); }, result.states);
  return result.value;
}

template <class Transform>
constexpr auto call_at(const Transform& t, const context& c, double* scalars) {
  constexpr std::size_t count = states_of<Transform>::scalars;
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return take<count>(t.at(c, scalars[I]...), scalars);
  }(std::make_index_sequence<count>());
}

template <class Transform>
using scalars_of = std::array<double, states_of<Transform>::scalars>;
template <class Transform>
using bound_reduction_of = bound_reduction<sums_of<Transform>, reduced_states<Transform>(), reduction_of<Transform>>;

/// A transform that reduces, at its sums: the kernel that they make. Its scalars become those of the next step.
template <class Transform>
constexpr auto kernel_by_sums(const Transform& t, const context& c, const double* sums, scalars_of<Transform>& scalars) {
  const auto made = take<states_of<Transform>::scalars>(at_sums(t, c, sums, scalars.data()), scalars.data());
  return bound_kernel<states_of<Transform>::arrays, std::remove_const_t<decltype(made)>>{made};
}

/// What a reducing or tensor-wise transform keeps for a step: itself with its current fields, its context, and its
/// scalars.
template <class Transform>
struct at_barrier {
  const Transform* transform;
  std::optional<Transform> changed;
  context seen;
  scalars_of<Transform> scalars{};

  /// The kernel of its reduction.
  auto reduction() const {
    return bound_reduction_of<Transform>{call_reduce(*transform, seen, scalars.data())};
  }
  /// The kernel that its sums make.
  auto kernel(const double* sums) const {
    scalars_of<Transform> next = scalars;
    return kernel_by_sums(*transform, seen, sums, next);
  }
};

template <class Transform>
struct prepared_type { using type = at_barrier<Transform>; };
template <elementwise Transform>
struct prepared_type<Transform> {
  using type = bound_kernel<states_of<Transform>::arrays, at_value<Transform>, gate<Transform>>;
};
template <contextual Transform>
struct prepared_type<Transform> { using type = char; };
/// The prepared data of a step; empty before the first step.
template <class Transform>
using prepared_of = std::optional<typename prepared_type<Transform>::type>;

template <class Average>
struct average_kernel {  // x as an update, so that an ordinary pass computes it
  Average average;
  template <class T, class... States>
  constexpr auto operator()(element<T> e, States... states) const {
    return next(T(average(e, states...)), states...);
  }
};

template <class Transform>
constexpr auto average_by(const Transform& t, const double* scalars) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto average = t.average(scalars[I]...);
    using kernel = average_kernel<std::remove_const_t<decltype(average)>>;
    return bound_kernel<states_of<Transform>::arrays, kernel>{kernel{average}};
  }(std::make_index_sequence<states_of<Transform>::scalars>());
}
inline constexpr traffic average_traffic{.update = true, .states = false};

template <class Transform>
constexpr auto absorb_by(const Transform& t, long call) {
  const auto kernel = t.absorb(call);
  return bound_kernel<states_of<Transform>::arrays, std::remove_const_t<decltype(kernel)>>{kernel};
}
inline constexpr traffic absorb_traffic{};

template <class Leaf, class T>
constexpr bool may_throw() {
  if constexpr (contextual<Leaf> || elementwise<Leaf> || !tensorwise_of<Leaf, T>) return false;
  else return !noexcept(call_apply(array_indices<Leaf>(), std::declval<const Leaf&>(), std::declval<const context&>(),
                                   std::declval<whole<T>>(), std::span<T>(), some_state<T>()));
}

/// A field as it is now, if it is among `now`.
template <class Transform, class Value, class Owner>
void set_field(Transform& t, Value Owner::*member, std::size_t number, std::span<const field_value_now> now) {
  if constexpr (std::is_arithmetic_v<given_value<Value>>)
    for (const auto& change : now)
      if (change.field == number) t.*member = field_value<Value>(change.value);
}

/// The transform with the current values of its fields.
template <class Transform>
Transform changed(Transform t, [[maybe_unused]] std::span<const field_value_now> now) {
  if constexpr (has_fields<Transform>) {
    std::size_t number = 0;
    for_each_field<Transform>([&](const auto& field) { set_field(t, field.member, number++, now); });
    check_fields(name_of(t), t);
  }
  return t;
}

/// The transform as it is now.
template <class Transform>
void check_changed(const Transform& t, std::span<const field_value_now> now, rounding_to_type rounded) {
  if constexpr (has_fields<Transform>) thalweg::check_fields(name_of(t), changed(t, now), rounded);
}

template <class Transform>
context keep(const Transform& t, const context& seen, [[maybe_unused]] double* scalars, prepared_of<Transform>& to) {
  context c = seen;
  if constexpr (contextual<Transform>) {
    c = call_at(t, c, scalars);
  } else if constexpr (elementwise<Transform>) {
    to.emplace(typename prepared_of<Transform>::value_type{call_at(t, c, scalars)});
    if constexpr (requires { { t.pass_on(c) } -> std::same_as<context>; }) c = t.pass_on(c);
  } else {
    if constexpr (reducing<Transform>) {
      std::ranges::copy_n(scalars, to->scalars.size(), to->scalars.begin());
      static_cast<void>(to->reduction());  // throws what it throws before the step
      if constexpr (requires { { t.pass_on(c) } -> std::same_as<context>; }) c = t.pass_on(c);
    }
    if constexpr (requires { t.check(c); }) t.check(c);
  }
  return c;
}

/// What `transform_code::prepare` does. The types of the numbers share it.
template <class Transform>
context prepare_step(const Transform& t, const context& c, double* scalars, prepared_of<Transform>& to,
                     std::span<const field_value_now> now) {
  if constexpr (contextual<Transform> || elementwise<Transform>) {
    return now.empty() ? keep(t, c, scalars, to) : keep(changed(t, now), c, scalars, to);
  } else {
    to.emplace(at_barrier<Transform>{&t, {}, c});
    if (!now.empty()) {
      to->changed.emplace(changed(t, now));
      to->transform = &*to->changed;
    }
    return keep(*to->transform, c, scalars, to);
  }
}

/// What `transform_code::learn` does.
template <class Transform>
void learn_from(const at_barrier<Transform>& now, const double* sums, double* scalars) {
  scalars_of<Transform> next = now.scalars;
  static_cast<void>(kernel_by_sums(*now.transform, now.seen, sums, next));
  std::ranges::copy(next, scalars);
}

template <class Transform, class T, class Passes>
class code_of final : public transform_code<T> {
  using prepared = prepared_of<Transform>;

  Transform transform_;
  [[no_unique_address]] Passes passes_;

  static const auto& at_step(const void* memory) { return **static_cast<const prepared*>(memory); }

public:
  code_of(const Transform& t, Passes passes) : transform_(t), passes_(passes) {
    static_assert(!tensorwise_transform<Transform> || tensorwise_of<Transform, T>,
                  "thalweg: a tensor-wise transform of this chain does not take tensors of the parameters' type");
    this->prepared_size = sizeof(prepared);
    this->may_throw = detail::may_throw<Transform, T>();
  }

  void check_fields(std::span<const field_value_now> now) const override {
    check_changed(transform_, now, &rounded_to<T>);
  }
  void construct(void* memory) const override { ::new (memory) prepared; }
  void destroy(void* memory) const noexcept override { static_cast<prepared*>(memory)->~prepared(); }

  context prepare(const context& c, double* scalars, void* memory,
                  std::span<const field_value_now> now) const override {
    return prepare_step(transform_, c, scalars, *static_cast<prepared*>(memory), now);
  }

  void fill([[maybe_unused]] std::size_t array, [[maybe_unused]] std::span<T> values,
            [[maybe_unused]] const T* parameter) const override {
    for_each_slot<Transform>([&]<class Slot>(Slot, [[maybe_unused]] std::size_t number) {
      if constexpr (Slot::kind == slot_kind::array)
        if (number == array)
          for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = Slot::initial(transform_, Slot::of_its_shape ? parameter[i] : T(0));
    });
  }
  void apply([[maybe_unused]] const void* memory, [[maybe_unused]] const whole<T>& given,
             [[maybe_unused]] std::span<T> scratch, [[maybe_unused]] T* const* states,
             [[maybe_unused]] const std::vector<std::size_t>* state_shapes) const override {
    if constexpr (kind_of<Transform>() == kind::tensorwise)
      call_apply(array_indices<Transform>(), *at_step(memory).transform, at_step(memory).seen, given, scratch,
                 [&](std::size_t j) {
                   return tensor<T>{states[j], state_shapes[j], given.update.order, given.update.name};
                 });
  }
  void reduce([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t n, [[maybe_unused]] const arrays<T>& a,
              [[maybe_unused]] double* sums) const override {
    if constexpr (reducing<Transform>) {
      static_assert(sums_of<Transform> <= most_sums_of_one);
      passes_.reduce(n, a, sums, at_step(memory).reduction());
    }
  }
  void learn([[maybe_unused]] const void* memory, [[maybe_unused]] const double* sums,
             [[maybe_unused]] double* scalars) const override {
    if constexpr (modelwise<Transform> && states_of<Transform>::scalars > 0) learn_from(at_step(memory), sums, scalars);
  }
  void absorb([[maybe_unused]] long call, [[maybe_unused]] std::size_t n,
              [[maybe_unused]] const arrays<T>& a) const override {
    if constexpr (gate<Transform>) passes_.template run<absorb_traffic>(n, a, absorb_by(transform_, call));
  }
  void average([[maybe_unused]] const double* scalars, [[maybe_unused]] std::size_t n,
               [[maybe_unused]] const arrays<T>& a) const override {
    if constexpr (averaging<Transform>) {
      const auto kernel = average_by(transform_, scalars);
      if (n) passes_.template run<average_traffic>(n, a, kernel);
    }
  }
};

// ---- one pass -------------------------------------------------------------------------------------

/// The type of a transform's kernel, and the number of its arrays.
template <class Transform>
struct bound_type { using type = typename prepared_type<Transform>::type; };
template <reducing Transform>
struct bound_type<Transform> {
  using type = decltype(std::declval<const at_barrier<Transform>&>().kernel(static_cast<const double*>(nullptr)));
};

template <class Transform>
decltype(auto) prepared_kernel(const void* prepared, [[maybe_unused]] const double* sums) {
  const auto& made = **static_cast<const prepared_of<Transform>*>(prepared);
  if constexpr (reducing<Transform>) return made.kernel(sums);
  else return (made);
}

template <class Passes, class T, class... Transforms>
void run_kernels_of(std::size_t set, std::size_t n, const arrays<T>& a, const void* const* prepared,
                    [[maybe_unused]] const double* sums, [[maybe_unused]] const std::size_t* first_sum) {
  constexpr bool ends = (terminal<Transforms> || ...);
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    Passes::in(set).template run<traffic{.update = !ends, .parameter = ends}>(
        n, a, prepared_kernel<Transforms>(prepared[I], sums + first_sum[I])...);
  }(std::make_index_sequence<sizeof...(Transforms)>());
}

template <class Passes, class T, class... Transforms>
constexpr pass_function<T> pass_of(kernels<Transforms...>) {
  return &run_kernels_of<Passes, T, Transforms...>;
}

/// A transform without its type. With `Alone` its kernel gets a pass of its own.
template <class T, class Passes, bool Alone, class Transform>
any_transform<T> erased(const Transform& t, std::size_t set) {
  any_transform<T> made;
  if constexpr (requires { t.template lowered<T, Passes>(set); }) {
    made = t.template lowered<T, Passes>(set);
  } else {
    // By pointers of the bases: what owns them is compiled once.
    made.info.reset(static_cast<const transform_info*>(new info_of<Transform>(t)));
    made.code.reset(static_cast<const transform_code<T>*>(new code_of<Transform, T, Passes>(t, Passes::in(set))));
    if constexpr (Alone && has_kernel(kind_of<Transform>())) made.alone = pass_of<Passes, T>(kernels<Transform>());
  }
  if constexpr (requires { t.stored_in; }) made.state = t.stored_in;
  return made;
}

// ---- all passes of a chain -------------------------------------------------------------------------

template <class T, class Passes, class... Transforms>
void add_pass(known_passes<T>& to, kernels<Transforms...> all) {
  if constexpr (sizeof...(Transforms) > 0) {
    const type_id types[]{id_of<Transforms>()...};
    to.add(types, pass_of<Passes, T>(all));
  }
}

template <class T, class Passes, class Chain>
known_passes<T> passes_of_chain() {
  known_passes<T> all;
  for_each_stage_of_chain<Chain, Passes::fused>([&](auto kernels) { add_pass<T, Passes>(all, kernels); });
  return all;
}

// ---- a chain ---------------------------------------------------------------------------------------

template <class T, class Passes, bool Alone, class Transform>
void add_nodes(nodes<T>& to, const Transform& t, std::size_t set) {
  to.add(erased<T, Passes, Alone>(t, set));
}
template <class T, class Passes, bool Alone, class... Branches>
void add_nodes(nodes<T>& to, const routed<Branches...>& r, std::size_t set);
template <class T, class Passes, bool Alone, class... Links>
void add_nodes(nodes<T>& to, const chained<Links...>& c, std::size_t set) {
  const auto add = [&](const auto& l) { add_nodes<T, Passes, Alone>(to, l, set); };
  c.links.for_each(add);
}
template <class T, class Passes, bool Alone, class... Branches>
void add_nodes(nodes<T>& to, const routed<Branches...>& r, std::size_t set) {
  to.begin_route();
  const auto add = [&]<class Predicate, class Links>(const branch<Predicate, Links>& b) {
    predicate_function holds;
    if constexpr (!std::is_same_v<Predicate, every_parameter>) holds = b.predicate;
    add_nodes<T, Passes, Alone>(to.add_branch(std::move(holds)), b.chain, set);
  };
  r.branches.for_each(add);
}

/// The program of a chain whose passes are compiled here.
template <class T, class Passes, class... Links>
program<T> lower(const chained<Links...>& c) {
  static const known_passes<T> known = passes_of_chain<T, Passes, chained<Links...>>();
  nodes<T> links;
  add_nodes<T, Passes, false>(links, c, 0);
  return make_program<T>(to_text(c), std::move(links), erased<T, Passes, false>(apply_update(), 0),
                         {.fused = Passes::fused, .run_by = std::string(Passes::text), .known = &known});
}

// The types that an optimizer can be made from.
template <class Given>
struct bindable {
  using passes = fused_passes;
  static constexpr auto links(Given g) { return chain(std::move(g)); }
  template <class T>
  static program<T> lowered(const Given& g) { return lower<T, passes>(links(g)); }
};
template <class Chain>
struct bindable<unfused_chain<Chain>> {
  using passes = unfused_passes;
  static constexpr auto links(unfused_chain<Chain> c) { return std::move(c.chain); }
  template <class T>
  static program<T> lowered(const unfused_chain<Chain>& c) { return lower<T, passes>(c.chain); }
};

}  // namespace thalweg::detail
