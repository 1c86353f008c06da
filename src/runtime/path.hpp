// A path of a run-time chain, and how numbers go along it: what core/plan.hpp and core/engine.hpp know of types, this
// knows of leaves.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <thalweg/core/path.hpp>
#include <thalweg/runtime/leaf.hpp>

namespace thalweg::runtime::detail {

using thalweg::detail::stage;

/// One way through a chain, from the gradient to the parameters, or through a branch of `parallel`.
struct path {
  std::vector<std::size_t> leaf;  ///< which of the chain's, by position
  std::vector<kind> kinds;
  std::vector<std::size_t> first_array, first_scalar;  ///< by position, and how many there are
  std::vector<std::size_t> first_sum;                  ///< by position, among the chain's
  std::vector<stage> stages;
  std::size_t gate = 0;         ///< the position of what swallows steps, if there is one: else that of the end
  bool begins_changed = false;  ///< with an update, not with the gradient

  /// `first_sum_of`: by leaf.
  path(std::span<const shared_leaf> leaves, std::vector<std::size_t> way, std::span<const std::size_t> first_sum_of,
       bool changed = false)
      : leaf(std::move(way)), first_array{0}, first_scalar{0}, begins_changed(changed) {
    for (const std::size_t l : leaf) {
      kinds.push_back(leaves[l]->is.what);
      first_array.push_back(first_array.back() + leaves[l]->is.arrays);
      first_scalar.push_back(first_scalar.back() + leaves[l]->is.scalars);
      first_sum.push_back(first_sum_of[l]);
    }
    while (gate < positions() && !leaves[leaf[gate]]->is.swallows) ++gate;
    thalweg::detail::cut(kinds, true, [&](stage s) { stages.push_back(s); });
  }

  [[nodiscard]] std::size_t positions() const { return leaf.size(); }
  [[nodiscard]] std::size_t position_of(std::size_t l) const {
    return static_cast<std::size_t>(std::ranges::find(leaf, l) - leaf.begin());
  }
  [[nodiscard]] bool contains(std::size_t l) const { return position_of(l) < positions(); }
  [[nodiscard]] bool changed_before(std::size_t position) const {
    return begins_changed || has_kernels({0, position});
  }
  [[nodiscard]] bool has_kernels(stage s) const {
    for (std::size_t i = s.begin; i < s.end; ++i)
      if (kinds[i] != kind::contextual) return true;
    return false;
  }
  [[nodiscard]] bool crosses_memory() const {
    for (std::size_t i = 0; i + 1 < stages.size(); ++i)
      if (has_kernels(stages[i]) || kinds[stages[i].end] == kind::tensorwise) return true;
    return false;
  }
};

template <class T>
using places = std::vector<std::unique_ptr<place<T>>>;

/// Elements that go through a stage together: the update stays in the first cache between two passes.
inline constexpr std::size_t tile_elements = 1024;

/// One parameter on its way.
template <class T>
struct traveller {
  tensor<const T> parameter;
  T* written;  ///< the parameter's memory
  T* const* states;
  const std::vector<std::size_t>* state_shapes;
  const T* gradient;  ///< as the user gave it
  T* update;  ///< memory for the whole update, where a barrier needs it
  T* tile;    ///< for tile_elements of it
  std::span<T> scratch;
};

/// The gradient as it is known at a position: behind a gate, what that has gathered.
template <class T>
const T* gradient_at(const path& p, std::size_t position, const traveller<T>& t) {
  return p.gate < position ? t.states[p.first_array[p.gate]] : t.gradient;
}

/// What the transform at a position sums up.
template <class T>
void reduce_at(const path& p, const places<T>& at, std::size_t position, const traveller<T>& t, double* sums,
               std::size_t begin, std::size_t end) {
  const T* const gradient = gradient_at(p, position, t);
  const T* const reduced = p.changed_before(position) ? t.update : gradient;
  at[position]->reduce(end - begin, reduced + begin, gradient + begin, t.written + begin, sums);
}

/// The elements [begin, end) through a stage, and over the parameter's own barrier that ends it. `sums`: the chain's.
template <class T>
void run_stage(const path& p, const places<T>& at, std::size_t number, const traveller<T>& t, double* sums,
               std::size_t begin, std::size_t end) {
  const stage s = p.stages[number];
  const bool ends = s.end == p.positions(), from_gradient = !p.changed_before(s.begin);
  if (p.has_kernels(s)) {
    for (std::size_t first = begin; first < end; first += tile_elements) {
      const std::size_t n = std::min(tile_elements, end - first);
      T* const update = ends ? t.tile : t.update + first;
      const T* before = from_gradient ? t.gradient + first : t.update + first;
      for (std::size_t i = s.begin; i < s.end; ++i) {
        if (p.kinds[i] == kind::contextual) continue;
        at[i]->run(n, {gradient_at(p, i, t), update, t.written, t.states + p.first_array[i], first, before},
                   sums + p.first_sum[i]);
        before = update;
      }
    }
  } else if (!ends && from_gradient && p.kinds[s.end] == kind::tensorwise) {
    std::copy(t.gradient + begin, t.gradient + end, t.update + begin);
  }
  if (ends) return;
  if (p.kinds[s.end] == kind::tensorwise) {
    const auto view = [&](auto* data) {
      using element = std::remove_pointer_t<decltype(data)>;
      return tensor<element>{data, t.parameter.shape, t.parameter.order, t.parameter.name};
    };
    at[s.end]->apply({view(t.update), view(gradient_at(p, s.end, t)), t.parameter}, t.scratch,
                     t.states + p.first_array[s.end], t.state_shapes + p.first_array[s.end]);
  } else if (p.kinds[s.end] == kind::parameterwise) {
    reduce_at(p, at, s.end, t, sums + p.first_sum[s.end], begin, end);
  }
}

}  // namespace thalweg::runtime::detail
