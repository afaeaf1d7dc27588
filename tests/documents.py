"""The pages of the documentation, and the blocks of code and commands that they show.

A block is what a fence of three backticks holds. Its language says what a test does with it:

======================  =====================================================================
``python``              runs; a page's blocks run one after the other, as one program
``sh``                  runs in bash; its directory and exported variables last to the page's end
``console``             lines after ``$`` run, and print the lines between them
``yaml toml json``      can be parsed
anything else           nothing; so do directives, such as ``{eval-rst}``
======================  =====================================================================

A comment in the line before the fence (of MyST, ``% test: …``, or of HTML, ``<!-- test: … -->``)
says what else holds:

======================  =====================================================================
``fragment``            Python is compiled only; commands are looked up only; data is not parsed
``needs=MODULE``        the page is skipped, with the reason, where the module is not installed
``server=NAME``         the page needs a server: a fixture of ``tests/integration/test_docs_run.py``
``error=CLASS``         the block ends with this error
``file=NAME``           the block is a file of this name, beside the page's program
``until=TEXT``          the command runs until it has printed this, and on, to the page's end
``answers=URL``         the command runs until this URL answers, and on, to the page's end
``output``              a block of text: what the page has printed; ``…`` stands for anything
======================  =====================================================================
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]

DOCS = ROOT / "docs"

_OPENING = re.compile(r"(?P<indent> *)(?P<fence>`{3,})(?P<info>[^`]*)$")
_DIRECTIVE = re.compile(r"\s*(?:% test:(?P<myst>.*)|<!-- test:(?P<html>.*)-->)\s*$")
_WORDS = {"fragment", "output"}
_KEYS = {"needs", "server", "error", "file", "until", "answers"}

RUN = ("python", "sh", "console")
"""Languages that run."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a page.

    Args:
        page: The page's file.
        line: Line number of its first line of code.
        language: What stands after the fence; empty where nothing does.
        code: What the fence holds.
        said: What the comment before it says: words, and values by their keys.
    """

    page: Path
    line: int
    language: str
    code: str
    said: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether it is code that a test runs."""
        return self.language in RUN and not self.said.keys() & {"fragment", "file"}

    @property
    def script(self) -> str:
        """What runs: all of it, or of a session in a terminal what stands after ``$``."""
        if self.language != "console":
            return self.code
        return "".join(f"{line[2:]}\n" for line in self.code.splitlines() if line[:2] == "$ ")

    @property
    def printed(self) -> str | None:
        """What it says that is printed; None if it says nothing of that."""
        if "output" in self.said:
            return self.code
        if self.language == "console":
            return "".join(f"{line}\n" for line in self.code.splitlines() if line[:2] != "$ ")
        return None

    def commands(self) -> list[str]:
        """Its command lines, without comments; those that continue are joined."""
        lines = self.script.replace("\\\n", " ").splitlines()
        return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def pages() -> list[Path]:
    """The pages: README.md, the walk-through of deployments, and all of ``docs``."""
    return [ROOT / "README.md", ROOT / "deployments" / "README.md", *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page.

    Args:
        page: Its file.

    Raises:
        ValueError: A comment says what is not known, or a fence has no end.
    """
    return list(_scan(page, page.read_text(encoding="utf-8").splitlines()))


def _scan(page: Path, lines: list[str]) -> Iterator[Block]:
    numbered: Iterable[tuple[int, str]] = iter(list(enumerate(lines, 1)))
    before = ""
    for number, line in numbered:
        if (opening := _OPENING.match(line)) is None:
            before = line
            continue
        indent, fence = opening["indent"], opening["fence"]
        code: list[str] = []
        for _, inner in numbered:
            if inner.strip() == fence:
                break
            code.append(inner.removeprefix(indent))
        else:
            raise ValueError(f"{page}:{number}: a fence without an end")
        said = _said(before, f"{page}:{number}")
        before = ""
        text = "".join(f"{inner}\n" for inner in code)
        yield Block(page, number + 1, opening["info"].strip(), text, said)


def _said(comment: str, place: str) -> dict[str, str]:
    found = _DIRECTIVE.match(comment)
    if found is None:
        return {}
    said = {}
    for word in shlex.split(found["myst"] or found["html"] or ""):
        key, equals, value = word.partition("=")
        if key not in (_KEYS if equals else _WORDS):
            raise ValueError(f"{place}: the comment before a block says {word!r}")
        said[key] = value
    return said
