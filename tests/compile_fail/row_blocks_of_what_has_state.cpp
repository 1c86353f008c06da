// expect: in_row_blocks(n, transform) takes a tensor-wise transform without state
#include <thalweg/transforms/equalize_rows.hpp>
#include <thalweg/transforms/in_row_blocks.hpp>
#include <thalweg/transforms/scale_by_row_rms.hpp>
using namespace thalweg;

#ifdef FIXED
auto c = in_row_blocks(3, equalize_rows{});
#else
auto c = in_row_blocks(3, scale_by_row_rms{});
#endif
