#!/usr/bin/env python3
"""Counts what `meson test` saw.  tally.py NAME=FOLDER=BUILD_STATUS…

A doctest case and a TAP line count one each, any other test one. What is missing (a build, a summary, a test that
never ran) counts as failed. The last line is `N passed, N failed`.
"""
import json
import pathlib
import re
import sys

DOCTEST = re.compile(r"^\[doctest\] test cases:\s*(\d+) \|\s*(\d+) passed \|\s*(\d+) failed(?: \|\s*(\d+) skipped)?", re.M)


def count(test):
    """(passed, failed) of one test."""
    good = test["result"] in ("OK", "EXPECTEDFAIL")
    said = test.get("stdout", "")
    if test["result"] == "SKIP":
        return 0, 0
    if ":doctest" in test["name"] or "[doctest]" in said:
        summary = DOCTEST.search(said)
        passed, failed = (int(n) for n in summary.groups()[1:3]) if summary else (0, 0)
        good = good and passed + failed > 0  # a unit that runs nothing tests nothing
    elif re.search(r"^1\.\.\d+", said, re.M):
        passed = len(re.findall(r"^ok ", said, re.M))
        failed = len(re.findall(r"^not ok ", said, re.M))
    else:
        return int(good), int(not good)
    return passed, failed if good or failed else 1  # died after its last word, or before its first


def read(folder):
    log = folder / "meson-logs/testlog.json"
    tests = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    plan = folder / "meson-info/intro-tests.json"
    planned = len(json.loads(plan.read_text())) if plan.exists() else 1
    return tests, planned


total_passed = total_failed = 0
for argument in sys.argv[1:]:
    name, folder, status = argument.split("=")
    tests, planned = read(pathlib.Path(folder))
    passed = failed = 0
    skipped, notes = [], []
    if status != "0":
        failed += 1
        notes.append("the build failed")
    if len(tests) < max(planned, 1):
        failed += max(planned, 1) - len(tests)
        notes.append(f"{max(planned, 1) - len(tests)} never ran")
    for test in tests:
        p, f = count(test)
        passed, failed = passed + p, failed + f
        short_name = test["name"].split(" / ")[-1]
        if test["result"] == "SKIP":
            skipped.append(short_name)
        elif (summary := DOCTEST.search(test.get("stdout", ""))) and int(summary[4] or 0):
            skipped.append(f"{summary[4]} cases of {short_name}")
        if f:
            notes.append(f"{short_name}: {f} failed ({test['result'].lower()})")
    if skipped:
        notes.append(f"skipped: {', '.join(skipped)}")
    print(f"{name:<24}{passed:>6} passed {failed:>5} failed   {'; '.join(notes)}")
    total_passed += passed
    total_failed += failed

print(f"{total_passed} passed, {total_failed} failed")
sys.exit(bool(total_failed or not total_passed))
