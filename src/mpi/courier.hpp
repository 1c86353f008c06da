// A thread that lets messages go on while another one computes.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

namespace thalweg::mpi::detail {

class courier {
  std::atomic<bool> ends_ = false;
  std::thread thread_;

public:
  /// Calls `let_go_on` again and again, until this object goes. Between two calls it leaves its core to others.
  template <class F>
  explicit courier(F let_go_on)
      : thread_([this, let_go_on = std::move(let_go_on)] {
          for (; !ends_; std::this_thread::sleep_for(std::chrono::microseconds(50))) let_go_on();
        }) {}
  courier(const courier&) = delete;
  ~courier() {
    ends_ = true;
    thread_.join();
  }
};

}  // namespace thalweg::mpi::detail
