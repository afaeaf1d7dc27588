"""The claims on the benchmarks' page are those that the measured figures make."""

from __future__ import annotations

import runpy
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_the_claims_are_made_from_the_results():
    made = runpy.run_path(str(BENCHMARKS / "claims.py"), run_name="claims")
    readme = (BENCHMARKS / "README.md").read_text()
    assert made["with_claims"](readme) == readme, "run python benchmarks/claims.py"


def test_what_is_worse_is_listed_as_worse():
    made = runpy.run_path(str(BENCHMARKS / "claims.py"), run_name="claims")
    _, _, worse = made["text"]().partition("### Worse")
    worse, _, _ = worse.partition("### Targets")
    rows = [claim.row for claim in made["claims"]() if claim.own > claim.other]
    assert rows
    assert all(row in worse for row in rows)
