"""The prose of the packages and documents avoids the words that the house rules ban."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BANNED = re.compile(
    r"\banew\b|\bfor ever\b|\bnobody\b|\bsomebody\b"
    r"|\b(?:one|once) an? (?:worker|core|gpu|session)\b",
    re.IGNORECASE,
)


def _texts() -> list[Path]:
    folders = ("hopsml_flows", "tasks", "docs")
    found = [p for d in folders for s in ("*.py", "*.md") for p in (ROOT / d).rglob(s)]
    return sorted([*found, *(ROOT / n for n in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))])


def test_prose_has_no_banned_words() -> None:
    hits = [
        f"{path.relative_to(ROOT)}:{number}: {match.group()}"
        for path in _texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in BANNED.finditer(line)
    ]
    assert not hits, "\n".join(hits)
