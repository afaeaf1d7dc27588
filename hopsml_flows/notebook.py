"""Output of a notebook's cell that is updated in place. Elsewhere there is none.

IPython is used only where the user's kernel has imported it: no import of this package brings it.
"""

from __future__ import annotations

import sys
import uuid
from contextlib import suppress
from typing import Any

__all__ = ["CellOutput", "cell_output", "in_notebook"]

_KERNEL_SHELL = "ZMQInteractiveShell"
"""The shell of Jupyter's kernels; IPython in a terminal has another one."""

_handed_back: list[tuple[int, CellOutput]] = []
"""An output that its user needs no more, with the number of its cell's execution."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = _shell()
    return shell is not None and any(kind.__name__ == _KERNEL_SHELL for kind in type(shell).__mro__)


class CellOutput:
    """One output of the cell that runs. Showing something in it replaces what it showed.

    Outside of a notebook, nothing is shown.
    """

    def __init__(self) -> None:
        self._id = uuid.uuid4().hex
        self._is_shown = False

    def show(self, text: str, html: str) -> None:
        """Show something; a front end takes the form that it can show.

        Args:
            text: It as plain text.
            html: It as HTML.
        """
        if not in_notebook():
            return
        from IPython import display

        functions: Any = display
        put = functions.update_display if self._is_shown else functions.display
        self._is_shown = True
        with suppress(Exception):  # an experiment goes on when its front end has gone
            put({"text/plain": text, "text/html": html}, raw=True, display_id=self._id)

    def hand_back(self) -> None:
        """Clear the output, and let the next :func:`cell_output` of the same cell have it."""
        self.show("", "")
        _handed_back[:] = [(_execution(), self)]


def cell_output() -> CellOutput:
    """Return an output of the cell that runs: the one that was handed back there, or a new one."""
    kept = [output for execution, output in _handed_back if execution == _execution()]
    _handed_back.clear()
    return kept[0] if kept else CellOutput()


def _shell() -> Any:
    ipython: Any = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _execution() -> int:
    return int(getattr(_shell(), "execution_count", 0))
