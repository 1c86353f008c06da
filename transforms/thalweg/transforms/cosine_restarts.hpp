// cosine_restarts: the learning rate falls along half a cosine wave, then restarts at the top.
#pragma once

#include <array>
#include <cstddef>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// lr ← lr·(final + (1-final)·(1 + cos(π·p))/2), with p from 0 to 1 in each cycle. The first cycle has `steps` steps. Each
/// later cycle is `growth` times as long as the cycle before it.
///
/// | field  | default  | source                                          |
/// |--------|----------|-------------------------------------------------|
/// | steps  | required | SGDR, Loshchilov & Hutter, arXiv 1608.03983: T₀ |
/// | growth | 1        | the same: T_mult                                |
/// | final  | 0        | the same                                        |
///
///     auto c = cosine_restarts{.steps = 1000, .growth = 2} | scale_by_adam{};
struct cosine_restarts {
  required<long> steps;
  double growth = 1;
  double final = 0;
  static constexpr auto fields = list{field{"steps", &cosine_restarts::steps, from(1)},
                                      field{"growth", &cosine_restarts::growth, from(1)},
                                      field{"final", &cosine_restarts::final, from(0).to(1)}};

  constexpr context at(context c) const {
    double past = static_cast<double>(c.step - 1), length = static_cast<double>(steps);
    // Of 2ⁱ cycles: how many first cycles they are long, and how many the next cycle is. Their sum for any number of cycles has no
    // more terms than that number has bits.
    struct cycles { double all, next; };
    std::array<cycles, 65> doubled{cycles{1, growth}};
    std::size_t i = 0;
    for (; length * doubled[i].all <= past; ++i) doubled[i + 1] = {doubled[i].all * (1 + doubled[i].next), doubled[i].next * doubled[i].next};
    cycles over{0, 1};
    while (i-- > 0)
      if (const double all = over.all + over.next * doubled[i].all; length * all <= past) over = {all, over.next * doubled[i].next};
    past -= length * over.all;
    length *= over.next;
    c.lr *= final + (1 - final) * (1 + cos(std::numbers::pi * past / length)) / 2;
    return c;
  }
};

}  // namespace thalweg
