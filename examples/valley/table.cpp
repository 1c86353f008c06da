#include "table.hpp"

#include <charconv>
#include <fstream>
#include <limits>
#include <string_view>

#include <fmt/core.h>

#include "error.hpp"

namespace valley {
namespace {

constexpr std::string_view numbers_head = "trajectory,optimizer,seed,step,measure,value";
constexpr std::string_view swings_head =
    "optimizer,seed,step,sequence,direction,curvature,sign_changes,autocorrelation,amplitude";
constexpr std::string_view plane_head = "optimizer,of,dominant,bulk,loss";

// The cells of one line, read in their order.
class line {
  std::string where_;
  std::string_view rest_;
  bool over_ = false;

  [[noreturn]] void refuse(std::string_view expected, std::string_view cell) const {
    throw error(fmt::format("{} in {}", expected, where_), fmt::format("'{}'", cell));
  }
  std::string_view next() {
    if (over_) refuse("more cells", "the end of the line");
    const auto comma = rest_.find(',');
    const auto cell = rest_.substr(0, comma);
    over_ = comma == rest_.npos;
    rest_ = over_ ? "" : rest_.substr(comma + 1);
    return cell;
  }

public:
  line(std::string where, std::string_view text) : where_(std::move(where)), rest_(text) {}

  line& operator>>(std::string& to) {
    to = next();
    return *this;
  }
  line& operator>>(char& to) {
    const auto cell = next();
    if (cell.size() != 1) refuse("one letter", cell);
    to = cell.front();
    return *this;
  }
  template <class Number>
  line& operator>>(Number& to) {
    const auto cell = next();
    const auto [end, failure] = std::from_chars(cell.data(), cell.data() + cell.size(), to);
    if (failure != std::errc{} || end != cell.data() + cell.size()) refuse("a number", cell);
    return *this;
  }
  line& operator>>(std::optional<double>& to) {
    if (rest_.substr(0, rest_.find(',')).empty() && !over_) return next(), to.reset(), *this;
    return *this >> to.emplace();
  }
  void end() const {
    if (!over_) refuse("the end of the line", rest_);
  }
};

template <class Row>
void read_lines(const std::filesystem::path& path, std::string_view head, Row row) {
  std::ifstream file(path);
  std::string text;
  for (std::size_t number = 1; std::getline(file, text); ++number) {
    const auto where = fmt::format("line {} of {}", number, path.string());
    if (number > 1) {
      line cells(where, text);
      row(cells);
      cells.end();
    } else if (text != head) {
      throw error(fmt::format("'{}' in {}", head, where), fmt::format("'{}'", text));
    }
  }
}

std::string cell(std::optional<double> value) { return value ? fmt::format("{:.5g}", *value) : ""; }

void add(const std::filesystem::path& path, std::string_view head, std::string_view rows) {
  const bool fresh = !std::filesystem::exists(path);
  std::ofstream file(path, std::ios::app);
  if (fresh) file << head << '\n';
  file << rows << std::flush;
  if (!file) throw error(fmt::format("a file that can be written at {}", path.string()), "a failure to write it");
}

}  // namespace

observations read(const std::filesystem::path& folder) {
  observations all;
  read_lines(folder / "numbers.csv", numbers_head, [&](line& cells) {
    measured m;
    cells >> m.trajectory >> m.optimizer >> m.seed >> m.step >> m.measure >> m.value;
    all.numbers.push_back(m);
  });
  read_lines(folder / "swings.csv", swings_head, [&](line& cells) {
    swing s;
    cells >> s.optimizer >> s.seed >> s.step >> s.sequence >> s.direction >> s.curvature >> s.sign_changes >>
        s.autocorrelation >> s.amplitude;
    all.swings.push_back(s);
  });
  read_lines(folder / "plane.csv", plane_head, [&](line& cells) {
    point_of_plane p;
    cells >> p.optimizer >> p.of >> p.dominant >> p.bulk >> p.loss;
    all.plane.push_back(p);
  });
  return all;
}

void append(const std::filesystem::path& folder, const observations& run) {
  std::string rows;
  for (const auto& p : run.plane)
    rows += fmt::format("{},{},{:.5g},{:.5g},{}\n", p.optimizer, p.of, p.dominant, p.bulk, cell(p.loss));
  add(folder / "plane.csv", plane_head, rows);
  rows.clear();
  for (const auto& s : run.swings)
    rows += fmt::format("{},{},{},{},{},{:.5g},{},{},{:.5g}\n", s.optimizer, s.seed, s.step, s.sequence, s.direction,
                        s.curvature, cell(s.sign_changes), cell(s.autocorrelation), s.amplitude);
  add(folder / "swings.csv", swings_head, rows);
  rows.clear();
  for (const auto& m : run.numbers)
    rows += fmt::format("{},{},{},{},{},{:.5g}\n", m.trajectory, m.optimizer, m.seed, m.step, m.measure, m.value);
  add(folder / "numbers.csv", numbers_head, rows);
}

}  // namespace valley
