"""Serves the pages of a project from this process, until the user interrupts it."""

from __future__ import annotations

import errno
import ipaddress
import secrets
import socket
import webbrowser
from collections.abc import Sequence
from urllib.parse import quote

import psutil
import uvicorn

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.listening import listen
from hopsml_flows.service.web.application import experiments_app
from hopsml_flows.storage import LOOPBACK_HOSTS, Project

__all__ = ["PORT", "is_loopback", "own_hosts", "serve_pages"]

PORT = 8642
"""Usual port of the pages."""

_HIGHEST = 65535


def serve_pages(
    project: Project,
    *,
    host: str = LOOPBACK_HOSTS[1],
    port: int | None = None,
    allowed_hosts: Sequence[str] = (),
    access_token: str = "",
    open_browser: bool = False,
    read_only: bool = False,
) -> None:
    """Serve the pages of a project until Ctrl-C, and print their address.

    The pages offer TensorBoards only where all users of this machine, and they alone, may read the
    pages: a TensorBoard needs no token, and another machine cannot open a link to it.

    Args:
        project: The project.
        host: Address to listen on.
        port: Port to listen on, 0 for any free one; None for 8642, or any free one if that is
            taken.
        allowed_hosts: Further host names that browsers call the server by.
        access_token: Token that every request needs; "" for a new one if the address is not this
            machine's own, and none otherwise.
        open_browser: Open the pages in the user's browser.
        read_only: Offer nothing that changes an experiment.

    Raises:
        InvalidArgumentError: This machine does not have the address, or the port is not free.
    """
    if port is not None and not 0 <= port <= _HIGHEST:
        raise InvalidArgumentError("--port", port, f"must be a port number from 0 to {_HIGHEST}")
    listening = _listening(host, port)
    number = listening.getsockname()[1]
    if not access_token and not is_loopback(host):
        access_token = secrets.token_urlsafe(24)
    hosts = {host, *LOOPBACK_HOSTS, *allowed_hosts}
    hosts |= set() if is_loopback(host) else own_hosts(host)
    app = experiments_app(
        project,
        hosts=hosts,
        access_token=access_token,
        writable=not read_only,
        tensorboards=_only_this_machine(host, allowed_hosts) and not access_token,
    )
    address = _address(host, number, access_token)
    print(f"Experiments of {project.url}: {address} (Ctrl-C ends it)", flush=True)
    if open_browser:
        webbrowser.open(address)
    # No header that a client can send says where a request comes from.
    config = uvicorn.Config(app, log_level="warning", server_header=False, proxy_headers=False)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        return
    finally:
        listening.close()


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone.

    Args:
        host: The address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host in LOOPBACK_HOSTS:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _only_this_machine(host: str, allowed_hosts: Sequence[str]) -> bool:
    """Whether the server is called from this machine alone; a further name is that of a proxy."""
    return all(map(is_loopback, (host, *allowed_hosts)))


def own_hosts(host: str) -> set[str]:
    """Return the names and addresses that a machine is called by.

    Args:
        host: The address that the server listens on.
    """
    addresses = {
        address.address.partition("%")[0]
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family in (socket.AF_INET, socket.AF_INET6)
    }
    return {host, socket.gethostname(), socket.getfqdn(), *addresses}


def _listening(host: str, port: int | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return listen(family, (host, PORT if port is None else port))
    except OSError as error:
        about_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
        if about_port and port is None:
            return _listening(host, 0)
        reason = error.strerror or str(error)
        if about_port:
            raise InvalidArgumentError(
                "--port", port, f"must be free on {host} ({reason})"
            ) from None
        allowed = f"must be an address of this machine ({reason})"
        raise InvalidArgumentError("--host", host, allowed) from None


def _address(host: str, port: int, access_token: str) -> str:
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
    netloc = f"[{shown}]" if ":" in shown else shown
    query = f"?token={quote(access_token, safe='')}" if access_token else ""
    return f"http://{netloc}:{port}/{query}"
