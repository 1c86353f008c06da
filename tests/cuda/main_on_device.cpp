// Runs the cases that nvcc has compiled on a GPU; exits with 77 where there is none.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "on_device/is_missing.hpp"

int main(int count, char** arguments) {
  return test::is_missing() ? 77 : doctest::Context(count, arguments).run();
}
