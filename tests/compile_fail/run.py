#!/usr/bin/env python3
"""Code that must not compile, and must say why.  run.py COMPILER FLAG…

Every *.cpp here opens with one or more lines `// expect: TEXT`. As it stands it must fail with each TEXT in what the
compiler says; with -DFIXED it must compile, so that it fails for that reason alone. `// folder: FOLDER`, from the root,
is where includes are sought first.

All cases go through the compiler together, each in a namespace of its own. A case that does not show there what it must
show is compiled alone, and that counts.
"""
import collections
import concurrent.futures
import os
import pathlib
import re
import sys

here = pathlib.Path(__file__).resolve().parent
root = here.parent.parent
sys.path.insert(0, str(here.parent))
from compiling import compiles, report, seeking_first  # noqa: E402


def squeezed(text):
    """Compilers differ in quotes and in how they break lines."""
    return re.sub(r"\s+", " ", text.replace("‘", "'").replace("’", "'"))


def lines(name, key):
    return re.findall(rf"^// {key}: (.+)$", (here / name).read_text(), re.MULTILINE)


def missing(name, said):
    return [text for text in lines(name, "expect") if squeezed(text) not in squeezed(said)]


def together(names):
    """One text of all cases. What they include comes first, so that inside a namespace it is there already."""
    includes = {line for name in names for line in re.findall(r"^#include .+$", (here / name).read_text(), re.MULTILINE)}
    cases = [f'namespace case_{pathlib.Path(name).stem} {{\n#include "{here / name}"\n}}' for name in names]
    return "\n".join(sorted(includes) + cases) + "\n"


def by_case(said):
    """What the compiler said of each case: an error with the lines around it that say how it came to it. g++ has them
    before the error, and leaves them out where they are those of the error before; clang has them behind it."""
    blocks, before = [], []
    for line in said.splitlines():
        is_context = re.search(r"^In file included from|^ +from |: In .+:$|: At .+:$|  (recursively )?required (from|by)", line)
        is_error = re.search(r": (fatal )?error: ", line)
        if is_context and not (before and blocks and not blocks[-1][1]):
            before = []
            blocks.append([before, False, [line]])
        elif is_error and (not blocks or blocks[-1][1]):
            blocks.append([before, True, [line]])
        elif blocks:
            blocks[-1][2].append(line)
        if is_context:
            before.append(line)
        if is_error:
            blocks[-1][1] = True
    of_case = collections.defaultdict(str)
    for context, is_error, block in blocks:
        for text in ("\n".join(block), "\n".join(context)):
            named = set(re.findall(r"compile_fail/(\w+\.cpp)", text))
            if named:
                break
        if is_error and len(named) == 1:
            of_case[named.pop()] += "\n".join(block) + "\n"
    return of_case


def check_alone(name, compiler):
    if not lines(name, "expect"):
        return "it has no line `// expect: TEXT`"
    good, said = compiles(compiler + ["-DFIXED"], str(here / name))
    if not good:
        return "with -DFIXED it must compile, but:\n" + said
    good, said = compiles(compiler, str(here / name))
    if good is not False:
        return "it compiled" if good else said
    wanted = missing(name, said)
    return f"expected: {wanted[0]}\nthe compiler said:\n{said}" if wanted else None


compiler = sys.argv[1:]
groups = collections.defaultdict(list)
for name in sorted(path.name for path in here.glob("*.cpp")):
    groups[tuple(lines(name, "folder"))].append(name)


def passed_together(group):
    folders, names = group
    command = seeking_first([root / folder for folder in folders], compiler)
    if any("clang" in word for word in compiler):
        command = command + ["-ferror-limit=0"]
    good, _ = compiles(command + ["-DFIXED"], text=together(names))
    _, said = compiles(command, text=together(names))
    of_case = by_case(said)
    return [name for name in names if good and of_case[name] and lines(name, "expect") and not missing(name, of_case[name])]


with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    passed = {name for names in pool.map(passed_together, groups.items()) for name in names}


def check(name):
    if name in passed:
        return None
    return check_alone(name, seeking_first([root / folder for folder in lines(name, "folder")], compiler))


sys.exit(report(sorted(name for names in groups.values() for name in names), check))
