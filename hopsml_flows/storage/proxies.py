"""Proxies of the environment, and their exception: the loopback address is reached directly.

``HTTP_PROXY`` without ``NO_PROXY`` is common in companies and clusters. Requests to the package's
own servers on the loopback address (a Prefect server, TensorBoard's data server, a storage on this
machine) would go to the proxy, whose loopback address is another one. All clients that the package
uses (httpx, websockets, requests, aiohttp, botocore, gRPC) read ``NO_PROXY``, so the exception is
set there. Child processes inherit it.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

__all__ = ["LOOPBACK_HOSTS", "proxy_variables", "reach_loopback_directly"]

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy", "grpc_proxy")
_EXCEPTIONS = "no_proxy"


def proxy_variables(environment: MutableMapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that name a proxy, spelled as in the environment.

    Args:
        environment: The variables; this process's environment if None.

    Example:
        >>> proxy_variables({"HTTP_PROXY": "http://proxy:3128", "HOME": "/root"})
        {'HTTP_PROXY': 'http://proxy:3128'}
    """
    variables = os.environ if environment is None else environment
    return {name: text for name, text in variables.items() if text and name.lower() in _PROXIES}


def reach_loopback_directly(environment: MutableMapping[str, str] | None = None) -> None:
    """Add the loopback address to ``NO_PROXY``, if a proxy is named.

    Args:
        environment: The variables to change; this process's environment if None.
    """
    variables = os.environ if environment is None else environment
    if not proxy_variables(variables):
        return
    # Some clients read one spelling, some the other; most prefer small letters if both exist. So
    # each gets all exceptions.
    spellings = (_EXCEPTIONS.upper(), _EXCEPTIONS)
    known = [host.strip() for name in spellings for host in variables.get(name, "").split(",")]
    known = list(dict.fromkeys(filter(None, known)))
    if "*" in known:
        return
    wanted = ",".join([*known, *(host for host in LOOPBACK_HOSTS if host not in known)])
    for name in spellings:
        if variables.get(name) != wanted:
            variables[name] = wanted
