#include <thalweg/text/leaf.hpp>

namespace thalweg::text {

leaf::~leaf() = default;

void leaf::add_field(std::string_view called, double value, bool moves) {
  fields.push_back({std::string(called), value, moves});
}

}  // namespace thalweg::text
