"""The pages of ``hopsml ui`` in a browser: what a user does with mouse and keyboard."""

from __future__ import annotations

import json
import math
import random
import re
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error as PlaywrightError

import hopsml_flows.model
from hopsml_flows.ablation import effects, judge
from hopsml_flows.ablation.findings import Costs, Findings
from hopsml_flows.ablation.findings_file import findings_json
from hopsml_flows.search import Direction, Why
from hopsml_flows.storage import ExperimentPaths, Project, this_process
from hopsml_flows.trials import Failure, InputFile, Lineage, State
from hopsml_flows.trials.journal_lines import header_line, text_of
from hopsml_flows.trials.naming import generation_name
from tests.waiting import wait_until
from tests.written import CONFIRMATION, ID, PROMOTION, WrittenExperiment, over, result, summary_text

SEARCH = "digits-20260110-120000-bbbbbb"
EARLIER = "digits-20260109-120000-aaaaaa"
FAILED = "faces-20260108-120000-cccccc"
STUDY = "parts-20260107-120000-dddddd"
CONFIRMED = "night-20260106-120000-eeeeee"
SPACE = {
    "learning_rate": {"kind": "float", "low": 1e-5, "high": 0.1, "log": True},
    "dropout": {"kind": "float", "low": 0.1, "high": 0.6},
    "layers": {"kind": "int", "low": 1, "high": 6},
    "optimizer": {"kind": "categorical", "values": ["adam", "sgd"]},
}


FAILED_LOG = """\
2026-01-11T12:00:01.000Z worker tcp://10.0.0.1:40001 on gpu1: 8 CPU cores, 31.2 GiB of memory
2026-01-11T12:00:02.000Z epoch 1
2026-01-11T12:00:03.000Z its process was ended by signal 9 (SIGKILL): memory ran out
2026-01-11T12:00:04.000Z attempt 2: the worker of the attempt before was lost
2026-01-11T12:00:04.000Z worker tcp://10.0.0.2:40001 on gpu2: 8 CPU cores, 31.2 GiB of memory
2026-01-11T12:00:07.000Z epoch 1
2026-01-11T12:00:09.000Z Traceback (most recent call last):
2026-01-11T12:00:09.000Z   File "digits.py", line 42, in train
2026-01-11T12:00:09.000Z     checkpoint.save(model)
2026-01-11T12:00:09.000Z OSError: [Errno 28] no space left on device
"""


def png(width=120, height=80):
    """A picture of waves."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(
        b"\0" + bytes(int(127 + 120 * math.sin(x / 9) * math.cos(y / 9)) for x in range(width))
        for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def searched(count, seed):
    """Trials of a search with a clear optimum; some failed, some were stopped."""
    chance, ends = random.Random(seed), [1.7e9] * 4
    for number in range(1, count + 1):
        params = {
            "learning_rate": 10 ** chance.uniform(-5, -1),
            "dropout": round(chance.uniform(0.1, 0.6), 3),
            "layers": chance.randint(1, 6),
            "optimizer": chance.choice(["adam", "sgd"]),
        }
        loss = 0.04 * (math.log10(params["learning_rate"]) + 3) ** 2
        loss += 0.3 * (params["dropout"] - 0.3) ** 2 + 0.01 * abs(params["layers"] - 4)
        metric = round(0.97 - loss + chance.gauss(0, 0.005), 5)
        lane = ends.index(min(ends))
        begin = ends[lane]
        ends[lane] = begin + chance.uniform(5, 40)
        times = {"started": begin, "ended": ends[lane] - 0.5, "generation": (number - 1) // 15}
        times["worker"] = f"tcp://10.0.0.{lane + 1}:40001"
        trial = result(number, params, metric, **times)
        trial = replace(trial, directory=f"{generation_name(trial.generation)}/{trial.name}")
        if chance.random() < 0.06:
            failure = Failure("ValueError", "loss is not finite: nan", place="digits.py:42")
            trial = replace(trial, state=State.FAILED, metric=None, outputs={}, failure=failure)
        elif metric < 0.85:
            why = Why("median", metric, "its best {value} is below {threshold}", 7, 0.9)
            trial = replace(trial, state=State.STOPPED, why_stopped=why)
        else:
            trial = replace(trial, outputs={**trial.outputs, "loss": round(1 - metric, 5)})
        yield trial


def written_search(project, name, count, seed, **changes):
    trials = list(searched(count, seed))
    best = max((t for t in trials if t.state is State.FINISHED), key=lambda t: t.metric)
    paths = over(
        project, name, trials, best_trial=best.name, search_space=SPACE, train="digits:train",
        function="optimize", trials_stopped=sum(t.state is State.STOPPED for t in trials),
        **changes,
    )  # fmt: skip
    reports = [header_line(name)]
    for trial in trials[:40]:
        top = trial.metric or 0.5
        curve = [[step, round(top * (1 - 0.6 / (step + 1)), 5)] for step in range(12)]
        entry = {"event": "report", "trial": trial.number, "attempt": 1, "reports": curve}
        reports.append(text_of(entry))
    project.replace(paths.journal, "".join(reports))
    project.replace(paths.program(".py"), f"def train(learning_rate):\n    return {seed}\n")
    project.replace(paths.environment, f"# Python 3.12.1 (cpython)\nnumpy==2.{seed}.0\n")
    return paths, trials, best


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("page") / "project")
    paths, trials, best = written_search(
        project,
        SEARCH,
        90,
        3,
        tags=("wide",),
        description="Four hyperparameters of a small network",
    )
    directory = paths.trial(best.directory)
    project.make_directory(directory)
    lines = [f"epoch {epoch}  loss {1 / (epoch + 1):.4f}\n" for epoch in range(30)]
    project.replace(f"{directory}/output.log", "".join(lines))
    project.replace(f"{directory}/confusion.png", png())
    project.replace(f"{directory}/report.html", "<script>document.title = 'run'</script>")
    best = replace(best, outputs={**best.outputs, "confusion": f"{directory}/confusion.png"})
    trials = [best if trial.number == best.number else trial for trial in trials]
    project.replace(paths.summary, summary_text(trials))
    written_search(project, EARLIER, 30, 1, tags=("baseline",))
    failure = Failure("OSError", "no space left on device")
    failed = [result(1, {"x": 1}, state=State.FAILED, failure=failure)]
    paths = over(
        project, FAILED, failed, state=State.FAILED, user="grace", error="all trials failed",
        search_space={"x": [1]}, flow_run_page="http://prefect.example:4200/runs/flow-run/abc",
    )  # fmt: skip
    project.make_directory(paths.trial("0001-x=1"))
    project.replace(paths.trial("0001-x=1", "output.log"), FAILED_LOG)
    written_study(project)
    read = (InputFile("Resources/digits.csv", 264_712, 1767600000.0),)
    won = [result(1, {"x": 1}, 0.9, lineage=Lineage(read, 0, ("Models/digits-net/1",)))]
    over(project, CONFIRMED, won, confirmation=CONFIRMATION, promotion=PROMOTION)
    saved = tmp_path_factory.mktemp("saved")
    (saved / "net.keras").write_bytes(bytes(2000))
    hopsml_flows.model.export(str(saved), "digits-net", metrics={"accuracy": 0.9}, project=project)
    return project


def written_study(project):
    """An ablation study of four parts, two of which matter, with a pair of them."""
    noise = random.Random(3)
    costs = {"base": 0.0, "feature age": 0.2, "feature fare": 0.08, "layer dense_two": 0.0,
             "feature class": 0.002}  # fmt: skip
    metrics = {
        arm: {repeat: 0.84 - cost + noise.gauss(0, 0.006) for repeat in range(1, 6)}
        for arm, cost in costs.items()
    }
    found = effects(metrics, base="base", direction="max")
    judged = tuple(judge(replace(each, parameters=1180, seconds=2.1)) for each in found)
    findings = Findings(metrics, {}, judged, (), Direction.MAX, "accuracy", base=Costs(1300, 2.5))
    arms = [
        result(number, {"ablated": arm}, by_repeat[1])
        for number, (arm, by_repeat) in enumerate(metrics.items(), 1)
    ]
    paths = over(project, STUDY, arms, function="ablation")
    project.replace(paths.effects, json.dumps(findings_json(findings)))


@pytest.fixture(scope="module")
def address(project):
    """The address of a server that shows the project."""
    code = "from hopsml_flows.cli import main; main()"
    command = [sys.executable, "-c", code, "ui", "--port", "0", "--project", project.url]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        yield found[0].rstrip("/")
    finally:
        server.terminate()
        server.communicate(timeout=60)


@pytest.fixture
def screenshot(page, screenshot):
    """As for other pages; the directory of the test's project is not shown."""

    def take(name, **options):
        page.evaluate("document.querySelector('.project').textContent = 'hopsml_project'")
        screenshot(name, **options)

    return take


@pytest.fixture
def looked_at(page, address):
    """A page that fails the test if it loads from elsewhere, or if a script fails or is refused."""
    foreign, faults = [], []
    own = urlsplit(address).netloc

    def request(asked):
        if urlsplit(asked.url).netloc != own and not asked.url.startswith("data:"):
            foreign.append(asked.url)

    page.on("request", request)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: said.type == "error" and faults.append(said.text))
    yield page
    assert foreign == []
    assert faults == []


def test_the_list_is_filtered_sorted_and_opened(looked_at, address, screenshot):
    page = looked_at
    page.goto(f"{address}/")
    assert page.locator("tbody tr").count() >= 3
    screenshot("experiments-list")
    page.select_option("select[name=state]", "FAILED")
    page.wait_for_url("**state=FAILED**")
    assert page.locator("tbody tr").count() == 1
    page.get_by_role("link", name="Clear").click()
    page.get_by_role("link", name="Metric").click()
    page.wait_for_url("**sort=metric**")
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Metric")
    page.get_by_role("link", name="By name").click()
    page.wait_for_url("**fold=1**")
    assert page.get_by_text("2 runs", exact=True).is_visible()
    assert page.get_by_role("img", name="Best so far over 2 runs: from").is_visible()


def test_an_experiments_trials_are_filtered_by_typing(looked_at, address, screenshot):
    page = looked_at
    page.goto(f"{address}/experiments/{SEARCH}")
    screenshot("experiments-trials")
    page.keyboard.press("/")
    page.keyboard.type("layers = 4 and adam")
    page.keyboard.press("Enter")
    page.wait_for_url("**where=**")
    cells = page.locator("tbody tr").all_inner_texts()
    assert cells
    assert all("adam" in row for row in cells)


def test_plots_are_drawn_and_a_range_opens_in_the_table(looked_at, address, screenshot):
    page = looked_at
    page.goto(f"{address}/experiments/{SEARCH}/plots")
    page.wait_for_selector("#plots[data-drawn='90']")
    titles = page.locator(".plot h2").all_inner_texts()
    for wanted in ("by trial", "Learning curves", "Parallel", "One hyper", "Two hyper",
                   "Importance", "Generations", "Timeline"):  # fmt: skip
        assert any(wanted in title for title in titles), titles
    drawn = page.evaluate(
        "[...document.querySelectorAll('.plot canvas')].map(c => new Set(new Uint32Array("
        "c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size)"
    )
    assert min(drawn) > 2
    screenshot("experiments-plots", full_page=True)
    plot = page.locator(".plot", has=page.get_by_text("Parallel coordinates"))
    plot.scroll_into_view_if_needed()
    box = plot.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 200, steps=4)
    page.mouse.up()
    assert re.search(r"\d+ of \d+ trials lie in", plot.locator("p").inner_text())
    plot.get_by_role("button", name="Show in the table").click()
    page.wait_for_url("**where=**")
    assert 0 < page.locator("tbody tr").count() < 50


def test_a_study_shows_which_parts_matter(looked_at, address, screenshot):
    page = looked_at
    page.goto(f"{address}/experiments/{STUDY}")
    panel = page.get_by_role("region", name="Effect of each component")
    assert "feature age" in panel.inner_text()
    assert "matters" in panel.inner_text()
    assert panel.get_by_role("img").is_visible()
    screenshot("experiments-effects", full_page=True)


def test_models_lead_to_what_they_came_from(looked_at, address, screenshot):
    page = looked_at
    page.goto(f"{address}/")
    page.get_by_role("link", name="Models", exact=True).click()
    screenshot("models")
    page.get_by_role("link", name="digits-net").first.click()
    page.wait_for_url("**/models/digits-net/1")
    screenshot("model", full_page=True)
    page.goto(f"{address}/experiments/{CONFIRMED}")
    assert page.get_by_text("it may be <i>luck</i>").first.is_visible()
    screenshot("experiments-confirmed", full_page=True)


def test_a_failed_trial_shows_its_attempts_and_its_traceback(looked_at, address, screenshot):
    page = looked_at
    page.goto(f"{address}/experiments/{FAILED}/trials/1")
    assert page.locator("#attempts tbody tr").count() == 2
    lines = page.locator("#traceback pre").inner_text().splitlines()
    assert (lines[0][:9], lines[-1]) == ("Traceback", "OSError: [Errno 28] no space left on device")
    screenshot("experiments-failed-trial", full_page=True)
    page.goto(f"{address}/experiments/{FAILED}")
    page.get_by_role("link", name="Run failed trials again").click()
    page.wait_for_url("**/about#go-on")
    assert "experiment.grid_search(" in page.locator("#go-on pre").inner_text()
    screenshot("experiments-go-on", full_page=True)


def test_a_chosen_range_outlives_the_refresh_of_a_running_experiment(looked_at, address, project):
    page = looked_at
    name = "grows-20260113-120000-abcdef"
    trials = list(searched(60, 5))

    def grown(count):
        some = [trial for trial in trials[:count] if trial.state is State.FINISHED]
        over(project, name, some, state=State.RUNNING, duration=None, trials_total=90,
             driver=this_process(), search_space=SPACE)  # fmt: skip
        return len(some)

    drawn = grown(30)
    at = f"{address}/experiments/{name}/plots"
    wait_until(lambda: page.request.get(at).ok, 60, "the look at the storage")
    page.goto(at)
    page.wait_for_selector(f"#plots[data-drawn='{drawn}']")
    plot = page.locator(".plot", has=page.get_by_text("Parallel coordinates"))
    plot.scroll_into_view_if_needed()
    page.get_by_label("Horizontal").select_option(label="layers")
    box = plot.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 200, steps=4)
    # What comes while the range is chosen waits until it is.
    told = grown(40)
    asked = "performance.getEntriesByType('resource').filter(e => e.name.endsWith('plots.json'))"
    wait_until(lambda: page.evaluate(f"{asked}.length") > 1, 60, "the refresh")
    assert page.locator("#plots").get_attribute("data-drawn") == str(drawn)
    page.mouse.up()
    page.wait_for_selector(f"#plots[data-drawn='{told}']")
    words = plot.locator("p").inner_text()
    assert re.search(rf"\d+ of {told} trials lie in", words), words
    told = grown(60)
    page.wait_for_selector(f"#plots[data-drawn='{told}']")
    words = plot.locator("p").inner_text()
    assert re.search(rf"\d+ of {told} trials lie in", words), words
    assert page.get_by_label("Horizontal").evaluate("f => f.selectedOptions[0].text") == "layers"
    plot.get_by_role("button", name="Clear ranges").click()
    assert "Drag along an axis" in plot.locator("p").inner_text()
    over(project, name, trials[:3])


def test_the_timeline_has_a_band_for_each_worker(looked_at, address):
    page = looked_at
    page.goto(f"{address}/experiments/{SEARCH}/plots")
    page.wait_for_selector("#plots[data-drawn='90']")
    plot = page.locator(".plot", has=page.get_by_text("Timeline of workers"))
    assert re.match(r"4 workers, busy for \d+% of", plot.locator("p").inner_text())
    plot.scroll_into_view_if_needed()
    box = plot.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 152, box["y"] + 16)
    assert "tcp://10.0.0.1:40001" in page.locator(".tip").inner_text()


def test_a_trial_shows_its_image_and_html_is_only_a_download(
    looked_at, address, project, screenshot
):
    page = looked_at
    page.goto(f"{address}/experiments/{SEARCH}")
    page.locator("tr.best a").first.click()
    image = page.locator("figure img")
    image.scroll_into_view_if_needed()
    wait_until(lambda: image.evaluate("i => i.naturalWidth") == 120, 60, "the image")
    assert "epoch 29" in page.locator("#log").inner_text()
    screenshot("experiments-trial")
    with page.expect_download() as started:
        page.get_by_role("link", name="report.html").click()
    assert started.value.suggested_filename == "report.html"
    assert page.title() != "run"


def test_a_page_follows_what_runs(looked_at, address, project):
    page = looked_at
    written = WrittenExperiment(project, 3)
    written.write(start="2026-01-11T12:00:00.000+00:00", driver=this_process())
    directory = "0001-x=1"
    written.log(directory, "the first line\n")
    project.replace(written.paths.trial(directory, ".hparams.json"), '{"x": 1}')
    trial = f"{address}/experiments/{ID}/trials/1"
    wait_until(lambda: page.request.get(trial).ok, 60, "the look at the storage")
    page.goto(trial)
    assert "the first line" in page.locator("#log").inner_text()
    written.log(directory, "the second line\n")
    page.locator("#log", has_text="the second line").wait_for()
    page.goto(f"{address}/experiments/{ID}")
    assert page.get_by_text("No trial has ended yet").is_visible()
    project.replace(written.paths.summary, summary_text([result(1, {"x": 1}, 0.5)]))
    written.write(trials_succeeded=1)
    page.wait_for_selector("tbody tr")
    written.write(state=State.FINISHED, end="2026-01-11T12:00:30.000+00:00", duration=30.0)
    page.wait_for_selector(".title .state.finished")


def test_a_log_that_begins_after_its_page_becomes_live(looked_at, address, project):
    page = looked_at
    name = "late-20260112-120000-abcdef"
    running = {
        "state": State.RUNNING,
        "duration": None,
        "trials_total": 2,
        "driver": this_process(),
    }
    paths = over(project, name, **running)
    trial = f"{address}/experiments/{name}/trials/1"
    project.make_directory(paths.trial("0001-x=1"))
    project.replace(paths.trial("0001-x=1", ".hparams.json"), '{"x": 1}')
    wait_until(lambda: page.request.get(trial).ok, 60, "the look at the storage")
    page.goto(trial)
    assert page.get_by_text("No log yet.").is_visible()
    project.replace(paths.trial("0001-x=1", "chief_0_output.log"), "the first line\n")
    page.locator("#log", has_text="the first line").wait_for()
    assert not page.get_by_text("No log yet.").is_visible()
    page.locator("#live-processes", has_text="chief-0").wait_for()
    project.append(paths.trial("0001-x=1", "chief_0_output.log"), "the second line\n")
    page.locator("#log", has_text="the second line").wait_for()
    assert page.locator("#log").inner_text().split("\n")[:2] == [
        "the first line",
        "the second line",
    ]
    over(project, name)


def test_selected_trials_are_compared(looked_at, address, screenshot):
    page = looked_at
    page.goto(f"{address}/")
    for name in (SEARCH, EARLIER):
        page.check(f"input[value='{name}']")
    assert page.get_by_text("2 selected").is_visible()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**/compare?**")
    assert page.locator("thead th").count() == 2
    assert page.locator(".diff .removed").first.inner_text().startswith("-")
    screenshot("experiments-compare")
    before = page.locator(".compare tbody tr:visible").count()
    page.check("#only-different")
    assert page.locator(".compare tbody tr:visible").count() < before


def test_a_selection_is_shown_in_a_tensorboard_until_it_is_stopped(looked_at, address):
    page = looked_at
    page.goto(f"{address}/")
    for name in (SEARCH, EARLIER):
        page.check(f"input[value='{name}']")
    page.get_by_role("button", name="TensorBoard").click()
    page.wait_for_url("**/tensorboard")
    assert page.get_by_role("listitem").all_inner_texts() == [SEARCH, EARLIER]
    board = page.locator("section h2 a").get_attribute("href")
    answer = page.request.get(f"{board}/data/environment", timeout=120_000)
    assert answer.ok  # it waits until TensorBoard has started
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("No TensorBoard is running").wait_for()
    with pytest.raises(PlaywrightError, match="ECONNREFUSED"):
        page.request.get(board)


def test_deletion_asks_and_cancel_keeps(looked_at, address, project):
    page = looked_at
    name = "gone-20260107-120000-dddddd"
    over(project, name)
    found = f"{address}/?q=gone"
    wait_until(lambda: name in page.request.get(found).text(), 60, "the look at the storage")
    page.goto(found)
    page.check(f"input[value='{name}']")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("link", name="Cancel").click()
    assert project.exists(ExperimentPaths(name).record)
    page.goto(f"{address}/?q=gone")
    page.check(f"input[value='{name}']")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url(f"{address}/")
    assert not project.exists(ExperimentPaths(name).root)


def test_dark_and_light_are_kept_from_page_to_page(looked_at, address, screenshot):
    page = looked_at
    page.emulate_media(color_scheme="light")
    page.goto(f"{address}/experiments/{SEARCH}/plots")
    page.wait_for_selector("#plots[data-drawn='90']")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Theme").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    screenshot("experiments-dark")
    page.goto(f"{address}/")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    screenshot("experiments-list-dark")


@pytest.mark.parametrize("path", ["/", f"/experiments/{SEARCH}", f"/experiments/{SEARCH}/plots"])
def test_a_narrow_window_has_no_scroll_bar_of_its_own(looked_at, address, path, screenshot):
    page = looked_at
    page.set_viewport_size({"width": 420, "height": 900})
    page.goto(f"{address}{path}")
    page.wait_for_selector(".plot canvas" if path.endswith("plots") else "tbody tr")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 420
    screenshot(f"experiments-narrow-{path.rpartition('/')[2][:8] or 'list'}")


def test_the_keyboard_alone_opens_a_trial(looked_at, address):
    page = looked_at
    page.goto(f"{address}/?name=digits")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('td.name') !== null"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/experiments/*")
    for _ in range(80):
        page.keyboard.press("Tab")
        if re.fullmatch(r".*/trials/\d+", page.evaluate("document.activeElement.href || ''")) and (
            page.evaluate("document.activeElement.closest('tbody') !== null")
        ):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/trials/*")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?fold=1",
        "/tensorboard",
        f"/experiments/{SEARCH}",
        f"/experiments/{SEARCH}/plots",
        f"/experiments/{SEARCH}/program",
        f"/experiments/{SEARCH}/about",
        f"/experiments/{SEARCH}/trials/1",
        f"/experiments/{FAILED}/about",
        f"/experiments/{FAILED}/trials/1",
        f"/experiments/{STUDY}",
        f"/experiments/{CONFIRMED}",
        f"/experiments/{CONFIRMED}/trials/1",
        "/models",
        "/models/digits-net/1",
        f"/compare?e={SEARCH}&e={EARLIER}",
        f"/compare?e={SEARCH}&e={EARLIER}&e={FAILED}",
        "/experiments/none",
    ],
)
def test_axe_finds_nothing_serious(page, address, path, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{address}{path}")
    if path.endswith("/plots"):
        page.wait_for_selector(".plot canvas")
    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in serious] == []
    assert page.locator("main").count() == 1
