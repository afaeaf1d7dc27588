"""An interrupted experiment says how to go on, in one line; Python ends as after any interrupt."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from hopsml_flows.driver.interruption import experiment_begins, explained_interrupts

SENTENCE = "Stopped. To go on: the same call with resume='digits-1'"

PROGRAM = """
from hopsml_flows.driver.interruption import experiment_begins, explained_interrupts

def deep(n):
    if n:
        deep(n - 1)
    raise {error}

with explained_interrupts():
    experiment_begins("digits-1")
    deep(20)
"""


def ended(error):
    code = PROGRAM.format(error=error)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_a_program_prints_one_line_and_ends_by_the_signal_as_shells_expect():
    done = ended("KeyboardInterrupt")
    assert (done.stdout, done.stderr) == ("", f"{SENTENCE}\n")
    assert done.returncode == -signal.SIGINT


def test_other_errors_keep_their_traceback():
    done = ended("ValueError('no')")
    assert done.stderr.count("in deep") > 3
    assert done.stderr.endswith("ValueError: no\n")


def interrupt(*begun):
    """The interrupt of a call of an experiment, after experiments have begun in it."""
    with explained_interrupts():
        for one in begun:
            experiment_begins(one)
        raise KeyboardInterrupt


def test_ipython_prints_the_line_in_place_of_frames():
    with pytest.raises(KeyboardInterrupt) as caught:
        interrupt("digits-1")
    assert caught.type is KeyboardInterrupt
    assert str(caught.value) == SENTENCE
    assert caught.value._render_traceback_() == [SENTENCE]
    assert isinstance(caught.value.__context__, KeyboardInterrupt)  # for a debugger


def test_an_interrupt_before_there_is_an_experiment_says_so():
    with pytest.raises(KeyboardInterrupt, match=r"before the experiment began\. .* the same call$"):
        interrupt()
    experiment_begins("digits-1")  # outside of a call it is without effect


def test_the_sentence_of_an_inner_call_stays():
    def outer():
        with explained_interrupts():
            experiment_begins("outer-1")
            interrupt("digits-1")

    with pytest.raises(KeyboardInterrupt) as caught:
        outer()
    assert str(caught.value) == SENTENCE
