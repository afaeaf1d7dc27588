from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time

from hopsml_flows import experiment

SCRIPT = """
import sys, time
from hopsml_flows import experiment
def train(x):
    time.sleep(0.3)
    if x == 2:
        raise ValueError("no")
    return x
experiment.grid_search(train, {"x": [1, 2, 3, 4]}, name="shown",
                       cluster=experiment.ClusterConfig(kind="local", n_workers=2))
"""


def test_a_terminal_shows_one_live_line_and_then_the_table(prefect_server, tmp_path):
    script = tmp_path / "program.py"
    script.write_text(SCRIPT)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={
            **os.environ,
            "PREFECT_API_URL": prefect_server,
            "TERM": "xterm",
            "COLUMNS": "140",
            "LINES": "50",
        },
    )
    os.close(theirs)
    seen = b""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.5)[0]:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            seen += piece
    os.close(ours)
    assert process.wait(30) == 0, seen.decode(errors="replace")
    text = seen.decode(errors="replace")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert re.search(r"[━╸ ]+ 0/4 trials · \d running · \d:\d\d elapsed", plain)
    assert "\x1b[2K" in text  # lines are erased and drawn again
    assert "FAILED ValueError: no" in plain
    assert "Finished Experiment shown-" in plain


def test_elsewhere_progress_is_plain_lines(prefect_server, run_script):
    done = run_script(SCRIPT, PREFECT_API_URL=prefect_server)
    assert "\x1b[" not in done.stdout
    assert re.search(
        r"^4/4 trials · 0 running · 1 failed · best metric 4 \(trial 4\) · \d:\d\d elapsed$",
        done.stdout,
        re.MULTILINE,
    )


def test_nothing_is_printed_on_request(options, capsys):
    experiment.grid_search(lambda x: x, {"x": [1]}, **options)
    captured = capsys.readouterr()
    assert captured.out == ""


def test_a_reader_that_goes_away_ends_nothing(prefect_server, tmp_path):
    """As ``python program.py | head -1`` does."""
    script = tmp_path / "program.py"
    script.write_text(SCRIPT)
    driver = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={
            **os.environ,
            "PREFECT_API_URL": prefect_server,
            "HOPSML_PROJECT": str(tmp_path / "p"),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert b"0/4 trials" in driver.stdout.readline()
        driver.stdout.close()
        driver.wait(120)
    finally:
        driver.kill()
    (record,) = (tmp_path / "p").glob("Experiments/*/experiment.json")
    assert json.loads(record.read_text())["state"] == "FINISHED"
