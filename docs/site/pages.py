#!/usr/bin/env python3
"""Lays the pages out for the site, and checks their links.

    pages.py FOLDER    README.md, CHANGELOG.md, CONTRIBUTING.md and docs/ as the pages of the site
    pages.py --check   every page is in the navigation of mkdocs.yml, and every link of a page leads somewhere

A link to a file that is no page becomes a link to its text.
"""
import os
import pathlib
import re
import shutil
import sys
import xml.etree.ElementTree

root = pathlib.Path(__file__).resolve().parents[2]
at_top = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
written_by_the_build = {"api.md"}
LINK = re.compile(r"(?<!`)(!?\[[^][]*(?:\[[^]]*\][^][]*)*\])\(([^)\s]+)\)")


def sources():
    """page of the site -> its file."""
    pages = {path.name: path for path in sorted((root / "docs").glob("*.md"))}
    return pages | {page: root / file for file, page in at_top.items() if (root / file).exists()}


def without_code(text):
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", text, flags=re.S | re.M)


def anchors(text):
    """What a link may name of a page: its headings, as they are written in links."""
    headings = re.findall(r"^#+ +(.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M), re.M)
    plain = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).strip().lower() for heading in headings)
    return {re.sub(r" ", "-", re.sub(r"[^\w\- ]", "", heading)) for heading in plain}


def target_of(file, link):
    """The file and the anchor of a link; None where it leads out of the project."""
    if re.match(r"\w+:", link):
        return None
    path, _, anchor = link.partition("#")
    return (file.parent / path).resolve() if path else file, anchor


def check():
    pages, wrong = sources(), []
    named = set(re.findall(r"([\w.]+\.md)$", (root / "docs/site/mkdocs.yml").read_text(), re.M))
    wrong += [f"{pages[page].relative_to(root)}: not in the navigation of docs/site/mkdocs.yml" for page in pages.keys() - named]
    wrong += [f"docs/site/mkdocs.yml: there is no page {page}" for page in named - pages.keys() - written_by_the_build]
    for file in pages.values():
        for _, link in LINK.findall(without_code(file.read_text())):
            target = target_of(file, link)
            if target and not target[0].exists():
                wrong.append(f"{file.relative_to(root)}: there is no {link}")
            elif target and target[1] and target[0].suffix == ".md" and target[1] not in anchors(target[0].read_text()):
                wrong.append(f"{file.relative_to(root)}: {link}: there is no such heading")
    print("\n".join(sorted(wrong)) or f"{len(pages)} pages, and every link leads somewhere")
    return bool(wrong)


def as_text(folder, target):
    """The page's link to a file that is no page: a copy of its text, or a list of the folder's files."""
    name = target.relative_to(root)
    if target.is_dir():
        copy = folder / "source" / name / "files.md"
        files = [path for path in sorted(target.iterdir()) if not path.name.startswith((".", "__"))]
        lines = [f"# {name}", ""]
        for path in files:
            lines.append(f"* [{path.name}]({os.path.relpath(as_text(folder, path), copy.parent)})")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("\n".join(lines) + "\n")
        return copy
    is_picture = target.suffix in {".png", ".svg"}
    copy = folder / "source" / name.with_name(name.name + ("" if is_picture else ".txt"))
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(target, copy)
    return copy


def with_pictures(text):
    """The catalogue with what each section's transforms do, as gallery.py draws it."""
    from gallery import PICTURES
    for section, pictures in PICTURES.items():
        shown = "".join(f"![{says}](gallery/{file})\n\n" for file, _, says in pictures)
        text = text.replace(f"## {section}\n\n", f"## {section}\n\n{shown}")
    return text


def indented(text):
    """Lists as Python's Markdown wants them: what belongs to an item stands four columns to the right, not two."""
    return re.sub(r"^ {2,3}(?=\S)", "    ", text, flags=re.M)


def lay_out(folder):
    pages = sources()
    place = {file: page for page, file in pages.items()}
    for page, file in pages.items():
        def moved(match):
            text, link = match.groups()
            target = target_of(file, link)
            if not target:
                return match[0]
            path, anchor = target
            to = folder / place[path] if path in place else as_text(folder, path)
            if path in place and text == f"[{path.name}]":
                text = f"[{re.match('# (.*)', path.read_text())[1]}]"
            return f"{text}({os.path.relpath(to, folder)}{'#' + anchor if anchor else ''})"

        text = file.read_text()
        pieces = re.split(r"(^```.*?^```$)", text, flags=re.S | re.M)
        text = "".join(piece if piece.startswith("```") else LINK.sub(moved, indented(piece)) for piece in pieces)
        (folder / page).write_text(with_pictures(text) if page == "catalogue.md" else text)
    (folder / "api.md").write_text(api_page(folder))


def api_page(folder):
    """The public headers, each with its first line, and a link to what doxygen made of it."""
    lines = ["# API reference", "", "This page lists the headers. Each links to its reference, which doxygen makes from the "
             "comments. The reference has [a search of its own](api/index.html).", ""]
    made = {}
    for header in xml.etree.ElementTree.parse(folder.parent / "api/headers.xml").iterfind("compound[@kind='file']"):
        made[(header.findtext("path") or "") + header.findtext("name")] = header.findtext("filename")
    headers = {path.relative_to(root / top): path for top in ("include", "transforms") for path in (root / top).rglob("*.h*")}
    for part in sorted({path.parent for path in headers}, key=lambda part: (len(part.parts), part)):
        lines += [f"## {part}", "", "| header | what it has |", "|---|---|"]
        for path in sorted(path for path in headers if path.parent == part):
            first = re.match(r"(?://|/\*) *(.*)", headers[path].read_text())
            about = first[1].removeprefix(path.stem + ": ") if first else ""
            link = next((file for name, file in made.items() if name.endswith(str(path))), "index.html")
            link += "" if link.endswith(".html") else ".html"
            lines.append(f"| [`{path.name}`](api/{link}) | {about} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(check())
    target = pathlib.Path(sys.argv[1]).resolve()
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    lay_out(target)
