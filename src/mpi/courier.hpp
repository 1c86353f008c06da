// A thread that lets messages go on while another one computes.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

namespace thalweg::mpi::detail {

class courier {
  std::atomic<bool> ends_ = false;
  std::thread thread_;

public:
  /// Calls `let_go_on` again and again, until this object goes. `let_go_on` says whether something has arrived. Between two
  /// calls the thread rests: the longer, the longer nothing has arrived.
  template <class F>
  explicit courier(F let_go_on)
      : thread_([this, let_go_on = std::move(let_go_on)] {
          constexpr std::chrono::microseconds least(50), most(2000);
          for (auto rest = least; !ends_; rest = let_go_on() ? least : std::min(2 * rest, most)) std::this_thread::sleep_for(rest);
        }) {}
  courier(const courier&) = delete;
  ~courier() {
    ends_ = true;
    thread_.join();
  }
};

}  // namespace thalweg::mpi::detail
