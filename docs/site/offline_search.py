#!/usr/bin/env python3
"""offline_search.py SITE: lets the search work where the site is read from a folder.

There a browser loads no other files by script. So the index and the program of the search go into one file, which every
page loads (theme/main.html).
"""
import json
import pathlib
import sys

site = pathlib.Path(sys.argv[1])
index = (site / "search/search_index.json").read_text()
program = next(site.glob("assets/javascripts/workers/search.*.min.js")).read_text()
(site / "search/offline.js").write_text(
    f'if (location.protocol === "file:") var __search = {{index: Promise.resolve({index}), '
    f'worker: URL.createObjectURL(new Blob([{json.dumps(program)}]))}};\n')
