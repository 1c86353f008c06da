// Trains one model with five optimizers, or with what you can think of, and asks of each: what if you had stopped here?

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include <thalweg/text.hpp>
#include <thalweg/text/vocabulary.hpp>

#include "contenders.hpp"
#include "error.hpp"
#include "flags.hpp"
#include "ledger.hpp"
#include "plot.hpp"
#include "report.hpp"
#include "train.hpp"

using namespace race;

namespace {

// A transform of one's own, which a chain on the command line may name.
struct sign_momentum {
  double beta = 0.9;
  static constexpr auto fields = thalweg::list{thalweg::field{"beta", &sign_momentum::beta, thalweg::from(0).below(1)}};
  using states = thalweg::state<thalweg::zeros<"momentum">>;
  constexpr auto at(const thalweg::context&) const {
    return [b = beta]<class T>(thalweg::element<T> e, T momentum) {
      momentum = lerp(e.update, momentum, b);
      return thalweg::next(sign(momentum), momentum);
    };
  }
};

// What `--tune` tries, the same for everybody.
constexpr std::array rates_to_try{0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064};

// One model's training with one chain and one seed, and whose it is.
struct job {
  std::size_t result;  // its place
  run_key key;
};

// Everybody's runs, in order; `results` get a place for each.
std::vector<job> jobs(const request& request, const description& about, std::vector<result>& results) {
  std::vector<contender> all = contenders(request.task->name, about, request.steps);
  for (const auto& [key, chain] : request.chains) all.push_back(contender_of(key, chain, request.steps));
  const auto tried = [](const numbers_by_key& given, const std::string& key, std::vector<double> otherwise) {
    const auto found = given.find(key);
    return found == given.end() ? otherwise : found->second;
  };
  std::vector<job> grid;
  for (const contender& who : all) {
    if (std::ranges::find(request.optimizers, who.key) == request.optimizers.end()) continue;
    const std::string chain = thalweg::to_text(thalweg::parse(who.chain));
    thalweg::options options = who.options();
    options.state = request.state;
    if (request.warmup) options.warmup_steps = std::lround(*request.warmup * static_cast<double>(request.steps));
    const std::vector<double> rates(rates_to_try.begin(), rates_to_try.end());
    for (const double decay : tried(request.weight_decay, who.key, {who.weight_decay}))
      for (const double lr : tried(request.lr, who.key, request.tune ? rates : std::vector{who.lr})) {
        options.lr = lr;
        options.weight_decay = decay;
        results.push_back({who.key, who.name, lr, decay, {}, {}});
        for (unsigned seed = request.seed; seed < request.seed + request.seeds; ++seed)
          grid.push_back({results.size() - 1, {about, chain, options, request.steps, seed}});
      }
  }
  return grid;
}

// On a terminal one line that is rewritten, elsewhere a line at every quarter of a run.
class progress {
  using clock = std::chrono::steady_clock;

  std::size_t runs_, kept_ = 0, over_ = 0;  // runs to do, of them in the ledger, and done here
  clock::time_point start_ = clock::now();
  std::string what_;
  long steps_ = 1, quarter_ = 0;
  bool terminal_ = isatty(STDERR_FILENO);

  std::string left(double part) const {  // of the runs that are not in the ledger, as far as one knows
    const double seconds = std::chrono::duration<double>(clock::now() - start_).count();
    const double done = static_cast<double>(over_) + part;
    const double rest = seconds * (static_cast<double>(runs_ - kept_) - done) / done;
    return rest < 90 ? fmt::format("{:.0f} s left", rest) : fmt::format("{:.0f} min left", rest / 60);
  }

public:
  explicit progress(std::size_t runs, std::size_t kept) : runs_(runs), kept_(kept) {}
  ~progress() {
    if (terminal_) fmt::print(stderr, "\r\033[K");
  }

  void begin(std::string what, long steps) {
    what_ = std::move(what);
    steps_ = steps;
    quarter_ = 0;
  }
  void end() { ++over_; }

  void show(const point& p) {
    const long quarter = 4 * p.step / steps_;
    if (!terminal_ && quarter == std::exchange(quarter_, quarter)) return;
    fmt::print(stderr, "{}{}  {:3} %  training loss {:.4f}  validation loss {:.4f}, accuracy {:.2f} %  (run {} of {}, {}){}",
               terminal_ ? "\r\033[K" : "", what_, 100 * p.step / steps_, p.training.loss, p.validation.loss,
               100 * p.validation.accuracy, kept_ + over_ + 1, runs_,
               left(static_cast<double>(p.step) / static_cast<double>(steps_)), terminal_ ? "" : "\n");
    std::fflush(stderr);
  }
};

// Those that the ledger has not.
void run_all(const std::vector<job>& grid, const task& task, ledger& ledger, std::vector<result>& results) {
  const auto kept = std::ranges::count_if(grid, [&](const job& j) { return ledger.find(j.key).has_value(); });
  progress line(grid.size(), static_cast<std::size_t>(kept));
  for (const job& j : grid) {
    result& r = results[j.result];
    r.seeds.push_back(j.key.seed);
    if (auto known = ledger.find(j.key)) {
      r.runs.push_back(*std::move(known));
      continue;
    }
    line.begin(fmt::format("{:<19}  lr {:<6g}  seed {}", r.name, r.lr, j.key.seed), j.key.steps);
    r.runs.push_back(train(task, thalweg::parse(j.key.chain), j.key.options, j.key.steps, j.key.seed,
                           [&](const point& p) { line.show(p); }));
    line.end();
    ledger.add(j.key, r.runs.back());
  }
}

void race_all(const request& request) {
  const auto task = request.task->make(request.settings);
  const description about = task->describe();
  std::vector<result> results;
  const std::vector<job> grid = jobs(request, about, results);
  ledger ledger(request.ledger, request.resume);

  const std::string seeds =
      request.seeds == 1 ? fmt::format("seed {}", request.seed)
                         : fmt::format("mean ± standard deviation of {} seeds", request.seeds);
  fmt::print("{}: a {}, {} steps of {}, {}.\n{}\n\n", about.data, about.model, request.steps, about.batches, seeds,
             about.split);
  for (const auto& [key, chain] : request.chains) fmt::print("{} is {}\n\n", key, chain);
  std::fflush(stdout);

  run_all(grid, *task, ledger, results);

  fmt::print("{}\n", request.tune ? tuning_table(results, about.unit) : tables(results, about.unit));
  write_csv(request.csv, results);
  fmt::print("Every number: {}\n", request.csv.string());
  std::fflush(stdout);
  if (request.tune) return;
  const caption caption{
      fmt::format("{}: what if you had stopped here?", about.data),
      fmt::format("{}, {} steps of {}, {}. Dashed: a schedule that must know the end. Solid: no schedule, "
                  "evaluated at the average.",
                  about.model, request.steps, about.batches, seeds),
      about.unit};
  if (draw(request.plot, results, caption))
    fmt::print("The picture:  {}\n", request.plot.string());
  else
    fmt::print(stderr, "No picture: gnuplot is missing or failed (apt-get install gnuplot-nox).\n");
}

}  // namespace

int main(int argc, char** argv) {
  return exit_status([&] {
    thalweg::add_transform<sign_momentum>();
    std::vector<std::string> keys;
    for (const contender& who : contenders("", {}, 100)) keys.push_back(who.key);
    if (const auto request = parse(argc, argv, keys)) race_all(*request);
  });
}
