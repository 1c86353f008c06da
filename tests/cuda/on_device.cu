// on_device FILE...: replays reference cases on a GPU; exits with 77 where there is none.
#include "replay.hpp"

int main(int count, char** files) { return replay_on_device::replayed(count, files); }
