#!/usr/bin/env python3
"""docs/claims/differences.py FILE KEY: the mean validation loss of each optimizer in a race's CSV, and KEY minus each
of the others, seed by seed, with 95 % intervals by Student's t. All at the steps that are 10, 25, 50 and 100 % of the budget.

docs/claims/differences.py FILE --planned OTHER: each optimizer of FILE after as many steps as the run in OTHER has, minus the
end of that run."""
import csv
import math
import statistics
import sys

marks = 10, 25, 50, 100
student_t = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}  # by degrees of freedom


def losses_of(path):
    """By optimizer, step and seed."""
    losses = {}
    with open(path) as file:
        for row in csv.DictReader(file):
            if row["metric"] == "validation_loss":
                losses.setdefault(row["optimizer"], {}).setdefault(int(row["step"]), {})[row["seed"]] = float(row["value"])
    return losses


def interval(sample):
    mean = statistics.mean(sample)
    if len(sample) < 2:
        return f"{mean:+.3f}"
    half = student_t[len(sample) - 1] * statistics.stdev(sample) / math.sqrt(len(sample))
    return f"{mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}]"


def differences(ours, theirs):
    return interval([ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())])


def row(name, cells):
    print("| " + " | ".join([name, *cells]) + " |")


def head(title, columns):
    row(title, columns)
    print("|:--" + "|--:" * len(columns) + "|")


losses = losses_of(sys.argv[1])
if sys.argv[2] == "--planned":
    planned, = losses_of(sys.argv[3]).values()
    end = max(planned)
    head("validation loss minus that of the run planned", [f"for {end} steps"])
    for name, of in losses.items():
        row(name, [differences(of[end], planned[end])])
    sys.exit()
ours = sys.argv[2]
last = max(max(steps) for steps in losses.values())
steps = [mark * last // 100 for mark in marks]
head("validation loss", [f"{mark} %" for mark in marks])
for name, of in losses.items():
    row(name, [f"{statistics.mean(of[step].values()):.3f}" for step in steps])
print()
head(f"{ours} minus", [f"{mark} %" for mark in marks])
for name, of in losses.items():
    if name != ours:
        row(name, [differences(losses[ours][step], of[step]) for step in steps])
