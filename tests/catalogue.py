#!/usr/bin/env python3
"""docs/catalogue.md names every transform and recipe, states them as the headers do, and names nothing else."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
text = (root / "docs/catalogue.md").read_text()
headers = {path.stem: path.read_text() for path in (root / "transforms/thalweg/transforms").glob("*.hpp")}
recipes = {path.stem for path in (root / "transforms/thalweg/recipes").glob("*.hpp")}
rows = {name: [cell.strip() for cell in line.split("|")[2:6]]
        for line in text.splitlines() if (name := "".join(re.findall(r"^\| `(\w+)` \|", line)))}

wrong = [f"{name}: not in the catalogue" for name in sorted(headers.keys() - rows.keys())]
wrong += [f"{name}: no such header" for name in sorted(rows.keys() - headers.keys() - {"apply_update"})]
wrong += [f"{name}: twice" for name in rows if len(re.findall(rf"^\| `{name}` \|", text, re.M)) > 1]
for name in sorted(rows.keys() & headers.keys()):
    declared = re.findall(r'\b(?:zeros|copy_of_param|filled|shaped|rows|columns|\w+_by_\w+|scalar)<"(\w+)"', headers[name])
    said = re.findall(r"`(\w+)`", rows[name][1])
    if "the same" not in rows[name][1] and "its chains'" not in rows[name][1] and said != declared:
        wrong.append(f"{name}: the catalogue says the states {said}, the header {declared}")

listed = set(re.findall(r"`(\w+)`", text[text.index("## Recipes"):]))
wrong += [f"recipe {name}: not in the catalogue" for name in sorted(recipes - listed)]
wrong += [f"recipe {name}: no such header" for name in sorted(listed - recipes)]
print("\n".join(wrong) or f"{len(headers)} transforms and {len(recipes)} recipes, as catalogued")
sys.exit(bool(wrong))
