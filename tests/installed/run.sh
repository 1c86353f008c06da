#!/bin/bash
# Installs into an empty folder, then builds and runs a user's program against that copy alone: by pkg-config, by CMake.
#   run.sh SOURCE_ROOT BUILD_ROOT SHARED_LIBRARY WITH_MPI COMPILER...
set -euo pipefail
source=$1 build=$2 shared=$(realpath "$3") with_mpi=$4
shift 4

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
meson install -C "$build" --no-rebuild --quiet --destdir "$stage"

listed() { (cd "$1" && find . -name '*.h*' | sort); }
includes=$(dirname "$(find "$stage" -type d -path '*/include/thalweg')")
diff <(for folder in "$source"/{include,transforms}; do listed "$folder"; done | sort) <(listed "$includes")

PKG_CONFIG_PATH=$(dirname "$(find "$stage" -name thalweg.pc)")
libraries=$(dirname "$PKG_CONFIG_PATH")
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --libs thalweg)
leads_back() { case $2 in *"$source"* | *"$build"*) echo "$1 leads back into the tree: $2"; exit 1 ;; esac; }
leads_back thalweg.pc "$flags"
leads_back CMake "$(cat "$libraries"/cmake/thalweg/*.cmake)"

# Programs of one minor version share a library, others do not.
soname=$(objdump -p "$shared" | awk '/SONAME/ { print $2 }')
minor=$(pkg-config --modversion thalweg | cut -d. -f1-2)
[ "$soname" = "libthalweg.so.$minor" ] || { echo "Expected libthalweg.so.$minor. Received $soname."; exit 1; }

cp "$source"/tests/installed/{user.c,user.cpp,user_of_cuda.cpp,user_of_mpi.cpp,CMakeLists.txt} "$stage"
cd "$stage"
# shellcheck disable=SC2086 # the flags are words
{
  # -O3: some of g++'s warnings come with the optimiser.
  "$@" -std=c++20 -O3 -Wall -Wextra -Wpedantic -Werror $(pkg-config --cflags thalweg) -c user.cpp -o user.o
  ${CC:-cc} -std=c99 -O2 -Wall -Wextra -Wpedantic -Werror $(pkg-config --cflags thalweg) -c user.c -o user_in_c.o
  "$@" user.o $(pkg-config --libs thalweg) -o user
  LD_LIBRARY_PATH=$libraries ./user
  for static in '' --static; do  # by cc, as a C program is
    ${CC:-cc} user_in_c.o $(pkg-config --libs $static thalweg) -lm -o user_in_c
    LD_LIBRARY_PATH=$libraries ./user_in_c
  done
  "$@" -std=c++20 -O2 -Wall -Wextra -Wpedantic -Werror user_of_cuda.cpp $(pkg-config --cflags --libs thalweg-cuda) \
    -o user_of_cuda
  LD_LIBRARY_PATH=$libraries ./user_of_cuda
  if [ "$with_mpi" = ON ]; then
    leads_back thalweg-mpi.pc "$(pkg-config --cflags --libs thalweg-mpi)"
    "$@" -std=c++20 -O2 -Wall -Wextra -Wpedantic -Werror user_of_mpi.cpp $(pkg-config --cflags --libs thalweg-mpi) -o user_of_mpi
    LD_LIBRARY_PATH=$libraries ./user_of_mpi
  fi
}

command -v cmake > /dev/null || { echo "There is no CMake: its users were left out."; exit 77; }
mv "$(dirname "$includes")" moved  # it may be
CXX="${*: -1}" cmake -S . -B by-cmake -DCMAKE_PREFIX_PATH="$stage/moved" -DCMAKE_BUILD_TYPE=Release -DWITH_MPI="$with_mpi"
cmake --build by-cmake
for program in user user_in_c user_of_cuda; do by-cmake/$program; done
if [ "$with_mpi" = ON ]; then by-cmake/user_of_mpi; fi
# The example that fetches the source takes an installed copy where there is one.
CXX="${*: -1}" cmake -S "$source/examples/cmake" -B example -DTHALWEG_PREFIX="$stage/moved" -DCMAKE_BUILD_TYPE=Release
cmake --build example && example/trainer

# With the library shared, of the same installation.
ln -s "$shared" "$soname"
"$@" user.o -L. -l:"$soname" -o user
${CC:-cc} user_in_c.o -L. -l:"$soname" -o user_in_c
for program in user user_in_c; do LD_LIBRARY_PATH=. ./$program; done
