#!/usr/bin/env python3
"""The documents' code is the examples' code.

In a document:  <!-- compile: NAME -->      In a file below examples/:  // snippet: NAME
                ```cpp                                                  …
                …                                                       // end
                ```
A ```cpp block without a name is an error; a sketch that is not meant to compile is a ```c++ block. C, Python and CMake
likewise: ```c, ```python and ```cmake blocks, and for the latter two # for //.
"""
import pathlib
import re
import sys
import textwrap

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)


def tidy(text):
    return "\n".join(line.rstrip() for line in textwrap.dedent(text).strip("\n").splitlines())


regions, wrong, shown = {}, [], 0
for path in sorted([*(root / "examples").rglob("*.[ch]*"), *(root / "examples").rglob("*.py"),
                    *(root / "examples").rglob("CMakeLists.txt")]):
    for name, text in re.findall(r"^[ \t]*(?://|#) snippet: (\S+)\n(.*?)^[ \t]*(?://|#) end$", path.read_text(),
                                 re.M | re.S):
        if name in regions:
            wrong.append(f"examples: two snippets are named {name}")
        regions[name] = tidy(text)

for path in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
    text = path.read_text() if path.exists() else ""
    for name, block in re.findall(r"(?:<!-- compile: (\S+) -->\s*)?^```(?:cpp|c|python|cmake)\n(.*?)^```", text,
                                  re.M | re.S):
        shown += 1
        where = f"{path.relative_to(root)}: {name or block.splitlines()[0]}"
        if not name:
            wrong.append(f"{where}: a block of code without <!-- compile: NAME -->")
        elif name not in regions:
            wrong.append(f"{where}: no snippet of this name below examples/")
        elif tidy(block) != regions[name]:
            wrong.append(f"{where}: differs from the example:\n--- the document\n{tidy(block)}\n--- the example\n{regions[name]}")

if not shown:
    wrong.append("README.md shows no C++")
print("\n".join(wrong) or f"{shown} snippets, as compiled")
sys.exit(bool(wrong))
