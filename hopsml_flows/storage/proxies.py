"""Proxies that the environment names: the loopback address is never reached through them.

``HTTP_PROXY`` without ``NO_PROXY`` is common in companies and clusters. What this package starts on
the loopback address (a Prefect server, TensorBoard's data server, a storage on this machine) would
be asked for at the proxy, which knows another loopback address. All clients that are used here
(httpx, websockets, requests, aiohttp, botocore, gRPC) read these variables, so the exception is put
where all of them look, and where processes that are started later find it.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

__all__ = ["LOOPBACK_HOSTS", "proxy_variables", "reach_loopback_directly"]

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy", "grpc_proxy")
_EXCEPTIONS = "no_proxy"


def proxy_variables(environment: MutableMapping[str, str] | None = None) -> dict[str, str]:
    """The variables that name a proxy, as they are written.

    Args:
        environment: Where to look; this process's environment if None.
    """
    variables = os.environ if environment is None else environment
    return {name: text for name, text in variables.items() if text and name.lower() in _PROXIES}


def reach_loopback_directly(environment: MutableMapping[str, str] | None = None) -> None:
    """Add the loopback address to ``NO_PROXY`` where a proxy is named and it is missing.

    Args:
        environment: What to change; this process's environment if None.
    """
    variables = os.environ if environment is None else environment
    if not proxy_variables(variables):
        return
    # Some clients read one spelling, some the other, most the one in small letters if there are
    # both: each gets all exceptions.
    spellings = (_EXCEPTIONS.upper(), _EXCEPTIONS)
    known = [host.strip() for name in spellings for host in variables.get(name, "").split(",")]
    known = list(dict.fromkeys(filter(None, known)))
    if "*" in known:
        return
    wanted = ",".join([*known, *(host for host in LOOPBACK_HOSTS if host not in known)])
    for name in spellings:
        if variables.get(name) != wanted:
            variables[name] = wanted
