// Too little memory; the text names the state that needed it.
#pragma once

#include <new>
#include <string>
#include <utility>

namespace thalweg::detail {

class out_of_memory final : public std::bad_alloc {
  std::string words_;

public:
  explicit out_of_memory(std::string words) : words_(std::move(words)) {}
  [[nodiscard]] const char* what() const noexcept override { return words_.c_str(); }
};

}  // namespace thalweg::detail
