"""What one trial of a process does not hand on to the next one."""

from __future__ import annotations

import json
import locale
import logging
import logging.config
import os
import resource
import signal
import socket
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from hopsml_flows.execution.process.clean_state import put_back

HANDLED = []


def recursion():
    sys.setrecursionlimit(sys.getrecursionlimit() + 500)


def file_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))


def mask():
    found = os.umask(0o22)
    os.umask(found)
    return found


def logger_state():
    logger = logging.getLogger("tests.early")
    return logger.disabled, logger.level, list(logger.handlers), logger.propagate


def configure():
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})


CHANGES = {
    "environment": (lambda: os.environ.get("LEAK"), lambda: os.environ.update(LEAK="1")),
    "removed variable": (lambda: os.environ.get("HOME"), lambda: os.environ.pop("HOME")),
    "search path": (lambda: list(sys.path), lambda: sys.path.insert(0, "/leak")),
    "arguments": (lambda: list(sys.argv), lambda: sys.argv.append("leak")),
    "umask": (mask, lambda: os.umask(0o77)),
    "recursion limit": (sys.getrecursionlimit, recursion),
    "limit of files": (lambda: resource.getrlimit(resource.RLIMIT_NOFILE), file_limit),
    "signal handler": (
        lambda: signal.getsignal(signal.SIGUSR1),
        lambda: signal.signal(signal.SIGUSR1, lambda *_: HANDLED.append(1)),
    ),
    "timer": (
        lambda: signal.getitimer(signal.ITIMER_VIRTUAL),
        lambda: signal.setitimer(signal.ITIMER_VIRTUAL, 1000),
    ),
    "exception hook": (lambda: sys.excepthook, lambda: setattr(sys, "excepthook", print)),
    "socket timeout": (socket.getdefaulttimeout, lambda: socket.setdefaulttimeout(5)),
    "logging.disable": (lambda: logging.root.manager.disable, lambda: logging.disable(50)),
    "level": (logger_state, lambda: logging.getLogger("tests.early").setLevel(5)),
    "handler": (
        logger_state, lambda: logging.getLogger("tests.early").addHandler(logging.NullHandler())
    ),
    "dictConfig": (logger_state, configure),
    "locale": (
        lambda: locale.setlocale(locale.LC_ALL), lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8")
    ),
    "numpy errors": (np.geterr, lambda: np.seterr(all="raise")),
    "numpy printing": (np.get_printoptions, lambda: np.set_printoptions(precision=2)),
}  # fmt: skip


@pytest.fixture
def root_handlers():
    """``dictConfig`` takes those of the test runner away; a trial's are the log's own."""
    handlers = logging.root.handlers[:]
    yield
    logging.root.handlers[:] = handlers


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_trial_changes_is_put_back(what, root_handlers):
    read, change = CHANGES[what]
    logging.getLogger("tests.early")
    before = read()
    with put_back() as left:
        change()
        assert read() != before
    assert read() == before
    assert left == []


def test_it_is_put_back_after_an_error_too():
    def changes_and_fails():
        with put_back():
            os.environ["LEAK"] = "1"
            raise LookupError

    with pytest.raises(LookupError):
        changes_and_fails()
    assert "LEAK" not in os.environ


def test_loggers_of_modules_that_were_imported_meanwhile_are_not_left_disabled(root_handlers):
    with put_back():
        late = logging.getLogger("tests.imported_meanwhile")
        configure()
        assert late.disabled
    assert not late.disabled


def test_what_cannot_be_put_back_is_said():
    """A hard limit that was lowered; in a process of its own, without the right to raise it."""
    code = """
        import json, os, resource
        from hopsml_flows.execution.process.clean_state import put_back
        if os.getuid() == 0:
            os.setgid(65534), os.setuid(65534)
        with put_back() as left:
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        print(json.dumps(left))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120
    )
    assert json.loads(done.stdout) == ["a lowered limit of resources cannot be raised"], done.stderr
