"""Says in one line that a search space has fewer points than a search asks for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PointsWanted"]


@dataclass(frozen=True, slots=True)
class PointsWanted:
    """How many different configurations a search asks for.

    Args:
        asked: The arguments that ask for them, as the user would write them: "samples=10".
        count: How many that are.
        distinct: How many the space has; None for a continuum.
        may_end_early: Whether the search may end for other reasons before it has them all.
    """

    asked: str
    count: int
    distinct: int | None
    may_end_early: bool = False

    @property
    def shortage(self) -> str | None:
        """The line for the beginning of an experiment whose space has too few; else None."""
        if self.distinct is None or self.distinct >= self.count:
            return None
        return (
            f"The search space has only {_points(self.distinct)}, and {self.asked} asks for "
            f"{self.count}: {_trials(self.distinct)} will run"
        )

    def shortfall(self, found: int) -> str | None:
        """The line for the end of an experiment that found too few; else None.

        None also if :attr:`shortage` has said it already.

        Args:
            found: How many different configurations the search has found.
        """
        expected = self.count if self.distinct is None else min(self.count, self.distinct)
        if self.may_end_early or found >= expected:
            return None
        return (
            f"The search found only {_points(found)} in its space, and {self.asked} asks for "
            f"{self.count}"
        )


def _points(count: int) -> str:
    return "1 point" if count == 1 else f"{count} different points"


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count} trials"
