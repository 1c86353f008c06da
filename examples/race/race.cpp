// Trains one network with five optimizers, or with what you can think of, and asks of each: what if you had stopped here?

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <thalweg/text.hpp>
#include <thalweg/text/vocabulary.hpp>

#include "flags.hpp"
#include "plot.hpp"
#include "report.hpp"
#include "text.hpp"
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

struct contender {
  std::string key;
  std::string name;
  thalweg::parsed_chain chain;
  thalweg::options options;
};

// Learning rates are those that `race --tune` finds. What is not said here is the recipe's own default. From text: the
// library holds all passes, and nothing of a chain is compiled here.
std::vector<contender> contenders(long steps, bool digits) {
  const auto tuned = [&](std::string key, std::string name, const std::string& chain, double for_clothes,
                         double for_digits) {
    return contender{std::move(key), std::move(name), thalweg::parse(chain),
                     {.lr = digits ? for_digits : for_clothes, .weight_decay = 0.05, .warmup_steps = steps / 20}};
  };
  const std::string cosine = fmt::format("cosine(steps={}) | ", steps);
  return {
      tuned("adamw", "AdamW + cosine", cosine + "adamw", 0.008, 0.016),
      tuned("sf_adamw", "Schedule-Free AdamW", "sf_adamw", 0.008, 0.032),
      // match_rms: so that one learning rate serves the matrices and the rest
      tuned("muon", "Muon + cosine", cosine + "muon(scale=match_rms(rms=0.2), auxiliary_lr=1)", 0.004, 0.008),
      tuned("sf_muon", "SFMuon", "sf_muon(scale=match_rms(rms=0.2))", 0.016, 0.016),
      // β₁ and ρ of the published experiment that is nearest to this one, CIFAR-10.
      tuned("amuse", "AMUSE", "amuse(beta1=0.8, rho=0.3)", 0.016, 0.032),
  };
}

// Nobody has tuned the learning rate of a chain on the command line: `--tune` or `--lr` does.
contender contender_of(const std::string& key, const std::string& chain, long steps) {
  return {key, key, thalweg::parse(chain),
          {.lr = 0.004, .weight_decay = 0.05, .warmup_steps = steps / 20}};
}

// What `--tune` tries, the same for everybody.
constexpr std::array rates_to_try{0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064};

// On a terminal one line that is rewritten, elsewhere a line at every quarter.
class progress {
public:
  progress(std::string what, long steps) : what_(std::move(what)), steps_(steps) {}
  ~progress() {
    if (terminal_) fmt::print(stderr, "\r\033[K");
  }

  void show(const point& p) {
    const long quarter = 4 * p.step / steps_;
    if (!terminal_ && quarter == std::exchange(quarter_, quarter)) return;
    fmt::print(stderr, "{}{}  {:3} %  training loss {:.4f}  validation loss {:.4f}, accuracy {:.2f} %{}",
               terminal_ ? "\r\033[K" : "", what_, 100 * p.step / steps_, p.training.loss, p.validation.loss,
               100 * p.validation.accuracy, terminal_ ? "" : "\n");
    std::fflush(stderr);
  }

private:
  std::string what_;
  long steps_;
  long quarter_ = 0;
  bool terminal_ = isatty(STDERR_FILENO);
};

// All the seeds of one contender at one learning rate.
result race_one(const contender& who, double lr, const course& course, const request& request) {
  thalweg::options options = who.options;
  options.lr = lr;
  result r{who.key, who.name, lr, {}, {}};
  for (unsigned seed = request.seed; seed < request.seed + request.seeds; ++seed) {
    progress line(fmt::format("{:<19}  lr {:<6g}  seed {}", who.name, lr, seed), course.steps);
    r.seeds.push_back(seed);
    r.runs.push_back(train(who.chain, options, course, seed, [&](const point& p) { line.show(p); }));
  }
  return r;
}

void enter(const contender& who, const course& course, const request& request,
           std::vector<result>& results) {
  if (std::ranges::find(request.optimizers, who.key) == request.optimizers.end()) return;
  if (request.tune) {
    for (const double lr : rates_to_try) results.push_back(race_one(who, lr, course, request));
    return;
  }
  const auto other = request.lr.find(who.key);
  results.push_back(
      race_one(who, other != request.lr.end() ? other->second : who.options.lr, course, request));
}

void race_all(const request& request) {
  std::vector<contender> everybody = contenders(request.steps, request.digits);
  for (const auto& [key, chain] : request.chains) everybody.push_back(contender_of(key, chain, request.steps));
  if (!std::ofstream(request.csv, std::ios::app))  // better now than after the race
    throw error("--csv of a file that can be written", fmt::format("'{}'", request.csv.string()));

  const data_set data = request.digits ? digits(request.folder) : fashion_mnist(request.folder);
  const course course{data, request.tune ? data.tuning : data.validation, request.hidden, request.steps,
                      request.batch};
  const std::string layers = fmt::format("{}–{}–10", data.training.width, joined(request.hidden, "–"));
  const std::string seeds =
      request.seeds == 1 ? fmt::format("seed {}", request.seed)
                         : fmt::format("mean ± standard deviation of {} seeds", request.seeds);
  fmt::print("{}: a {} perceptron, {} steps of {} images, {}.\n", data.name, layers, course.steps,
             course.batch, seeds);
  fmt::print("{} images to train; {} to {} that it never trains on.\n\n", data.training.size(),
             course.judges.size(), request.tune ? "choose a learning rate by" : "validate");
  for (const auto& [key, chain] : request.chains) fmt::print("{} is {}\n\n", key, chain);
  std::fflush(stdout);

  std::vector<result> results;
  for (const contender& who : everybody) enter(who, course, request, results);

  fmt::print("{}\n", request.tune ? tuning_table(results) : tables(results));
  write_csv(request.csv, results);
  fmt::print("Every number: {}\n", request.csv.string());
  std::fflush(stdout);
  if (request.tune) return;
  const caption caption{
      fmt::format("{}: what if you had stopped here?", data.name),
      fmt::format("{} perceptron, batches of {}, {}. Dashed: a cosine schedule, which must know the end. "
                  "Solid: no schedule, evaluated at the average.",
                  layers, course.batch, seeds)};
  if (draw(request.plot, results, caption))
    fmt::print("The picture:  {}\n", request.plot.string());
  else
    fmt::print(stderr, "No picture: gnuplot is missing or failed (apt-get install gnuplot-nox).\n");
}

}  // namespace

int main(int argc, char** argv) try {
  thalweg::add_transform<sign_momentum>();
  std::vector<std::string> keys;
  for (const contender& who : contenders(100, false)) keys.push_back(who.key);
  if (const auto request = parse(argc, argv, keys)) race_all(*request);
  return 0;
} catch (const race::error& failure) {
  fmt::print(stderr, "{}\n", failure.what());
  return 2;
} catch (const thalweg::error& failure) {
  fmt::print(stderr, "{}\n", failure.what());
  return 2;
} catch (const std::exception& failure) {
  fmt::print(stderr, "{}\n", failure.what());
  return 1;
}
