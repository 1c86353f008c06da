// For processors that have no tiles.
#include "request.hpp"

namespace thalweg::linear_algebra::amx {

bool available() { return false; }
std::size_t workspace_bytes(bool, std::size_t, std::size_t) { return 0; }
void multiply(const request<float>&, bool, void*) {}

}  // namespace thalweg::linear_algebra::amx
