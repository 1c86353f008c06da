#!/bin/bash
# A user's Meson project with thalweg as its subproject, a shared library there: the library alone is built, and the
# user's program runs with it. Then it is installed from there, and used as any installed copy.
#   subproject.sh SOURCE_ROOT COMPILER...
set -euo pipefail
source=$1
shift

project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
cp "$source"/tests/installed/{user.cpp,meson.build} "$project"
mkdir "$project/subprojects"
ln -s "$source" "$project/subprojects/thalweg"

cd "$project"
CXX="$*" meson setup build --wrap-mode=forcefallback -Doptimization=0 -Dpkgconfig.relocatable=true \
  -Dthalweg:default_library=shared
programs=$(meson introspect build --targets | python3 -c '
import json, sys
print(*(t["name"] for t in json.load(sys.stdin) if t["type"] == "executable"))')
[ "$programs" = user ] || { echo "Expected no program but the user's. Received $programs."; exit 1; }
meson compile -C build -j "$(nproc)"
meson test -C build --no-rebuild

"$source/tests/installed/run.sh" "$source" "$project/build" "$@"
