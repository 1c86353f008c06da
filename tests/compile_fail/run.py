#!/usr/bin/env python3
"""Code that must not compile, and must say why.  run.py COMPILER FLAG…

Every *.cpp here opens with one or more lines `// expect: TEXT`. As it stands it must fail with each TEXT in what the
compiler says; with -DFIXED it must compile, so that it fails for that reason alone. `// folder: FOLDER`, from the root,
is where includes are sought first.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
root = here.parent.parent
sys.path.insert(0, str(here.parent))
from compiling import compiles, report, seeking_first  # noqa: E402


def squeezed(text):
    """Compilers differ in quotes and in how they break lines."""
    return re.sub(r"\s+", " ", text.replace("‘", "'").replace("’", "'"))


def check(name, compiler):
    source = here / name
    expected = re.findall(r"^// expect: (.+)$", source.read_text(), re.MULTILINE)
    folders = re.findall(r"^// folder: (.+)$", source.read_text(), re.MULTILINE)
    compiler = seeking_first([root / folder for folder in folders], compiler)
    if not expected:
        return "it has no line `// expect: TEXT`"
    good, said = compiles(compiler + ["-DFIXED"], str(source))
    if not good:
        return "with -DFIXED it must compile, but:\n" + said
    good, said = compiles(compiler, str(source))
    if good is not False:
        return "it compiled" if good else said
    missing = [text for text in expected if squeezed(text) not in squeezed(said)]
    return f"expected: {missing[0]}\nthe compiler said:\n{said}" if missing else None


# Nearly all begin with one header, which g++ reads once. clang 14 dies of some templates that it read so.
with tempfile.TemporaryDirectory() as folder:
    compiler = sys.argv[1:]
    if not any("clang" in word for word in compiler):
        header = pathlib.Path(folder) / "transforms.hpp"
        header.write_text("#include <thalweg/core/optimizer.hpp>\n#include <thalweg/transforms.hpp>\n")
        subprocess.run(compiler + ["-x", "c++-header", str(header), "-o", f"{header}.gch"], check=True)
        compiler += ["-include", str(header)]
    sys.exit(report(sorted(path.name for path in here.glob("*.cpp")), lambda name: check(name, compiler)))
