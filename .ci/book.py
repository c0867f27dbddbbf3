"""Preprocessor of mdbook: puts the pages of gatewayc/docs and of the top of the repository into the book, and turns links
to what is not in the book into text, or into links to the repository where book.toml names it.

In the repository all of them are links between files. There is one copy of each page.
"""

import json
import posixpath
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIAGNOSTICS = "gatewayc/docs"
# Pages outside of docs/, with their places in the book.
OTHERS = {
    "README.md": "repository/overview.md",
    "CHANGELOG.md": "repository/changelog.md",
    "SECURITY.md": "repository/security.md",
    "ARCHITECTURE.md": "repository/architecture.md",
    "CONTRIBUTING.md": "repository/contributing.md",
    "deploy/README.md": "repository/deploying.md",
}
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)


def in_book(path):
    """Where a file of the repository is in the book, or nothing."""
    if path.startswith("docs/") and path.endswith(".md"):
        return path.removeprefix("docs/")
    if posixpath.dirname(path) == DIAGNOSTICS:
        return "diagnostics/" + posixpath.basename(path)
    return OTHERS.get(path)


def rewritten(text, source, place, repository):
    """The text of a page, for its place in the book; `source` is its file in the repository."""

    def link(match):
        label, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match.group()
        path, _, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        found = in_book(path)
        if found is None and path.startswith("docs/"):
            return match.group()
        if found is None:
            return f"[{label}]({repository}/blob/HEAD/{path})" if repository else label
        relative = posixpath.relpath(found, posixpath.dirname(place) or ".")
        return f"[{label}]({relative}{'#' + anchor if anchor else ''})"

    pieces = FENCE.split(text)
    return "".join(piece if FENCE.fullmatch(piece) else LINK.sub(link, piece) for piece in pieces)


def chapter(source, place, number, parents, repository):
    text = (ROOT / source).read_text()
    title = text.partition("\n")[0].lstrip("# ")
    return {
        "Chapter": {
            "name": title,
            "content": rewritten(text, source, place, repository),
            "number": number,
            "sub_items": [],
            "path": place,
            "source_path": place,
            "parent_names": parents,
        }
    }


def visit(items, repository):
    for item in items:
        page = item.get("Chapter") if isinstance(item, dict) else None
        if page is None:
            continue
        if page["source_path"]:
            source = "docs/" + page["source_path"]
            page["content"] = rewritten(page["content"], source, page["path"], repository)
            if source == "docs/diagnostics.md":
                codes = sorted(path.name for path in (ROOT / DIAGNOSTICS).glob("GW*.md"))
                page["sub_items"] = [
                    chapter(
                        f"{DIAGNOSTICS}/{name}",
                        f"diagnostics/{name}",
                        [*page["number"], index],
                        [page["name"]],
                        repository,
                    )
                    for index, name in enumerate(codes, start=1)
                ]
        else:
            visit(page["sub_items"], repository)


def main():
    if sys.argv[1:2] == ["supports"]:
        return
    context, book = json.load(sys.stdin)
    repository = context["config"].get("output", {}).get("html", {}).get("git-repository-url", "").rstrip("/")
    items = book["items" if "items" in book else "sections"]
    visit(items, repository)
    items.append({"PartTitle": "The repository"})
    items += [chapter(source, place, None, [], repository) for source, place in OTHERS.items()]
    json.dump(book, sys.stdout)


main()
