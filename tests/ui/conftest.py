"""A headless Chromium for the tests that look at pages.

What is looked at runs in processes of its own: while Playwright is open, this thread has a running
event loop, and Prefect's calls would hand back coroutines for it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers import fetch

SHOTS = "HOPSML_SCREENSHOTS"
"""Environment variable: directory that screenshots are kept in, such as ``docs/images``."""


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    try:
        program = fetch.chromium()
    except fetch.MissingError as error:
        pytest.skip(f"no Chromium: {error}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(program),
            timeout=120_000,
            # Root has no sandbox, and a container's /dev/shm is too small for pages.
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def page(browser):
    """A fresh page, 1500 by 1000 pixels, that gives a slow machine a minute."""
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(60_000)
    try:
        yield page
    finally:
        page.close()


@pytest.fixture
def screenshot(page, tmp_path):
    """Take a screenshot of the page; it is kept where ``HOPSML_SCREENSHOTS`` says."""
    directory = Path(os.environ.get(SHOTS) or tmp_path)

    def take(name: str, **options) -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{name}.png"
        page.screenshot(path=str(path), **options)
        return path

    return take
