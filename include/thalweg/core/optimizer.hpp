// The optimizer, and the compiling of chains for it.
#pragma once

#include <thalweg/core/lower.hpp>
#include <thalweg/core/optimizer_class.hpp>
