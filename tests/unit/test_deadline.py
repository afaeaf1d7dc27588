from __future__ import annotations

import subprocess
import sys
import time

import pytest

from hopsml_flows.errors import TrialTimeoutError
from hopsml_flows.execution.deadline import call_within
from hopsml_flows.execution.output.streams import OutputLog
from tests.waiting import wait_until


@pytest.fixture
def log(tmp_path):
    log = OutputLog(tmp_path / "output.log")
    yield log
    log.close()


def until_stopped():
    while True:
        time.sleep(0.01)


def test_without_a_limit_or_within_it_the_value_comes_back(log):
    assert call_within(lambda: 5, None, log, alone=False) == 5
    assert call_within(lambda: 5, 60, log, alone=False) == 5


def test_a_function_that_listens_is_stopped_and_the_traceback_shows_where(log):
    with pytest.raises(TrialTimeoutError, match=r"stopped after trial_timeout of 0\.1 s") as caught:
        call_within(until_stopped, 0.1, log, alone=False)
    assert any(entry.name == "until_stopped" for entry in caught.traceback)


def test_a_function_that_swallows_the_request_and_returns_has_failed(log):
    def swallows():
        try:
            until_stopped()
        except BaseException:
            return 42

    with pytest.raises(TrialTimeoutError, match="the function returned after that"):
        call_within(swallows, 0.1, log, alone=False)


def test_the_functions_own_error_passes(log):
    def fails():
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        call_within(fails, 60, log, alone=False)


# Ends around the moment it is asked, many times. What is armed is looked at rather than waited for:
# a machine that stands still for the grace time would be ended rightly.
AROUND = """
import faulthandler, sys, time
from pathlib import Path
from hopsml_flows.errors import TrialTimeoutError
from hopsml_flows.execution import deadline
from hopsml_flows.execution.output.streams import OutputLog
deadline.GRACE_SECONDS = 30
armed, ever = [], []
arm, disarm = faulthandler.dump_traceback_later, faulthandler.cancel_dump_traceback_later
faulthandler.dump_traceback_later = lambda *a, **k: (armed.append(1), ever.append(1), arm(*a, **k))
faulthandler.cancel_dump_traceback_later = lambda: (disarm(), armed.clear())
log = OutputLog(Path(sys.argv[1]))
for step in range(40):
    try:
        deadline.call_within(lambda: time.sleep(0.09 + step * 0.0005), 0.1, log, alone=True)
    except TrialTimeoutError:
        pass
    assert not armed, step
assert len(ever) == 40
time.sleep(0.5)  # nor is it asked afterwards
print("survived")
"""


def test_a_function_that_ends_as_it_is_asked_leaves_nothing_armed(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", AROUND, str(tmp_path / "log")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "survived\n"), done.stderr


DEAF = """
import ctypes, sys
from pathlib import Path
from hopsml_flows.execution import deadline
from hopsml_flows.execution.output.streams import OutputLog
deadline.GRACE_SECONDS = 0.5
log = OutputLog(Path(sys.argv[1]))
deadline.call_within(lambda: ctypes.PyDLL(None).sleep(1000), 0.1, log, alone=True)
"""


def test_the_log_has_the_stack_of_a_function_that_holds_the_interpreter(tmp_path):
    log = tmp_path / "log"
    process = subprocess.Popen([sys.executable, "-c", DEAF, str(log)])
    try:
        wait_until(lambda: log.exists() and "<lambda>" in log.read_text(), 60, "the stack")
        assert process.poll() is None  # whoever supervises it ends it
    finally:
        process.kill()
        process.wait()
