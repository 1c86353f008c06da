// One pass over memory: consecutive element-wise kernels, inlined into one loop. It reads every array once and writes
// it once. Only passes and tensor-wise transforms write arrays.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <tuple>
#include <utility>

#include <thalweg/core/arrays.hpp>
#include <thalweg/core/concepts.hpp>
#include <thalweg/core/registers.hpp>

namespace thalweg::detail {

/// A kernel, the number of its state arrays, and whether the kernels after it use its update as the
/// gradient.
template <std::size_t Arrays, class Kernel, bool Gathers = false>
struct bound_kernel {
  static constexpr std::size_t count = Arrays;
  static constexpr bool gathers = Gathers;
  Kernel kernel;
};

/// A reduction's kernel, the number of its sums, and the number of its states.
template <std::size_t Sums, std::size_t Arrays, class Kernel>
struct bound_reduction {
  static constexpr std::size_t count = Sums;
  static constexpr std::size_t arrays = Arrays;
  Kernel kernel;

  /// The terms of an element.
  template <class V>
  [[nodiscard, gnu::always_inline]] constexpr std::array<V, Sums> terms(const element<V>& e, const std::array<V, Arrays>& s) const {
    return [&]<std::size_t... J>(std::index_sequence<J...>) {
      return std::array<V, Sums>{kernel(e, s[J]...)};
    }(std::make_index_sequence<Arrays>());
  }
};

/// What a pass writes.
struct traffic {
  bool update = false;     ///< if more passes follow, or a barrier
  bool parameter = false;  ///< the chain ends here
  bool states = true;
  bool measures = false;   ///< whether it measures the change of the parameter
};

constexpr traffic measuring_too(traffic t) {
  t.measures = true;
  return t;
}

template <class V>
struct register_of;
template <class T>
struct register_of<number<T>> {
  static constexpr std::size_t width = 1;
  static number<T> load(const auto* from) { return *from; }
  static void store(T* to, number<T> v) { *to = v.value(); }
};
template <class T, class A>
struct register_of<number<xsimd::batch<T, A>>> {
  static constexpr std::size_t width = xsimd::batch<T, A>::size;
  static number<xsimd::batch<T, A>> load(const T* from) { return xsimd::batch<T, A>::load_unaligned(from); }
  template <class From>
  static number<xsimd::batch<T, A>> load(const From* from) {  // xsimd converts by way of memory
    using many [[gnu::vector_size(sizeof(From) * width)]] = From;
    using wide [[gnu::vector_size(sizeof(T) * width)]] = T;
    many values;
    std::memcpy(&values, from, sizeof values);
    return xsimd::batch<T, A>(typename xsimd::batch<T, A>::register_type(__builtin_convertvector(values, wide)));
  }
  static void store(T* to, number<xsimd::batch<T, A>> v) { v.value().store_unaligned(to); }
};

// Prefetches the data 2 KiB ahead: a loop with a division has too few loads in flight to keep the memory busy. Beyond
// the end of the array a prefetch does nothing.
template <class T>
[[gnu::always_inline]] inline void fetch_ahead(const T* from) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(from) + 2048));
}

// Rounds a kernel's result, as a store to memory would: otherwise g++ would fuse a product in one kernel with a sum in
// the next, and the result of a chain would depend on its division into passes. The empty instruction acts as memory.
template <class V>
[[gnu::always_inline]] inline V rounded(V v) {
#if defined(__GNUC__) && !defined(__clang__) && (defined(__x86_64__) || defined(__aarch64__))
#ifdef __x86_64__
#define THALWEG_FLOATING "+v"
#else
#define THALWEG_FLOATING "+w"
#endif
  auto value = v.value();
  if constexpr (requires { value.data; }) asm("" : THALWEG_FLOATING(value.data));
  else asm("" : THALWEG_FLOATING(value));
#undef THALWEG_FLOATING
  return V(value);
#else
  return v;
#endif
}

template <std::size_t First, class V, std::size_t N>
[[gnu::always_inline]] constexpr void run_kernels(element<V>&, std::array<V, N>&) {}

template <std::size_t First, class V, std::size_t N, class Bound, class... Behind>
[[gnu::always_inline]] constexpr void run_kernels(element<V>& e, std::array<V, N>& s, const Bound& bound,
                                               const Behind&... behind) {
  [&]<std::size_t... J>(std::index_sequence<J...>) {
    const auto result = bound.kernel(e, s[First + J]...);
    if constexpr (requires { result.parameter; }) e.parameter = result.parameter;
    else e.update = rounded(V(result.value));
    if constexpr (Bound::gathers) e.gradient = e.update;
    ((s[First + J] = V(std::get<J>(result.states))), ...);
  }(std::make_index_sequence<Bound::count>());
  run_kernels<First + Bound::count>(e, s, behind...);
}

/// A measurement in registers.
template <class V>
struct measuring {
  V gradient = V(0.0), update = V(0.0), parameter = V(0.0), largest_gradient = V(0.0);

  [[gnu::always_inline]] void add(const element<V>& after, V before) {
    const V change = after.parameter - before;
    gradient += after.gradient * after.gradient;
    update += change * change;
    parameter += after.parameter * after.parameter;
    largest_gradient = max(largest_gradient, abs(after.gradient));
  }
  [[nodiscard]] measured_sums sums() const {
    const auto all = [](V v, auto f) {
      typename V::scalar lane[register_of<V>::width];
      register_of<V>::store(lane, v);
      double value = 0;
      for (const auto l : lane) value = f(value, static_cast<double>(l));
      return value;
    };
    const auto add = [](double a, double b) { return a + b; };
    return {all(gradient, add), all(update, add), all(parameter, add),
            all(largest_gradient, [](double a, double b) { return a < b ? b : a; })};
  }
};

// `n` is a multiple of the register's width. All loads come before all stores: so arrays that start at the same offset
// modulo 4 KiB are not slower.
template <class Passes, class V, traffic Writes, class T, class... Bound>
[[gnu::flatten, gnu::noinline]] void run_whole_registers(std::size_t n, arrays<T> a, Bound... bound) {
  using registers = register_of<V>;
  constexpr std::size_t count = (std::size_t{0} + ... + Bound::count);
  std::array<T*, count> states;
  for (std::size_t j = 0; j < count; ++j) states[j] = a.states[j] + a.begin;
  const T *const gradient = a.gradient + a.begin, *const before = a.before;
  T *const parameter = a.parameter + a.begin, *const update = a.update;
  [[maybe_unused]] measuring<V> measured;
  [[maybe_unused]] T* const kept = Writes.measures ? a.measured->before : nullptr;
  for (std::size_t i = 0; i < n; i += registers::width) {
    fetch_ahead(before + i);
    if constexpr (Writes.parameter) fetch_ahead(parameter + i);
    for (std::size_t j = 0; j < count; ++j) fetch_ahead(states[j] + i);
    element<V> e{.update = registers::load(before + i),
                 .gradient = registers::load(gradient + i),
                 .parameter = registers::load(parameter + i)};
    std::array<V, count> s;
    for (std::size_t j = 0; j < count; ++j) s[j] = registers::load(states[j] + i);
    [[maybe_unused]] const V before_step = e.parameter;
    run_kernels<0>(e, s, bound...);
    if constexpr (Writes.measures) {
      registers::store(kept + i, before_step);
      measured.add(e, before_step);
    }
    if constexpr (Writes.states)
      for (std::size_t j = 0; j < count; ++j) registers::store(states[j] + i, s[j]);
    if constexpr (Writes.parameter) registers::store(parameter + i, e.parameter);
    if constexpr (Writes.update) registers::store(update + i, e.update);
  }
  if constexpr (Writes.measures) a.measured->sums.add(measured.sums());
}

/// Runs kernels over n elements. The last elements, which do not fill a register, also use a register, with a small
/// copy: so an element's result does not depend on its index. `Passes`, below, gives code compiled with different flags
/// different names for the linker.
template <class Passes, class V, traffic Writes, class T, class... Bound>
void run_pass(std::size_t n, const arrays<T>& a, const Bound&... bound) {
  if constexpr (Writes.parameter && !Writes.measures)
    if (a.measured) return run_pass<Passes, V, measuring_too(Writes)>(n, a, bound...);
  constexpr std::size_t width = register_of<V>::width;
  constexpr std::size_t count = (std::size_t{0} + ... + Bound::count);
  const std::size_t rest = n % width, whole = n - rest, at = a.begin + whole;  // where the rest begins
  if (whole) run_whole_registers<Passes, V, Writes, T, Bound...>(whole, a, bound...);
  if (rest) {
    T copies[count + 5][width] = {};
    T* states[count + 1];
    for (std::size_t j = 0; j < count; ++j) std::copy_n(a.states[j] + at, rest, states[j] = copies[j]);
    T *const gradient = copies[count], *const before = copies[count + 1], *const update = copies[count + 2],
      *const parameter = copies[count + 3];
    std::copy_n(a.gradient + at, rest, gradient);
    std::copy_n(a.before + whole, rest, before);
    std::copy_n(a.parameter + at, rest, parameter);
    measurement<T> measured{copies[count + 4], {}};
    run_whole_registers<Passes, V, Writes, T, Bound...>(
        width, arrays<T>{gradient, before, update, parameter, states, 0, &measured}, bound...);
    if constexpr (Writes.states)
      for (std::size_t j = 0; j < count; ++j) std::copy_n(copies[j], rest, a.states[j] + at);
    if constexpr (Writes.parameter) std::copy_n(parameter, rest, a.parameter + at);
    if constexpr (Writes.update) std::copy_n(update, rest, a.update + whole);
    if constexpr (Writes.measures) {
      std::copy_n(measured.before, rest, a.measured->before + whole);
      a.measured->sums.add(measured.sums);
    }
  }
}

/// Adds Σ kernel(element) over n elements to `sums`, in double. Each sum has eight lanes for any width of the
/// registers; the lanes of one sum follow those of the other. So the order of additions depends only on the index of
/// the elements, and a parameter may be divided into pieces of a multiple of eight.
template <class Passes, class V, class T, class Bound>
[[gnu::flatten, gnu::noinline]] void run_reduction(std::size_t n, arrays<T> a, double* sums, Bound bound) {
  using registers = register_of<V>;
  constexpr std::size_t N = Bound::count, S = Bound::arrays, count = sum_lanes / registers::width;
  const T *const update = a.before, *const gradient = a.gradient + a.begin, *const parameter = a.parameter + a.begin;
  std::array<const T*, S> states;
  for (std::size_t j = 0; j < S; ++j) states[j] = a.states[j] + a.begin;
  using eight = std::array<std::array<V, count>, N>;
  const auto for_each = []<std::size_t... I>(std::index_sequence<I...>, auto f) {
    (f(std::integral_constant<std::size_t, I>()), ...);
  };
  const auto add = [&](eight& to, const T* u, const T* g, const T* p, const std::array<const T*, S>& states_at, std::size_t i) {
    for_each(std::make_index_sequence<count>(), [&](auto r) {
      const std::size_t at = i + r * registers::width;
      std::array<V, S> s;
      for (std::size_t j = 0; j < S; ++j) s[j] = registers::load(states_at[j] + at);
      const auto terms =
          bound.terms(element<V>{registers::load(u + at), registers::load(g + at), registers::load(p + at)}, s);
      for_each(std::make_index_sequence<N>(), [&](auto k) { to[k][r] += rounded(terms[k]); });
    });
  };
  const auto for_each_lanes = [&](auto f) {
    for (std::size_t k = 0; k < N; ++k)
      for (std::size_t r = 0; r < count; ++r) f(k, r, sums + k * sum_lanes + r * registers::width);
  };
  eight all;
  for_each_lanes([&](std::size_t k, std::size_t r, double* at) { all[k][r] = registers::load(at); });
  const std::size_t rest = n % sum_lanes, whole = n - rest;
  for (std::size_t i = 0; i < whole; i += sum_lanes) add(all, update, gradient, parameter, states, i);
  for_each_lanes([&](std::size_t k, std::size_t r, double* at) { registers::store(at, all[k][r]); });
  if (rest == 0) return;
  T copies[3 + S][sum_lanes] = {};
  std::copy_n(update + whole, rest, copies[0]);
  std::copy_n(gradient + whole, rest, copies[1]);
  std::copy_n(parameter + whole, rest, copies[2]);
  for (std::size_t j = 0; j < S; ++j) states[j] = std::copy_n(states[j] + whole, rest, copies[3 + j]) - rest;
  eight of_rest;
  for (auto& sum : of_rest) sum.fill(V(0.0));
  add(of_rest, copies[0], copies[1], copies[2], states, 0);
  double terms[N * sum_lanes];
  for_each_lanes([&](std::size_t k, std::size_t r, double* at) { registers::store(terms + (at - sums), of_rest[k][r]); });
  for (std::size_t k = 0; k < N; ++k)
    for (std::size_t lane = 0; lane < rest; ++lane) sums[k * sum_lanes + lane] += terms[k * sum_lanes + lane];
}

/// How passes and sums run: whether kernels share a pass, and in which registers. This one fuses, and uses the widest
/// registers for which the user compiles.
struct fused_passes {
  static constexpr bool fused = true;
  static constexpr std::string_view text = "";  ///< for describe()
  /// The same, for one of the library's instruction sets.
  static fused_passes in(std::size_t) { return {}; }
  template <traffic Writes, class T, class... Bound>
  void run(std::size_t n, const arrays<T>& a, const Bound&... bound) const {
    run_pass<fused_passes, lanes<T>, Writes>(n, a, bound...);
  }
  template <class T, class Bound>
  void reduce(std::size_t n, const arrays<T>& a, double* sums, const Bound& bound) const {
    run_reduction<fused_passes, lanes<double>>(n, a, sums, bound);
  }
};

}  // namespace thalweg::detail
