#include "positions.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace valley {
namespace {

// A checkpoint is a safetensors file: the header's length in 8 bytes, the header in JSON, the arrays.
class state_arrays {
  std::string bytes_;
  nlohmann::json header_;
  std::size_t arrays_at_;

public:
  explicit state_arrays(std::string bytes) : bytes_(std::move(bytes)) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes_.data(), sizeof length);
    arrays_at_ = sizeof length + length;
    header_ = nlohmann::json::parse(bytes_.begin() + sizeof length, bytes_.begin() + static_cast<std::ptrdiff_t>(arrays_at_));
  }

  // Overwrites `to` where the parameter has a state array z.
  void copy_z(const std::string& parameter, std::span<double> to) const {
    for (const auto& [name, entry] : header_.items()) {
      if (!name.starts_with(parameter + '/') || !name.ends_with(".z")) continue;
      std::vector<float> z(to.size());
      std::memcpy(z.data(), bytes_.data() + arrays_at_ + entry.at("data_offsets").at(0).get<std::size_t>(),
                  z.size() * sizeof(float));
      std::ranges::copy(z, to.begin());
    }
  }
};

}  // namespace

positions positions_of(const parameters& all, const thalweg::optimizer<float>& optimizer) {
  const vector y = place_of(all);
  positions found{y, y, y};
  const state_arrays state(optimizer.to_bytes());
  std::size_t i = 0, at = 0;
  for (const auto& p : all) {
    const std::size_t count = thalweg::element_count(p.shape);
    std::vector<float> x(count);
    optimizer.averaged(i++, x);
    std::ranges::copy(x, found.x.data() + at);
    state.copy_z(p.name, {found.z.data() + at, count});
    at += count;
  }
  return found;
}

}  // namespace valley
