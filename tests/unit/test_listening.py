from __future__ import annotations

import socket

import pytest

from hopsml_flows.board.tensorboard_process import _listen
from hopsml_flows.listening import listen
from hopsml_flows.server.embedded_process import listening_socket
from hopsml_flows.service.web.serving import _listening


@pytest.mark.parametrize(
    "made",
    [
        lambda: listen(socket.AF_INET, ("127.0.0.1", 0)),
        lambda: listening_socket(None),
        lambda: _listening("127.0.0.1", 0),
        lambda: _listen("127.0.0.1", 0),
    ],
    ids=["any", "prefect", "pages", "tensorboard"],
)
def test_connections_of_all_servers_send_at_once(made):
    with made() as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_in_use_is_an_error():
    first = listen(socket.AF_INET, ("127.0.0.1", 0))
    with first, pytest.raises(OSError, match="in use"):
        listen(socket.AF_INET, first.getsockname())
