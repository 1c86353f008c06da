#include "suite.hpp"

#include <algorithm>
#include <sstream>
#include <thread>

#include <doctest/doctest.h>
#include <thalweg/text.hpp>
#include <xsimd/xsimd.hpp>

namespace training {

namespace {

using shape = std::vector<std::size_t>;

// A parameter of n elements, of this rank.
parameter one(std::size_t n, std::size_t rank, std::size_t first = 0) {
  const shape matrix = n % 3 == 0 && n > 3 ? shape{3, n / 3} : shape{1, n};
  return {.name = "p", .shape = rank == 1 ? shape{n} : matrix, .first = first};
}
setting with(parameter p) { return {.parameters = {std::move(p)}}; }

// Newton–Schulz amplifies the rounding of small singular values.
struct tolerance {
  double in_float, in_double;
};

template <class T>
bool finite(const outcome<T>& o) {
  return difference(o, o) == 0;
}

// Every length up to two registers and an element, at every alignment.
void lengths(const subject& s, std::size_t rank, tolerance within) {
  constexpr std::size_t lanes = xsimd::batch<float>::size;
  std::vector<std::size_t> sizes;
  for (std::size_t n = 1; n <= 2 * lanes + 1; ++n) sizes.push_back(n);
  sizes.insert(sizes.end(), {3 * lanes + 2, 67, 130});
  for (const std::size_t n : sizes)
    for (std::size_t offset = 0; offset < 4; ++offset) {
      auto setting = with(one(n, rank));
      setting.steps = 4;
      setting.offset = offset;
      CAPTURE(n);
      CAPTURE(offset);
      const auto unfused = train(s.unfused_in_a_route, setting);
      CHECK(difference(train(s.in_double, setting), unfused) < within.in_double);
      CHECK(difference(train(s.in_float, setting), unfused) < within.in_float);
    }
}

// The stranger's parameters stand between the subject's; each must end where it would on its own.
void routed(const subject& s, std::size_t rank, tolerance within) {
  const auto renamed = [](parameter p, const char* name) {
    p.name = name;
    return p;
  };
  const parameter a = one(9, rank), b = one(17, rank, 9);
  const parameter x = renamed(one(5, rank, 26), "~x"), y = renamed(one(33, rank, 31), "~y");
  const auto together = train(s.unfused_in_a_route, {.parameters = {x, renamed(a, "a"), y, renamed(b, "b")}});
  const auto subjects = train(s.in_double, {.parameters = {renamed(a, "a"), renamed(b, "b")}});
  const auto bystanders = train(build_on_host<double>(bystanders_chain), {.parameters = {x, y}});
  const outcome<double> mine{{together.y[1], together.y[3]}, {together.x[1], together.x[3]}, {}};
  const outcome<double> others{{together.y[0], together.y[2]}, {together.x[0], together.x[2]}, {}};
  CHECK(difference(mine, subjects) < within.in_double);
  CHECK(difference(others, bystanders) < within.in_double);
}

// One parameter cut into pieces moves as a whole, bit for bit where every element is on its own.
void cut(const subject& s, std::size_t rank, const way& w) {
  const std::size_t sizes[] = {1, 7, 32, 9};
  setting pieces;
  for (std::size_t first = 0; const std::size_t n : sizes) {
    pieces.parameters.push_back({.name = "p" + std::to_string(first), .shape = one(n, rank).shape, .first = first});
    first += n;
  }
  const auto whole = train(s.in_float, with(one(49, rank)));
  const auto parts = train(s.in_float, pieces);
  outcome<float> joined{{{}}, {{}}, {}};
  for (std::size_t k = 0; k < std::size(sizes); ++k) {
    joined.y[0].insert(joined.y[0].end(), parts.y[k].begin(), parts.y[k].end());
    joined.x[0].insert(joined.x[0].end(), parts.x[k].begin(), parts.x[k].end());
  }
  if (w.modelwise) CHECK(difference(whole, joined) < 1e-6);
  else CHECK(same_bits(whole, joined));
}

// Equal parameters stay equal, however many there are: bit for bit, or nearly where matrices are multiplied together.
void copies(const subject& s, std::size_t rank, const way& w, tolerance within) {
  auto alone = one(21, rank);
  setting several = with(alone);
  for (const char* name : {"q", "r"}) {
    alone.name = name;
    several.parameters.push_back(alone);
  }
  const auto single = train(s.in_float, with(alone));
  const auto many = train(s.in_float, several);
  for (std::size_t k = 0; k < 3; ++k) {
    if (w.tensorwise && s.multiplies_together) {
      CHECK(difference(outcome<float>{{many.y[k]}, {many.x[k]}, {}}, single) < within.in_float);
      continue;
    }
    CHECK(same_bits<float>(many.y[k], single.y[0]));
    CHECK(same_bits<float>(many.x[k], single.x[0]));
  }
}

void extremes(const subject& s, std::size_t rank) {
  auto setting = with(one(21, rank));
  setting.options.weight_decay = 0;
  setting.gradient_scale = 0;
  const auto still = train(s.in_float, setting);
  std::vector<std::vector<double>> start(1);
  for (std::size_t i = 0; i < 21; ++i) start[0].push_back(initial(i));
  CHECK(difference(outcome<double>{start, start, {}}, still) < 1e-6);

  for (const double size : {1e-30, 1e-20, 1e-10, 1e10, 1e18, 1e20, 8e37}) {
    CAPTURE(size);
    setting.gradient_scale = size;
    CHECK(finite(train(s.in_float, setting)));
    CHECK(finite(train(s.in_double, setting)));
  }
}

// What one gradient spoils stays where it came in, and NaN shows.
void spikes(const subject& s, std::size_t rank, const way& w) {
  setting setting{.parameters = {one(21, rank), one(13, rank, 21)}};
  setting.parameters[1].name = "q";
  const auto clean = train(s.in_float, setting);
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e30})
    for (const std::size_t at : {0u, 8u, 20u}) {
      CAPTURE(value);
      CAPTURE(at);
      setting.spike = {at, value};
      const auto hit = train(s.in_float, setting);
      if (std::isnan(value)) CHECK(std::isnan(hit.y[0][at]));
      if (w.modelwise) continue;
      CHECK(same_bits<float>(hit.y[1], clean.y[1]));
      CHECK(same_bits<float>(hit.x[1], clean.x[1]));
      if (w.tensorwise) continue;
      auto rest = hit, others = clean;
      for (auto* o : {&rest, &others})
        for (auto* values : {&o->y[0], &o->x[0]}) values->erase(values->begin() + static_cast<std::ptrdiff_t>(at));
      CHECK(same_bits(rest, others));
    }
}

void repeats(const subject& s, std::size_t rank, const way& w) {
  setting setting{.parameters = {one(21, rank), one(13, rank, 21)}};
  setting.parameters[1].name = "q";
  const auto first = train(s.in_float, setting), second = train(s.in_float, setting);
  CHECK(same_bits(first, second));
  CHECK((difference(first, outcome<float>{first.x, first.y, {}}) > 0) == w.averaged);

  setting.evaluates = true;  // and goes on as if nobody had looked
  CHECK(same_bits(train(s.in_float, setting), first));
  CHECK(same_bits(train(s.in_double, setting), train(s.in_double, setting)));
}

// Enough work to be shared: pieces of one parameter, or whole ones where an element's way depends on the others.
void threads(const subject& s, std::size_t rank, const way& w) {
  setting setting;
  setting.steps = 2;
  const shape large{70000}, matrix = rank == 1 ? shape{1440} : shape{24, 60};
  if (w.tensorwise || rank == 2)
    for (const char* name : {"p", "q", "r", "s", "t"}) setting.parameters.push_back({.name = name, .shape = matrix});
  if (!w.tensorwise && rank == 1) setting.parameters.push_back({.name = "p", .shape = large});
  setting.options.parallel = thalweg::sequential();
  const auto alone = train(s.in_float, setting);
  for (const std::size_t workers : {2u, 5u}) {
    CAPTURE(workers);
    setting.options.parallel = {.workers = workers, .run = [](std::size_t n, thalweg::worker_body body) {
      std::vector<std::jthread> pool;
      for (std::size_t i = 0; i < n; ++i) pool.emplace_back([=] { body(i); });
    }};
    CHECK(same_bits(train(s.in_float, setting), alone));
  }
}

// The last word of the parameter's row is its bytes of state.
void state(const subject& s, std::size_t rank) {
  const auto p = one(21, rank);
  const std::size_t numbers = s.follow({.name = p.name, .shape = p.shape, .role = p.role}).state;
  const auto check = [&](const std::string& table, std::size_t size) {
    std::istringstream lines(table);
    std::size_t found = 0;
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("p ")) {
        CHECK(line.substr(line.rfind(' ') + 1) == std::to_string(numbers * size));
        ++found;
      }
    CHECK(found == 1);
    CHECK(table.find("state " + std::to_string(numbers * size) + " B") != table.npos);
  };
  check(train(s.in_float, with(one(21, rank))).table, sizeof(float));
  check(train(s.in_double, with(one(21, rank))).table, sizeof(double));
}

// The chain as it is written is the same chain: bit for bit where the library's passes use the registers of this file.
template <class T>
void from_text(const subject& s, const builder<T>& here, std::size_t rank, double within) {
  std::optional<thalweg::parsed_chain> parsed;
  try {
    parsed = thalweg::parse(s.text);
  } catch (const thalweg::error& e) {
    const std::string_view said(e.what());
    const bool word_of_a_test = said.find("Expected a transform or recipe") != said.npos || said.find("Expected a predicate") != said.npos;
    if (!word_of_a_test) FAIL(s.text, ": ", said);
    return;
  }
  CHECK(to_text(*parsed) == s.text);
  const auto sets = thalweg::instruction_sets();
  for (std::size_t set = 0; set < sets.size(); ++set) {
    const bool same_registers = sets[set] == xsimd::default_arch::name();
    if (!same_registers && !s.is_recipe) continue;
    CAPTURE(sets[set]);
    const auto there = build_on_host<T>(thalweg::on_instruction_set{set, *parsed});
    for (const std::size_t n : {1u, 3u, 5u, 8u, 13u, 21u, 39u, 67u, 2100u}) {  // also more than one tile
      CAPTURE(n);
      const auto setting = with(one(n, rank));
      const auto expected = train(here, setting), seen = train(there, setting);
      if (same_registers) CHECK(same_bits(seen, expected));
      else CHECK(difference(seen, expected) < within);
    }
  }
}

void ranges(const subject& s, std::size_t rank) {
  const auto refusal = [&](const edge& e) -> std::string {
    std::vector<double> values(21);
    const auto p = one(21, rank);
    try {
      e.build({{.name = p.name, .shape = p.shape, .role = p.role, .data = values.data()}}, setting{}.options);
      return "";
    } catch (const thalweg::error& error) {
      return error.what();
    }
  };
  for (const auto& e : s.outside) {
    const std::string expected = e.refusal + thalweg::to_text(e.value) + ".";
    CHECK(refusal(e) == expected);
  }
  for (const auto& e : s.inside) {
    CAPTURE(e.refusal);
    CAPTURE(e.value);
    CHECK(refusal(e) == "");
  }
}

}  // namespace

void suite(const subject& s, takes what) {
  for (const std::size_t rank : {1u, 2u}) {
    CAPTURE(rank);
    const auto p = one(9, rank);
    if (rank == 1 && what == takes::matrices) {
      CHECK_THROWS_WITH_AS(train(s.in_float, with(p)),
                           doctest::Contains("Expected rank >= 2. Received 'p' with shape (9)."), thalweg::error);
      continue;
    }
    REQUIRE_NOTHROW(train(s.in_float, with(p)));
    const way w = s.follow({.name = p.name, .shape = p.shape, .role = p.role});
    const tolerance within = w.tensorwise ? tolerance{1e-3, 1e-10} : tolerance{1e-5, 1e-13};
    wherever_it_runs(s, [&](const subject& here) {
      CAPTURE(train(here.in_float, with(p)).table);
      lengths(here, rank, within);
      routed(here, rank, within);
      if (!w.modelwise) copies(here, rank, w, within);
      if (!w.tensorwise) cut(here, rank, w);
      extremes(here, rank);
      spikes(here, rank, w);
      repeats(here, rank, w);
      state(here, rank);
    });
    threads(s, rank, w);
    from_text(s, s.in_float, rank, within.in_float);
    from_text(s, s.in_double, rank, within.in_double);
    ranges(s, rank);
  }
}

}  // namespace training
