#!/usr/bin/env python3
"""The library's C functions are those of its C header, no fewer and no others.  symbols.py NM LIBRARY HEADER"""
import pathlib
import re
import subprocess
import sys

nm, library, header = sys.argv[1:]
dynamic = ["--dynamic"] if ".so" in library else []
lines = subprocess.run([nm, "--defined-only", "--extern-only", *dynamic, library],
                       capture_output=True, text=True, check=True).stdout
found = set(re.findall(r"^[0-9a-f]+ [A-Z] ((?!_Z)\w+)$", lines, re.M))
declared = set(re.findall(r"^THALWEG_FUNCTION [^;]*?\b(\w+)\(", pathlib.Path(header).read_text(), re.M))

wrong = [f"{name}: declared, but not in the library" for name in sorted(declared - found)]
wrong += [f"{name}: in the library, but not declared" for name in sorted(found - declared)]
wrong += [f"{name}: not of the family thalweg_" for name in sorted(declared) if not name.startswith("thalweg_")]
if not declared:
    wrong.append(f"{header}: declares nothing")
print("\n".join(wrong) or f"{len(declared)} functions")
sys.exit(bool(wrong))
