#!/usr/bin/env python3
"""Every public header compiles alone, without a warning.  headers.py HEADER,… COMPILER FLAG…

The headers that are named are left out: the library that they adapt is not installed. Those for a GPU stand on the tests'
double of CUDA's.
"""
import pathlib
import sys

from compiling import compiles, report, seeking_first

root = pathlib.Path(__file__).resolve().parent.parent
headers = sorted(str(path.relative_to(root / top)) for top in ("include", "transforms")
                 for path in (root / top).rglob("*.h*"))
headers = [header for header in headers if header not in sys.argv[1].split(",")]


def check(header):
    folders = [root / "tests/cuda/emulated"] if header.startswith("thalweg/cuda/") else []
    good, said = compiles(seeking_first(folders, sys.argv[2:]), text=f"#include <{header}>\n")
    return None if good else said


sys.exit(report(headers, check) if headers else "no headers")
