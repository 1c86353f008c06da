// Gives any bytes to `load`. Either it loads them, and the state is one that a checkpoint may hold; or it throws, and nothing
// has changed.
//
// An input that begins with { or a space is a header, and gets its length and the arrays that go with it: those at y or
// those at x. Any other is a whole file.
#include <thalweg/core/progress.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

using namespace thalweg;

namespace {

void expect(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "load: %s\n", what);
  std::abort();
}

using numbers = std::vector<float>;

/// What an engine has: an averaged matrix in columns with three states, a plain vector with one, two routes.
struct subject {
  numbers w{1, 2, 3, 4, 5, 6}, b{7, 8};
  detail::storage<float> store;
  detail::progress now;

  subject() {
    now = {.chain = "a | b",
           .settings = {.lr = 0.5, .parallel = sequential()},
           .steps = 3,
           .calls = 7,
           .losses = {.sum = 0.5, .count = 1},
           .routes = {{.names = {"a.s"}, .numbers = {.scalars = {0.25}, .weights = {.sum = 1.5}, .steps = 3}},
                      {.numbers = {.weights = {.sum = 2}, .steps = 3}}}};
    const auto add = [&](const char* name, numbers& values, std::vector<std::size_t> shape, std::size_t path) {
      detail::bound_parameter<float> p{.info = {.name = name, .shape = shape}, .data = values.data()};
      p.values = {values.data(), number_type::float32};
      p.info.order = path == 0 ? storage_order::column_major : storage_order::row_major;
      p.size = values.size();
      p.path = p.clock = path;
      p.averaged = path == 0;
      p.add_state("a", "m", shape, true, number_type::float32);
      if (path == 0) {
        p.add_state("a", "r", {2}, false, number_type::float32);
        p.add_state("a", "c", {3, 3}, false, number_type::float32);
      }
      store.parameters.push_back(p);
    };
    add("w", w, {2, 3}, 0);
    add("b", b, {2}, 1);
    for (const auto& p : store.parameters)
      for (const auto& shape : p.state_shapes) store.state_bytes += element_count(shape) * sizeof(float);
    store.states = detail::allocate<std::byte>(store.state_bytes);
    auto* free = reinterpret_cast<float*>(store.states.get());
    for (auto& p : store.parameters)
      for (const auto& shape : p.state_shapes) {
        p.place_state({free, number_type::float32});
        for (std::size_t i = 0; i < element_count(shape); ++i) *free++ = 0.125f * static_cast<float>(i);
      }
  }

  void move_to_x() {
    for (float& value : w) value += 1;
  }
  [[nodiscard]] numbers states() const { 
    const auto* const begin = reinterpret_cast<const float*>(store.states.get());
    return {begin, begin + store.state_bytes / sizeof(float)};
  }

  [[nodiscard]] std::string saved() const {
    std::string all;
    const auto write = [&](std::span<const std::byte> piece, std::size_t) {
      all.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    };
    detail::write_checkpoint<float>(write, store, now, [&](std::size_t, float* out) {
      for (const float value : w) *out++ = value + 1;
    });
    return all;
  }
};

bool same(const numbers& a, const numbers& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// The files of a subject at y and at x.
struct reference {
  std::string at_y, at_x;
  reference() {
    subject s;
    at_y = s.saved();
    const auto bytes = std::as_bytes(std::span(s.w));
    s.store.held_back = {{bytes.begin(), bytes.end()}, {}};
    s.store.at_evaluation_point = true;
    s.move_to_x();
    at_x = s.saved();
  }
  [[nodiscard]] static std::string arrays_of(const std::string& file) {
    std::uint64_t length = 0;
    std::memcpy(&length, file.data(), sizeof length);
    return file.substr(sizeof length + length);
  }
};

/// Whether it was taken.
bool check(const std::string& bytes, bool at_x) {
  subject s;
  const numbers y = s.w;
  if (at_x) s.move_to_x();
  const numbers w = s.w, b = s.b, states = s.states();
  try {
    const auto read = [&](std::size_t from, std::span<std::byte> to) {
      std::memcpy(to.data(), bytes.data() + from, to.size());
    };
    const auto loaded = detail::read_checkpoint<float>({"bytes", bytes.size(), read}, s.store, s.now, {},
                                                       [](const detail::loaded_progress&) {}).now;
    expect(same(s.w, y), "the parameters are not at y");
    expect(same(s.b, b), "a parameter has changed that is not averaged");
    expect(std::ranges::all_of(s.states(), [](float value) { return std::isfinite(value); }), "a state is not finite");
    expect(loaded.chain == s.now.chain && loaded.steps >= 0 && loaded.calls >= loaded.steps, "counts that cannot be");
    expect(std::isfinite(loaded.losses.sum) && loaded.losses.count >= 0, "losses that cannot be");
    expect(std::isfinite(loaded.settings.lr) && loaded.settings.lr >= 0, "a learning rate that cannot be");
    expect(loaded.routes.size() == 2 && loaded.routes[0].numbers.scalars.size() == 1, "other scalars");
    for (const auto& route : loaded.routes) {
      expect(std::isfinite(route.numbers.weights.sum) && route.numbers.weights.sum >= 0, "a weight that cannot be");
      for (const double value : route.numbers.scalars) expect(std::isfinite(value), "a scalar that is not finite");
    }
    return true;
  } catch (const error&) {
    expect(same(s.w, w) && same(s.b, b) && same(s.states(), states), "it threw, and something has changed");
    return false;
  }
}

}  // namespace

int inputs_taken = 0;  ///< for replay.cpp: a corpus of which nothing is taken has grown old

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const reference files;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.starts_with('{') || bytes.starts_with(' ')) {
    const std::uint64_t length = size;
    std::string start(sizeof length, '\0');
    std::memcpy(start.data(), &length, sizeof length);
    bytes = start + bytes + reference::arrays_of(bytes[0] == '{' ? files.at_y : files.at_x);
  }
  inputs_taken += check(bytes, false);
  inputs_taken += check(bytes, true);
  return 0;
}
