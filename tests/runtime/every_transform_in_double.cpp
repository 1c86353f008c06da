#include "every_transform.hpp"

TEST_CASE("every transform from text equals itself compiled, in double") { test::replay_every_transform<double>(); }
