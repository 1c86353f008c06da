// The library for GPUs of many ranks, on the doubles of CUDA's and NCCL's.
#include "../../../src/cuda/nccl/optimizer.cu"
