// Damaged files are refused, whatever bit is another one, and what version 1 of the format cannot tell is reported.
#include <thalweg/thalweg.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../core/model.hpp"
#include "sealed.hpp"

using namespace thalweg;
using test::model;
using test::same_bits;

namespace {

const options settings{.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 3, .parallel = sequential()};

/// What `load` throws; "" where it takes them.
std::string refusal(optimizer<float>& opt, const std::string& bytes) {
  try {
    const load_report report = opt.load_bytes(bytes);
    CHECK(report.checked);
  } catch (const error& e) {
    return e.what();
  }
  return "";
}

std::string with_flipped(std::string bytes, std::size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  return bytes;
}

/// The array of the file in which a byte lies, or none.
std::string array_at(const test::parts& p, std::size_t byte_of_arrays) {
  for (const auto& [name, tensor] : p.header.items())
    if (const auto at = tensor.find("data_offsets"); at != tensor.end())
      if ((*at)[0] <= byte_of_arrays && byte_of_arrays < (*at)[1]) return name;
  return "";
}

}  // namespace

TEST_CASE("a file with one wrong bit is refused") {
  model<float> trained(test::small_layers());
  optimizer<float> opt("amuse", trained.parameters(), settings);
  trained.train(opt, 1, 5);
  const auto y = trained.values;
  std::array<std::string, 2> files{opt.to_bytes(), ""};
  {
    const auto point = opt.evaluation_point();
    files[1] = opt.to_bytes();
  }
  model<float> fresh(test::small_layers());
  fresh.values = y;
  optimizer<float> resumed("amuse", fresh.parameters(), settings);
  const std::string before = resumed.to_bytes();
  REQUIRE(before != files[0]);
  std::minstd_rand random(1);
  for (const std::string& file : files) {
    const auto parts = test::taken_apart(file);
    const std::size_t arrays_begin = file.size() - parts.arrays.size();
    for (int round = 0; round < 1500; ++round) {
      const std::size_t bit = std::uniform_int_distribution<std::size_t>(0, file.size() * 8 - 1)(random);
      const auto said = refusal(resumed, with_flipped(file, bit));
      CAPTURE(bit);
      CAPTURE(said);
      CHECK(said.starts_with("[load] Expected "));
      if (bit / 8 >= arrays_begin)
        CHECK(said == "[load] Expected '" + array_at(parts, bit / 8 - arrays_begin) +
                          "' as it was saved. Received it damaged: its checksum differs.");
    }
    // Behind the header stand spaces, each of which may become a zero.
    CHECK(refusal(resumed, with_flipped(file, (arrays_begin - 1) * 8 + 5)).starts_with("[load] Expected "));
    CHECK(same_bits(fresh.values, y));
    CHECK(resumed.to_bytes() == before);
  }
  CHECK(refusal(resumed, files[1]) == "");
  CHECK(resumed.to_bytes() == files[0]);
}

TEST_CASE("a text or a number that was edited is refused") {
  model<float> m(test::small_layers());
  optimizer<float> opt("amuse", m.parameters(), settings);
  m.train(opt, 1, 5);
  const auto whole = test::taken_apart(opt.to_bytes());
  for (const auto& entry : whole.header["__metadata__"].items()) {
    const std::string& key = entry.key();
    CAPTURE(key);
    auto edited = whole;
    edited.metadata(key) = key == "step" ? "4" : entry.value().get<std::string>() + "0";
    const auto said = refusal(opt, test::with_header(edited.header.dump(), edited.arrays));
    CHECK(said.find(key == "thalweg" ? "version '20'" : "Expected '__metadata__' as it was saved") != said.npos);
  }
}

TEST_CASE("anybody can compute the checksums") {
  CHECK(test::xxh3("") == "2d06800538d394c2");  // as https://xxhash.com has it
  model<float> m(test::small_layers());
  optimizer<float> opt("amuse", m.parameters(), settings);
  m.train(opt, 1, 2);
  const auto written = test::taken_apart(opt.to_bytes());
  auto emptied = written;
  std::size_t found = 0;
  for (const auto& [key, text] : written.header["__metadata__"].items())
    if (key.starts_with("checksum")) emptied.metadata(key) = "", ++found;
  CHECK(found == written.header.size());  // the arrays' and the metadata's
  CHECK(test::sealed(emptied).header == written.header);
  const auto& b2 = m.values[4];
  std::string bytes(b2.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), b2.data(), bytes.size());
  CHECK(written.header["__metadata__"]["b2/checksum at y"] == test::xxh3(bytes));
}

TEST_CASE("a file of version 1 is loaded, and reported as not checked") {
  // Saved at x after one step of gradients 0.5, 1.5 and 2 from zero.
  const std::string chain = "route(when(hidden_matrix, sgd), otherwise(nesterov_ema(beta=0.5) | "
                            "update_by_schedule_free(beta=0.5)))";
  const std::string header =
      R"-({"__metadata__":{"calls":"1","chain":"route(when(hidden_matrix, decay_weights | heavyball_momentum(beta=0)-"
      R"-(.9) | apply_update), otherwise(nesterov_ema(beta=0.5, look_ahead=interpolate) | update_by_schedule_free(b)-"
      R"-(eta=0.5, decay=z, weight=plain_weight)))","m/checksum":"d40d2ea4a1031755","m/route":"1","mode":"x","optio)-"
      R"-(ns.lr":"1","options.r":"0","options.warmup_steps":"0","options.weight_decay":"0","options.weight_lr_power)-"
      R"-(":"2","route 0.update_by_schedule_free.beta":"0.5","route 0.weight_sum":"1","route 1.weight_sum":"1","ste)-"
      R"-(p":"1","thalweg":"1","w/checksum at x":"63c682bf38dba017","w/checksum at y":"63c682bf38dba017","w/route":)-"
      R"-("0"},"m/heavyball_momentum.momentum":{"data_offsets":[24,28],"dtype":"F32","shape":[1,1]},"w/nesterov_ema)-"
      R"-(.momentum":{"data_offsets":[0,8],"dtype":"F32","shape":[2]},"w/update_by_schedule_free.z":{"data_offsets")-"
      R"-(:[8,16],"dtype":"F32","shape":[2]},"w/y":{"data_offsets":[16,24],"dtype":"F32","shape":[2]}}    )-";
  const auto file = [&](const std::array<float, 7>& numbers) {
    std::string arrays(sizeof numbers, '\0');
    std::memcpy(arrays.data(), numbers.data(), sizeof numbers);
    return test::with_header(header, arrays);
  };
  const std::array<float, 7> saved{0.25f, 0.75f, -0.375f, -1.125f, -0.375f, -1.125f, 2};

  struct subject {
    std::vector<float> w{0, 0}, m{0};
    optimizer<float> opt;
    explicit subject(const std::string& chain)
        : opt(chain, std::vector{as_parameter("w", w), as_parameter("m", m, {1, 1}, role::hidden)}, {.lr = 1}) {}
  };
  subject went_on(chain), resumed(chain);
  const std::vector<std::vector<float>> gradients{{0.5f, 1.5f}, {2}};
  went_on.opt.step(gradients);
  resumed.w = went_on.w;
  resumed.m = went_on.m;
  CHECK(!resumed.opt.load_bytes(file(saved)).checked);
  CHECK(resumed.opt.to_bytes() == went_on.opt.to_bytes());
  CHECK(resumed.opt.load_bytes(resumed.opt.to_bytes()).checked);

  auto damaged = saved;
  damaged[1] = 3e36f;  // which that version cannot tell
  CHECK(!resumed.opt.load_bytes(file(damaged)).checked);
  damaged[4] = 0.5f;  // y, which it can
  CHECK(refusal(resumed.opt, file(damaged)).find("Expected 'w/y' as it was saved") != std::string::npos);
  resumed.m[0] = 1;
  CHECK(refusal(resumed.opt, file(saved)).find("Expected 'm' as it was when") != std::string::npos);
}
