// Runs one stage: in place if the arrays have the type of the computation, otherwise in tiles converted to that type.
#include <thalweg/core/program.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <type_traits>

#include <thalweg/core/storage.hpp>

namespace thalweg::detail {

namespace {

/// The gradient at a position. Behind a gate, it is the gradient that the gate has gathered.
template <class T>
const T* gradient_at(const path<T>& p, std::size_t position, const in_flight<T>& one) {
  return position > p.gate ? one.states[p.first_array[p.gate]] : one.gradient;
}

/// The sums of a pass. If the squares are near the limits of T, the sums are computed again in double.
template <class T>
measured_sums exact_sums(const measurement<T>& of, std::size_t n, const T* gradient, const T* after) {
  const auto fits = [](double sum) { return sum > 1e-25 && sum < 1e37; };
  if (fits(of.sums.gradient) && fits(of.sums.update) && fits(of.sums.parameter)) return of.sums;
  measured_sums exact;
  for (std::size_t i = 0; i < n; ++i) {
    const double g = gradient[i], u = double(after[i]) - double(of.before[i]), p = after[i];
    exact.add({g * g, u * u, p * p, std::abs(g)});
  }
  return exact;
}

/// How many elements are copied at once: few enough that all arrays of a stage stay in the first cache.
constexpr std::size_t copied_elements = 2 * block_elements;
static_assert(copied_elements <= tile_elements);

/// The states [first, last) of a path, and the gate's state: it is the gradient for the transforms behind the gate.
struct states_used {
  std::size_t first = 0, last = 0;
  std::size_t gate = 0;
  bool behind_gate = false;
};
template <class T>
states_used states_between(const path<T>& p, std::size_t first_position, std::size_t last_position) {
  return {p.first_array[first_position], p.first_array[last_position], p.first_array[std::min(p.gate, p.positions())],
          first_position > p.gate};
}

/// f(the parameter with arrays of T, begin, end): once where its arrays are of T; else for each tile of [begin, end), with
/// the tile's elements in copies. Writes back the states and, if it `ends` the path, the parameter.
template <class T, class F>
void in_numbers_of_computation(const in_flight<T>& one, const states_used& states, bool writes_states, bool writes_parameter,
                               std::size_t begin, std::size_t end, F f) {
  if (!one.stored_as) return f(one, begin, end);
  if constexpr (std::is_same_v<T, float>) {
    const stored_arrays<T>& as = *one.stored_as;
    for (std::size_t first = begin; first < end; first += copied_elements) {
      const std::size_t n = std::min(copied_elements, end - first);
      T* free = as.tiles;
      const auto opened = [&](const stored_array& array) {
        if (T* const own = array.as<T>()) return own + first;
        T* const tile = free;
        free += copied_elements;
        read(array, first, n, tile);
        return tile;
      };
      in_flight<T> part = one;
      part.stored_as = nullptr;
      part.states = as.states_in_tiles;
      part.data = opened(as.parameter);
      if (as.gradient.data) part.gradient = opened(as.gradient);
      for (std::size_t k = states.first; k < states.last; ++k) as.states_in_tiles[k] = opened(as.states[k]);
      if (states.behind_gate) as.states_in_tiles[states.gate] = opened(as.states[states.gate]);
      if (part.update) part.update += first;
      f(part, std::size_t{0}, n);
      if (writes_states)
        for (std::size_t k = states.first; k < states.last; ++k)
          if (!as.states[k].template as<T>())
            write(as.states_in_tiles[k], as.states[k], first, n, {scrambled(as.stream, k)});
      if (writes_parameter && !as.parameter.template as<T>()) write(part.data, as.parameter, first, n, as.weights);
    }
  }
}

/// A whole array in numbers of T; `room` if it is not stored so.
template <class T>
const T* whole_of(const stored_array& array, [[maybe_unused]] std::size_t n, [[maybe_unused]] T* room) {
  if (const T* const own = array.as<T>()) return own;
  if constexpr (std::is_same_v<T, float>) read(array, 0, n, room);
  return room;
}

}  // namespace

template <class T>
void reduce_at(std::span<const any_transform<T>> all, const path<T>& p, const prepared_path<T>& prepared, std::size_t position,
               const in_flight<T>& one, double* sums, std::size_t begin, std::size_t end) {
  std::array<double, most_sums_of_one * sum_lanes> lanes{};
  in_numbers_of_computation(one, states_between(p, position, position + 1), false, false, begin, end,
                            [&](const in_flight<T>& part, std::size_t first, std::size_t last) {
                              const T* const gradient = gradient_at(p, position, part);
                              const T* const reduced = p.changed_before(position) ? part.update : gradient;
                              all[p.transforms[position]].code->reduce(
                                  prepared.at[position], last - first,
                                  {gradient, reduced + first, nullptr, part.data, part.states + p.first_array[position], first},
                                  lanes.data());
                            });
  const std::size_t count = all[p.transforms[position]].info->is.sums;
  for (std::size_t k = 0; k < count; ++k) {
    sums[k] = 0;
    for (std::size_t lane = 0; lane < sum_lanes; ++lane) sums[k] += lanes[k * sum_lanes + lane];
  }
}

template <class T>
void absorb_at(std::span<const any_transform<T>> all, const path<T>& p, long call, const in_flight<T>& one, std::size_t begin,
               std::size_t end) {
  in_numbers_of_computation(one, states_between(p, p.gate, p.gate + 1), true, false, begin, end,
                            [&](const in_flight<T>& part, std::size_t first, std::size_t last) {
                              all[p.transforms[p.gate]].code->absorb(
                                  call, last - first,
                                  {part.gradient, part.gradient + first, nullptr, part.data,
                                   part.states + p.first_array[p.gate], first});
                            });
}

template <class T>
void average_stored(const path<T>& p, const transform_code<T>& code, const double* scalars, const in_flight<T>& one,
                    std::size_t n, T* out) {
  in_flight<T> into = one;
  into.update = out;
  in_numbers_of_computation(into, states_between(p, p.last(), p.last() + 1), false, false, 0, n,
                            [&](const in_flight<T>& part, std::size_t first, std::size_t last) {
                              code.average(scalars, last - first, {part.data, part.data, part.update, part.data,
                                                                   part.states + p.first_array[p.last()], first});
                            });
}

namespace {

/// Runs the passes of a stage, and measures if it is asked.
template <class T>
void run_passes(const path<T>& p, const prepared_path<T>& prepared, std::size_t set, std::size_t number, const in_flight<T>& one,
                const double* sums, std::size_t begin, std::size_t end) {
  const stage s = p.stages[number];
  const auto& passes = p.passes[number];
  const bool writes = s.end == p.positions() && p.ends, from_gradient = !p.changed_before(s.begin);
  const bool measures = writes && one.measured;
  const std::size_t tile = passes.size() > 1 ? tile_elements : measures ? measured_elements : end - begin;
  T parameter_before[measured_elements];
  for (std::size_t first = begin; first < end; first += tile) {
    const std::size_t n = std::min(tile, end - first);
    T* const update = writes ? one.tile : one.update + first;
    const T* before = (from_gradient ? one.gradient : one.update) + first;
    measurement<T> measured{parameter_before, {}};
    for (const auto& pass : passes) {
      pass.run(set, n, {gradient_at(p, pass.begin, one), before, update, one.data, one.states + p.first_array[pass.begin],
                        first, measures ? &measured : nullptr},
               prepared.kernels.data() + pass.first, sums, p.kernel_sums.data() + pass.first);
      before = update;
    }
    if (measures)
      one.measured->add(exact_sums(measured, n, gradient_at(p, p.last(), one) + first, one.data + first));
  }
}

}  // namespace

template <class T>
void run_stage(std::span<const any_transform<T>> all, std::size_t set, const path<T>& p, const prepared_path<T>& prepared,
               std::size_t number, const in_flight<T>& one, double* sums, std::size_t begin, std::size_t end) {
  const stage s = p.stages[number];
  const bool last = s.end == p.positions(), from_gradient = !p.changed_before(s.begin);
  if (!p.passes[number].empty()) {
    in_numbers_of_computation(one, states_between(p, s.begin, s.end), true, last && p.ends, begin, end,
                              [&](const in_flight<T>& part, std::size_t first, std::size_t end_of_part) {
                                run_passes(p, prepared, set, number, part, sums, first, end_of_part);
                              });
  } else if (!last && from_gradient && p.kinds[s.end] == kind::tensorwise) {
    in_numbers_of_computation(one, {}, false, false, begin, end,
                              [](const in_flight<T>& part, std::size_t first, std::size_t end_of_part) {
                                std::copy(part.gradient + first, part.gradient + end_of_part, part.update + first);
                              });
  }
  if (last) return;
  if (p.kinds[s.end] == kind::tensorwise) {
    const auto view = [&](auto* data) {
      tensor<std::remove_pointer_t<decltype(data)>> t{data, one.parameter.shape, one.parameter.order, one.parameter.name};
      t.begin = one.parameter.begin;
      return t;
    };
    const T *gradient = nullptr, *parameter = one.parameter.data;
    if (const auto* const as = one.stored_as) {
      const std::size_t n = one.parameter.size();
      parameter = whole_of(as->parameter, n, as->whole);
      gradient = whole_of(s.end > p.gate ? as->states[p.first_array[p.gate]] : as->gradient, n, as->whole + padded<T>(n));
    } else {
      gradient = gradient_at(p, s.end, one);
    }
    all[p.transforms[s.end]].code->apply(prepared.at[s.end], {view(one.update), view(gradient), view(parameter)}, one.scratch,
                                         one.states + p.first_array[s.end], one.state_shapes + p.first_array[s.end]);
  } else if (p.kinds[s.end] == kind::parameterwise) {
    reduce_at(all, p, prepared, s.end, one, sums + p.first_sum[s.end], begin, end);
  }
}

#define THALWEG_INSTANTIATE(T)                                                                                          \
  template void run_stage(std::span<const any_transform<T>>, std::size_t, const path<T>&, const prepared_path<T>&, std::size_t,  \
                          const in_flight<T>&, double*, std::size_t, std::size_t);                                      \
  template void reduce_at(std::span<const any_transform<T>>, const path<T>&, const prepared_path<T>&, std::size_t,               \
                          const in_flight<T>&, double*, std::size_t, std::size_t);                                      \
  template void absorb_at(std::span<const any_transform<T>>, const path<T>&, long, const in_flight<T>&, std::size_t,    \
                          std::size_t);                                                                                 \
  template void average_stored(const path<T>&, const transform_code<T>&, const double*, const in_flight<T>&, std::size_t, T*);
THALWEG_INSTANTIATE(float)
THALWEG_INSTANTIATE(double)
#undef THALWEG_INSTANTIATE

}  // namespace thalweg::detail
