// One optimizer on many processes, by MPI: each process trains on its own part of the batch, and all take the same steps.
// You need the library `thalweg_mpi` (pkg-config: thalweg-mpi). More: docs/scale.md.
#pragma once

#if !__has_include(<mpi.h>)
#error "thalweg: <thalweg/adaptors/mpi.hpp> needs MPI. Expected <mpi.h>. On Debian: apt install libopenmpi-dev openmpi-bin"
#endif

// Without the C++ of MPI 2, which MPI 3 has not.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include <thalweg/core/optimizer_class.hpp>

namespace thalweg::mpi {

/// Which rank holds which parameters and states.
enum class layout {
  sharded_state,  ///< every rank has all parameters; the state of each parameter is on one rank, which steps it
  replicated,     ///< every rank has all parameters and all state, and steps everything
  sharded_rows    ///< every rank has some rows of each parameter; the state is on one rank, as with `sharded_state`
};

/// The processes that share an optimizer.
struct ranks {
  MPI_Comm communicator = MPI_COMM_WORLD;  ///< is duplicated
  mpi::layout layout = mpi::layout::sharded_state;
  std::size_t elements_a_message = std::size_t{1} << 17;  ///< of the gradients, at most; it does not change results
};

namespace detail {
template <class T>
using make_on_device = std::function<thalweg::optimizer<T>(std::vector<parameter<T>>, const thalweg::detail::device_maker<T>&)>;

/// `communicator`: an MPI_Comm.
template <class T>
thalweg::optimizer<T> on_ranks(const void* communicator, layout l, std::size_t elements_a_message,
                               std::vector<parameter<T>> parameters, const make_on_device<T>& make);
extern template thalweg::optimizer<float> on_ranks(const void*, layout, std::size_t, std::vector<parameter<float>>,
                                                   const make_on_device<float>&);
extern template thalweg::optimizer<double> on_ranks(const void*, layout, std::size_t, std::vector<parameter<double>>,
                                                    const make_on_device<double>&);
}  // namespace detail

/// Like `thalweg::optimizer`, on all ranks of a communicator. All ranks make it with the same chain, options and
/// parameters. Then all ranks call the same members in the same order. Each rank passes its own gradients to `step`.
/// The step uses their mean, (g₀ + g₁ + …)·(1/N), added up in the order of the ranks. The result equals, bit for bit,
/// that of one process with the mean gradient. The loss is the mean of the ranks' losses. With `accumulate` each rank
/// collects its own gradients, and the step uses the mean of what the ranks have collected.
///
/// If a call throws on one rank, it throws on all of them. If the ranks differ, the error names the first difference.
/// `save` writes one file, on rank 0. One process or any number of ranks can load it. `to_bytes` returns the bytes on
/// rank 0, and nothing on the others.
///
/// MPI must be initialised. If another thread than the one that initialised MPI uses the optimizer, initialise MPI with
/// MPI_THREAD_MULTIPLE. Then messages also move while a matrix is computed.
///
///     auto opt = mpi::optimizer(recipes::amuse(), parameters, {.lr = 0.02, .warmup_steps = 100});
///     for (auto& batch : data_of(rank)) { backward(batch, gradients); opt.step(gradients); }
template <class Given, class T>
thalweg::optimizer<T> optimizer(const Given& given, std::vector<parameter<T>> parameters, const options& o, const ranks& r = {}) {
  return detail::on_ranks<T>(&r.communicator, r.layout, r.elements_a_message, std::move(parameters),
                             [&](std::vector<parameter<T>> whole, const thalweg::detail::device_maker<T>& make_device) {
                               return thalweg::optimizer<T>(thalweg::detail::program_of<T>(given), std::move(whole), o, make_device);
                             });
}

}  // namespace thalweg::mpi
