#!/bin/bash
# Installs into an empty folder, then compiles and runs a user's program against that copy alone.
#   run.sh SOURCE_ROOT BUILD_ROOT COMPILER...
set -euo pipefail
source=$1 build=$2
shift 2

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
meson install -C "$build" --no-rebuild --quiet --destdir "$stage"

listed() { (cd "$1" && find . -name '*.h*' | sort); }
includes=$(dirname "$(find "$stage" -type d -path '*/include/thalweg')")
diff <({ listed "$source/include"; listed "$source/transforms"; } | sort) <(listed "$includes")

PKG_CONFIG_PATH=$(dirname "$(find "$stage" -name thalweg.pc)")
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --libs thalweg)
case $flags in *"$source"*|*"$build"*) echo "thalweg.pc leads back into the tree: $flags"; exit 1 ;; esac

cp "$source/tests/installed/user.cpp" "$stage"
cd "$stage"
# shellcheck disable=SC2086 # the flags are words
# -O3: some of g++'s warnings come with the optimiser.
"$@" -std=c++20 -O3 -Wall -Wextra -Wpedantic -Werror user.cpp $flags -o user
./user
