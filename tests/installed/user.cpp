// A user's program, outside the tree: fits a line through four points, and says whether it did.
#include <cmath>
#include <cstdio>
#include <vector>

#include <thalweg/thalweg.hpp>
#include <thalweg/thalweg.hpp>

using namespace thalweg;

template <class Optimizer>
bool fits(Optimizer opt, const std::vector<float>& line) {  // y = line[0] + line[1] x
  for (int step = 0; step < 1000; ++step) {
    std::vector<std::vector<float>> gradients{{0, 0}};
    for (const float x : {-1.f, 0.f, 1.f, 2.f}) {
      const float error = line[0] + line[1] * x - (3 - 2 * x);
      gradients[0][0] += error;
      gradients[0][1] += error * x;
    }
    opt.step(gradients);
  }
  std::printf("%s\ny = %.3f %+.3f x\n", opt.describe().c_str(), line[0], line[1]);
  return std::abs(line[0] - 3) < 1e-2f && std::abs(line[1] + 2) < 1e-2f;
}

int main() {
  std::vector<float> a{0, 0}, b{0, 0};
  const bool here = fits(optimizer(recipes::adamw(), std::vector{as_parameter("line", a)}, {.lr = 0.05}), a);
  const bool there = fits(optimizer(recipes::adamw(), std::vector{as_parameter("line", b)}, {.lr = 0.05}), b);
  return here && there ? 0 : 1;
}
