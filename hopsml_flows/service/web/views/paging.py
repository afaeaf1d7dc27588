"""The pages of a long table, and the order of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hopsml_flows.service.web.views.parameters import Parameters

__all__ = ["Pages", "SortLink", "sort_link"]


@dataclass(frozen=True, slots=True)
class Pages:
    """Which page of a table is shown.

    Args:
        number: Its number, from 1.
        rows: Rows per page.
        total: Rows of all pages.
        parameters: The page's address.

    Example:
        >>> pages = Pages(2, 20, 45, Parameters())
        >>> pages.first, pages.last, pages.count, pages.previous, pages.next
        (21, 40, 3, '?page=1', '?page=3')
    """

    number: int
    rows: int
    total: int
    parameters: Parameters

    @property
    def count(self) -> int:
        """Number of pages."""
        return max(1, -(-self.total // self.rows))

    @property
    def first(self) -> int:
        """Number of the first row."""
        return min(self.total, (self.number - 1) * self.rows + 1)

    @property
    def last(self) -> int:
        """Number of the last row."""
        return min(self.total, self.number * self.rows)

    @property
    def previous(self) -> str | None:
        """Address of the page before; None of the first."""
        return self._address(min(self.number - 1, self.count)) if self.number > 1 else None

    @property
    def next(self) -> str | None:
        """Address of the page after; None of the last."""
        return self._address(self.number + 1) if self.number < self.count else None

    @property
    def links(self) -> Iterator[tuple[int | None, str]]:
        """Numbers and addresses of the pages near this one; None stands for a gap."""
        near = {1, self.count, *range(self.number - 2, self.number + 3)}
        before = 0
        for number in sorted(n for n in near if 1 <= n <= self.count):
            if number - before > 1:
                yield None, ""
            yield number, self._address(number)
            before = number

    def _address(self, number: int) -> str:
        return self.parameters.changed(page=number)


@dataclass(frozen=True, slots=True)
class SortLink:
    """A heading that sorts by its column.

    Args:
        address: The page sorted by it; in the other direction if it is already.
        order: "ascending", "descending", or "none" if another column sorts.
    """

    address: str
    order: str


def sort_link(
    parameters: Parameters, column: str, now: str | None, *, descending: bool, first: str = "asc"
) -> SortLink:
    """Return the link of a column's heading.

    Args:
        parameters: The page's address.
        column: The column.
        now: The column that sorts now, or None.
        descending: Whether its largest value comes first.
        first: Direction of the first click: "asc" or "desc".
    """
    if column != now:
        return SortLink(parameters.changed(sort=column, order=first, page=None), "none")
    other = "asc" if descending else "desc"
    order = "descending" if descending else "ascending"
    return SortLink(parameters.changed(sort=column, order=other, page=None), order)
