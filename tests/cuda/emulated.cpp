// emulated FILE...: on_device, on a double of CUDA's.
#include "replay.hpp"

int main(int count, char** files) { return replay_on_device::replayed(count, files); }
