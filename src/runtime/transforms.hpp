// Every transform that a run-time chain may name, `all_transforms`: compiled for each instruction set in passes.cpp, and
// spoken of in vocabulary.cpp. What is made of others (parallel, scheduled, join, …) is in combinators.cpp.
#pragma once

#include <thalweg/transforms.hpp>
