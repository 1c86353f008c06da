#!/usr/bin/env python3
"""The house rules: which file may include which, and what lies where."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
root = root if root.is_dir() else root.parent.parent
ROOMS = {"include", "transforms", "src", "tests", "examples", "docs", "debian"}
CUDA = re.compile(r"(cuda|cublas|curand|cusolver|cusparse|nccl|thrust/|cub/|nv)")

# Who sees whom. A transform never sees another transform: "transforms" is not in its own list.
SEES = {
    "core": {"core"},
    "adaptors": {"core"},
    "orthogonalization": {"core", "orthogonalization"},
    "transforms": {"core", "orthogonalization"},
    "recipes": {"core", "transforms", "recipes"},
    "transforms.hpp": {"core", "transforms"},
    "recipes.hpp": {"core", "recipes"},
    "thalweg.hpp": {"core", "transforms.hpp", "recipes.hpp"},
    "cuda.hpp": {"core"},
    "cuda": {"core", "orthogonalization", "transforms", "cuda"},
    "cuda/nccl.hpp": {"core", "cuda", "adaptors/mpi.hpp"},
    "text.hpp": {"core"},
    "text": {"core", "text"},
    "thalweg.h": set(),
}

wrong = []


def layer(path):
    """`core`, `transforms`, … or a header that the table names; None outside the public headers."""
    parts = path.relative_to(root).parts
    if len(parts) < 3 or parts[:2] not in (("include", "thalweg"), ("transforms", "thalweg")):
        return None
    return "/".join(parts[2:4]) if "/".join(parts[2:4]) in SEES else parts[2]


def check_include(path, line, bracket, target):
    def say(rule):
        wrong.append(f"{path.relative_to(root)}:{line}: #include {target}: {rule}")

    me = layer(path)
    top = path.relative_to(root).parts[0]
    named = target.startswith("thalweg/")
    inside = named or (bracket == '"' and any((path.parent / target).resolve().is_relative_to(root / public)
                                              for public in ("include", "transforms")))
    if inside and not (named and bracket == "<"):
        say("write the path of an installed header, <thalweg/…>")
    if named:
        other = target.split("/")[1]
        if me and me not in SEES:
            say(f"'{me}' is not a layer in the table of this test")
        elif me and not {other, target.removeprefix("thalweg/")} & SEES[me]:
            say(f"{me} may include only {', '.join(sorted(SEES[me])) or 'nothing'}")
    if "src" in pathlib.PurePath(target).parts[:-1] and top not in {"src", "tests"}:
        say("only src and tests may include src")
    if CUDA.match(target) and "cuda" not in path.relative_to(root).parts[1:3]:
        say("only <thalweg/cuda/…>, src/cuda, its tests and its examples include CUDA's headers")
    if target.startswith("xtensor") and path != root / "include/thalweg/adaptors/xtensor.hpp":
        say("<thalweg/adaptors/xtensor.hpp> is the only file that may include xtensor")
    if target.startswith(("Eigen/", "unsupported/Eigen")) and me and me != "adaptors":
        say("Eigen is slow to compile: in src and in adaptors only")


for top in root.iterdir():
    if top.is_dir() and top.name not in ROOMS and not top.name.startswith((".", "build")):
        wrong.append(f"{top.name}/: the top-level folders are {', '.join(sorted(ROOMS))}")

builds = {folder: "".join(p.read_text() for p in folder.rglob("meson.build"))
          for folder in (root / room for room in ROOMS) if folder.exists()}

for folder in builds:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(root)
        if re.search(r"(util|helper|manager)s?([._-]|$)", path.name):
            wrong.append(f"{name}: say what is in it")
        if path.suffix not in {".h", ".hpp", ".cpp", ".c", ".cu", ".cuh"}:
            continue
        for number, text in enumerate(path.read_text().splitlines(), 1):
            if found := re.match(r'\s*#\s*include\s*([<"])([^>"]+)', text):
                check_include(path, number, *found.groups())
        # A source that no list names is never compiled, and nobody would know.
        if path.suffix in {".cpp", ".c", ".cu"} and path.parent.name not in {"compile_fail", "installed"} \
                and not re.search(rf"['/]{re.escape(path.name)}'", builds[folder]):
            wrong.append(f"{name}: no meson.build names it")

print("\n".join(wrong) or "in order")
sys.exit(bool(wrong))
