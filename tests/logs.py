"""Reading a trial's log."""

from __future__ import annotations

import re
from itertools import takewhile

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(?: (.*))?")
_BANNER = re.compile(r"(worker \S+ )?on \S+: [\d.]+ CPU cores?, .*(GPUs?|share)")


def printed(log: str) -> list[str]:
    """What a trial of one attempt printed, line by line, without time stamps.

    All lines have a stamp, and the first is the banner, or this fails.
    """
    texts = []
    for line in log.splitlines():
        match = _STAMP.fullmatch(line)
        assert match, f"no stamp: {line!r}"
        texts.append(match[1] or "")
    assert _BANNER.fullmatch(texts[0]), f"no banner: {texts[0]!r}"
    gpus = list(takewhile(lambda text: text.startswith("GPUs: "), texts[1:2]))
    return texts[1 + len(gpus) :]


def without_log(outputs):
    """What a training function returned, of outputs that have the path of the trial's log."""
    assert outputs["log"].endswith("output.log")
    return {name: value for name, value in outputs.items() if name != "log"}
