"""Where the page of a Prefect server looks for the API, as docs/how-to/prefect-server.md says."""

from __future__ import annotations

import pytest
from prefect.settings import Settings

ANOTHER = "http://127.0.0.1:4300/api"


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch, tmp_path):
    for name in (
        "PREFECT_API_URL",
        "PREFECT_UI_API_URL",
        "PREFECT_SERVER_UI_API_URL",
        "PREFECT_SERVER_API_PORT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_it_asks_port_4200_if_nothing_is_set():
    """``prefect server start --port 4300`` sets nothing: its page stays blank."""
    assert Settings().server.ui.api_url == "http://127.0.0.1:4200/api"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREFECT_SERVER_UI_API_URL", ANOTHER),
        ("PREFECT_UI_API_URL", ANOTHER),
        ("PREFECT_API_URL", ANOTHER),
        ("PREFECT_SERVER_API_PORT", "4300"),
    ],
)
def test_a_variable_says_another_address(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert Settings().server.ui.api_url == ANOTHER
