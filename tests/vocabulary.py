#!/usr/bin/env python3
"""Every transform and recipe stands in its umbrella and its list, and can be named in a run-time chain, or there is a
reason why not."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
NOT_BY_NAME = {
    "tap": "takes a function of the user's",
    "tensorwise": "takes a function of the user's",
}


def headers(folder):
    return {path.stem for path in (root / "transforms/thalweg" / folder).glob("*.hpp")}


def umbrella(folder):
    return (root / "include/thalweg" / f"{folder}.hpp").read_text()


def included(folder):
    return set(re.findall(rf"#include <thalweg/{folder}/(\w+)\.hpp>", umbrella(folder)))


def listed(folder):
    return re.findall(r"\w+", re.search(r"\w+ = type_list<(.*?)>;", umbrella(folder), re.S)[1])


combinators = re.findall(r'combinator\{"(\w+)"', (root / "src/text/combinators.cpp").read_text())
transforms = listed("transforms") + combinators
recipes = listed("recipes")

wrong = [f"{name}: <thalweg/{folder}.hpp> does not include it" for folder in ("transforms", "recipes")
         for name in sorted(headers(folder) - included(folder))]
wrong += [f"{name}: listed twice" for name in sorted({n for n in transforms + recipes if (transforms + recipes).count(n) > 1})]
wrong += [f"{name}: no run-time chain can name it, and NOT_BY_NAME has no reason" for name in sorted(headers("transforms") - set(transforms) - NOT_BY_NAME.keys())]
wrong += [f"{name}: a run-time chain can name it: remove it from NOT_BY_NAME" for name in sorted(set(transforms) & NOT_BY_NAME.keys())]
wrong += [f"recipe {name}: <thalweg/recipes.hpp> does not list it" for name in sorted(headers("recipes") ^ set(recipes))]
print("\n".join(wrong) or f"{len(transforms)} transforms and {len(recipes)} recipes by name")
sys.exit(bool(wrong))
