// The gradients of a step: checked, and read in place. An empty one is none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <thalweg/core/error.hpp>
#include <thalweg/core/storage.hpp>

namespace thalweg::detail {

template <class T>
class given_gradients {
  struct extent {
    std::uintptr_t begin, end;
    std::size_t parameter;
  };
  const storage<T>* store_ = nullptr;
  std::vector<extent> by_end_;  ///< the parameters' memory, in the order of its addresses
  std::vector<const T*> gradients_;
  std::vector<T> copies_;          ///< of the gradients of parameters that do not lie in one piece
  std::vector<std::size_t> copy_;  ///< by part: where its copy begins

public:
  given_gradients() = default;
  explicit given_gradients(const storage<T>& store) : store_(&store), gradients_(store.parameters.size()) {
    std::size_t copied = 0;
    for (std::size_t i = 0; i < store.parameters.size(); ++i) {
      const auto& p = store.parameters[i];
      const lines<T> all = p.lies_in.value_or(lines<T>{p.data, 1, p.size, 0});
      for (std::size_t line = 0; line < all.count; ++line) {
        const auto address = reinterpret_cast<std::uintptr_t>(all.data + line * all.stride);
        by_end_.push_back({address, address + all.length * sizeof(T), i});
      }
      copy_.push_back(copied);
      if (p.lies_in) copied += p.size;
    }
    std::ranges::sort(by_end_, {}, &extent::end);
    copies_.resize(copied);
  }

  /// That of the parameter that was given as number i.
  void take(std::size_t i, std::span<const T> g) {
    if (i >= store_->wholes.size()) return;  // counted, and refused in check_count
    const whole_parameter& whole = store_->wholes[i];
    if (!g.empty() && g.size() != whole.extent)
      throw error("step", "Expected a gradient of ", whole.extent, " elements for ", in_quotes(whole.name), " with shape ",
                  whole.shape, ". Received ", g.size(), ".");
    for (std::size_t n = whole.first; n < whole.last; ++n) {
      if (g.empty()) {
        gradients_[n] = nullptr;
        continue;
      }
      const auto& p = store_->parameters[n];
      const lines<T> all = p.lies_in.value_or(lines<T>{nullptr, 1, p.size, 0});
      const lines<const T> given{g.data() + p.offset, all.count, all.length, all.stride};
      if (const auto* hit = overlapped(given.data, (all.count - 1) * all.stride + all.length))
        throw error("step", "Expected a gradient in memory of its own for ", in_quotes(whole.name),
                    ". Received one that overlaps the parameter ", in_quotes(hit->info.name), ".");
      gradients_[n] = given.data;
      if (!p.lies_in) continue;
      given.copy_to(copies_.data() + copy_[n]);
      gradients_[n] = copies_.data() + copy_[n];
    }
  }
  /// Whether a step may be taken with `count` of them.
  void check_count(std::size_t count) const {
    if (store_->at_evaluation_point)
      throw error("step", "Expected the parameters at y. Received them at x: let the evaluation point go first.");
    if (count != store_->wholes.size())
      throw error("step", "Expected ", store_->wholes.size(), " gradients, one a parameter. Received ", count, ".");
  }
  /// By part; null where there is none.
  [[nodiscard]] std::span<const T* const> all() const { return gradients_; }

  /// The parameter that n numbers at `data` reach into, if there is one.
  [[nodiscard]] const bound_parameter<T>* overlapped(const T* data, std::size_t n) const {
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    const auto above = std::ranges::upper_bound(by_end_, begin, {}, &extent::end);
    const bool hit = above != by_end_.end() && above->begin < begin + n * sizeof(T);
    return hit ? &store_->parameters[above->parameter] : nullptr;
  }
  /// Throws where x of parameter `i` cannot be copied to `out`.
  void check_room(std::size_t i, std::span<const T> out) const {
    if (i >= store_->wholes.size())
      throw error("averaged", "Expected an index below ", store_->wholes.size(), ". Received ", i, ".");
    const whole_parameter& whole = store_->wholes[i];
    if (out.size() != whole.extent)
      throw error("averaged", "Expected room for the ", whole.extent, " elements of ", in_quotes(whole.name), ". Received ",
                  out.size(), ".");
    if (const auto* hit = overlapped(out.data(), out.size()))
      throw error("averaged", "Expected memory of its own for x of ", in_quotes(whole.name),
                  ". Received some that overlaps the parameter ", in_quotes(hit->info.name), ".");
  }
};

}  // namespace thalweg::detail
