// For processors of another family.
#include "bfloat16.hpp"

namespace thalweg::linear_algebra::bfloat16 {

unit available() { return unit::absent; }
std::size_t bytes(form, std::size_t, std::size_t) { return 0; }
std::size_t workspace_bytes(form, std::size_t, std::size_t) { return 0; }
void load(const arithmetic&, place, float, blocks) {}
double gram(const arithmetic&, blocks, double, blocks) { return 0; }
double symmetric_product(const arithmetic&, float, blocks, blocks, float, blocks, float, blocks, blocks) { return 0; }
double apply(const arithmetic&, blocks, float, blocks) { return 0; }
void finish(const arithmetic&, blocks, float, float, blocks, place) {}
double rescale_rows(const arithmetic&, blocks, float, double, blocks) { return 0; }
double sum_of_squares(const float*, std::size_t) { return 0; }

}  // namespace thalweg::linear_algebra::bfloat16
