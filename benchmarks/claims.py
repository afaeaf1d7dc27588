"""Writes the claims of README.md: what is better here, what is worse, which targets were met.

Run ``python benchmarks/claims.py`` after a benchmark. It reads ``results/*.json`` alone. Figures
are those of the tables: medians, or means over problems and seeds.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
README = HERE / "README.md"
BEGIN, END = "<!-- claims: made by claims.py -->\n", "<!-- end of claims -->\n"

SOURCES = {
    "overhead": "overhead.py",
    "scale": "scale.py",
    "start": "start.py",
    "optimizers": "optimizers.py",
    "asynchrony": "asynchrony.py",
    "optimizers_at_once": "optimizers.py",
    "isolation": "isolation.py",
    "distributed_training": "distributed_training.py",
    "storage": "storage.py",
    "service": "service.py",
    "service_pages": "service.py",
    "versions": "versions.py",
}
"""Names of the results, and the program that makes each."""


@dataclass(frozen=True, slots=True)
class Claim:
    """This project beside another one. Less is better.

    Args:
        what: What is measured, with its unit.
        peer: What it is compared with.
        own: This project's figure.
        other: The other one's.
        source: Name of the results.
        gave_up: Whether the other one was given up, after what then is its figure.
    """

    what: str
    peer: str
    own: float
    other: float
    source: str
    gave_up: bool = False

    @property
    def row(self) -> str:
        """Its line of the table."""
        more, less = ("> ", "< ") if self.gave_up else ("", "")
        cells = (self.what, figure(self.own), self.peer, f"{more}{figure(self.other)}")
        ratio = f"{less}{figure(self.own / self.other)}"
        return f"| {' | '.join(cells)} | {ratio} | {link(self.source)} |"


@dataclass(frozen=True, slots=True)
class Target:
    """What the project wants to reach.

    Args:
        what: What is measured, with its unit.
        most: The target.
        reached: The figure.
        source: Name of the results.
    """

    what: str
    most: float
    reached: float
    source: str

    @property
    def row(self) -> str:
        """Its line of the table."""
        met = "yes" if self.reached <= self.most else "**no**"
        return (
            f"| {self.what} | {self.most:g} | {figure(self.reached)} | {met} "
            f"| {link(self.source)} |"
        )


def figure(value: float) -> str:
    """Three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")


def link(source: str) -> str:
    """Where a figure comes from."""
    return f"[`{SOURCES[source]}`](results/{source}.md)"


@cache
def found(source: str) -> dict[str, Any]:
    """The figures of one benchmark."""
    return json.loads((HERE / "results" / f"{source}.json").read_text())


def starts() -> dict[str, dict[str, float]]:
    """Medians of the first experiments, by who started them."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in found("start")["firsts"]:
        for name, value in run.items():
            if isinstance(value, float):
                values[run["starter"]][name].append(value)
    return {
        starter: {name: statistics.median(all_) for name, all_ in named.items()}
        for starter, named in values.items()
    }


def seconds_of(command: str) -> float:
    """The median time of a command of ``start.py``."""
    runs = found("start")["commands"]
    return statistics.median(run["seconds"] for run in runs if run["command"] == f"`{command}`")


def claims() -> Iterator[Claim]:
    """All comparisons."""
    trial = found("overhead")["medians"]
    for peer, name in (
        ("prefect-dask", "prefect-dask"),
        ("ray-tune-reuse", "Ray Tune, reuse_actors"),
        ("optuna-sqlite", "Optuna, SQLite, one process"),
        ("optuna-journal", "Optuna, journal file, one process"),
        ("dask", "bare Dask"),
    ):
        own, other = trial["project"], trial[peer]
        what = "a no-op trial, ms"
        yield Claim(what, name, own["ms_per_trial"], other["ms_per_trial"], "overhead")
        if peer != "optuna-journal":  # it holds what Optuna with SQLite holds
            yield Claim("peak memory, MB", name, own["peak_mb"], other["peak_mb"], "overhead")
    own, other = trial["project-process"]["ms_per_trial"], trial["ray-tune"]["ms_per_trial"]
    yield Claim("a no-op trial in a process of its own, ms", "Ray Tune", own, other, "overhead")
    own, other = trial["runner"]["ms_per_trial"], trial["dask"]["ms_per_trial"]
    yield Claim("a no-op Prefect task by the runner alone, ms", "bare Dask", own, other, "overhead")
    own, other = trial["waits-server"], trial["waits-prefect-dask"]
    yield Claim(
        "from the call until a server of one's own has all, per trial, ms",
        "prefect-dask",
        own["server_has_all_ms"],
        other["server_has_all_ms"],
        "overhead",
    )

    first = starts()
    for peer, name in (
        ("prefect-dask", "prefect-dask with Prefect's temporary server"),
        ("ray-tune-reuse", "Ray Tune, reuse_actors"),
        ("dask", "bare Dask"),
        ("optuna-sqlite", "Optuna, SQLite, one process"),
    ):
        for column, what in (
            ("first_s", "first experiment of 4 trials, s"),
            ("second_s", "second experiment, s"),
            ("before_call_s", "start of the process to the call, s"),
        ):
            yield Claim(what, name, first["project"][column], first[peer][column], "start")
    what = "first experiment on a new Prefect home, s"
    own, other = first["project-new-home"]["first_s"], first["project"]["first_s"]
    yield Claim(what, "on a home with its database", own, other, "start")
    own, other = seconds_of("hopsml --help"), seconds_of("prefect --help")
    yield Claim("`--help` of the command, s", "`prefect`", own, other, "start")

    budgets = ("30", "300")
    for kind, column, what in (
        ("functions", "regret", "regret on functions after {} evaluations"),
        ("tables", "gap_percent", "gap on tables after {} evaluations, %"),
    ):
        quality = found("optimizers")[kind]["contenders"]
        for peer, name in (
            ("tpe-multivariate", "Optuna's TPE, multivariate"),
            ("scipy", "SciPy"),
            ("hopsml", "HopsML's rule"),
        ):
            for budget in budgets:
                own, other = quality["ours"][budget][column][0], quality[peer][budget][column][0]
                yield Claim(what.format(budget), name, own, other, "optimizers")
    functions = found("optimizers")["functions"]["contenders"]
    for peer, name in (("tpe-multivariate", "Optuna's TPE, multivariate"), ("scipy", "SciPy")):
        own, other = functions["ours"]["thinking_ms"], functions[peer]["thinking_ms"]
        yield Claim("a proposal, ms", name, own, other, "optimizers")

    yield from at_once()
    yield from asynchrony()
    yield from side_by_side()

    seconds = found("distributed_training")["seconds"]
    by_hand = statistics.median(seconds["by hand"])
    for name, what in (
        ("running cluster", "a running cluster"),
        ("own cluster", "its own cluster"),
    ):
        own = statistics.median(seconds[name])
        yield Claim(
            f"two TensorFlow processes until their first step, on {what}, s",
            "two processes started by hand",
            own,
            by_hand,
            "distributed_training",
        )


def at_once() -> Iterator[Claim]:
    """The asynchronous default beside Optuna's TPE and CatCMAwM, with as many running."""
    regret = {
        (entry["optimizer"], entry["running"], entry["evaluations"]): entry["mean"]
        for entry in found("optimizers_at_once")["regret"]
    }
    for (optimizer, running, evaluations), own in regret.items():
        for peer, name in (
            ("tpe", "Optuna's TPE, multivariate"),
            ("gp", "Optuna's GPSampler"),
            ("catcma", "cmaes' CatCMAwM"),
        ):
            other = regret.get((peer, running, evaluations))
            if optimizer == "evolution" and other is not None:
                what = f"regret on functions after {evaluations} evaluations, {running} at once"
                yield Claim(what, name, own, other, "optimizers_at_once")


def searches() -> dict[str, dict[str, float]]:
    """Medians of the asynchronous searches, by contender."""
    return {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for name, runs in found("asynchrony")["searches"].items()
    }


def asynchrony() -> Iterator[Claim]:
    """Asynchronous searches beside waves and peers."""
    taken = searches()
    for own, peer, name in (
        ("own-asynchronous", "own-waves", "waves of 8"),
        ("own-asynchronous", "ray-asynchronous", "Ray Tune, reuse_actors"),
        ("own-asynchronous", "optuna-asynchronous", "Optuna, 8 threads, SQLite"),
    ):
        what = "100 sleeping trials, 8 at once, s"
        yield Claim(what, name, taken[own]["wall_s"], taken[peer]["wall_s"], "asynchrony")
    for peer, name in (("ray-median", "Ray Tune"), ("optuna-median", "Optuna, 8 threads, SQLite")):
        own, other = taken["own-median"]["wall_s"], taken[peer]["wall_s"]
        yield Claim("the same with a median rule, s", name, own, other, "asynchrony")


def asynchrony_targets() -> Iterator[Target]:
    """What asynchronous search has to reach; what is to be large is given as its rest."""
    taken, single = searches(), found("asynchrony")["single"]
    waves, whole, median = (taken[f"own-{kind}"] for kind in ("waves", "asynchronous", "median"))
    source = "asynchrony"
    yield Target("idle share of workers, asynchronous", 0.06, 1 - whole["utilisation"], source)
    ratio = median["wall_s"] / waves["wall_s"]
    yield Target("asynchronous with the median rule ÷ waves, wall time", 0.45, ratio, source)
    ms = statistics.median(single["latency"]["ms"])
    yield Target("report to exception in the function, ms", 300, ms, source)
    plain, flood = single["flood-0"], single["flood-50"]
    share = (flood["driver_s"] - plain["driver_s"]) / single["flood_seconds"]
    yield Target("driver with 400 reports per second, share of a core", 0.3, share, source)
    yield Target("of these reports, lost", 0, flood["lost"], source)
    alone = single["report"]
    yield Target("a report costs a trial alone, µs", 50, alone["back_to_back_us"], source)
    what = "a report costs one of 8 trials on 2 cores that report 50 times per second, µs"
    yield Target(what, 50, flood["us_per_report"], source)
    yield Target("`hopsml replay` of 1,000 trials, s", 5, single["replay"]["seconds"], source)


def side_by_side() -> Iterator[Claim]:
    """The project's pages beside others, with the same trials."""
    results = found("service_pages")
    pages, limit = results["pages"], results["limit_s"]
    own = {entry["trials"]: entry for entry in pages["project"]["experiments"]}
    for key, page in pages.items():
        if key == "project":
            continue
        if page["list"] is not None:
            what = "answer with a page of the list of experiments, ms"
            mine = pages["project"]["list"]["median"]
            yield Claim(what, page["name"], mine, page["list"]["median"], "service_pages")
        for entry in page["experiments"]:
            for column, what, unit in (
                ("first_s", "start of the server until an answer has {} trials, s", 1),
                ("median", "answer with a page of {} trials, ms", 1000),
                ("table_s", "{} trials in Chromium until a table is seen, s", 1),
                ("plots_s", "{} trials in Chromium until plots are drawn, s", 1),
            ):
                mine = own[entry["trials"]].get(column)
                if column not in entry or mine is None:
                    continue
                gave_up = entry[column] is None
                yield Claim(
                    what.format(f"{entry['trials']:,}"),
                    page["name"],
                    mine,
                    limit * unit if gave_up else entry[column],
                    "service_pages",
                    gave_up,
                )


def service_targets() -> Iterator[Target]:
    """What the Experiments service has to reach."""
    results = found("service")
    source = "service"
    for place in ("local", "HDFS"):
        if place not in results:
            continue
        of_place = results[place]
        for name, took in of_place["pages_ms"].items():
            most = 50 if name.startswith("list") else 150 if name.startswith("1,000") else 200
            if "data of plots" not in name:
                yield Target(f"{name}, {place}, 95th percentile, ms", most, took["95th"], source)
        most = 5 if place == "local" else 60
        yield Target(f"cold index, {place}, s", most, of_place["cold_s"], source)
        what = f"refresh of the index without news, {place}, s"
        yield Target(what, 0.5, of_place["refresh_s"], source)
    local = results["local"]
    yield Target("plots of 50,000 trials in Chromium, s", 1, local["plots_s"], source)
    what = "a page that is left open, share of a core of the server"
    yield Target(what, 0.01, local["idle_share"], source)
    yield Target("all assets, compressed, kB", 200, results["assets_kb"], source)
    exported = local["html_mb_per_1000_trials"]
    yield Target("`export --html`, MB per 1,000 trials", 1, exported, source)


def versions_target() -> Target:
    """What keeping program and environment may cost the start."""
    kept, plain = (
        statistics.median(run["trial_s"] for run in runs)
        for runs in found("versions")["starts"].values()
    )
    what = "keeping program and environment, until the first trial begins, s"
    return Target(what, 0.3, kept - plain, "versions")


def targets() -> Iterator[Target]:
    """What the project has set itself."""
    trial = found("overhead")["medians"]
    waits = trial["waits-embedded"]
    own = "overhead"
    yield Target("a no-op trial, ms", 5, trial["project"]["ms_per_trial"], own)
    yield Target("from call to return, per trial, ms", 10, waits["returned_ms"], own)
    yield Target("first experiment of 4 trials, s", 5, waits["first_s"], own)
    yield Target("second experiment of 4 trials, s", 0.7, waits["second_s"], own)
    ratio = seconds_of("import hopsml_flows.experiment") / seconds_of("import prefect")
    yield Target("`import hopsml_flows.experiment` ÷ `import prefect`", 1.15, ratio, "start")
    most = found("scale")["runs"][-1]
    what = f"last 1,000 of {most['trials']:,} trials ÷ the first 1,000"
    yield Target(what, 1.1, most["last_to_first"], "scale")
    for target in found("optimizers")["targets"]:
        yield Target(target["text"], target["most"], target["value"], "optimizers")
    yield from asynchrony_targets()
    for target in found("optimizers_at_once")["targets"]:
        yield Target(target["text"], target["most"], target["value"], "optimizers_at_once")
    yield from service_targets()
    yield versions_target()


def text() -> str:
    """The section of README.md."""
    better = [claim for claim in claims() if claim.own <= claim.other]
    worse = [claim for claim in claims() if claim.own > claim.other]
    head = "| what | this project | compared with | its figure | ratio | made by |"
    line = "|---|---:|---|---:|---:|---|"
    return "\n".join(
        [
            "### Better",
            "",
            *table(head, line, better),
            "",
            "### Worse",
            "",
            *table(head, line, worse),
            "",
            "### Targets",
            "",
            *table(
                "| target | at most | reached | met | made by |",
                "|---|---:|---:|---|---|",
                targets(),
            ),
            "",
            "### Where and when",
            "",
            *where(),
            "",
        ]
    )


def table(head: str, line: str, rows: Iterable[Claim | Target]) -> list[str]:
    """A Markdown table."""
    return [head, line, *(row.row for row in rows)]


def where() -> Iterator[str]:
    """Machine and versions of each result."""
    yield "| made by | date | commit | machine | versions |"
    yield "|---|---|---|---|---|"
    for source in SOURCES:
        about: Mapping[str, Any] = found(source).get("about") or found(source)["surroundings"]
        machine = f"{about['cores']} cores ({about['cpu']}), {about['memory_gb']} GB, "
        machine += f"{about['system']}, {about['file_system']}"
        versions = [f"Python {about['python']}"]
        versions += [f"{name} {number}" for name, number in about["versions"].items()]
        yield (
            f"| {link(source)} | {about['date']} | {about['commit']} | {machine} "
            f"| {', '.join(versions)} |"
        )


def with_claims(readme: str) -> str:
    """README.md with the claims that the results have now."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_claims(README.read_text()))
