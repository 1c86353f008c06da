// expect: a schedule may not change the fields of a transform that gathers or skips steps, or computes x from them
#include <thalweg/transforms/linear.hpp>
#include <thalweg/transforms/scheduled.hpp>
#include <thalweg/transforms/update_by_primal_averaging.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>
using namespace thalweg;

#ifdef FIXED
auto c = scheduled(&update_by_schedule_free::beta, linear{.steps = 10});
#else
auto c = scheduled(&update_by_primal_averaging::mu_y, linear{.steps = 10});
#endif
