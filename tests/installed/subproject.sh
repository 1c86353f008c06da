#!/bin/bash
# A user's Meson project with thalweg as its subproject: its headers are found, and the library alone would be built.
#   subproject.sh SOURCE_ROOT COMPILER...
set -euo pipefail
source=$1
shift

project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
cp "$source"/tests/installed/{user.cpp,meson.build} "$project"
mkdir "$project/subprojects"
cp "$source/src/packaging/thalweg.wrap" "$project/subprojects"
ln -s "$source" "$project/subprojects/thalweg"  # as if it had been fetched

cd "$project"
CXX="$*" meson setup build --wrap-mode=forcefallback -Doptimization=0
programs=$(meson introspect build --targets | python3 -c '
import json, sys
print(*(t["name"] for t in json.load(sys.stdin) if t["type"] == "executable"))')
[ "$programs" = user ] || { echo "Expected no program but the user's. Received $programs."; exit 1; }
ninja -C build user.p/user.cpp.o  # to link it would take the library's minutes
