#!/usr/bin/env python3
"""Every transform and recipe can be named in a run-time chain, or there is a reason why not."""
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


def text(file):
    return (root / "src/runtime" / file).read_text()


listed = re.search(r"all_transforms = type_list<(.*?)>;", text("transforms.hpp"), re.S)[1]
transforms = re.findall(r"\w+", listed) + re.findall(r'combinator\{"(\w+)"', text("combinators.cpp"))
recipes = re.findall(r'named_recipe\{"(\w+)"', text("recipes.cpp"))

wrong = [f"{name}: listed twice" for name in sorted({n for n in transforms + recipes if (transforms + recipes).count(n) > 1})]
wrong += [f"{name}: no run-time chain can name it" for name in sorted(headers("transforms") - set(transforms) - NOT_BY_NAME.keys())]
wrong += [f"{name}: can be named, for all that is said here" for name in sorted(set(transforms) & NOT_BY_NAME.keys())]
wrong += [f"recipe {name}: no run-time chain can name it" for name in sorted(headers("recipes") - set(recipes))]
print("\n".join(wrong) or f"{len(transforms)} transforms and {len(recipes)} recipes by name")
sys.exit(bool(wrong))
