"""``hopsml logs -f`` beside an experiment that runs, on a local disk and on HDFS."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.storage import Project

COMMAND = [sys.executable, "-c", "from hopsml_flows.cli import main; main()", "logs", "last", "-f"]


@pytest.mark.parametrize("storage", ["local", "webhdfs"])
def test_lines_are_seen_while_trials_run_and_the_command_ends_with_the_experiment(
    prefect_server, dask_address, tmp_path, request, storage
):
    def train(x):
        import time
        from pathlib import Path

        print("first")
        until = time.monotonic() + 60
        while not Path(seen, f"{x} first").exists():
            assert time.monotonic() < until, "the line was not seen"
            time.sleep(0.05)
        if x == 2:
            raise ValueError("no twos")
        print("last")
        return x

    def follow():
        """Follow the experiment as soon as there is one, and tell the trials what was seen."""
        record = "Experiments/*/experiment.json"
        while not Project(url).glob(record) and not over.is_set():
            time.sleep(0.1)
        with (
            said.open("w") as errors,
            subprocess.Popen(
                [*COMMAND, "--project", url], stdout=subprocess.PIPE, stderr=errors, text=True
            ) as process,
        ):
            for line in process.stdout:
                number, text = re.fullmatch(r"(\d{4}) \| [0-9T:.-]+Z ?(.*)\n", line).groups()
                lines[int(number)].append(text)
                if text == "first":
                    Path(seen, f"{int(number)} {text}").touch()
        codes.append(process.returncode)

    if storage == "local":
        url = str(tmp_path / "project")
    else:
        url = request.getfixturevalue("hdfs_server").url(storage)
    seen = str(tmp_path / "seen")
    Path(seen).mkdir()
    said = tmp_path / "said"
    lines = {1: [], 2: [], 3: []}
    codes = []
    over = threading.Event()
    thread = threading.Thread(target=follow)
    thread.start()
    try:
        result = experiment.grid_search(
            train,
            {"x": [1, 2, 3]},
            project=url,
            cluster=dask_address,
            progress=False,
            sync_interval=0.3,
        )
    finally:
        over.set()
        thread.join(60)
    assert codes == [0]
    # The first line says where a trial runs.
    assert lines[1][1:] == lines[3][1:] == ["first", "last"]
    assert lines[2][1] == "first"
    assert lines[2][-1] == "ValueError: no twos"
    sentences = said.read_text().splitlines()
    assert sentences[-1] == f"hopsml: {result.id} is FINISHED"
    assert {f"hopsml: 000{n}-x={n} has {how}" for n, how in ((1, "finished"), (2, "failed"))} <= {
        *sentences
    }
