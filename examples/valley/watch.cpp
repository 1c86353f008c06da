#include "watch.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string_view>

#include <fmt/core.h>

#include "curvature.hpp"
#include "oscillation.hpp"
#include "place.hpp"
#include "positions.hpp"
#include "progress.hpp"
#include "sequence.hpp"
#include "stability.hpp"

namespace valley {
namespace {

// An optimizer that is given the gradients of another one's model.
class rider {
  const race::contender* who_;
  std::vector<std::vector<float>> memory_;
  parameters parameters_;
  thalweg::optimizer<float> optimizer_;
  vector z_;

public:
  sequence updates;

  rider(const race::contender& who, const parameters& from) : who_(&who) {
    for (const auto& p : from) {
      memory_.emplace_back(memory_of(p).begin(), memory_of(p).end());
      parameters_.push_back(p);
      parameters_.back().data = memory_.back().data();
    }
    thalweg::options options = who.options();
    options.weight_decay = 0;  // so that its updates follow from the gradients alone
    optimizer_ = thalweg::optimizer<float>(thalweg::parse(who.chain), parameters_, options);
  }

  const std::string& key() const { return who_->key; }
  void begin(const subspace& dominant) {
    updates = empty_sequence(dominant);
    z_ = positions_of(parameters_, optimizer_).z;
  }
  void step(const std::vector<std::span<const float>>& gradients, double loss) {
    optimizer_.step(gradients, {.loss = loss});
  }
  void observe(const subspace& dominant) {
    const vector z = positions_of(parameters_, optimizer_).z;
    append(updates, dominant, z - z_);
    z_ = z;
  }
};

// One coordinate a row, one iterate a column.
struct paths {
  matrix z, y, x;
};

void append(paths& to, const subspace& dominant, const positions& now) {
  const auto add = [&](matrix& m, const vector& place) {
    m.conservativeResize(dominant.directions.cols(), m.cols() + 1);
    m.rightCols(1) = coordinates(dominant, place);
  };
  add(to.z, now.z);
  add(to.y, now.y);
  add(to.x, now.x);
}

std::optional<double> curvature_times_step(const subspace& dominant, const sequence& updates, const sequence& gradients) {
  const auto step = effective_step(updates.coordinates.row(0), gradients.coordinates.row(0));
  return step ? std::optional(dominant.curvatures[0] * *step) : std::nullopt;
}

class run {
  race::model& model_;
  thalweg::optimizer<float>& optimizer_;
  parameters parameters_;
  const race::contender& leader_;
  const plan& plan_;
  unsigned seed_;
  long step_ = 0;
  observations seen_;

public:
  run(race::model& model, const race::contender& leader, const plan& plan, unsigned seed)
      : model_(model), optimizer_(model.bind(thalweg::parse(leader.chain), leader.options())), parameters_(model.parameters()),
        leader_(leader), plan_(plan), seed_(seed) {}

  observations take() { return std::move(seen_); }
  positions now() const { return positions_of(parameters_, optimizer_); }

  double differentiate() { return model_.differentiate(race::examples::next); }
  void step(double loss) {
    model_.step(loss);
    ++step_;
  }

  // Takes the steps of one measurement.
  void measure(std::vector<rider>& riders) {
    const positions first = now();
    const subspace dominant = dominant_at(model_, first.y, plan_.eigenvectors);
    const vector gradient = gradient_at(model_, first.y);

    sequence gradients = empty_sequence(dominant), of_z = gradients, of_y = gradients, of_x = gradients;
    for (rider& r : riders) r.begin(dominant);
    paths along;
    append(along, dominant, first);
    std::vector<positions> way{first};
    positions last = first;
    for (long i = 0; i < plan_.window; ++i) {
      const double loss = differentiate();
      const auto parts = model_.gradients();
      append(gradients, dominant, joined(parts));
      for (rider& r : riders) {
        r.step(parts, loss);
        r.observe(dominant);
      }
      step(loss);
      const positions next = now();
      append(of_z, dominant, next.z - last.z);
      append(of_y, dominant, next.y - last.y);
      append(of_x, dominant, next.x - last.x);
      append(along, dominant, next);
      last = next;
      if (plan_.plane_at == end_of_window()) way.push_back(next);
    }

    const auto say = [&](std::string measure, std::optional<double> value) { note(leader_.key, std::move(measure), value); };
    for (Eigen::Index i = 0; i < plan_.eigenvectors; ++i)
      say(fmt::format("curvature_{}", i + 1), dominant.curvatures[i]);
    say("curvature_kept", curvature_kept(model_, dominant, last.y));
    say("dominant_share_of_full_gradient", dominant_share(dominant, gradient));
    say("dominant_share_of_gradient", dominant_share(gradients));
    say("dominant_share_of_update_at_y", dominant_share(of_y));
    say("dominant_share_of_update_at_x", dominant_share(of_x));
    updates(leader_.key, dominant, of_z, gradients);
    say("curvature_times_step_at_y", curvature_times_step(dominant, of_y, gradients));
    for (const rider& r : riders) updates(r.key(), dominant, r.updates, gradients);

    const double x_before = loss_at(model_, first.x), x_after = loss_at(model_, last.x);
    say("loss_at_z", loss_at(model_, last.z));
    say("loss_at_y", loss_at(model_, last.y));
    say("loss_at_x", x_after);
    say("beta", place_of_y(last));
    for (const auto& [place, loss] :
         losses_along(last, [&](const vector& at) { return loss_at(model_, at); }, points_of_segment))
      say(fmt::format("loss_at_{:g}_of_segment", place), loss);
    say("bulk_distance_at_x", bulk_distance(dominant, first.x, last.x));
    say("bulk_distance_at_y", bulk_distance(dominant, first.y, last.y));
    say("loss_fallen_at_x", x_before - x_after);
    say("bulk_distance_per_loss_at_x", bulk_distance_per_loss(dominant, first.x, last.x, x_before, x_after));

    oscillation(dominant, 'z', along.z);
    oscillation(dominant, 'y', along.y);
    oscillation(dominant, 'x', along.x);
    if (plan_.plane_at == step_) plane(dominant, way);
  }

private:
  static constexpr int points_of_segment = 5, points_of_grid = 17;

  long end_of_window() const { return (step_ + plan_.every - 1) / plan_.every * plan_.every; }

  void note(const std::string& optimizer, std::string measure, std::optional<double> value) {
    if (value && std::isfinite(*value)) seen_.numbers.push_back({leader_.key, optimizer, seed_, step_, std::move(measure), *value});
  }

  // What is said of riders as well.
  void updates(const std::string& key, const subspace& dominant, const sequence& updates, const sequence& gradients) {
    note(key, "dominant_share_of_update", dominant_share(updates));
    const auto [inside, outside] = straightness_of(updates);
    note(key, "straightness_in_dominant", inside);
    note(key, "straightness_in_bulk", outside);
    note(key, "curvature_times_step", curvature_times_step(dominant, updates, gradients));
  }

  void oscillation(const subspace& dominant, char which, const matrix& path) {
    vector amplitudes(path.rows());
    for (Eigen::Index i = 0; i < path.rows(); ++i) {
      const vector series = path.row(i);
      amplitudes[i] = amplitude(series);
      seen_.swings.push_back({leader_.key, seed_, step_, which, i + 1, dominant.curvatures[i], sign_changes(series),
                              lag_one_autocorrelation(series), amplitudes[i]});
    }
    note(leader_.key, fmt::format("hill_loss_at_{}", which), hill_loss(dominant, amplitudes));
  }

  void plane(const subspace& dominant, const std::vector<positions>& way) {
    const vector origin = way.front().y, across = dominant.directions.col(0);
    vector river = in_bulk(dominant, way.back().y - origin);
    if (river.norm() == 0) return;  // y has not moved
    river.normalize();
    struct range {
      double low = 0, high = 0;
      void hold(double v) { low = std::min(low, v), high = std::max(high, v); }
      double at(int i) const {
        const double margin = 0.3 * (high - low);
        return low - margin + (high - low + 2 * margin) * i / (points_of_grid - 1);
      }
    } dominant_range, bulk_range;
    const auto draw = [&](const char* name, vector positions::*which) {
      for (const positions& p : way) {
        const vector from_origin = p.*which - origin;
        const double a = from_origin.dot(across), b = from_origin.dot(river);
        dominant_range.hold(a);
        bulk_range.hold(b);
        seen_.plane.push_back({leader_.key, name, a, b, std::nullopt});
      }
    };
    draw("z", &positions::z);
    draw("y", &positions::y);
    draw("x", &positions::x);
    for (int i = 0; i < points_of_grid; ++i)
      for (int j = 0; j < points_of_grid; ++j) {
        const double a = dominant_range.at(i), b = bulk_range.at(j);
        seen_.plane.push_back({leader_.key, "loss", a, b, loss_at(model_, origin + a * across + b * river)});
      }
  }
};

}  // namespace

observations watch(const race::task& task, const race::contender& leader, const std::vector<race::contender>& riding,
                   const plan& plan, unsigned seed, const std::function<void(long step)>& passing) {
  const std::unique_ptr<race::model> model = task.start(seed);
  std::vector<rider> riders;
  riders.reserve(riding.size());
  for (const race::contender& who : riding) riders.emplace_back(who, model->parameters());
  run run(*model, leader, plan, seed);
  for (long step = 0; step < plan.steps;) {
    if (plan.every - step % plan.every <= plan.window && step / plan.every < plan.steps / plan.every) {
      run.measure(riders);
      step += plan.window;
      passing(step);
      continue;
    }
    const double loss = run.differentiate();
    if (!std::isfinite(loss)) break;
    const auto gradients = model->gradients();
    for (rider& r : riders) r.step(gradients, loss);
    run.step(loss);
    ++step;
  }
  return run.take();
}

}  // namespace valley
