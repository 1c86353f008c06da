// The threads of a step: a pool's, your program's, or the calling thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>

namespace thalweg {

/// A view of a callable `void(std::size_t worker)`; calling it allocates nothing. It does not throw.
class worker_body {
  const void* body_;
  void (*call_)(const void*, std::size_t);

public:
  template <class Body>
    requires(!std::is_same_v<std::remove_cvref_t<Body>, worker_body>)
  explicit worker_body(const Body& body)
      : body_(std::addressof(body)),
        call_([](const void* b, std::size_t worker) { (*static_cast<const Body*>(b))(worker); }) {}

  void operator()(std::size_t worker) const { call_(body_, worker); }
};

/// How a step uses threads. `run(workers, body)` calls body(w) once for each w below `workers`, possibly in parallel,
/// and returns when all calls have returned. It must not throw. Each worker takes tasks until there are none. The
/// result has the same bits for any number of workers.
///
///     parallel_for mine{.workers = pool.size(), .run = [&](std::size_t n, worker_body body) { pool.run(n, body); }};
///     auto opt = optimizer(recipes::amuse(), parameters, {.lr = 0.02, .warmup_steps = 100, .parallel = mine});
struct parallel_for {
  std::size_t workers = 1;
  std::function<void(std::size_t workers, worker_body body)> run{};
};

/// On the thread that calls step().
inline parallel_for sequential() { return {}; }

/// On the threads of oneTBB's pool: as many threads as there are cores, or `count`. This is the default. A library
/// built without oneTBB runs on the thread that calls step().
parallel_for threads();
parallel_for threads(std::size_t count);

}  // namespace thalweg
