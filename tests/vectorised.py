#!/usr/bin/env python3
"""At plain -O2 the passes of chains that are compiled here are vectorised, and free of calls.  vectorised.py COMPILER FLAG…

A chain is compiled for any x86-64 and for AVX2 with FMA, both with the user's floating-point flags (none). Then
- nothing of libm is called but `pow`, `log` and `expm1`, of double, once a step: no sqrtf, sqrt, fabsf, powf …, which keep errno;
- the passes of the chains with a square root take it of whole registers, and nothing in any pass is called or takes
  the root or the quotient of a single number;
- no loop of theirs converts a number from double: a kernel's constants are converted before.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LIBM = re.compile(r"(a?(sin|cos|tan)h?|atan2|exp[2m]?1?|log(10|2|1p|b)?|pow|sqrt|cbrt|hypot|fabs|fma|f(min|max|dim|mod)|"
                  r"floor|ceil|l?l?r(ound|int)|trunc|nearbyint|copysign|ldexp|frexp|scalbn|erfc?|[lt]gamma)[fl]?")
TEXT = """
#include <thalweg/thalweg.hpp>
using namespace thalweg;
void train(std::vector<parameter<float>> p, const std::vector<std::vector<float>>& g) {
  const auto run = [&](const auto& chain) {
    auto opt = optimizer(chain, p, {.lr = 0.01, .warmup_steps = 3});
    opt.step(g);
    const auto at_x = opt.evaluation_point();
  };
  run(chain(recipes::adamw())), run(chain(recipes::sf_adamw())), run(chain(recipes::amuse()));
}
"""
wrong = []


def said(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def passes(listing):
    """(name, instructions) of each function that runs over memory: their addresses, names and operands."""
    for name, body in re.findall(r"^[0-9a-f]+ <(.*)>:\n((?:[ \t].+\n)*)", listing, re.MULTILINE):
        if re.search(r"\brun_whole_registers<", name):
            found = re.findall(r"^\s*([0-9a-f]+):\s+(?:lock |rep \w* ?|bnd )?(\S+)[ \t]*(.*)", body, re.MULTILINE)
            yield name, [(int(address, 16), instruction, operands) for address, instruction, operands in found]


def looped(instructions):
    """The names of those between a jump back and where it leads."""
    for end, jump, target in instructions:
        if jump.startswith("j") and re.match("[0-9a-f]+ <", target):
            begin = int(target.split()[0], 16)
            yield from (name for address, name, _ in instructions if begin <= address < end)


def check(flags, packed_root):
    with tempfile.TemporaryDirectory() as folder:
        unit, out = pathlib.Path(folder, "chain.cpp"), str(pathlib.Path(folder, "chain.o"))
        unit.write_text(TEXT)
        said(*sys.argv[1:], "-O2", *flags, "-c", str(unit), "-o", out)
        called = set(said("nm", "--undefined-only", "-j", out).split())
        listing = said("objdump", "-d", "-C", "--no-show-raw-insn", out)
    target = " ".join(flags)
    wrong.extend(f"{target}: calls {name}" for name in sorted(called) if LIBM.fullmatch(name) and name not in ("pow", "log", "expm1"))
    rooted = 0
    for name, instructions in passes(listing):
        names = {instruction for _, instruction, _ in instructions}
        bad = {i for i in names if re.match(r"v?(sqrt|div)s[sd]$|call", i)}
        bad |= {f"{i} in a loop" for i in looped(instructions) if "cvtsd2ss" in i}
        if bad:
            wrong.append(f"{target}: {', '.join(sorted(bad))} in {name}")
        if re.search("scale_by_adam|scale_by_exp_avg_sq", name):
            rooted += 1
            if packed_root not in names:
                wrong.append(f"{target}: no {packed_root} in {name}")
    if rooted < 2:  # those of sf_adamw and of amuse are one
        wrong.append(f"{target}: expected two passes with a root, found {rooted}")


if not shutil.which("objdump") or not shutil.which("nm"):
    sys.exit(77)
check(["-march=x86-64"], "sqrtps")
check(["-march=x86-64", "-mavx2", "-mfma"], "vsqrtps")
print("\n".join(wrong) or "in order")
sys.exit(bool(wrong))
