from __future__ import annotations

import re
import sys
from pathlib import Path

from hopsml_flows import experiment
from tests.logs import printed


def noisy(x):
    import ctypes
    import logging
    import os
    import subprocess
    import sys
    import threading
    import time
    import warnings

    print("print", x, sep="-", end="!\n")
    print("to stderr", x, file=sys.stderr)
    print("no line end", end="")
    print(" until here", x)
    logging.getLogger("mine").info("log record %s", x)
    warnings.warn(f"careful {x}", stacklevel=1)
    subprocess.run([sys.executable, "-c", f"print('child', {x})"], check=True)
    ctypes.CDLL(None).puts(f"from C {x}".encode())
    os.write(2, f"descriptor {x}\n".encode())
    thread = threading.Thread(target=lambda: print("thread", x))
    thread.start()
    thread.join()
    time.sleep(0.3)  # both trials are in here at once
    print("last line", x)
    return x


def test_everything_a_trial_prints_is_in_its_log_and_nothing_of_another(options, capfd):
    before = (sys.stdout, sys.stderr)
    result = experiment.grid_search(noisy, {"x": [1, 2]}, **options)
    assert (sys.stdout, sys.stderr) == before
    for trial in result.trials:
        x = trial.params["x"]
        texts = printed((Path(result.path) / trial.directory / "output.log").read_text())
        for expected in (
            f"print-{x}!",
            f"to stderr {x}",
            f"no line end until here {x}",
            f"INFO mine: log record {x}",
            f"child {x}",
            f"from C {x}",
            f"descriptor {x}",
            f"thread {x}",
            f"last line {x}",
        ):
            assert texts.count(expected) == 1, (expected, texts)
        assert any(f"UserWarning: careful {x}" in text for text in texts)
        assert not any(re.search(rf"\b{3 - x}\b", text) for text in texts if "line" in text)
    shown = capfd.readouterr()
    assert "last line" not in shown.out + shown.err
