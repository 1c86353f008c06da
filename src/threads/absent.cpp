// Built without a pool: a step runs on the thread that calls it, unless the embedder brings threads.
#include <thalweg/core/threads.hpp>

namespace thalweg {

parallel_for threads() { return sequential(); }
parallel_for threads(std::size_t) { return sequential(); }

}  // namespace thalweg
