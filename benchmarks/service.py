"""How fast the pages of many experiments are, from local disk and from HDFS.

``.venv/bin/python benchmarks/service.py`` writes a project, serves it by ``hopsml ui``, and asks
for its pages; Chromium draws its plots. Other pages get the same experiments and are asked for the
same. README.md says what is measured.
"""

from __future__ import annotations

import argparse
import gzip
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import report
from environment import RESULTS, ROOT, programs_of_pages, versions_of_pages

sys.path.insert(0, str(ROOT))

from pages import beside, peers
from pages.asked import milliseconds, own_server
from pages.written import write_experiment, write_project

from hopsml_flows.service import ExperimentIndex
from hopsml_flows.service.web.standalone import standalone_page
from hopsml_flows.storage import Project
from hopsml_flows.storage.content_version import DOUBT_SECONDS
from tests.servers import fetch
from tests.servers.hdfs import HdfsServer

PACKAGES = ("hopsml-flows", "starlette", "jinja2", "uvicorn", "playwright")

MANY = 50_000
SOME = 1_000
PAGES = ("project", "optuna-dashboard", "tensorboard", "mlflow")
_IDLE_SECONDS = 60.0
_KINDS = ("median", "95th", "processor")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=50, help="of each experiment")
    parser.add_argument("--many", type=int, default=MANY, help="trials of the largest experiment")
    parser.add_argument("--repeats", type=int, default=60, help="requests of each page")
    parser.add_argument("--no-hdfs", action="store_true", help="only the local disk")
    parser.add_argument(
        "--hdfs-seconds",
        type=float,
        default=480,
        help="when to begin no more experiments on HDFS; the results say how many there are",
    )
    parser.add_argument(
        "--pages",
        nargs="*",
        choices=PAGES,
        default=PAGES,
        help="pages to compare side by side; none for no comparison",
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=int,
        default=[100, SOME, 10_000],
        help="trials of the experiments by which pages are compared",
    )
    parser.add_argument(
        "--limit", type=float, default=60, help="seconds after which a compared page is given up"
    )
    parser.add_argument(
        "--openings", type=int, default=3, help="how often a browser opens a compared page"
    )
    parser.add_argument("--only-pages", action="store_true", help="the comparison alone")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hopsml-service-") as directory:
        scratch = Path(directory)
        if not given.only_pages:
            _measure_own(scratch, given)
        if given.pages:
            _measure_side_by_side(scratch, given)
    return 0


def _measure_own(scratch: Path, given: argparse.Namespace) -> None:
    around = report.surroundings(scratch, PACKAGES) | {"load": _load()}
    found: dict[str, Any] = {"assets_kb": _assets_bytes() / 1000}
    with _projects(scratch, hdfs=not given.no_hdfs) as projects:
        for place, project in projects.items():
            print(place, file=sys.stderr, flush=True)
            os.environ["HOPSML_CACHE"] = str(scratch / f"cache-{place}")
            found[place] = _measured(project, given, is_local=place == "local")
            _save_own(given, around | {"load_after": _load()}, found)


def _save_own(given: argparse.Namespace, around: dict[str, Any], found: dict[str, Any]) -> None:
    """After each place, for what comes later may fail."""
    text = f"# The Experiments service\n\n{_where(around)}\n"
    for place in _places(found):
        text += f"{place}: {found[place]['experiments']:,} experiments of {given.trials} trials. "
    text += f"Besides one of {SOME:,} and one of {given.many:,} in each place. "
    text += f"README.md says what is measured.\n\n{_tables(found)}"
    report.save(given.results, "service", text, {"surroundings": around, **found})
    print(text, flush=True)


def _measure_side_by_side(scratch: Path, given: argparse.Namespace) -> None:
    around = report.surroundings(scratch, PACKAGES) | {"load": _load()}
    around["versions"] |= versions_of_pages(peers.PACKAGES)
    text = ""
    for found in _side_by_side(scratch, given):  # after each page, for later ones may fail
        around["load_after"] = _load()
        text = f"# Pages side by side\n\n{_where(around)}\n"
        text += f"{given.experiments:,} experiments of {given.trials} trials, and those of the "
        text += "table. README.md says what is measured.\n\n"
        text += _pages_table(found, given.limit)
        facts = {"surroundings": around, "limit_s": given.limit, "pages": found}
        report.save(given.results, "service_pages", text, facts)
    print(text, flush=True)


def _where(around: Mapping[str, Any]) -> str:
    load, after = around["load"], around["load_after"]
    busy = f"Other work's load before it began: {load:.1f}; with its own, at its end: {after:.1f}."
    return f"{report.surroundings_text(around)}{busy}\n"


def _load() -> float:
    """Processes that ran or waited for a core, on average over five minutes."""
    return os.getloadavg()[1]


@contextmanager
def _projects(scratch: Path, *, hdfs: bool) -> Iterator[dict[str, Project]]:
    projects = {"local": Project(scratch / "project")}
    if not hdfs:
        yield projects
        return
    server = HdfsServer(scratch / "hdfs", fetch.hadoop_jars())
    os.environ["ARROW_LIBHDFS_DIR"] = str(fetch.libhdfs_directory())
    try:
        server.start()
        yield {**projects, "HDFS": Project(server.url("hopsfs"), {"replication": 1})}
    finally:
        server.stop()


def _measured(project: Project, given: argparse.Namespace, *, is_local: bool) -> dict[str, Any]:
    seconds = math.inf if is_local else given.hdfs_seconds
    written = write_project(project, given.experiments, given.trials, seconds)
    figures: dict[str, Any] = {"experiments": written, "cold_s": _seconds_of_refresh(project)}
    # What was written just before a look is looked at again, where times are of whole seconds.
    time.sleep(DOUBT_SECONDS)
    _seconds_of_refresh(project)
    figures["refresh_s"] = statistics.median(_seconds_of_refresh(project) for _ in range(5))
    some = write_experiment(project, given.experiments, SOME)
    many = write_experiment(project, given.experiments + 1, given.many)
    _seconds_of_refresh(project)
    at, at_many = f"/experiments/{some}", f"/experiments/{many}"
    paths = {
        "list": "/",
        "list, by name": "/?fold=1",
        "list, filtered and sorted": "/?q=search-1&user=ada&sort=metric",
        f"{SOME:,} trials: page": at,
        f"{SOME:,} trials: data of plots": f"{at}/plots.json",
        f"{given.many:,} trials: page": at_many,
        f"{given.many:,} trials: sorted": f"{at_many}?sort=params.dropout",
        f"{given.many:,} trials: filtered": f"{at_many}?where=layers>3 and dropout<0.3",
        f"{given.many:,} trials: filtered and sorted": (
            f"{at_many}?where=layers>3 and dropout<0.3&sort=outputs.loss"
        ),
        f"{given.many:,} trials: data of plots": f"{at_many}/plots.json",
    }
    with own_server(project.url, {}) as server:
        figures["pages_ms"] = milliseconds(server, paths, given.repeats)
        if is_local:
            figures |= _in_a_browser(server, at_many)
    if is_local:
        page = standalone_page(project, some, time.time())
        figures["html_mb_per_1000_trials"] = len(page.encode()) / 1e6 * 1000 / SOME
    return figures


def _seconds_of_refresh(project: Project) -> float:
    began = time.perf_counter()
    with ExperimentIndex(project) as index:
        index.refresh()
    return time.perf_counter() - began


def _in_a_browser(server: Any, at_many: str) -> dict[str, float]:
    """Seconds until plots are drawn, and the processor's share of a page that is left open."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(fetch.chromium()), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        drawn = []
        for _ in range(5):
            page.goto("about:blank")
            page.goto(f"{server.url}{at_many}/plots")
            page.wait_for_selector("#plots[data-drawn]")
            drawn.append(page.evaluate("performance.now()") / 1000)
        page.goto(f"{server.url}/")
        page.wait_for_selector("tbody tr")
        time.sleep(5)
        before = server.processor_seconds
        time.sleep(_IDLE_SECONDS)
        idle = (server.processor_seconds - before) / _IDLE_SECONDS
        browser.close()
    return {"plots_s": sorted(drawn)[len(drawn) // 2], "idle_share": idle}


def _side_by_side(scratch: Path, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What each page needs for its list, and for each large experiment; each time one more page."""
    programs = programs_of_pages()
    project = Project(scratch / "compared")
    os.environ["HOPSML_CACHE"] = str(scratch / "cache-compared")
    write_project(project, given.experiments, given.trials)
    large = dict(enumerate(given.sizes, given.experiments))
    for number, trials in large.items():
        write_experiment(project, number, trials)
    experiments = {**dict.fromkeys(range(given.experiments), given.trials), **large}
    limits = beside.Limits(given.limit, given.repeats, given.openings)
    found = {}
    known = peers.pages(project.url, programs, scratch, large)
    for name in given.pages:
        page = known[name]
        page.fill(experiments)
        found[name] = {"name": page.name, **beside.measured(page, large, limits)}
        yield found


def _pages_table(found: dict[str, Any], limit: float) -> str:
    """Answers of each page; a dash is what a page does not have, or did not manage in time."""
    keys = ("first_s", "median", "95th", "read_kb", "table_s", "plots_s")
    columns = ["page", "trials", "first, s", "median, ms", "95th, ms", "kB", "table, s", "plots, s"]
    rows = []
    for page in found.values():
        for entry in page["experiments"]:
            if entry["first_s"] is None:
                gave_up = [f"> {limit:g}", *["-"] * (len(keys) - 1)]
                rows.append([page["name"], f"{entry['trials']:,}", *gave_up])
                continue
            cells = [
                f"> {limit:g}" if entry.get(key, 0.0) is None else entry.get(key) for key in keys
            ]
            rows.append([page["name"], f"{entry['trials']:,}", *map(_cell, cells)])
    listed = [
        [page["name"], *(report.number(page["list"][key]) for key in keys[1:4])]
        for page in found.values()
        if page["list"] is not None
    ]
    of_lists = report.table(["list of experiments", *columns[3:6]], listed) if listed else ""
    return f"{of_lists}\n{report.table(columns, rows)}"


def _cell(value: float | str | None) -> str:
    return value if isinstance(value, str) else report.number(value)


def _assets_bytes() -> int:
    """All assets, each compressed."""
    files = (resources.files("hopsml_flows.service.web") / "assets").iterdir()
    return sum(len(gzip.compress(each.read_bytes())) for each in files if each.is_file())


def _places(found: Mapping[str, Any]) -> list[str]:
    return [place for place in ("local", "HDFS") if place in found]


def _tables(found: dict[str, Any]) -> str:
    places = _places(found)
    rows = []
    for name in found["local"]["pages_ms"]:
        cells = [found[place]["pages_ms"][name] for place in places]
        rows.append([name, *(report.number(c[k]) for c in cells for k in _KINDS)])
    columns = ["ms at the server", *(f"{p}, {k}" for p in places for k in _KINDS)]
    text = report.table(columns, rows)
    facts = [
        (f"{what}, {place}", found[place][key])
        for what, key in (("cold index, s", "cold_s"), ("refresh without news, s", "refresh_s"))
        for place in places
    ]
    local = found["local"]
    facts += [
        ("plots of the largest experiment in Chromium, s", local["plots_s"]),
        ("an open page, share of a core", local["idle_share"]),
        ("all assets, compressed, kB", found["assets_kb"]),
        ("`export --html`, MB per 1,000 trials", local["html_mb_per_1000_trials"]),
    ]
    return f"{text}\n{report.table(('', 'figure'), [[n, report.number(v)] for n, v in facts])}"


if __name__ == "__main__":
    sys.exit(main())
