// The recipes that treat hidden matrices by Muon: each parameter beside the oracle of the branch it belongs to.
#include <cmath>
#include <functional>
#include <sstream>

#include <doctest/doctest.h>
#include <thalweg/thalweg.hpp>

#include "../transforms/agreement.hpp"

using namespace thalweg;
using oracle::in_turn;
using oracle::newton_schulz;
using oracle::operator*;
using training::setting;
using training::subject;
using training::suite;

namespace {

setting model() {
  auto s = oracle::dozen();
  s.parameters = {{.name = "wide", .shape = {6, 9}},
                  {.name = "bias", .shape = {9}, .first = 54},
                  {.name = "filter", .shape = {19, 2, 2, 1}, .first = 63},
                  {.name = "embedding", .shape = {10, 3}, .role = role::embedding, .first = 139},
                  {.name = "head", .shape = {5, 6}, .role = role::head, .first = 169}};
  return s;
}

bool is_matrix(const training::parameter& p) { return p.name == "wide" || p.name == "filter"; }

double spectral_scale(double rows, double cols) { return std::sqrt(std::max(1.0, rows / cols)); }

oracle::update muon_of(const training::parameter& p, double momentum, double (*scale)(double, double)) {
  const std::size_t rows = p.shape.front(), cols = p.size() / rows;
  return in_turn(oracle::nesterov_ema(momentum),
                 oracle::orthogonalized({.rows = rows, .cols = cols, .steps = oracle::muon_steps,
                                         .scale = scale(static_cast<double>(rows), static_cast<double>(cols))}));
}

oracle::rate times(double by, oracle::rate lr) {
  return [=](long t) { return by * lr(t); };
}

// Every parameter's y and x, averaged with β_t; λ at z.
void averages(const subject& chain, double momentum, double (*scale)(double, double), const oracle::update& auxiliary,
              double auxiliary_lr, const oracle::interpolation& beta) {
  const auto s = model();
  oracle::outcome expected;
  for (const auto& p : s.parameters) {
    const auto at = oracle::schedule_free(
        oracle::start(p), oracle::gradients(s, p), is_matrix(p) ? muon_of(p, momentum, scale) : auxiliary, s.options,
        times(is_matrix(p) ? 1 : auxiliary_lr, oracle::warmed_up(s.options)), beta, decay_point::z);
    expected.y.push_back(at.y);
    expected.x.push_back(at.x);
  }
  oracle::agrees(chain, s, expected, 1e-3, 1e-11);
}

// Which chain describe() says that a parameter takes.
bool takes(const subject& chain, const std::string& parameter, const std::string& transforms) {
  std::istringstream lines(training::train(chain.in_float, model()).table);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(parameter + " ")) return line.find("  " + transforms + "  ") != line.npos;
  return false;
}

}  // namespace

TEST_CASE("recipe: muon") {
  const subject s = recipes::muon();
  suite(s);
  for (const char* p : {"wide", "filter"}) CHECK(takes(s, p, "nesterov_ema | orthogonalize_update | apply_update"));
  for (const char* p : {"bias", "embedding", "head"}) CHECK(takes(s, p, "scale_lr | scale_by_adam | apply_update"));

  const auto trains = [](const subject& chain, double momentum, const oracle::update& auxiliary, double by) {
    const auto m = model();
    oracle::history y;
    for (const auto& p : m.parameters) {
      const auto u = is_matrix(p) ? muon_of(p, momentum, spectral_scale) : auxiliary;
      const auto lr = times(is_matrix(p) ? 1 : by, oracle::warmed_up(m.options));
      y.push_back(oracle::descend(oracle::start(p), oracle::gradients(m, p), u, m.options.weight_decay, lr));
    }
    oracle::agrees(chain, m, {y, y}, 1e-3, 1e-11);
  };
  trains(s, 0.95, oracle::adam(0.9, 0.95, 1e-10), 0.015);
  trains(recipes::muon({.momentum = 0.8, .auxiliary_lr = 0.3, .beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1}), 0.8,
         oracle::adam(0.5, 0.8, 0.1), 0.3);
}

TEST_CASE("recipe: sf_muon") {
  const subject s = recipes::sf_muon();
  suite(s);
  for (const char* p : {"wide", "filter"})
    CHECK(takes(s, p, "nesterov_ema | orthogonalize_update | update_by_schedule_free"));
  averages(s, 0.95, spectral_scale, oracle::second_moment(0.999, 1e-10), 1, oracle::constant(0.9));
  averages(recipes::sf_muon({.momentum = 0.8, .beta = 0.5, .auxiliary_lr = 0.3, .beta2 = 0.8, .epsilon = 0.1}), 0.8,
           spectral_scale, oracle::second_moment(0.8, 0.1), 0.3, oracle::constant(0.5));
}

TEST_CASE("recipe: amuse") {
  const subject s = recipes::amuse();
  CHECK(s.outside.size() > 20);  // the suite reaches the hyper-parameters within a route
  suite(s);
  for (const char* p : {"wide", "filter"})
    CHECK(takes(s, p, "nesterov_ema | orthogonalize_update | amuse_beta | update_by_schedule_free"));
  for (const char* p : {"bias", "embedding", "head"})
    CHECK(takes(s, p, "scale_lr | scale_by_exp_avg_sq | amuse_beta | update_by_schedule_free"));

  averages(s, 0.95, [](double rows, double cols) { return 0.2 * std::sqrt(std::max(rows, cols)); },
           oracle::second_moment(0.999, 1e-10), 1, oracle::amuse(0.6, 0.8, 3));
  averages(recipes::amuse({.momentum = 0.8, .beta1 = 0.4, .rho = 0.5, .scale = spectral{}, .auxiliary_lr = 0.3,
                           .beta2 = 0.8, .epsilon = 0.1}),
           0.8, spectral_scale, oracle::second_moment(0.8, 0.1), 0.3, oracle::amuse(0.4, 0.5, 3));
}

TEST_CASE("recipe: amuse_sgd") {
  const subject s = recipes::amuse_sgd();
  suite(s);
  for (const char* p : {"wide", "filter"})
    CHECK(takes(s, p, "nesterov_ema | orthogonalize_update | amuse_beta | update_by_schedule_free"));
  for (const char* p : {"bias", "embedding", "head"})
    CHECK(takes(s, p, "scale_lr | amuse_beta | update_by_schedule_free"));

  averages(s, 0.95, spectral_scale, oracle::gradient(), 1, oracle::amuse(0.8, 0.3, 3));
  averages(recipes::amuse_sgd({.momentum = 0.8, .beta1 = 0.4, .rho = 0.5, .beta1_steps = 5, .auxiliary_lr = 0.3}), 0.8,
           spectral_scale, oracle::gradient(), 0.3, oracle::amuse(0.4, 0.5, 5));
}

namespace {

// Each parameter descends by its branch's update.
void trains(const subject& chain, const std::function<oracle::update(const training::parameter&)>& of_matrix,
            const oracle::update& auxiliary, double by) {
  const auto m = model();
  oracle::history y;
  for (const auto& p : m.parameters) {
    const auto u = is_matrix(p) ? of_matrix(p) : auxiliary;
    const auto lr = times(is_matrix(p) ? 1 : by, oracle::warmed_up(m.options));
    y.push_back(oracle::descend(oracle::start(p), oracle::gradients(m, p), u, m.options.weight_decay, lr));
  }
  oracle::agrees(chain, m, {y, y}, 1e-3, 1e-11);
}

double unscaled(double, double) { return 1; }

}  // namespace

TEST_CASE("recipe: scion") {
  const subject s = recipes::scion({.momentum = 0.8, .hidden_radius = 0.5, .head_radius = 3, .embedding_radius = 0.7, .vector_radius = 0.2});
  suite(s);
  auto m = model();
  for (const double decay : {0.0, 1.0}) {
    m.options.weight_decay = decay;
    oracle::history y;
    for (const auto& p : m.parameters) {
      const std::size_t rows = p.shape.front(), cols = p.size() / rows;
      const double fan_in = static_cast<double>(cols);
      const auto branch = [&]() -> oracle::update {
        if (p.shape.size() == 1) return oracle::of_rms(0.2);
        if (p.role == role::embedding)
          return [cols](const oracle::history& u) {
            return oracle::each_row(u.back(), cols, [](const oracle::vector& r, std::size_t) { return 0.7 / oracle::rms(r) * r; });
          };
        if (p.role == role::head) return in_turn(oracle::signs(), oracle::times(3 / fan_in));
        return oracle::orthogonalized({.rows = rows, .cols = cols, .steps = oracle::muon_steps,
                                       .scale = 0.5 * std::sqrt(static_cast<double>(rows) / fan_in)});
      };
      y.push_back(oracle::descend(oracle::start(p), oracle::gradients(m, p), in_turn(oracle::ema(0.8), branch()), decay,
                                  oracle::warmed_up(m.options)));
    }
    oracle::agrees(s, m, {y, y}, 1e-3, 1e-11);
  }
}

TEST_CASE("recipe: sf_normuon") {
  const subject s = recipes::sf_normuon({.momentum = 0.7, .beta = 0.8, .neuron_beta2 = 0.7, .rms = 0.3, .auxiliary_lr = 0.5});
  suite(s);
  const auto m = model();
  oracle::outcome expected;
  for (const auto& p : m.parameters) {
    const std::size_t rows = p.shape.front(), cols = p.size() / rows;
    const auto matrices = in_turn(in_turn(oracle::ema(0.7), oracle::orthogonalized({.rows = rows, .cols = cols, .steps = oracle::muon_steps})),
                                  in_turn(oracle::row_rms(cols, 0.7, 1e-8), oracle::of_rms(0.3)));
    const auto at = oracle::schedule_free(
        oracle::start(p), oracle::gradients(m, p), is_matrix(p) ? matrices : oracle::second_moment(0.999, 1e-10), m.options,
        times(is_matrix(p) ? 1 : 0.5, oracle::warmed_up(m.options)), oracle::constant(0.8), decay_point::z);
    expected.y.push_back(at.y);
    expected.x.push_back(at.x);
  }
  oracle::agrees(s, m, expected, 1e-3, 1e-11);
}

TEST_CASE("recipe: normuon") {
  const subject s = recipes::normuon({.momentum = 0.8, .neuron_beta2 = 0.7, .rms = 0.3, .auxiliary_lr = 0.5});
  suite(s);
  trains(s, [](const training::parameter& p) {
    const std::size_t cols = p.size() / p.shape.front();
    return in_turn(in_turn(muon_of(p, 0.8, unscaled), oracle::row_rms(cols, 0.7, 1e-8)), oracle::of_rms(0.3));
  }, oracle::adam(0.9, 0.95, 1e-10), 0.5);
}

TEST_CASE("recipe: adamuon") {
  const subject s = recipes::adamuon({.momentum = 0.8, .rms = 0.3, .auxiliary_lr = 0.5});
  suite(s);
  trains(s, [](const training::parameter& p) {
    const std::size_t rows = p.shape.front(), cols = p.size() / rows;
    const auto orthogonal = oracle::orthogonalized({.rows = rows, .cols = cols, .steps = oracle::muon_steps});
    return in_turn(in_turn(in_turn(oracle::heavyball(0.8), oracle::signs()), orthogonal),
                   in_turn(oracle::rms(0.8, 1e-8), oracle::of_rms(0.3)));
  }, oracle::adam(0.9, 0.95, 1e-8), 0.5);
}
