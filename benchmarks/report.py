"""What the benchmarks write: where and with what they ran, tables in Markdown, JSON, a plot."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from environment import ROOT

_PACKAGES = (
    "hopsml-flows",
    "prefect",
    "prefect-dask",
    "dask",
    "distributed",
    "ray",
    "optuna",
)

_BAR = "#9db4c8"
_OWN_BAR = "#1f5f99"


def surroundings(directory: Path, packages: Sequence[str] = _PACKAGES) -> dict[str, Any]:
    """When, where and with what a benchmark runs.

    Args:
        directory: Where it writes its trials' files.
        packages: Whose versions matter.
    """
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu_model(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "file_system": _file_system(directory),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }


def surroundings_text(found: Mapping[str, Any]) -> str:
    """The same as two lines of Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    return (
        f"{found['date']}, commit {found['commit']}; {found['cores']} cores ({found['cpu']}), "
        f"{found['memory_gb']} GB, {found['system']}, trials' files on {found['file_system']}.\n"
        f"Python {found['python']}, {versions}.\n"
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [
        "| " + " | ".join(columns) + " |",
        "|" + "|".join(["---", *["---:"] * (len(columns) - 1)]) + "|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many significant digits; a dash where there is none."""
    if value is None:
        return "-"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}".rstrip(".")


def save(results: Path, name: str, markdown: str, data: Mapping[str, Any]) -> None:
    """Write the table and the figures."""
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{name}.md").write_text(markdown)
    (results / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")


def plot(path: Path, bars: Sequence[tuple[str, float]], own: set[str]) -> None:
    """Draw milliseconds per trial as horizontal bars on a logarithmic scale.

    Args:
        path: The picture.
        bars: Labels and values.
        own: Labels of this project's bars.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    ordered = sorted(bars, key=lambda bar: bar[1], reverse=True)
    labels = [label for label, _ in ordered]
    values = [value for _, value in ordered]
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(bars) + 1.2), layout="constrained")
    drawn = axes.barh(labels, values, color=[_OWN_BAR if name in own else _BAR for name in labels])
    axes.bar_label(drawn, [f"{number(value)} ms" for value in values], padding=4)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlim(min(values) / 3, max(values) * 5)
    axes.set_xlabel("milliseconds per no-op trial (logarithmic; less is better)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _file_system(directory: Path) -> str:
    lines = _command("df", "--output=fstype", str(directory)).splitlines()
    return lines[-1] if lines else "an unknown file system"


def _commit() -> str:
    commit = _command("git", "rev-parse", "--short", "HEAD")
    if not commit:
        return "unknown"
    changed = _command("git", "status", "--porcelain", "--", "hopsml_flows", "tasks")
    return f"{commit} with changes" if changed else commit


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown"


def _command(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
