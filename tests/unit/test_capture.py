"""Each test runs a small program of its own: descriptors belong to a whole process."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap

import pytest

PROLOGUE = """
import ctypes, logging, os, subprocess, sys, threading, time, warnings
from pathlib import Path
from hopsml_flows.execution.output.streams import OutputLog, captured
libc = ctypes.CDLL(None)
"""

STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ?")


class Ran:
    """What a program printed, and what its logs hold."""

    def __init__(self, done, directory):
        self.out, self.err = done.stdout, done.stderr
        self._directory = directory

    def lines(self, name="log"):
        lines = (self._directory / name).read_text().split("\n")
        assert lines.pop() == ""
        assert all(STAMP.match(line) for line in lines), lines
        return [STAMP.sub("", line) for line in lines]


@pytest.fixture
def run(tmp_path):
    def run_program(program):
        done = subprocess.run(
            [sys.executable, "-c", PROLOGUE + textwrap.dedent(program)],
            cwd=tmp_path, capture_output=True, text=True, timeout=60,
            env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return Ran(done, tmp_path)

    return run_program


@pytest.fixture(params=[True, False], ids=["descriptors", "python only"])
def trial(request, run):
    """Run a program as the inside of one trial, with and without taking descriptors."""

    def run_trial(inside, *, before="", after=""):
        return run(
            f"{textwrap.dedent(before)}\n"
            f"with captured(OutputLog(Path('log')), descriptors={request.param}):\n"
            f"{textwrap.indent(textwrap.dedent(inside), '    ')}\n"
            f"{textwrap.dedent(after)}"
        )

    return run_trial


@pytest.fixture
def process(run):
    """Run a program as the inside of a trial that has the process to itself."""

    def run_trial(inside, *, before="", after=""):
        return run(
            f"{textwrap.dedent(before)}\n"
            "with captured(OutputLog(Path('log')), descriptors=True):\n"
            f"{textwrap.indent(textwrap.dedent(inside), '    ')}\n"
            f"{textwrap.dedent(after)}"
        )

    return run_trial


def test_print_honours_end_sep_and_file(trial):
    ran = trial(
        """
        print("a", "b", sep="-", end=".\\n")
        print("no", end=" ")
        print("end")
        print("error", file=sys.stderr)
        print("kept", file=open("other", "w"), flush=True)
        print()
        sys.stdout.write("written\\n")
        sys.stdout.writelines(["x\\n", "y\\n"])
        """
    )
    assert ran.lines() == ["a-b.", "no end", "error", "", "written", "x", "y"]
    assert (ran.out, ran.err) == ("", "")


def test_what_a_stream_takes_and_refuses_is_as_ever(trial):
    ran = trial(
        """
        assert sys.stdout.write("four") == 4
        assert not sys.stdout.isatty()
        assert sys.stdout.writable()
        assert sys.stdout.encoding == "utf-8"
        sys.stdout.reconfigure(line_buffering=True)
        sys.stdout.flush()
        try:
            sys.stdout.write(b"bytes")
        except TypeError as error:
            print(f" {error}")
        """
    )
    assert ran.lines() == ["four write() argument must be str, not bytes"]


def test_bytes_written_to_the_buffer_are_text_even_when_cut(trial):
    ran = trial(
        """
        for byte in "ü€😀\\n".encode():
            sys.stdout.buffer.write(bytes([byte]))
        sys.stderr.buffer.write(memoryview(b"view\\n"))
        sys.stdout.buffer.flush()
        """
    )
    assert ran.lines() == ["ü€😀", "view"]


def test_a_wrapper_that_a_script_puts_around_its_output_is_captured(trial):
    ran = trial(
        """
        import io
        sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
        print("wrapped ü")
        """,
        after="print('after')",
    )
    assert ran.lines() == ["wrapped ü"]
    assert ran.out == "after\n"


def test_logging_from_info_on_and_warnings_are_captured(trial):
    ran = trial(
        """
        log = logging.getLogger("my.module")
        log.debug("too low")
        log.info("started %d", 1)
        try:
            1 / 0
        except ZeroDivisionError:
            log.exception("failed")
        warnings.warn("careful")
        """
    )
    lines = ran.lines()
    assert lines[:3] == [
        "INFO my.module: started 1",
        "ERROR my.module: failed",
        "Traceback (most recent call last):",
    ]
    assert "ZeroDivisionError: division by zero" in lines
    assert any("UserWarning: careful" in line for line in lines)
    assert not any("too low" in line for line in lines)
    assert (ran.out, ran.err) == ("", "")


def test_a_level_that_the_user_set_is_respected(trial):
    ran = trial(
        """
        logging.info("quiet")
        logging.getLogger("mine").setLevel(logging.DEBUG)
        logging.getLogger("mine").debug("loud")
        """,
        before="logging.getLogger().setLevel(logging.ERROR)",
    )
    assert ran.lines() == ["DEBUG mine: loud"]


def test_handlers_that_a_training_function_installs_write_to_the_log(trial):
    ran = trial(
        """
        logging.basicConfig(force=True, level=logging.DEBUG, format="mine %(message)s")
        logging.debug("detail")
        """,
        after="""
        assert logging.getLogger().handlers == []
        assert logging.getLogger().level == logging.WARNING
        """,
    )
    assert ran.lines() == ["mine detail"]


def test_streams_logging_and_warnings_are_as_before_when_the_trial_is_over(trial):
    ran = trial(
        """
        sys.stdout = open(os.devnull, "w")
        sys.stderr = open(os.devnull, "w")
        logging.getLogger().handlers.clear()
        logging.getLogger().setLevel(1)
        """,
        before="""
        logging.basicConfig(format="outer %(message)s")
        before = (sys.stdout, sys.stderr, logging.getLogger().handlers[:])
        filters = warnings.filters[:]
        """,
        after="""
        assert (sys.stdout, sys.stderr, logging.getLogger().handlers) == before
        assert logging.getLogger().level == logging.WARNING
        assert warnings.filters == filters
        print("out"); logging.warning("warned"); os.write(1, b"raw\\n"); libc.puts(b"puts")
        """,
    )
    assert sorted(ran.out.split()) == ["out", "puts", "raw"]
    assert ran.err == "outer warned\n"
    assert ran.lines() == []


def test_everything_is_restored_when_the_function_raises(trial):
    ran = trial(
        "pass",
        after="""
        try:
            with captured(OutputLog(Path("second")), descriptors=True):
                print("inside")
                raise LookupError("boom")
        except LookupError:
            print("outside")
        """,
    )
    assert ran.lines("second") == ["inside"]
    assert ran.out == "outside\n"


def test_many_trials_in_one_process_leave_no_descriptor_and_no_thread_behind(process):
    ran = process(
        "pass",
        after="""
        def state():
            return len(os.listdir("/proc/self/fd")), threading.active_count()
        before = state()
        for i in range(50):
            with captured(OutputLog(Path(f"log{i}")), descriptors=True):
                print(i)
                os.write(1, b"raw\\n")
        assert state() == before, (state(), before)
        """,
    )
    assert ran.lines("log49") == ["49", "raw"]


def test_c_code_and_raw_descriptors_are_captured(process):
    ran = process(
        """
        libc.printf(b"printf %d\\n", 7)
        libc.puts(b"puts")
        libc.fflush(None)
        os.write(1, b"descriptor 1\\n")
        os.write(2, b"descriptor 2\\n")
        libc.printf(b"not flushed")
        """
    )
    assert ran.lines() == ["printf 7", "puts", "descriptor 1", "descriptor 2", "not flushed"]
    assert (ran.out, ran.err) == ("", "")


def test_python_and_flushed_c_output_keep_their_order(process):
    ran = process(
        """
        for i in range(20):
            print(f"python {i}")
            os.write(1, f"c {i}\\n".encode())
        """
    )
    assert ran.lines() == [f"{kind} {i}" for i in range(20) for kind in ("python", "c")]


def test_c_output_cut_within_a_character_is_whole_in_the_log(process):
    ran = process(
        """
        raw = ("ü€😀" * 9000 + "\\n").encode()
        for start in range(0, len(raw), 65535):
            os.write(1, raw[start:start + 65535])
            time.sleep(0.15)
        """
    )
    assert ran.lines() == ["ü€😀" * 9000]


def test_a_megabyte_printed_by_c_code_that_holds_the_interpreters_lock_does_not_hang(process):
    ran = process(
        """
        holding = ctypes.PyDLL(None)
        line = b"x" * 1023
        for _ in range(1024):
            holding.puts(line)
        holding.fflush(None)
        """
    )
    assert ran.lines() == ["x" * 1023] * 1024


def test_child_processes_are_captured(process):
    ran = process(
        """
        subprocess.run(["echo", "from a program"], check=True)
        subprocess.run(["sh", "-c", "echo oops >&2"], check=True)
        subprocess.run([sys.executable, "-c", "print('from python')"], check=True)
        subprocess.run(["echo", "to a stream"], stdout=sys.stdout, check=True)
        os.system("echo from a shell")
        shown = subprocess.run(["echo", "not shown"], capture_output=True, text=True).stdout
        assert shown == "not shown\\n"
        """
    )
    assert ran.lines() == [
        "from a program",
        "oops",
        "from python",
        "to a stream",
        "from a shell",
    ]
    assert (ran.out, ran.err) == ("", "")


def test_a_forked_child_is_captured_once(process):
    ran = process(
        """
        print("parent before")
        # Python 3.12 and newer say so of every process with threads, as a captured one is.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded")
        pid = os.fork()
        if pid == 0:
            print("child prints")
            print("child complains", file=sys.stderr)
            logging.getLogger("child").info("child logs")
            logging.getLogger("child").debug("too low")
            sys.stdout.buffer.write("child ü\\n".encode())
            os.write(1, b"child writes\\n")
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(pid, 0)
        print("parent after")
        """
    )
    lines = ran.lines()
    assert lines[0] == "parent before"
    assert lines[-1] == "parent after"
    assert sorted(lines[1:-1]) == sorted(
        ["child prints", "child complains", "INFO child: child logs", "child ü", "child writes"]
    )
    assert (ran.out, ran.err) == ("", "")


def test_workers_of_multiprocessing_are_captured(process):
    ran = process(
        """
        import multiprocessing
        context = multiprocessing.get_context("fork")
        for i in range(2):
            child = context.Process(target=print, args=(f"worker {i}",))
            child.start()
            child.join()
        """
    )
    assert ran.lines() == ["worker 0", "worker 1"]


def test_threads_that_the_training_function_starts_are_captured(process):
    ran = process(
        """
        def work(i):
            print(f"thread {i}")
            logging.warning("thread %d", i)
        for i in range(3):
            thread = threading.Thread(target=work, args=(i,))
            thread.start()
            thread.join()
        """
    )
    assert ran.lines() == [
        line for i in range(3) for line in (f"thread {i}", f"WARNING root: thread {i}")
    ]


def test_threads_that_print_at_once_share_no_line(process):
    ran = process(
        """
        def work(i):
            for j in range(200):
                print(f"<{i}:{j}>\\n", end="")
                os.write(1, f"[{i}:{j}]\\n".encode())
        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """
    )
    expected = [f"{a}{i}:{j}{b}" for i in range(4) for j in range(200) for a, b in ("<>", "[]")]
    assert sorted(ran.lines()) == sorted(expected)


def test_a_progress_bar_leaves_few_lines_and_its_last_state(trial):
    ran = trial(
        """
        for i in range(101):
            print(f"\\r{i}%|{'#' * (i // 10)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        print("done")
        """
    )
    lines = ran.lines()
    assert lines[-2:] == ["100%|##########", "done"]
    assert len(lines) < 20


def test_a_signal_handler_that_prints_does_not_hang(process):
    ran = process(
        """
        import signal
        count = 0
        def handle(*_):
            global count
            count += 1
            print("tick")
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        while count < 300:
            os.write(1, b"raw\\n")
            print("line")
        signal.setitimer(signal.ITIMER_REAL, 0)
        """
    )
    assert "tick" in ran.lines()


def test_output_is_in_the_log_while_the_trial_runs(process):
    ran = process(
        """
        print("early")
        assert Path("log").read_text().endswith("early\\n")
        os.write(1, b"raw\\n")
        while not Path("log").read_text().endswith("raw\\n"):
            time.sleep(0.01)
        """
    )
    assert ran.lines() == ["early", "raw"]


def test_a_warning_is_shown_again_in_the_next_trial(process):
    ran = process(
        "def f(): warnings.warn('again')\nf()",
        after="""
        with captured(OutputLog(Path("second")), descriptors=True):
            f()
        """,
    )
    assert any("again" in line for line in ran.lines())
    assert any("again" in line for line in ran.lines("second"))


def test_trials_in_threads_of_one_process_do_not_mix(run):
    ran = run(
        """
        barrier = threading.Barrier(2)
        def trial(i):
            with captured(OutputLog(Path(f"log{i}")), descriptors=False):
                for j in range(100):
                    barrier.wait()
                    print(f"trial {i} step {j}")
                    logging.getLogger(f"of{i}").info("step %d", j)
                    print(f"part {i}", end="")
                    barrier.wait()
                    print(f" rest {i}", file=sys.stdout)
        threads = [threading.Thread(target=trial, args=(i,)) for i in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print("driver")
        """
    )
    for i in range(2):
        assert ran.lines(f"log{i}") == [
            line
            for j in range(100)
            for line in (f"trial {i} step {j}", f"INFO of{i}: step {j}", f"part {i} rest {i}")
        ]
    assert ran.out == "driver\n"
    assert ran.err == ""


def test_the_drivers_own_output_stays_the_drivers_while_a_trial_runs_beside_it(run):
    ran = run(
        """
        logging.basicConfig(format="driver %(message)s")
        started, stop = threading.Event(), threading.Event()
        def trial():
            with captured(OutputLog(Path("log")), descriptors=False):
                print("trial")
                started.set()
                stop.wait(30)
        thread = threading.Thread(target=trial)
        thread.start()
        started.wait(30)
        print("print")
        sys.stdout.buffer.write(b"bytes\\n")
        sys.stdout.buffer.flush()
        logging.warning("warning")
        logging.info("below the driver's level")
        logging.getLogger("own").setLevel(logging.DEBUG)
        logging.getLogger("own.child").debug("debug")
        os.write(1, b"raw\\n")
        stop.set()
        thread.join()
        """
    )
    assert ran.lines() == ["trial"]
    assert sorted(ran.out.split()) == ["bytes", "print", "raw"]
    assert ran.err == "driver warning\ndriver debug\n"


def test_without_handlers_the_drivers_warnings_go_where_they_always_did(run):
    ran = run(
        """
        with captured(OutputLog(Path("log")), descriptors=False):
            def beside():
                logging.warning("shown")
                logging.info("not shown")
                handled = logging.getLogger("handled")
                handled.addHandler(logging.NullHandler())
                handled.warning("swallowed by its own handler")
            thread = threading.Thread(target=beside)
            thread.start()
            thread.join()
        """
    )
    assert ran.lines() == []
    assert ran.err == "shown\n"


def test_a_child_that_opens_dev_stdout_loses_nothing_that_follows(process):
    ran = process(
        """
        import subprocess, time
        from pathlib import Path
        subprocess.run(["echo", "a first line that is rather long"], check=True)
        while "rather long" not in Path("log").read_text():
            time.sleep(0.01)
        subprocess.run(["sh", "-c", "echo opened > /dev/stdout"], check=True)
        subprocess.run(["echo", "last"], check=True)
        """
    )
    assert ran.lines() == ["a first line that is rather long", "opened", "last"]


def test_megabytes_of_a_childs_output_arrive_whole(process):
    ran = process(
        """
        import subprocess, sys
        code = "for i in range(60000): print('line', i, 'x' * 60)"
        subprocess.run([sys.executable, "-c", code], check=True)
        """
    )
    assert ran.lines() == [f"line {i} {'x' * 60}" for i in range(60000)]
