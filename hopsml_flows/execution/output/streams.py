"""Capture of all that a trial prints, in its ``output.log`` with time stamps.

There are two layers. The upper one catches Python's streams, logging and warnings line by line and
stamps each line at once. The lower one catches what C libraries and child processes write, in a
training process: file descriptors 1 and 2 lead to a nameless file, and a thread
copies from it into the log. That file is in memory, which is freed as it is copied. It is no pipe,
because a C extension that prints while it holds the interpreter's lock would wait forever on a full
pipe.

If several trials share a process (a worker with several threads, or one inside the driver), the
descriptors belong to no single trial. Then only the Python layer is used, and it tells trials apart
by their context. The process's own streams are restored when its last trial ends. This module knows
nothing of storage: it writes the local file it is given.
"""

from __future__ import annotations

import codecs
import ctypes
import fcntl
import io
import logging
import os
import sys
import tempfile
import threading
import time
import warnings
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast

from hopsml_flows.text import readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["LineSink", "OutputLog", "captured"]

_POLL_SECONDS = 0.1
_REDRAW_SECONDS = 1.0
_LONGEST_LINE = 1 << 16
_FREE_BYTES = 1 << 20
_PUNCH_HOLE = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, linux/falloc.h
_Decoder = codecs.getincrementaldecoder("utf-8")


class LineSink(Protocol):
    """A second receiver of a log's lines, called as they are written.

    The thread that prints calls it, while the log is locked: it must return at once and print
    nothing. Exceptions that it raises are ignored.
    """

    def take(self, lines: Sequence[str], level: int | None, logger: str) -> None:
        """Take in lines.

        Args:
            lines: The lines, without line ends and time stamps.
            level: Their level of ``logging``; the lines are then one message. None if they were
                printed.
            logger: Name of the logger that they come from, or "".
        """

    def close(self) -> None:
        """Handle the end of the log: no more lines follow."""


class OutputLog:
    r"""A log file that stamps each line with the time at which it was written.

    Text is split into lines per source, so that two streams never share a line. The readable part
    of a line is written, without colours, titles and links of terminals. A line that a
    progress bar redraws (``\r``) is written at most once per second, and in its last state.

    Args:
        path: The file; the log appends to it.
        sink: Also gets the lines; None for no other receiver.
    """

    def __init__(self, path: Path, sink: LineSink | None = None) -> None:
        self._file = path.open("ab", buffering=0)
        self._sink = sink
        self._lock = threading.RLock()
        self._partial: dict[str, list[str]] = {}
        self._length: dict[str, int] = {}
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}
        self._drawn: dict[str, float] = {}

    def write(self, source: str, text: str, *, level: int | None = None, logger: str = "") -> None:
        """Take in a piece of output.

        Args:
            source: Name of the stream that it came from.
            text: Any piece of text, with or without line ends.
            level: Level of a message of ``logging``; the text is then the whole message.
            logger: Name of the logger that such a message comes from.
        """
        with self._lock:
            pieces = self._partial.setdefault(source, [])
            pieces.append(text)
            self._length[source] = self._length.get(source, 0) + len(text)
            # A program may print thousands of dots without a line end: only collect them here.
            if not ("\n" in text or "\r" in text or self._length[source] > _LONGEST_LINE):
                return
            *lines, rest = "".join(pieces).split("\n")
            out = [_shown(line) for line in lines]
            if "\r" in rest:
                rest = self._take_redraws(source, rest, out)
            if len(rest) > _LONGEST_LINE:
                out.append(_shown(rest))
                rest = ""
            self._partial[source] = [rest]
            self._length[source] = len(rest)
            if out:
                self._put(out, level, logger)

    def write_bytes(self, source: str, data: bytes) -> None:
        """Take in a piece of output as bytes; a character may be split between two pieces.

        Args:
            source: Name of the stream that it came from.
            data: Text in UTF-8; other bytes are written as escapes.
        """
        with self._lock:
            decoder = self._decoders.setdefault(source, _Decoder("backslashreplace"))
            self.write(source, decoder.decode(data))

    def note(self, text: str, *, level: int | None = None) -> None:
        """Write lines that come from this package, not from the trial.

        Args:
            text: One line, or several.
            level: Their level of ``logging``; with None the sink does not get them.
        """
        lines = [_shown(line) for line in text.removesuffix("\n").split("\n")]
        with self._lock:
            self._put(lines, level, "", file_alone=level is None)

    def close(self) -> None:
        """Write text that has no line end yet, and close the file and the sink."""
        with self._lock:
            if self._file.closed:
                return
            for source, decoder in self._decoders.items():
                self.write(source, decoder.decode(b"", final=True))
            for pieces in self._partial.values():
                if rest := "".join(pieces):
                    self._put([_shown(rest)], None, "")
            self._partial.clear()
            self._file.close()
            if self._sink is not None:
                with suppress(Exception):
                    self._sink.close()

    @property
    def descriptor(self) -> int:
        """The file's descriptor, for code that writes without the interpreter's lock."""
        return self._file.fileno()

    @property
    def closed(self) -> bool:
        """Whether the log is closed and takes no more text."""
        return self._file.closed

    def _take_redraws(self, source: str, rest: str, out: list[str]) -> str:
        """Add the last drawn state to ``out`` if it is due; return what is still to be written."""
        *drawn, rest = rest.split("\r")
        now = time.monotonic()
        last = next((text for text in reversed(drawn) if text.strip("\b ")), "")
        if last and now - self._drawn.get(source, float("-inf")) >= _REDRAW_SECONDS:
            self._drawn[source] = now
            out.append(_shown(last))
            return rest
        # Nothing drawn since: keep what is on the "screen", so that its last state gets written.
        return rest if rest.strip("\b ") else (f"{last}\r" if last else "")

    def _put(
        self, lines: list[str], level: int | None, logger: str, *, file_alone: bool = False
    ) -> None:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        text = "".join(f"{stamp}Z {line}\n" if line else f"{stamp}Z\n" for line in lines)
        self._file.write(text.encode(errors="backslashreplace"))
        if self._sink is not None and not file_alone:
            with suppress(Exception):
                self._sink.take(lines, level, logger)


def _shown(line: str) -> str:
    """What a terminal shows of a line after all of it was printed."""
    if "\r" in line:
        line = next((t for t in reversed(line.split("\r")) if t.strip("\b ")), "")
    return readable(line.strip("\b")).rstrip()


_log: ContextVar[OutputLog | None] = ContextVar("hopsml_output", default=None)


@contextmanager
def captured(log: OutputLog, *, descriptors: bool, shown: bool = False) -> Iterator[OutputLog]:
    """Send all that the calling code prints to a log, while the block runs.

    Args:
        log: Gets the output; closed at the end of the block.
        descriptors: Whether to take descriptors 1 and 2 too. Only if this process runs no other
            trial meanwhile, and never in the driver.
        shown: Whether the driver itself runs the one trial, perhaps under a debugger: its output
            then also goes where it would go without the capture.
    """
    token = _log.set(log)
    try:
        with ExitStack() as stack:
            stack.callback(log.close)
            stack.enter_context(_streams.taken(log, alone=descriptors or shown, shown=shown))
            if descriptors:
                stack.enter_context(_descriptors_to(log))
                # A warning that an earlier trial of this process has shown is shown again.
                stack.enter_context(warnings.catch_warnings())
            yield log
    finally:
        _log.reset(token)


class _Router(io.TextIOBase):
    """A stand-in for ``sys.stdout`` or ``sys.stderr``: sends text to its writer's trial."""

    def __init__(self, name: str, original: TextIO, owner: _Streams) -> None:
        self._name = name
        self._original = original
        self._owner = owner

    def serves(self, name: str) -> bool:
        """Whether it is open and can stand in again for the stream that is in ``sys`` now."""
        return not self.closed and getattr(sys, name) is self._original

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        log = self._owner.log_of_caller()
        if log is None:
            self._owner.write_outside(self._name, self._original, text)
            return len(text)
        self._owner.drain()
        if self._owner.shows:
            self._original.write(text)
        log.write(self._name, text)
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        log = self._owner.log_of_caller()
        if log is None:
            self._original.buffer.write(data)
            return
        self._owner.drain()
        if self._owner.shows:
            self._original.buffer.write(data)
        log.write_bytes(self._name, data)

    def reconfigure(self, **_: Any) -> None:
        """Ignore the settings that scripts make: the log is UTF-8 and unbuffered already."""

    def flush(self) -> None:
        with suppress(ValueError):  # closed
            self._original.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._owner.shows and self._original.isatty()

    def fileno(self) -> int:
        return self._original.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    @property
    def buffer(self) -> Any:
        """A binary stream whose bytes go where the text goes."""
        return _BinaryRouter(self)


class _BinaryRouter(io.RawIOBase):
    def __init__(self, text: _Router) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raw = bytes(data)
        self._text.write_bytes(raw)
        return len(raw)

    def flush(self) -> None:
        self._text.flush()

    def fileno(self) -> int:
        return self._text.fileno()


class _LogHandler(logging.Handler):
    """The root logger's handler while trials run: sends a trial's records to its log."""

    def __init__(self, owner: _Streams, originals: list[logging.Handler], level: int) -> None:
        super().__init__()
        self._owner = owner
        self._originals = originals
        self._level = level
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        log = self._owner.log_of_caller()
        if log is not None:
            text = f"{self.format(record)}\n"
            log.write("logging", text, level=record.levelno, logger=record.name)
            if not self._owner.shows:
                return
        if self._owner.in_forked_child():
            print(self.format(record), file=sys.stderr, flush=True)
            return
        names = _up_to_root(record.name)
        # A logger without its own level has the root's, which was lowered for the trials.
        if all(logger.level == logging.NOTSET for logger in names) and record.levelno < self._level:
            return
        handlers = self._originals
        if not handlers and logging.lastResort and not any(logger.handlers for logger in names):
            handlers = [logging.lastResort]
        for handler in handlers:
            if record.levelno >= handler.level:
                handler.handle(record)


def _up_to_root(name: str) -> list[logging.Logger]:
    """The logger of that name and its ancestors, without the root."""
    found = []
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None and logger.parent is not None:
        found.append(logger)
        logger = logger.parent
    return found


class _Streams:
    """The process's Python streams and root logger, taken while any trial runs in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._logs: list[OutputLog] = []
        self._alone = False
        self.shows = False
        self._earlier: set[threading.Thread] = set()
        self._saved: tuple[TextIO, TextIO, list[logging.Handler], int] | None = None
        self._routers: dict[str, _Router] = {}
        self._pid = os.getpid()
        self.copier: _Copier | None = None
        self.outside: dict[str, int] = {}  # the descriptors' targets before they were taken

    @contextmanager
    def taken(self, log: OutputLog, *, alone: bool, shown: bool) -> Iterator[None]:
        with self._lock:
            if not self._logs:
                self._take()
            self._logs.append(log)
            self._alone = alone
            self.shows = shown
            self._earlier = {*threading.enumerate()} - {threading.current_thread()}
        try:
            yield
        finally:
            _flush_streams()  # the training function may have left a wrapper that holds text
            with self._lock:
                self._logs.remove(log)
                if not self._logs:
                    self._restore()

    def log_of_caller(self) -> OutputLog | None:
        """The log of the trial that the calling thread belongs to; None if it belongs to none."""
        if self.in_forked_child():
            return None  # its descriptors lead to the trial's file
        log = _log.get()
        # A thread that the training function started lacks the trial's context. A thread that is
        # older than the trial belongs to Dask, to Prefect, or to an earlier trial.
        own = self._alone and self._logs and threading.current_thread() not in self._earlier
        if log is None and own:
            log = self._logs[0]
        return None if log is None or log.closed else log

    def in_forked_child(self) -> bool:
        """Whether a trial forked this process."""
        return os.getpid() != self._pid

    def write_outside(self, name: str, original: TextIO, text: str) -> None:
        """Write text that belongs to no trial to its stream's original target."""
        if name in self.outside and not self.in_forked_child():
            os.write(self.outside[name], text.encode(errors="backslashreplace"))
        else:
            original.write(text)

    def drain(self) -> None:
        """Copy what was written to the descriptors so far, so that the log keeps the order."""
        if self.copier is not None:
            self.copier.drain()

    def _take(self) -> None:
        root = logging.getLogger()
        self._pid = os.getpid()
        self._saved = (sys.stdout, sys.stderr, root.handlers[:], root.level)
        # The routers are kept from trial to trial: Python flushes a stream that it throws away.
        if not all(router.serves(name) for name, router in self._routers.items()):
            self._routers = {}
        for name in ("stdout", "stderr"):
            if name not in self._routers:
                self._routers[name] = _Router(name, getattr(sys, name), self)
            setattr(sys, name, self._routers[name])
        root.handlers[:] = [_LogHandler(self, root.handlers[:], root.level)]
        if root.level in (logging.NOTSET, logging.WARNING):  # untouched by the user
            root.setLevel(logging.INFO)

    def _restore(self) -> None:
        assert self._saved is not None
        out, err, handlers, level = self._saved
        # A training function may have left its own streams or handlers there.
        sys.stdout, sys.stderr = out, err
        root = logging.getLogger()
        root.handlers[:] = handlers
        # A training process keeps its level INFO: each change makes every logger look up its level
        # again.
        if root.level != level and (self.shows or not self._alone or root.level != logging.INFO):
            root.setLevel(level)
        self._saved = None


_streams = _Streams()


class _Copier:
    """Copies from the file behind the descriptors into the log when it is told to drain it."""

    def __init__(self, descriptor: int, log: OutputLog) -> None:
        self._descriptor = descriptor
        self._log = log
        self._lock = threading.RLock()
        self._draining = False
        self._closed = False
        self._offset = 0
        self._freed = 0

    def drain(self) -> None:
        with self._lock:
            # This thread may be here already, if a signal handler or a finalizer prints.
            if self._draining or self._closed:
                return
            size = os.fstat(self._descriptor).st_size
            if size == self._offset:
                return
            if size < self._offset:  # a child opened /dev/stdout for writing, which truncated it
                self._offset = 0
            self._draining = True
            try:
                while data := os.pread(self._descriptor, 1 << 16, self._offset):
                    self._offset += len(data)
                    self._log.write_bytes("process", data)
                if self._offset - self._freed >= _FREE_BYTES:
                    self._freed = self._offset
                    _free(self._descriptor, self._offset)
            finally:
                self._draining = False

    def close(self) -> None:
        with self._lock:
            self.drain()
            self._closed = True


class _Poller:
    """The process's thread that drains the running trial's copier every 0.1 s."""

    def __init__(self) -> None:
        self._copier: _Copier | None = None
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, copier: _Copier) -> None:
        self._copier = copier
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="hopsml-output", daemon=True)
            self._thread.start()
        self._busy.set()

    def forget(self) -> None:
        self._busy.clear()
        self._copier = None

    def _run(self) -> None:
        while self._busy.wait():
            time.sleep(_POLL_SECONDS)
            copier = self._copier
            if copier is not None:
                copier.drain()


_poller = _Poller()


@contextmanager
def _descriptors_to(log: OutputLog) -> Iterator[None]:
    descriptor = _spool()
    saved = {number: os.dup(number) for number in (1, 2)}
    _flush_all()
    for number in saved:
        os.dup2(descriptor, number)
    copier = _Copier(descriptor, log)
    _streams.copier = copier
    _streams.outside = {"stdout": saved[1], "stderr": saved[2]}
    _poller.watch(copier)
    try:
        yield
    finally:
        _flush_all()
        _streams.copier = None
        _streams.outside = {}
        _poller.forget()
        for number, original in saved.items():
            os.dup2(original, number)
            os.close(original)
        copier.close()
        os.close(descriptor)


def _spool() -> int:
    """A nameless file that this process and its children append to through one descriptor."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("hopsml-output")
        fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
        return descriptor
    descriptor, path = tempfile.mkstemp(prefix="hopsml-output-")
    os.close(descriptor)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    os.unlink(path)
    return descriptor


def _free(descriptor: int, end: int) -> None:
    """Free the memory of what was copied; the file's size and later writes do not change."""
    with suppress(AttributeError):  # not on this platform
        _libc.fallocate(descriptor, _PUNCH_HOLE, ctypes.c_longlong(0), ctypes.c_longlong(end))


def _flush_all() -> None:
    """Flush what Python and the C library still hold for descriptors 1 and 2."""
    _flush_streams()
    with suppress(Exception):
        _libc.fflush(None)


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with suppress(Exception):  # a user's stand-in may lack flush, or be closed
            cast("TextIO", stream).flush()


_libc = ctypes.CDLL(None)
