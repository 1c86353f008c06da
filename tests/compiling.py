"""What compile_fail/run.py and headers.py share: ask the compiler about many small texts at once, answer in TAP."""
import concurrent.futures
import os
import re
import subprocess
import sys


def compiles(command, source=None, text=None):
    """(True or False, what the compiler said); a compiler that was killed counts as neither."""
    done = subprocess.run(command + ["-fsyntax-only", "-x", "c++", source or "-"],
                          input=text, stdin=subprocess.DEVNULL if text is None else None,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "LC_ALL": "C"})
    said = done.stdout
    if done.returncode not in (0, 1) or re.search("internal compiler error|signal terminated", said):
        return None, said
    return done.returncode == 0, said


def seeking_first(folders, command):
    """The command, which looks for includes in these folders before its own."""
    at = next(i for i, word in enumerate(command) if word.startswith("-"))
    return command[:at] + [f"-I{folder}" for folder in folders] + command[at:]


def report(names, check):
    """check(name) gives None where all is well, else what is wrong. The exit status is for `sys.exit`."""
    print(f"1..{len(names)}", flush=True)
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (name, wrong) in enumerate(zip(names, pool.map(check, names)), 1):
            failures += wrong is not None
            print(f"{'ok' if wrong is None else 'not ok'} {number} - {name}")
            if wrong is not None:
                print(f"== {name}", *wrong.splitlines()[:40], sep="\n", file=sys.stderr)
    return 1 if failures else 0
