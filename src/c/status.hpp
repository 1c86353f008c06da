// Turns the exception of a call into its status and the text of this thread's last error.
#pragma once

#include <exception>
#include <new>

#include <thalweg/core/error.hpp>
#include <thalweg/thalweg.h>

#include "../engine/out_of_memory.hpp"

namespace thalweg::c {

/// Keeps the words for thalweg_last_error(); returns the status.
thalweg_status failed(thalweg_status status, const char* words) noexcept;

/// `refused`: the status for an `error`.
template <class Call>
thalweg_status status_of(Call call, thalweg_status refused = THALWEG_INVALID_ARGUMENT) noexcept {
  try {
    call();
    return THALWEG_OK;
  } catch (const error& e) {
    return failed(refused, e.what());
  } catch (const detail::out_of_memory& e) {
    return failed(THALWEG_OUT_OF_MEMORY, e.what());
  } catch (const std::bad_alloc&) {
    return failed(THALWEG_OUT_OF_MEMORY, "[thalweg] Expected memory for this call. Received none.");
  } catch (const std::exception& e) {
    return failed(THALWEG_FAILED, e.what());
  } catch (...) {
    return failed(THALWEG_FAILED, "[thalweg] Expected an exception derived from std::exception. Received another.");
  }
}

}  // namespace thalweg::c
