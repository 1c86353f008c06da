#!/usr/bin/env python3
"""docs/claims/differences.py FILE KEY: the mean validation loss of each optimizer in a race's CSV, and KEY minus each
of the others, seed by seed, with 95 % intervals by Student's t. All at the steps that are 10, 25, 50 and 100 % of the budget."""
import csv
import math
import statistics
import sys

marks = 10, 25, 50, 100
student_t = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}  # by degrees of freedom
path, ours = sys.argv[1:]
losses = {}  # by optimizer, step and seed
with open(path) as file:
    for row in csv.DictReader(file):
        if row["metric"] == "validation_loss":
            losses.setdefault(row["optimizer"], {}).setdefault(int(row["step"]), {})[row["seed"]] = float(row["value"])
last = max(max(steps) for steps in losses.values())
steps = [mark * last // 100 for mark in marks]


def interval(sample):
    mean = statistics.mean(sample)
    if len(sample) < 2:
        return f"{mean:+.3f}"
    half = student_t[len(sample) - 1] * statistics.stdev(sample) / math.sqrt(len(sample))
    return f"{mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}]"


def row(name, cells):
    print("| " + " | ".join([name, *cells]) + " |")


def head(title):
    row(title, [f"{mark} %" for mark in marks])
    print("|:--" + "|--:" * len(marks) + "|")


head("validation loss")
for name, of in losses.items():
    row(name, [f"{statistics.mean(of[step].values()):.3f}" for step in steps])
print()
head(f"{ours} minus")
for name, of in losses.items():
    if name != ours:
        seeds = of[last].keys() & losses[ours][last].keys()
        row(name, [interval([losses[ours][step][seed] - of[step][seed] for seed in sorted(seeds)]) for step in steps])
