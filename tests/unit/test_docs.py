"""The documentation is whole: pages are found, links lead somewhere, and what it names exists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from hopsml_flows.cli import app
from tests.documents import DOCS, ROOT, blocks, pages

README = ROOT / "README.md"
LINKED = [*pages(), *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md"))]
LINK = re.compile(r"(?<!`)\[[^\]\n]*(?:\n[^\]\n]*)?\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#{1,6}) +(.+?) *$")
LABEL = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)
FIELD = re.compile(r"^:link: (\S+)$", re.MULTILINE)
NAMED = re.compile(r"`((?:hopsml|make) [^`\n]+)`")


def prose(page):
    """The lines of a page that are not in a fence of backticks."""
    fenced = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield line


def anchors(page):
    """The anchors of a page's headings, as GitHub and MyST make them, and its labels."""
    found = set(LABEL.findall(page.read_text(encoding="utf-8")))
    for line in prose(page):
        if heading := HEADING.match(line):
            title = re.sub(r"[^\w\- ]", "", heading[2].lower()).replace(" ", "-")
            found.add(title)
    return found


def targets(page):
    """What a page links to: relative paths and anchors."""
    text = "\n".join(prose(page))
    for target in [*LINK.findall(text), *FIELD.findall(text)]:
        if not re.match(r"[a-z]+:", target):
            yield target


def toctrees(page):
    """The pages that a page's toctrees list."""
    for block in blocks(page):
        if block.language == "{toctree}":
            for line in block.code.splitlines():
                if line.strip() and not line.startswith(":"):
                    name = line.rpartition("<")[2].rstrip(">").strip()
                    yield (page.parent / name).with_suffix(".md").resolve()


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in targets(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() and file.with_suffix(".md").exists():
            file = file.with_suffix(".md")  # a card's link names the document
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def test_every_page_is_in_a_table_of_contents():
    found, left = set(), [DOCS / "index.md"]
    while left:
        page = left.pop()
        assert page.exists(), page
        assert page not in found, f"{page} is listed twice"
        found.add(page)
        left += toctrees(page)
    assert found == set(DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_of_data_can_be_parsed_and_code_can_be_compiled(page):
    parsers = {"yaml": yaml.safe_load, "toml": tomllib.loads, "json": json.loads}
    for block in blocks(page):
        if block.language == "python":
            compile(block.code, block.place, "exec")
        elif block.language in parsers and "fragment" not in block.said:
            parsers[block.language](block.code)
        else:
            assert block.language in {
                "", "sh", "console", "text", "mermaid", "bibtex", *parsers
            } or block.language.startswith("{"), block.place  # fmt: skip


def commands():
    """The commands of this project that pages name, with where."""
    for page in [*pages(), ROOT / "CONTRIBUTING.md"]:
        for block in blocks(page):
            if block.language in ("sh", "console"):
                yield from ((block.place, line.partition("#")[0]) for line in block.commands())
        yield from ((page.name, line) for line in NAMED.findall("\n".join(prose(page))))


@pytest.mark.parametrize("program", ["hopsml", "make"])
def test_commands_that_pages_name_exist(program):
    makefile = (ROOT / "Makefile").read_text()
    made = set(re.findall(r"^([\w-]+(?: [\w-]+)*):", makefile, re.MULTILINE))
    known = {name for names in made for name in names.split()}
    seen = 0
    for place, line in commands():
        words = line.split()
        while words and re.fullmatch(r"\w+=\S*", words[0]):  # variables before a command
            words.pop(0)
        if len(words) < 2 or words[0] != program:
            continue
        seen += 1
        if program == "make":
            named = [word for word in words[1:] if re.fullmatch(r"[\w-]+", word)]
            assert set(named) <= known | {"ID"}, (place, line)
        else:
            check_subcommand(place, words[1:])
    assert seen > 3


def check_subcommand(place, words, group=app):
    """A subcommand exists, and has the options that it is given."""
    if not words or words[0].isupper():  # as in `hopsml COMMAND --help`
        return
    if words[0].startswith("-"):
        assert words[0] in ("--help", "--version", "--install-completion"), (place, words)
        return
    assert words[0] in set(group), (place, words)
    if group[words[0]].default_command is None:  # it has subcommands of its own
        check_subcommand(place, words[1:], group[words[0]])
        return
    options = {
        name
        for argument in group[words[0]].assemble_argument_collection()
        for name in argument.names
    } | {"--help"}
    for word in words[1:]:
        if word.startswith("-"):
            assert word.partition("=")[0] in options, (place, words)


def test_the_readme_is_a_short_page():
    assert len(README.read_text().splitlines()) <= 120


def test_the_readmes_example_is_short_and_runs():
    examples = [block for block in blocks(README) if block.language == "python"]
    assert len(examples) == 1
    assert "fragment" not in examples[0].said  # tests/integration/test_docs_run.py runs it
    assert len(examples[0].code.splitlines()) <= 15


def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("furo", reason="the extra docs is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", str(DOCS),
         str(tmp_path / "site"), "-d", str(tmp_path / "doctrees")],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "index.html").exists()
