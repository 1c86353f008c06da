#!/usr/bin/env python3
"""On a device a pass of float32 reads and writes each array once, 16 bytes at a time. A pass of any types has all
in registers.  passes.py passes.cu NVCC FLAG…

Read off the intermediate code (PTX), which needs no GPU.
"""
import re
import subprocess
import sys
import tempfile

# How many arrays a pass loads and stores.
EXPECTED = {
    (4, 3),  # AdamW; AMUSE's vectors
    (2, 2),  # AMUSE's matrices as far as the orthogonalisation: gradient, momentum; momentum, update
    (3, 2),  # and behind it: update, y, z; y, z. Lion behind the norm: gradient, parameter, momentum; the latter two
    (1, 1),  # what a chain that begins with matrices copies: the gradient
}

with tempfile.NamedTemporaryFile(suffix=".ptx") as out:
    done = subprocess.run(sys.argv[2:] + ["-arch=compute_80", "-ptx", sys.argv[1], "-o", out.name], capture_output=True,
                          text=True)
    if done.returncode:
        sys.exit(done.stderr)
    ptx = open(out.name).read()

found, wrong, of_any_type = set(), [], 0
for body in ptx.split(".entry")[1:]:
    name = body.split("(")[0]
    if "pass_tag" not in name:
        continue
    if "all_as_stored" in name:
        of_any_type += 1
        wrong += [f"in memory, not in registers: {line.strip()}" for line in body.splitlines() if ".local" in line]
        continue
    lines = body.splitlines()
    labels = {match[1]: i for i, line in enumerate(lines) if (match := re.match(r"(\$\w+):", line))}
    for i, line in enumerate(lines):
        back = re.search(r"bra(?:\.uni)?\s+(\$\w+);", line)
        if not back or labels[back[1]] > i:
            continue
        loop = lines[labels[back[1]]:i]
        accesses = [match[1] for line in loop if (match := re.search(r"\b((?:ld|st)\.\S+)", line))]
        wide = [access for access in accesses if ".v4." in access]
        if not wide:
            continue
        loads, stores = (sum(access.startswith(kind) for access in wide) for kind in ("ld", "st"))
        unrolled = {(times * pair[0], times * pair[1]): pair for pair in EXPECTED for times in (1, 2, 4)}
        if (loads, stores) in unrolled:
            found.add(unrolled[loads, stores])
        else:
            wrong.append(f"a loop loads {loads} arrays and stores {stores}: none is meant to")
        wrong += [f"beside 16-byte accesses: {access}" for access in accesses if access not in wide]
wrong += [] if of_any_type else ["no pass of any types"]
wrong += [f"no loop loads {loads} arrays and stores {stores}" for loads, stores in EXPECTED - found]
print("\n".join(wrong) or "every array once")
sys.exit(bool(wrong))
