from __future__ import annotations

import httpx
import pytest
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from hopsml_flows.storage import LOOPBACK_HOSTS, proxy_variables, reach_loopback_directly

ALL = "localhost,127.0.0.1,::1"


@pytest.mark.parametrize(
    ("before", "exceptions"),
    [
        ({"HTTP_PROXY": "http://proxy:3128"}, ALL),
        ({"all_proxy": "socks5://proxy:1080"}, ALL),
        ({"https_proxy": "http://proxy", "NO_PROXY": "intern"}, f"intern,{ALL}"),
        ({"http_proxy": "http://p", "no_proxy": "a, localhost"}, "a,localhost,127.0.0.1,::1"),
        ({"http_proxy": "http://p", "no_proxy": "a", "NO_PROXY": "b"}, f"b,a,{ALL}"),
    ],
)
def test_the_loopback_address_becomes_an_exception_beside_the_users(before, exceptions):
    variables = dict(before)
    reach_loopback_directly(variables)
    assert variables == {**before, "NO_PROXY": exceptions, "no_proxy": exceptions}
    again = dict(variables)
    reach_loopback_directly(again)
    assert again == variables


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"HTTP_PROXY": ""},
        {"NO_PROXY": "intern"},
        {"HTTP_PROXY": "http://proxy", "NO_PROXY": "*"},
        {"MY_PROXY": "http://proxy"},
    ],
)
def test_nothing_is_changed_where_nothing_is_sent_through_a_proxy(variables):
    before = dict(variables)
    reach_loopback_directly(variables)
    assert variables == before


def test_variables_that_name_a_proxy_are_found_in_either_spelling():
    variables = {"HTTP_PROXY": "a", "https_proxy": "b", "NO_PROXY": "c", "ALL_PROXY": ""}
    assert proxy_variables(variables) == {"HTTP_PROXY": "a", "https_proxy": "b"}


@pytest.mark.parametrize("host", LOOPBACK_HOSTS)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_the_clients_that_are_used_here_heed_it(monkeypatch, host, variable):
    """httpx, websockets and requests: all of them look at the environment when they connect."""
    import requests.utils

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv(variable, "http://proxy.invalid:3128")
    # monkeypatch takes them back.
    monkeypatch.setenv("NO_PROXY", "intern")
    monkeypatch.setenv("no_proxy", "intern")
    reach_loopback_directly()
    shown = f"[{host}]" if ":" in host else host
    with httpx.Client() as client:
        for scheme in ("http", "https"):
            transport = client._transport_for_url(httpx.URL(f"{scheme}://{shown}:4200/api"))
            assert transport is client._transport
    assert get_proxy(parse_uri(f"ws://{shown}:4200/api/events/in")) is None
    assert requests.utils.get_environ_proxies(f"http://{shown}:9870/webhdfs") == {}


@pytest.mark.parametrize("variable", ["ALL_PROXY", "HTTP_PROXY"])
def test_prefects_client_can_be_made_where_a_socks_proxy_is_named(monkeypatch, variable):
    monkeypatch.setenv(variable, "socks5://127.0.0.1:1")
    httpx.Client().close()
