#!/usr/bin/env python3
"""What is compiled for one instruction set must not be taken for another's, nor for a user's.  symbols.py NM ARCHIVE…

The linker keeps one copy of an inline function. If an archive of passes held one whose name does not tell for what it
is compiled, programs would run it on processors that lack its instructions.
"""
import pathlib
import re
import subprocess
import sys

nm, *archives = sys.argv[1:]
wrong = []
for archive in archives:
    name = pathlib.Path(archive).stem.removeprefix("libthalweg_passes_").removeprefix("libthalweg_widening_")
    tag = r"xsimd::.*" + ("" if name == "default" else name)
    ours = re.compile(rf"thalweg::passes::(pass|reduction|read|write)<{tag}|run_(whole_registers|reduction)<thalweg::passes::.*{tag}")
    lines = subprocess.run([nm, "-C", "--defined-only", archive], capture_output=True, text=True, check=True).stdout
    shared = [found.groups() for found in map(re.compile(r"[0-9a-f]+ (\S) (.+)").match, lines.splitlines())
              if found and not found[1].islower()]
    if not any(ours.search(symbol) for _, symbol in shared):
        wrong.append(f"{archive}: no passes in it")
    wrong += [f"{archive}: {kind} {symbol}" for kind, symbol in shared
              if not ours.search(symbol) and symbol != "DW.ref.__gxx_personality_v0"]  # a pointer, for exceptions

print("\n".join(wrong) or "in order")
sys.exit(bool(wrong))
