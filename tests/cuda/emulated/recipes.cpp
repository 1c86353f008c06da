// The library for GPUs, on the double of CUDA's.
#include "../../../src/cuda/recipes.cu"
