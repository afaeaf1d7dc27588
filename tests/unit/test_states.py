"""What is said where the Prefect server cannot be told how task runs ended."""

from __future__ import annotations

import socket
from uuid import uuid4

import pytest
from prefect import task
from prefect.settings import PREFECT_API_URL, temporary_settings

from hopsml_flows.cluster import state_book
from hopsml_flows.errors import HopsmlWarning


@pytest.mark.parametrize(
    ("listens", "said"), [(True, r"nothing came within 0\.5 s"), (False, "it refuses connections")]
)
def test_a_server_that_is_silent_is_told_from_one_that_is_gone(monkeypatch, listens, said):
    monkeypatch.setattr(state_book, "_BUSY_SECONDS", 0.5)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listens:
            server.listen(8)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/api"
        with temporary_settings({PREFECT_API_URL: url}):
            book = state_book.StateBook()
            final = state_book.FinalState("0001", "COMPLETED", "Completed", None, uuid4())
            book.note(uuid4(), task(lambda: None), final)
            with pytest.warns(HopsmlWarning, match=rf"does not answer \({said}\)"):
                book.settle(keeps_all=False, sent_all=True, hurry=False)
