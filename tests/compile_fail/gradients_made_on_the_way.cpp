// expect: thalweg: step(gradients) reads the gradients in place; this range computes them on access; store them in a vector first
#include <iterator>

#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>
using namespace thalweg;

std::vector<float> w(6), g(6);

// A range that copies a gradient each time it is asked for one.
struct copies {
  struct iterator {
    using value_type = std::vector<float>;
    using difference_type = std::ptrdiff_t;
    int left = 1;
#ifdef FIXED
    const value_type& operator*() const { return g; }
#else
    value_type operator*() const { return g; }
#endif
    iterator& operator++() { return --left, *this; }
    void operator++(int) { --left; }
    bool operator==(std::default_sentinel_t) const { return left == 0; }
  };
  iterator begin() const { return {}; }
  std::default_sentinel_t end() const { return {}; }
};

void use() {
  auto opt = optimizer(ema{}, std::vector<parameter<float>>{{.name = "w", .shape = {2, 3}, .data = w.data()}}, {});
  opt.step(copies{});
}
