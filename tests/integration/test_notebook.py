"""Experiments in a notebook. A real kernel runs the cells, as it does for a notebook's page."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import nbformat
import psutil
import pytest
from jupyter_client.utils import ensure_async
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from tests.boards import is_free
from tests.servers.homes import used_home
from tests.servers.processes import left

EXAMPLE = Path(__file__).parents[2] / "examples/first_experiment.ipynb"


class Kernel(NotebookClient):
    """Runs cells in a kernel, and keeps which messages it sent of each."""

    def __init__(self, cells, directory):
        super().__init__(
            new_notebook(cells=cells),
            kernel_name="python3",
            timeout=240,
            allow_errors=True,
            resources={"metadata": {"path": str(directory)}},
        )
        self.sent = {}

    def process_message(self, msg, cell, cell_index):
        self.sent.setdefault(cell_index, []).append(msg["msg_type"])
        return super().process_message(msg, cell, cell_index)

    def run(self, code):
        """Run one more cell."""
        self.nb.cells.append(new_code_cell(code))
        return self.execute_cell(self.nb.cells[-1], len(self.nb.cells) - 1)

    @property
    def process(self):
        return psutil.Process(self.km.provisioner.pid)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A directory for kernels and what they start, which leave nothing in the user's."""
    directory = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(used_home(directory / "prefect")))
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(directory / name.lower()))
        yield directory


@pytest.fixture(scope="module")
def example(home, prefect_server):
    """The example notebook's cells and kernel, which still runs."""
    cells = nbformat.read(EXAMPLE, as_version=4).cells
    kernel = Kernel(cells, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", prefect_server)
        patch.setenv("HOPSML_TENSORBOARD", "true")
        with kernel.setup_kernel():
            for index, cell in enumerate(cells):
                kernel.execute_cell(cell, index)
            yield kernel


def place(kernel, code):
    """Where the first cell is that has some code."""
    return next(
        index
        for index, cell in enumerate(kernel.nb.cells)
        if cell.cell_type == "code" and code in cell.source
    )


def outputs(kernel, code, kind):
    return [
        output
        for output in kernel.nb.cells[place(kernel, code)].outputs
        if output.output_type == kind
    ]


def printed(kernel, code):
    return "".join(output.text for output in outputs(kernel, code, "stream"))


def test_the_example_has_no_stored_outputs_and_runs_without_an_error(example):
    stored = [cell for cell in nbformat.read(EXAMPLE, as_version=4).cells if "outputs" in cell]
    assert stored
    assert all(cell.outputs == [] and cell.execution_count is None for cell in stored)
    ran = [cell for cell in example.nb.cells if cell.cell_type == "code"][: len(stored)]
    errors = [out for cell in ran for out in cell.outputs if out.output_type == "error"]
    assert errors == []


def test_the_progress_is_one_output_that_is_updated_in_place(example):
    sent = example.sent[place(example, "grid_search")]
    assert sent.count("display_data") == 1
    assert sent.count("update_display_data") >= 3  # what is started, a state, the last one
    (shown,) = outputs(example, "grid_search", "display_data")
    assert "12/12" in shown.data["text/plain"]
    assert "12/12" in shown.data["text/html"]
    links = re.findall(r'<a href="(http[^"]+)"[^>]*>([^<]+)</a>', shown.data["text/html"])
    assert [name for _, name in links] == ["Prefect run"]  # TensorBoard has ended
    (url, _), *_ = links
    page, _, run = url.rpartition("/runs/flow-run/")
    assert re.fullmatch(r"[0-9a-f-]{36}", run)
    answer = httpx.get(f"{page}/api/flow_runs/{run}", timeout=60)
    assert answer.json()["state_type"] == "COMPLETED"


def test_little_is_printed_besides(example):
    lines = printed(example, "grid_search").splitlines()
    assert any("12 of 12 trials succeeded" in line for line in lines)
    assert not any("elapsed" in line for line in lines)
    assert len(lines) <= 6, lines


def test_the_result_is_a_page_and_two_lines_of_text(example):
    cells = [cell for cell in example.nb.cells if cell.source == "result"]
    ((shown,),) = (cell.outputs for cell in cells)
    assert shown.output_type == "execute_result"
    text, page = shown.data["text/plain"], shown.data["text/html"]
    assert re.match(r"<SearchResult first-\S+: FINISHED, best error 0\.2\d+ \(trial \d+\)", text)
    assert len(text.splitlines()) == 2
    assert page.count("<tr>") + page.count("<tr ") >= 13
    assert ">best error</th>" in page
    assert ">Prefect run</a>" in page
    assert not re.search(r"<script|<link|src=", page)


def framed(cell):
    """URL of the TensorBoard that is the one output of a cell, in a frame and as a link."""
    (shown,) = (out for out in cell.outputs if out.output_type == "display_data")
    url = shown.data["text/plain"].rpartition(": ")[2]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert f'<a href="{url}"' in shown.data["text/html"]
    assert re.search(rf'<iframe[^>]+src="{url}"', shown.data["text/html"], re.DOTALL)
    return url


def test_visualize_shows_a_frame_and_returns_and_there_is_one_tensorboard_of_a_directory(example):
    """Its cell has ended; TensorBoard answers, since the kernel runs on."""
    url = framed(example.nb.cells[place(example, "tensorboard.visualize")])
    assert "TensorBoard" in httpx.get(url, timeout=60).text
    assert framed(example.run("tensorboard.visualize(result.path)")) == url
    other = framed(example.run("tensorboard.visualize(result.path, port=0)"))
    assert other != url
    assert is_free(url)
    assert framed(example.run("tensorboard.visualize(result.path)")) == other
    wrong = example.run("tensorboard.visualize(result.path, port=65536)")
    (error,) = wrong.outputs
    assert error.evalue == "port: must be a port number from 0 to 65535; got 65536"
    assert not is_free(other)


SEARCH = """
experiment.grid_search(
    train, {"x": [1, 2, 3]}, direction="max", name="stopped",
    cluster=experiment.ClusterConfig(kind="local", n_workers=1)%s)
"""
TRAIN = """
from hopsml_flows import experiment

def train(x):
    import subprocess
    from pathlib import Path

    here = Path(%r)
    (here / f"began-{x}").touch()
    if x == 2 and not (here / "go").exists():
        subprocess.run(["sleep", "1000"])
    return x
"""
SENTENCE = re.compile(r"Stopped\. To go on: the same call with resume='(stopped-[\w-]+)'")


def test_an_interrupted_cell_says_how_to_go_on_and_the_next_one_does(home, tmp_path):
    async def run():
        define, stopped = (new_code_cell(text) for text in (TRAIN % str(tmp_path), SEARCH % ""))
        kernel = Kernel([define, stopped], tmp_path)
        async with kernel.async_setup_kernel():
            await kernel.async_execute_cell(define, 0)
            running = asyncio.ensure_future(kernel.async_execute_cell(stopped, 1))
            while not (tmp_path / "began-2").exists():
                assert not running.done(), stopped.outputs
                await asyncio.sleep(0.1)
            family = kernel.process.children(recursive=True)
            # The process that forks workers waits for the next experiment, as the kernel does.
            own = [child for child in family if child.parent() != kernel.process]
            assert any(child.name() == "sleep" for child in own)
            await ensure_async(kernel.km.interrupt_kernel())
            await running
            assert await asyncio.to_thread(left, own) == []

            (error,) = (out for out in stopped.outputs if out.output_type == "error")
            (line,) = error.traceback
            found = SENTENCE.fullmatch(line)
            assert found, line
            (tmp_path / "go").touch()
            resumed = new_code_cell(SEARCH % f", resume={found[1]!r}")
            kernel.nb.cells.append(resumed)
            await kernel.async_execute_cell(resumed, 2)
            family += kernel.process.children(recursive=True)
        return stopped, resumed, family

    stopped, resumed, family = asyncio.run(run())
    assert left(family) == []
    shown = [out for out in stopped.outputs if out.output_type == "display_data"]
    assert [out.data["text/plain"].rpartition(" ")[2] for out in shown] == ["stopped"]
    assert "Traceback" not in str(stopped.outputs)
    (result,) = (out for out in resumed.outputs if out.output_type == "execute_result")
    assert "FINISHED, best metric 3 (trial 3), 3 trials" in result.data["text/plain"]
    assert sorted(path.name for path in tmp_path.glob("began-*")) == [
        "began-1",
        "began-2",
        "began-3",
    ]
