// Memory that runs out at any place: the call says so, and all is as it was.
#include "../core/replaced_new.hpp"

#ifndef ADDRESS_SANITIZER

#include <thalweg/thalweg.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../checkpoint/files.hpp"

namespace {

constexpr long no_limit = -1;
std::atomic<long> allocations_left = no_limit;
std::atomic<std::size_t> largest_allocation = SIZE_MAX;

}  // namespace

void* test::allocate(std::size_t size, std::size_t alignment) {
  const long left = allocations_left;
  if (left > 0) allocations_left = left - 1;
  if (left == 0 || size > largest_allocation) throw std::bad_alloc();
  return from_the_system(size, alignment);
}

namespace {

// Lets the call run out of memory at its first allocation, its second, …, and looks each time whether all is as it was.
template <class Call, class Unchanged>
void exhaust(Call call, Unchanged unchanged) {
  long refusals = 0;
  for (;; ++refusals) {
    allocations_left = refusals;
    const thalweg_status status = call();
    allocations_left = no_limit;
    if (status == THALWEG_OK) break;
    CHECK(status == THALWEG_OUT_OF_MEMORY);
    CHECK(std::string(thalweg_last_error()).find("Expected memory") != std::string::npos);
    CHECK(unchanged());
    REQUIRE(refusals < 100000);
  }
  CHECK(refusals > 0);
}

const std::size_t shape[] = {64, 48};

struct subject {
  std::vector<float> w = std::vector<float>(64 * 48, 0.5f), gradient = std::vector<float>(64 * 48, 0.25f);
  thalweg_parameter parameter{"w", shape, 2, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, w.data()};
  thalweg_optimizer* opt = nullptr;

  thalweg_status create() {
    thalweg_options options = thalweg_options_default();
    options.warmup_steps = 2;
    options.threads = 1;
    return thalweg_create("amuse", THALWEG_FLOAT32, &parameter, 1, &options, &opt);
  }
  thalweg_status step() {
    const void* const gradients[] = {gradient.data()};
    return thalweg_step(opt, gradients, 1, nullptr, nullptr);
  }
  [[nodiscard]] int64_t steps() const {
    int64_t steps = -1;
    thalweg_get_steps(opt, &steps);
    return steps;
  }
  subject() = default;
  subject(subject&&) = delete;
  ~subject() { thalweg_destroy(opt); }
};

TEST_CASE("no memory for an optimizer") {
  subject s;
  exhaust([&] { return s.create(); }, [&] { return s.opt == nullptr; });
}

TEST_CASE("no memory for the state of what claims to be longer than any memory") {
  subject s;
  const std::size_t huge[] = {std::size_t{1} << (sizeof(std::size_t) * 6), 2};
  s.parameter.shape = huge;
  CHECK(s.create() == THALWEG_OUT_OF_MEMORY);
  CHECK(s.opt == nullptr);
  const std::string words = thalweg_last_error();
  CHECK(words.starts_with("[optimizer] Expected memory for the state of "));
  CHECK(words.ends_with(" bytes. Received none. The largest parameter is 'w' with shape (281474976710656, 2)."));
}

TEST_CASE("no memory for texts and for x") {
  subject s;
  REQUIRE(s.create() == THALWEG_OK);
  for (int step = 0; step < 3; ++step) REQUIRE(s.step() == THALWEG_OK);
  const auto y = s.w;

  char* text = nullptr;
  exhaust([&] { return thalweg_describe(s.opt, &text); }, [&] { return text == nullptr; });
  thalweg_free(text);
  text = nullptr;
  exhaust([&] { return thalweg_to_text("cosine(steps=20) | adamw", &text); }, [&] { return text == nullptr; });
  thalweg_free(text);

  exhaust([&] { return thalweg_begin_evaluation(s.opt); }, [&] { return s.w == y; });
  CHECK(s.w != y);
  CHECK(thalweg_end_evaluation(s.opt) == THALWEG_OK);
  CHECK(s.w == y);
}

TEST_CASE("no memory for a checkpoint") {
  test::folder folder;
  const std::string path = folder / "c.safetensors";
  subject s, resumed;
  REQUIRE(s.create() == THALWEG_OK);
  for (int step = 0; step < 3; ++step) REQUIRE(s.step() == THALWEG_OK);
  const auto y = s.w;
  exhaust([&] { return thalweg_save(s.opt, path.c_str()); }, [&] { return folder.count() == 0; });
  REQUIRE(s.step() == THALWEG_OK);

  REQUIRE(resumed.create() == THALWEG_OK);
  std::ranges::copy(y, resumed.w.begin());
  exhaust([&] { return thalweg_load(resumed.opt, path.c_str()); },
          [&] { return resumed.w == y && resumed.steps() == 0; });
  CHECK(resumed.steps() == 3);
  REQUIRE(resumed.step() == THALWEG_OK);
  CHECK(resumed.w == s.w);
}

TEST_CASE("no memory for the large arrays of a checkpoint") {
  test::folder folder;
  const std::string path = folder / "c.safetensors";
  subject s;
  REQUIRE(s.create() == THALWEG_OK);
  REQUIRE(s.step() == THALWEG_OK);
  largest_allocation = 8192;
  const thalweg_status not_saved = thalweg_save(s.opt, path.c_str());
  largest_allocation = SIZE_MAX;
  CHECK(not_saved == THALWEG_OUT_OF_MEMORY);
  CHECK(folder.count() == 0);
  REQUIRE(thalweg_save(s.opt, path.c_str()) == THALWEG_OK);
  largest_allocation = 8192;
  const thalweg_status not_loaded = thalweg_load(s.opt, path.c_str());
  largest_allocation = SIZE_MAX;
  CHECK(not_loaded == THALWEG_OUT_OF_MEMORY);
}

TEST_CASE("no memory for a number that is set, and for another policy") {
  test::folder folder;
  const std::string path = folder / "c.safetensors";
  subject s;
  REQUIRE(s.create() == THALWEG_OK);
  REQUIRE(s.step() == THALWEG_OK);
  REQUIRE(thalweg_save(s.opt, path.c_str()) == THALWEG_OK);
  double beta = 0;
  exhaust([&] { return thalweg_set(s.opt, "nesterov_ema.beta", 0.5); },
          [&] { return thalweg_get(s.opt, "nesterov_ema.beta", &beta) == THALWEG_OK && beta == 0.95; });
  CHECK(thalweg_get(s.opt, "nesterov_ema.beta", &beta) == THALWEG_OK);
  CHECK(beta == 0.5);
  exhaust([&] { return thalweg_load_with(s.opt, path.c_str(), 0, nullptr); }, [&] { return s.steps() == 1; });
  CHECK(thalweg_get(s.opt, "nesterov_ema.beta", &beta) == THALWEG_OK);
  CHECK(beta == 0.95);
}

TEST_CASE("a step needs no memory, and words that find none say so") {
  subject s;
  REQUIRE(s.create() == THALWEG_OK);
  REQUIRE(s.step() == THALWEG_OK);
  allocations_left = 0;
  const thalweg_status stepped = s.step();
  const thalweg_status refused = thalweg_end_evaluation(s.opt);
  allocations_left = no_limit;
  CHECK(stepped == THALWEG_OK);
  CHECK(refused == THALWEG_OUT_OF_MEMORY);
}

}  // namespace

#endif
