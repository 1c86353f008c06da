#!/usr/bin/env python3
"""Code that must not compile, and must say why.  run.py COMPILER FLAG…

Every *.cpp here opens with one or more lines `// expect: TEXT`. As it stands it must fail with each TEXT in what the
compiler says; with -DFIXED it must compile, so that it fails for that reason alone.
"""
import pathlib
import re
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
from compiling import compiles, report  # noqa: E402


def squeezed(text):
    """Compilers differ in quotes and in how they break lines."""
    return re.sub(r"\s+", " ", text.replace("‘", "'").replace("’", "'"))


def check(name):
    source = here / name
    expected = re.findall(r"^// expect: (.+)$", source.read_text(), re.MULTILINE)
    if not expected:
        return "it has no line `// expect: TEXT`"
    good, said = compiles(sys.argv[1:] + ["-DFIXED"], str(source))
    if not good:
        return "with -DFIXED it must compile, but:\n" + said
    good, said = compiles(sys.argv[1:], str(source))
    if good is not False:
        return "it compiled" if good else said
    missing = [text for text in expected if squeezed(text) not in squeezed(said)]
    return f"expected: {missing[0]}\nthe compiler said:\n{said}" if missing else None


sys.exit(report(sorted(path.name for path in here.glob("*.cpp")), check))
