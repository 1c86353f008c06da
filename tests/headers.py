#!/usr/bin/env python3
"""Every public header compiles alone, without a warning.  headers.py HEADER,… COMPILER FLAG…

The headers that are named are left out: the library that they adapt is not installed.
"""
import pathlib
import sys

from compiling import compiles, report

root = pathlib.Path(__file__).resolve().parent.parent
headers = sorted(str(path.relative_to(root / top)) for top in ("include", "transforms")
                 for path in (root / top).rglob("*.h*"))
headers = [header for header in headers if header not in sys.argv[1].split(",")]


def check(header):
    good, said = compiles(sys.argv[2:], text=f"#include <{header}>\n")
    return None if good else said


sys.exit(report(headers, check) if headers else "no headers")
