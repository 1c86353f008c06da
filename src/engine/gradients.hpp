// The gradients of a step: checked, and read in place. An empty gradient means that there is none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <thalweg/core/data_of_type.hpp>
#include <thalweg/core/error.hpp>
#include <thalweg/core/step.hpp>
#include <thalweg/core/storage.hpp>

namespace thalweg::detail {

/// The user's memory of a part, for elements of other bytes than the parameter's.
template <class T>
lines in_bytes(const bound_parameter<T>& p, std::size_t bytes, void* data) {
  if (!p.lies_in) return {data, 1, p.size * bytes, 0};
  const std::size_t own = bytes_of(p.values.type);
  return {data, p.lies_in->count, p.lies_in->length / own * bytes, p.lies_in->stride / own * bytes};
}

template <class T>
class given_gradients {
  struct extent {
    std::uintptr_t begin, end;
    std::size_t parameter;
  };
  const storage<T>* store_ = nullptr;
  std::vector<extent> by_end_;  ///< the parameters' memory, in the order of its addresses
  std::vector<stored_array> gradients_;
  std::vector<std::byte> copies_;  ///< of the gradients of parameters that do not lie in one piece
  std::vector<std::size_t> copy_;  ///< by part: where its copy begins

public:
  given_gradients() = default;
  explicit given_gradients(const storage<T>& store) : store_(&store), gradients_(store.parameters.size()) {
    std::size_t copied = 0;
    for (std::size_t i = 0; i < store.parameters.size(); ++i) {
      const auto& p = store.parameters[i];
      const lines all = p.lies_in.value_or(lines{p.values.data, 1, p.bytes(), 0});
      for (std::size_t line = 0; line < all.count; ++line) {
        const auto address = reinterpret_cast<std::uintptr_t>(all.data) + line * all.stride;
        by_end_.push_back({address, address + all.length, i});
      }
      copy_.push_back(copied);
      if (p.lies_in) copied += padded<std::byte>(p.size * sizeof(T));
    }
    std::ranges::sort(by_end_, {}, &extent::end);
    copies_.resize(copied);
  }

  /// That of the parameter that was given as number i.
  void take(std::size_t i, const gradient_view& g) {
    if (i >= store_->wholes.size()) return;  // counted, and refused in check_count
    const whole_parameter& whole = store_->wholes[i];
    if (g.size != 0 && g.size != whole.extent)
      throw error("step", "Expected a gradient of ", whole.extent, " elements for ", in_quotes(whole.name), " with shape ",
                  whole.shape, ". Received ", g.size, ".");
    if (g.size != 0 && !reads<T>(g.type))
      throw error("step", "Expected a gradient of ", type_of<T>, " for ", in_quotes(whole.name), ". Received ", g.type, ".");
    const std::size_t bytes = bytes_of(g.type);
    if (reinterpret_cast<std::uintptr_t>(g.data) % bytes != 0)
      throw error("step", "Expected a gradient aligned to its element type for ", in_quotes(whole.name), ". Received one that is not.");
    for (std::size_t n = whole.first; n < whole.last; ++n) {
      if (g.size == 0) {
        gradients_[n] = {};
        continue;
      }
      const auto& p = store_->parameters[n];
      const lines all = in_bytes(p, bytes, const_cast<std::byte*>(static_cast<const std::byte*>(g.data)) + p.offset * bytes);
      // A process that holds only some rows gives fewer elements than the parameter has.
      if (const auto* hit = overlapped(all.data, std::min((all.count - 1) * all.stride + all.length, g.size * bytes)))
        throw error("step", "Expected a gradient that overlaps no parameter for ", in_quotes(whole.name),
                    ". Received one that overlaps the parameter ", in_quotes(hit->info.name), ".");
      gradients_[n] = {all.data, g.type};  // is only read
      if (!p.lies_in) continue;
      gradients_[n].data = copies_.data() + copy_[n];
      all.copy_to(gradients_[n].data);
    }
  }
  /// Throws if a step with `count` gradients is not possible.
  void check_count(std::size_t count) const {
    if (store_->at_evaluation_point)
      throw error("step", "Expected the parameters at y. Received them at x: end the evaluation point first.");
    if (count != store_->wholes.size())
      throw error("step", "Expected ", store_->wholes.size(), " gradients, one for each parameter. Received ", count, ".");
  }
  /// By part; null where there is none.
  [[nodiscard]] std::span<const stored_array> all() const { return gradients_; }

  /// The parameter that n bytes at `data` reach into, if there is one.
  [[nodiscard]] const bound_parameter<T>* overlapped(const void* data, std::size_t n) const {
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    const auto above = std::ranges::upper_bound(by_end_, begin, {}, &extent::end);
    const bool hit = above != by_end_.end() && above->begin < begin + n;
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
    if (const auto* hit = overlapped(out.data(), out.size_bytes()))
      throw error("averaged", "Expected an output that overlaps no parameter for x of ", in_quotes(whole.name),
                  ". Received one that overlaps the parameter ", in_quotes(hit->info.name), ".");
  }
};

}  // namespace thalweg::detail
