// The gradients of a step: checked, and read in place.
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

public:
  given_gradients() = default;
  explicit given_gradients(const storage<T>& store) : store_(&store), gradients_(store.parameters.size()) {
    for (std::size_t i = 0; i < store.parameters.size(); ++i) {
      const auto address = reinterpret_cast<std::uintptr_t>(store.parameters[i].data);
      by_end_.push_back({address, address + store.parameters[i].size * sizeof(T), i});
    }
    std::ranges::sort(by_end_, {}, &extent::end);
  }

  void take(std::size_t i, std::span<const T> g) {
    if (i >= gradients_.size()) return;  // counted, and refused in check_count
    const auto& p = store_->parameters[i];
    if (!g.data()) throw error("step", "Expected a gradient for ", in_quotes(p.info.name), ". Received none.");
    if (g.size() != p.size)
      throw error("step", "Expected a gradient of ", p.size, " elements for ", in_quotes(p.info.name), " with shape ",
                  p.info.shape, ". Received ", g.size(), ".");
    if (const auto* hit = overlapped(g.data(), g.size()))
      throw error("step", "Expected a gradient in memory of its own for ", in_quotes(p.info.name),
                  ". Received one that overlaps the parameter ", in_quotes(hit->info.name), ".");
    gradients_[i] = g.data();
  }
  /// Whether a step may be taken with `count` of them.
  void check_count(std::size_t count) const {
    if (store_->at_evaluation_point)
      throw error("step", "Expected the parameters at y. Received them at x: let the evaluation point go first.");
    if (count != gradients_.size())
      throw error("step", "Expected ", gradients_.size(), " gradients, one a parameter. Received ", count, ".");
  }
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
    if (i >= store_->parameters.size())
      throw error("averaged", "Expected an index below ", store_->parameters.size(), ". Received ", i, ".");
    const auto& p = store_->parameters[i];
    if (out.size() != p.size)
      throw error("averaged", "Expected room for the ", p.size, " elements of ", in_quotes(p.info.name), ". Received ",
                  out.size(), ".");
    if (const auto* hit = overlapped(out.data(), out.size()))
      throw error("averaged", "Expected memory of its own for x of ", in_quotes(p.info.name),
                  ". Received some that overlaps the parameter ", in_quotes(hit->info.name), ".");
  }
};

}  // namespace thalweg::detail
