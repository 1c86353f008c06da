// How a chain's links are laid out.
#include <thalweg/core/program.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <new>
#include <optional>
#include <utility>

#include <thalweg/core/error.hpp>

namespace thalweg::detail {

namespace {

constexpr std::size_t most_paths = 1024;

// The number of ways through the chain. It stops counting at one above the limit.
template <class T>
std::size_t count_ways(const nodes<T>& links) {
  std::size_t all = 1;
  for (const auto& n : links.list()) {
    const auto* fork = std::get_if<std::vector<typename nodes<T>::branch>>(&n);
    if (!fork) continue;
    std::size_t ways = 0;
    for (const auto& b : *fork) ways = std::min(most_paths + 1, ways + count_ways(b.links));
    all = std::min(most_paths + 1, all * ways);
  }
  return all;
}

using owned_way = std::vector<std::size_t>;

// The ways through; the transforms are appended to `all`.
template <class T>
std::vector<owned_way> ways_through(const nodes<T>& links, std::vector<any_transform<T>>& all) {
  std::vector<owned_way> ways(1);
  for (const auto& n : links.list()) {
    std::vector<owned_way> here;
    if (const auto* one = std::get_if<any_transform<T>>(&n)) {
      here.push_back({all.size()});
      all.push_back(*one);
    } else {
      for (const auto& b : std::get<1>(n))
        for (auto& w : ways_through(b.links, all)) here.push_back(std::move(w));
    }
    std::vector<owned_way> joined;
    for (const auto& before : ways)
      for (const auto& w : here) {
        joined.push_back(before);
        joined.back().insert(joined.back().end(), w.begin(), w.end());
      }
    ways = std::move(joined);
  }
  return ways;
}

// Which way a parameter takes, numbered as above; none where a route has no branch for it.
template <class T>
std::optional<std::size_t> way_of(const nodes<T>& links, const parameter_info& p) {
  std::size_t index = 0;
  for (const auto& n : links.list()) {
    const auto* fork = std::get_if<std::vector<typename nodes<T>::branch>>(&n);
    if (!fork) continue;
    std::optional<std::size_t> chosen;
    std::size_t ways = 0;
    for (const auto& b : *fork) {
      if (!chosen && (!b.holds || b.holds(p))) {
        const auto inside = way_of(b.links, p);
        if (!inside) return {};
        chosen = ways + *inside;
      }
      ways += count_ways(b.links);
    }
    if (!chosen) return {};
    index = index * ways + *chosen;
  }
  return index;
}

// A parameter without a role has a way only if all roles lead to the same one.
template <class T>
std::size_t select_in(const nodes<T>& links, const parameter_info& p) {
  const auto way = way_of(links, p);
  if (p.role == role::unspecified)
    for (const role r : {role::hidden, role::embedding, role::head}) {
      parameter_info with_role = p;
      with_role.role = r;
      if (way_of(links, with_role) != way)
        throw error("route", "Expected a role for ", in_quotes(p.name), " with shape ", p.shape,
                    ", because this chain routes by role: hidden, embedding or head. Received none.");
    }
  if (!way)
    throw error("route", "Expected a branch for every parameter. Received ", in_quotes(p.name), " with shape ", p.shape,
                " and role ", p.role, ", which no when(…) takes. Add otherwise(…).");
  return *way;
}

template <class T>
void refuse(finding found, const std::vector<any_transform<T>>& all) {
  const auto name = [&](std::size_t transform) -> const std::string& { return all[transform].info->name; };
  const auto say = [&](std::string_view what) {
    const bool behind = found.what == mistake::behind_the_end;
    throw error("optimizer", what, " Received ", name(found.transform), behind ? " behind " + name(found.end) : "", ".");
  };
  switch (found.what) {
    case mistake::none: return;
#define THALWEG_SAID(what, text) \
  case mistake::what: return say(text);
    THALWEG_MISTAKES(THALWEG_SAID)
#undef THALWEG_SAID
  }
}

// The passes of one stage. Each covers as many kernels as a known pass can.
template <class T>
std::vector<pass<T>> passes_of(std::span<const any_transform<T>> all, const path<T>& p, stage s, std::size_t first_kernel,
                               const known_passes<T>* known) {
  std::vector<std::size_t> at;  // the positions of the kernels
  std::vector<type_id> types;
  for (std::size_t i = s.begin; i < s.end; ++i)
    if (has_kernel(p.kinds[i])) {
      at.push_back(i);
      types.push_back(all[p.transforms[i]].info->is.type);
    }
  std::vector<pass<T>> passes;
  for (std::size_t k = 0; k < at.size(); k += passes.back().count) {
    pass<T> best{first_kernel + k, 1, at[k], all[p.transforms[at[k]]].alone};
    if (known)
      if (const auto [run, count] = known->longest_for(std::span(types).subspan(k)); run)
        best.run = run, best.count = count;
    passes.push_back(best);
  }
  return passes;
}

}  // namespace

template <class T>
known_passes<T>::known_passes() = default;
template <class T>
known_passes<T>::known_passes(known_passes&&) noexcept = default;
template <class T>
known_passes<T>::~known_passes() = default;
template <class T>
void known_passes<T>::add(std::span<const type_id> kernels, pass_function<T> run) {
  all_.push_back({{kernels.begin(), kernels.end()}, run});
}
template <class T>
void known_passes<T>::add(const known_passes& more) {
  all_.insert(all_.end(), more.all_.begin(), more.all_.end());
}
template <class T>
std::pair<pass_function<T>, std::size_t> known_passes<T>::longest_for(std::span<const type_id> kernels) const {
  std::pair<pass_function<T>, std::size_t> best{nullptr, 0};
  for (const known& one : all_)
    if (one.kernels.size() > best.second && one.kernels.size() <= kernels.size() &&
        std::ranges::equal(one.kernels, kernels.first(one.kernels.size())))
      best = {one.run, one.kernels.size()};
  return best;
}

template <class T>
nodes<T>::nodes() = default;
template <class T>
nodes<T>::nodes(nodes&&) noexcept = default;
template <class T>
nodes<T>& nodes<T>::operator=(nodes&&) noexcept = default;
template <class T>
nodes<T>::~nodes() = default;
template <class T>
void nodes<T>::add(any_transform<T> t) {
  list_.emplace_back(std::move(t));
}
template <class T>
void nodes<T>::begin_route() {
  list_.emplace_back(std::vector<branch>());
}
template <class T>
nodes<T>& nodes<T>::add_branch(predicate_function holds) {
  auto& branches = std::get<1>(list_.back());
  branches.push_back({std::move(holds), {}});
  return branches.back().links;
}

template <class T>
program<T>::program() = default;
template <class T>
program<T>::program(const program&) = default;
template <class T>
program<T>::program(program&&) noexcept = default;
template <class T>
program<T>& program<T>::operator=(program&&) noexcept = default;
template <class T>
program<T>::~program() = default;

template <class T>
bool path<T>::changed_before(std::size_t position) const {
  return begins_changed || std::any_of(kinds.begin(), kinds.begin() + static_cast<std::ptrdiff_t>(position),
                                       [](kind k) { return k != kind::contextual; });
}
template <class T>
bool path<T>::crosses_memory() const {
  for (std::size_t i = 0; i + 1 < stages.size(); ++i)
    if (!passes[i].empty() || kinds[stages[i].end] == kind::tensorwise) return true;
  return false;
}
template <class T>
bool path<T>::waits() const {
  for (std::size_t i = 0; i < positions(); ++i)
    if (kinds[i] == kind::modelwise && changed_before(i)) return true;
  return false;
}

template <class T>
path<T> make_path(std::span<const any_transform<T>> all, std::vector<std::size_t> way, std::span<const std::size_t> first_sum,
                  const pass_source<T>& source, bool begins_changed) {
  path<T> p;
  p.transforms = std::move(way);
  p.begins_changed = begins_changed;
  p.first_array = p.first_scalar = {0};
  for (const std::size_t l : p.transforms) {
    const traits& is = all[l].info->is;
    p.kinds.push_back(is.what);
    p.first_array.push_back(p.first_array.back() + is.arrays);
    p.first_scalar.push_back(p.first_scalar.back() + is.scalars);
    p.first_sum.push_back(first_sum[l]);
    if (has_kernel(is.what)) p.kernel_sums.push_back(first_sum[l]);
    p.ends = is.ends;
  }
  while (p.positions() > p.gate && !all[p.transforms[p.gate]].info->is.gates) ++p.gate;
  cut(p.kinds, source.fused, [&](stage s) { p.stages.push_back(s); });
  std::size_t kernels = 0;
  for (const stage s : p.stages) {
    p.passes.push_back(passes_of(all, p, s, kernels, source.known));
    for (const auto& one : p.passes.back()) kernels += one.count;
  }
  return p;
}

template <class T>
program<T> make_program(std::string text, nodes<T> links, any_transform<T> end, const pass_source<T>& source) {
  if (count_ways(links) > most_paths)
    throw error("optimizer", "Expected at most ", most_paths, " combinations of route branches. Received more. "
                             "Use fewer routes.");
  program<T> made;
  made.text = std::move(text);
  made.run_by = source.run_by;
  made.set = source.set;
  auto ways = ways_through(links, made.transforms);
  const std::size_t written = made.transforms.size();
  made.transforms.push_back(std::move(end));
  const auto& all = made.transforms;

  std::vector<traits> is;
  made.first_sum = {0};
  for (const auto& l : all) {
    is.push_back(l.info->is);
    made.first_sum.push_back(made.first_sum.back() + is.back().sums);
  }
  std::vector<way> views;
  for (auto& w : ways) {
    if (std::ranges::none_of(w, [&](std::size_t l) { return is[l].ends; })) w.push_back(written);
    views.emplace_back(w);
  }
  refuse(find_mistake(is, views), all);
  for (std::size_t l = 0; l < written; ++l)
    if (is[l].what == kind::modelwise) made.phases.push_back(l);
  made.phases.push_back(written);
  made.stop = first_that(is, &traits::stops);
  made.gate = first_that(is, &traits::gates);
  made.norm = find_gradient_norm(is, views);
  for (auto& w : ways) {
    auto p = make_path<T>(all, std::move(w), made.first_sum, source);
    for (const std::size_t l : made.phases) {
      const bool last = l == written;
      p.parts.push_back(last || p.contains(l)
                            ? part_until(last ? p.positions() : p.position_of(l), p.kinds, p.stages)
                            : part());
    }
    made.paths.push_back(std::move(p));
  }
  made.select = [links = std::make_shared<const nodes<T>>(std::move(links))](const parameter_info& p) {
    return select_in(*links, p);
  };
  return made;
}

// ---- preparing a step ------------------------------------------------------------------

template <class T>
prepared_path<T>::prepared_path(std::span<const any_transform<T>> all, const path<T>& p) {
  constexpr std::size_t line = alignof(std::max_align_t);
  const auto rounded_up = [](std::size_t bytes) { return (bytes + line - 1) / line * line; };
  std::size_t bytes = 0;
  for (const std::size_t l : p.transforms) bytes += rounded_up(all[l].code->prepared_size);
  memory_ = std::make_unique<std::byte[]>(bytes);
  lives_.reserve(p.positions());
  std::byte* free = memory_.get();
  for (std::size_t i = 0; i < p.positions(); ++i) {
    const auto& code = all[p.transforms[i]].code;
    void* const memory = std::exchange(free, free + rounded_up(code->prepared_size));
    code->construct(memory);
    lives_.push_back({code, memory});
    at.push_back(memory);
    if (has_kernel(p.kinds[i])) kernels.push_back(memory);
  }
}
template <class T>
prepared_path<T>::~prepared_path() {
  for (const auto& [code, memory] : lives_) code->destroy(memory);
}

#define THALWEG_INSTANTIATE(T)                                                                                          \
  template class known_passes<T>;                                                                                       \
  template class nodes<T>;                                                                                              \
  template struct program<T>;                                                                                           \
  template struct path<T>;                                                                                              \
  template class prepared_path<T>;                                                                                      \
  template path<T> make_path(std::span<const any_transform<T>>, std::vector<std::size_t>, std::span<const std::size_t>,          \
                             const pass_source<T>&, bool);                                                              \
  template program<T> make_program(std::string, nodes<T>, any_transform<T>, const pass_source<T>&);
THALWEG_INSTANTIATE(float)
THALWEG_INSTANTIATE(double)
#undef THALWEG_INSTANTIATE

}  // namespace thalweg::detail
