"""What is said when a cluster's scheduler goes away; the client's view of it is played."""

from __future__ import annotations

import pytest

from hopsml_flows.cluster import open_cluster
from hopsml_flows.errors import NoSpaceError, ResourceUnavailableError


class Client:
    """Notices that its scheduler has gone when it has been asked so many times."""

    def __init__(self, asked):
        self.asked = asked

    @property
    def status(self):
        self.asked -= 1
        return "running" if self.asked >= 0 else "connecting"


def cluster(client):
    return open_cluster.OpenCluster(client, owned=False, most=None, resources={}, mark=None)


def test_a_call_that_fails_before_the_client_notices_says_that_the_scheduler_is_gone():
    with (
        pytest.raises(ResourceUnavailableError, match="scheduler is gone"),
        cluster(Client(3)).telling_its_end(),
    ):
        raise OSError("stream is closed")


@pytest.mark.parametrize("error", [OSError("no route"), NoSpaceError("the disk is full")])
def test_another_error_passes_where_the_scheduler_is_there(monkeypatch, error):
    monkeypatch.setattr(open_cluster, "NOTICE_SECONDS", 0.1)
    with pytest.raises(type(error)) as caught, cluster(Client(10**9)).telling_its_end():
        raise error
    assert caught.value is error
