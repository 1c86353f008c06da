#include "crew.hpp"

namespace thalweg::detail {

namespace {
thread_local crew* mine = nullptr;
}  // namespace

crew::worker::worker(crew& of) : of_(of), before_(mine) {
  mine = &of;
  const std::lock_guard lock(of.guard_);
  ++of.workers_;
}
crew::worker::~worker() {
  mine = before_;
  const std::lock_guard lock(of_.guard_);
  if (--of_.workers_ == 0) of_.changed_.notify_all();
}

void in_pieces(std::size_t count, piece_body body) {
  if (mine && count > 1) return mine->run(count, body);
  for (std::size_t i = 0; i < count; ++i) body(i);
}

void crew::take_piece(job& from, std::unique_lock<std::mutex>& lock) {
  const std::size_t piece = from.next++;
  ++from.running;
  lock.unlock();
  from.body(piece);
  lock.lock();
  if (--from.running == 0 && from.next == from.count) changed_.notify_all();
}

void crew::run(std::size_t count, piece_body body) {
  std::unique_lock lock(guard_);
  job own{body, count, 0, 0, jobs_};
  jobs_ = &own;
  changed_.notify_all();
  while (own.next < count) take_piece(own, lock);
  job** place = &jobs_;
  while (*place != &own) place = &(*place)->after;
  *place = own.after;
  changed_.wait(lock, [&] { return own.running == 0; });
}

void crew::help() {
  if (mine == this) return;  // a pool runs this inside one of our tasks, which would wait for itself
  std::unique_lock lock(guard_);
  while (workers_ > 0) {
    job* open = jobs_;
    while (open && open->next == open->count) open = open->after;
    if (open) take_piece(*open, lock);
    else changed_.wait(lock);
  }
}

}  // namespace thalweg::detail
