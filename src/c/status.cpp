#include "status.hpp"

#include <string>

namespace thalweg::c {

namespace {
thread_local std::string kept;
thread_local const char* last_error = "";
}  // namespace

thalweg_status failed(thalweg_status status, const char* words) noexcept {
  try {
    kept = words;
    last_error = kept.c_str();
  } catch (const std::bad_alloc&) {
    last_error = "[thalweg] Expected memory for the text of an error. Received none.";
  }
  return status;
}

}  // namespace thalweg::c

const char* thalweg_last_error() { return thalweg::c::last_error; }
