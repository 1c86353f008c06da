// Workers of a step help each other: a worker without tasks takes pieces of the others' unfinished work.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>

namespace thalweg::detail {

/// A view of a callable `void(std::size_t piece)` that does not throw.
class piece_body {
  const void* body_;
  void (*call_)(const void*, std::size_t);

public:
  template <class Body>
  explicit piece_body(const Body& body)
      : body_(std::addressof(body)),
        call_([](const void* b, std::size_t piece) { (*static_cast<const Body*>(b))(piece); }) {}
  void operator()(std::size_t piece) const noexcept { call_(body_, piece); }
};

/// body(i) for each i below `count`, on this thread, and on workers of its crew that have no task left. Returns when all
/// calls have returned. Which thread runs a piece must not matter to its result.
void in_pieces(std::size_t count, piece_body body);

/// The threads of one phase of a step.
class crew {
  struct job {
    piece_body body;
    std::size_t count, next = 0, running = 0;
    job* after;
  };

  std::mutex guard_;
  std::condition_variable changed_;
  std::size_t workers_ = 0;
  job* jobs_ = nullptr;

  friend void in_pieces(std::size_t, piece_body);
  void run(std::size_t count, piece_body body);
  /// Takes one more piece of a job, if it has one.
  void take_piece(job& from, std::unique_lock<std::mutex>& lock);

public:
  /// While it exists, the calling thread is a worker of the crew, and other workers may help it.
  class worker {
    crew& of_;
    crew* before_;

  public:
    explicit worker(crew& of);
    ~worker();
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;
  };

  /// Takes pieces as long as there is a worker.
  void help();
};

}  // namespace thalweg::detail
