"""Loads a saved program for its training function, up to where it starts an experiment.

Many programs start their experiment at the top level, and a notebook's cells do. Importing such a
program would start it again. So its statements are executed one by one, until one starts an
experiment and the function is there. In a notebook, that is one of the cell executed last: the
experiment was started by it. A statement that starts another experiment does nothing; what fails
after it, since the result is missing, is left out.

What is under ``if __name__ == "__main__":`` was executed, too, in the script that was started. Its
statements are executed as if they stood at the top level.
"""

from __future__ import annotations
import __future__

import ast
import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

from hopsml_flows.errors import FunctionNotFoundError
from hopsml_flows.execution.function import LOADED_PREFIX, loading_for, starts_experiment
from hopsml_flows.user_warnings import warn

__all__ = ["cells_source", "load_source", "own_names"]

_CELL = "# In [{}]"
_MAGIC = re.compile(r"[%!?]|(\w+\s*=\s*)?[%\w.*\[\]-]+\?{1,2}\s*$")
"""The beginning of a line that only IPython understands, or all of it: ``name?`` shows help."""

_TIMING = ("%%time", "%%timeit", "%%capture", "%%prun")
"""Magics of a cell whose other lines are Python."""


def cells_source(cells: Iterable[str]) -> str:
    r"""Return executed cells as one Python source, without what only IPython understands.

    Args:
        cells: The cells, in the order in which they were executed. A line with a magic, and a cell
            that is no Python, become comments.

    Example:
        >>> print(cells_source(["%matplotlib inline\nx = 1", "x = = 2", "y = x"]))
        # In [1]
        pass  # %matplotlib inline
        x = 1
        <BLANKLINE>
        # In [2]
        # x = = 2
        <BLANKLINE>
        # In [3]
        y = x
        <BLANKLINE>
    """
    parts = [
        f"{_CELL.format(number)}\n{_python(cell)}\n" for number, cell in enumerate(cells, start=1)
    ]
    return "\n".join(parts)


def _python(cell: str) -> str:
    lines = cell.splitlines()
    if lines and lines[0].startswith("%%"):
        if not lines[0].startswith(_TIMING):
            return _commented(lines)
        lines[0] = f"# {lines[0]}"
    for _ in range(len(lines) + 1):
        wrong = _wrong_line("\n".join(lines))
        if wrong is None:
            return "\n".join(lines)
        # What Python understands stays: "%" begins a line of a sum as well, and of a text.
        if not _leave_out(lines, wrong):
            break
    return _commented(cell.splitlines())


def _wrong_line(source: str) -> int | None:
    """The line at which Python stops to understand a source, from 0; None if it understands it."""
    try:
        ast.parse(source)
    except SyntaxError as error:
        return (error.lineno or 0) - 1
    except (ValueError, RecursionError):
        return -1
    return None


def _leave_out(lines: list[str], place: int) -> bool:
    """Make a line with a magic a comment, and those that continue it; False if it has none."""
    if not 0 <= place < len(lines):
        return False
    line = lines[place]
    bare = line.lstrip()
    if not _MAGIC.match(bare):
        return False
    lines[place] = f"{line[: len(line) - len(bare)]}pass  # {bare}"
    while line.endswith("\\") and place + 1 < len(lines):
        place += 1
        line = lines[place]
        lines[place] = f"# {line}"
    return True


def _commented(lines: Sequence[str]) -> str:
    return "\n".join(f"# {line}" for line in lines)


def own_names(source: str | bytes) -> set[str]:
    r"""Return the names that a source defines at its top level; none if it is no Python.

    Args:
        source: The source.

    Example:
        >>> sorted(own_names("import os\ndef f(): pass\ng = f\nclass C: pass"))
        ['C', 'f', 'g']
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def load_source(
    text: str, path: Path, *, is_notebook: bool = False, is_main: bool = False
) -> ModuleType:
    """Return a module made of a saved program's file.

    Args:
        text: The import string of the training function, for errors.
        path: The file.
        is_notebook: Whether it was made by :func:`cells_source`: a cell that fails ends, as it did
            in the notebook, and the next one begins.
        is_main: Whether it was the program that was started.

    Raises:
        FunctionNotFoundError: It is no Python, or raised something before it started an experiment.
    """
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"{LOADED_PREFIX}{path.stem}_{digest}"
    source = path.read_bytes()
    try:
        tree = ast.parse(source, str(path))
    except (SyntaxError, ValueError, RecursionError) as error:
        problem = f"the saved program {path.name!r} is no Python ({error})"
        raise FunctionNotFoundError("train", text, because=problem) from error
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with loading_for(text):
            found = _statements(tree, source, is_notebook=is_notebook, is_main=is_main)
            statements = [*found]
            _execute(text, module, statements, path)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement at the top level.

    Args:
        node: The statement.
        cell: Number of the cell that it is in; None in a script.
        flags: What the source's imports from ``__future__`` switch on.
        is_guarded: Whether it is under ``if __name__ == "__main__":``.
    """

    node: ast.stmt
    cell: int | None
    flags: int
    is_guarded: bool

    def code(self, path: Path) -> CodeType:
        """Compile it."""
        module = ast.Module([self.node], [])
        code: CodeType = compile(module, str(path), "exec", flags=self.flags, dont_inherit=True)
        return code


def _statements(
    tree: ast.Module, source: bytes, *, is_notebook: bool, is_main: bool
) -> Iterator[_Statement]:
    starts = [
        number
        for number, line in enumerate(source.decode(errors="replace").splitlines(), start=1)
        if line.startswith(_CELL.partition("{")[0])
    ]
    flags = 0
    for node, is_guarded in _executed(tree.body, is_main=is_main):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                flags |= getattr(__future__, alias.name).compiler_flag
        cell = sum(start <= node.lineno for start in starts) if is_notebook else None
        yield _Statement(node, cell, flags, is_guarded)


def _executed(body: Sequence[ast.stmt], *, is_main: bool) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield statements, those of a guard one by one, and whether they are under a guard."""
    for node in body:
        if is_main and isinstance(node, ast.If) and _is_guard(node.test):
            yield from ((inner, True) for inner, _ in _executed(node.body, is_main=True))
        else:
            yield node, False


def _is_guard(test: ast.expr) -> bool:
    """Whether a condition is ``__name__ == "__main__"``, either way round."""
    return ast.unparse(test) in ("__name__ == '__main__'", "'__main__' == __name__")


def _execute(text: str, module: ModuleType, statements: Sequence[_Statement], path: Path) -> None:
    function = text.rpartition(":")[2].partition(".")[0]
    last = statements[-1].cell if statements else None
    started = False
    failed: int | None = None
    for statement in statements:
        if failed is not None and statement.cell == failed:
            continue
        try:
            exec(statement.code(path), vars(module))
        except (Exception, SystemExit) as error:
            if starts_experiment(error):
                if statement.cell == last and hasattr(module, function):
                    return
                started = True
            elif statement.cell is not None:
                failed = statement.cell
            elif statement.is_guarded and not started and hasattr(module, function):
                # Such as a script whose arguments are missing now.
                warn(
                    f"the saved program {path.name!r} raised {type(error).__name__}: {error} under "
                    'if __name__ == "__main__": what it defines there is missing'
                )
                return
            elif not started:
                problem = f"running its saved program raised {type(error).__name__}: {error}"
                raise FunctionNotFoundError("train", text, because=problem) from error
