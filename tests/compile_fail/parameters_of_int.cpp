// expect: thalweg: parameters are float or double
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>
using namespace thalweg;

#ifdef FIXED
using number_type = float;
#else
using number_type = int;
#endif
std::vector<number_type> w(6);

void use() {
  optimizer(ema{}, std::vector<parameter<number_type>>{{.name = "w", .shape = {2, 3}, .data = w.data()}}, {});
}
