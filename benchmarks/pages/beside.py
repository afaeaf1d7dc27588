"""Pages side by side: the first answer of a new server, further answers, and a browser."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from pages.peers import Asked, Page, Shown
from pages.stores import QUIET
from tests.servers import fetch
from tests.servers.processes import free_ports

__all__ = ["Limits", "measured"]

_PAUSE_SECONDS = 0.2
_CLIENT = httpx.Client()  # one for all: to make one takes longer than many an answer
_VIEWPORT: Any = {"width": 1500, "height": 1000}


@dataclass(frozen=True, slots=True)
class Limits:
    """When a page is given up.

    Args:
        seconds: The longest wait: for the first whole answer, for all further ones together, and
            each time for a browser.
        repeats: Requests after the first one.
        openings: How often a browser opens the page.
    """

    seconds: float
    repeats: int
    openings: int


def measured(page: Page, large: Mapping[int, int], limits: Limits) -> dict[str, Any]:
    """Start a page's server for each large experiment, and ask for it and for the list.

    What was given up is None.

    Args:
        page: The page, filled.
        large: Number and trials of each experiment to ask for.
        limits: When to give up.
    """
    found: dict[str, Any] = {"list": None, "experiments": []}
    for at, (number, trials) in enumerate(large.items()):
        print(f"{page.name}, {trials:,} trials", file=sys.stderr, flush=True)
        with _served(page, number) as url:
            entry: dict[str, Any] = {"trials": trials, **_first(page, url, number, trials, limits)}
            if entry["first_s"] is not None:
                entry |= _again(url, page.asked(number), limits)
                listed = page.listed()
                if not at and listed is not None:
                    found["list"] = _again(url, listed, limits)
                for what, shown in page.shown(number, trials).items():
                    entry[f"{what}_s"] = _in_a_browser(url, shown, limits)
        found["experiments"].append(entry)
    return found


@contextmanager
def _served(page: Page, number: int) -> Iterator[str]:
    (port,) = free_ports(1)
    process = subprocess.Popen(
        page.command(number, port),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **QUIET},
        start_new_session=True,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        # MLflow's children outlive it if it alone is ended.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _first(
    page: Page, url: str, number: int, trials: int, limits: Limits
) -> dict[str, float | None]:
    """Seconds from the server's start until an answer has all trials."""
    began = time.perf_counter()
    asked = page.asked(number)
    while (took := time.perf_counter() - began) < limits.seconds:
        try:
            answer = _answer(url, asked, limits.seconds - took)
        except httpx.TransportError:
            pass  # it does not listen yet
        else:
            if answer.status_code == httpx.codes.OK and page.is_whole(answer, trials):
                return {"first_s": time.perf_counter() - began}
        time.sleep(_PAUSE_SECONDS)
    return {"first_s": None}


def _again(url: str, asked: Asked, limits: Limits) -> dict[str, float | None]:
    """Milliseconds of further answers, and their size as it is sent and as it is read."""
    times: list[float] = []
    sent = read = 0
    ends = time.perf_counter() + limits.seconds
    while len(times) < limits.repeats and (left := ends - time.perf_counter()) > 0:
        began = time.perf_counter()
        try:
            answer = _answer(url, asked, left)
        except httpx.TimeoutException:
            break
        if answer.status_code != httpx.codes.OK:
            raise SystemExit(f"{url}{asked.path} answered {answer.status_code}: {answer.text}")
        times.append((time.perf_counter() - began) * 1000)
        sent, read = answer.num_bytes_downloaded, len(answer.content)
    if not times:
        return {"median": None, "95th": None, "sent_kb": None, "read_kb": None}
    return {
        "median": statistics.median(times),
        "95th": sorted(times)[int(len(times) * 0.95)],
        "sent_kb": sent / 1000,
        "read_kb": read / 1000,
    }


def _answer(url: str, asked: Asked, seconds: float) -> httpx.Response:
    method = "GET" if asked.body is None else "POST"
    return _CLIENT.request(method, f"{url}{asked.path}", json=asked.body, timeout=seconds)


def _in_a_browser(url: str, shown: Shown, limits: Limits) -> float | None:
    """Median seconds from the call of a page until it shows its data; None is beyond the limit.

    The browser is new each time, without a cache.
    """
    from playwright.sync_api import sync_playwright

    taken: list[float] = []
    with sync_playwright() as playwright:
        for _ in range(limits.openings):
            browser = playwright.chromium.launch(
                executable_path=str(fetch.chromium()),
                args=["--no-sandbox", "--disable-dev-shm-usage"],
            )
            try:
                took = _opened(browser.new_page(viewport=_VIEWPORT), url, shown, limits.seconds)
            finally:
                browser.close()
            if took is None:
                return None
            taken.append(took)
    return statistics.median(taken)


def _opened(page: Any, url: str, shown: Shown, seconds: float) -> float | None:
    from playwright.sync_api import TimeoutError as LateError

    page.set_default_timeout(seconds * 1000)
    began = time.perf_counter()
    try:
        page.goto(f"{url}{shown.path}", wait_until="commit")
        page.locator(shown.selector).nth(shown.least - 1).wait_for(state="attached")
    except LateError:
        return None
    took = time.perf_counter() - began
    return took if took <= seconds else None
