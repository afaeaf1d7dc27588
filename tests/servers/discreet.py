"""A proxy before an S3 server that makes it as discreet as AWS about what does not exist.

AWS answers 403 instead of 404 for an object that does not exist, if the caller may not list the
whole bucket. A policy that allows listings of one prefix is such a case, since a request for an
object has no prefix. SeaweedFS enforces such policies, but answers 404.
"""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_LISTINGS = {"list-type", "uploads", "location"}
_REFUSAL = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Denied</Message></Error>"
_OF_THE_CONNECTION = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class DiscreetProxy:
    """The proxy, on a port of loopback.

    Args:
        endpoint: URL of the S3 server.
    """

    def __init__(self, endpoint: str) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(endpoint))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(endpoint: str) -> type[BaseHTTPRequestHandler]:
    address = urlsplit(endpoint).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = http.client.HTTPConnection(address, timeout=60)
            try:
                # With all headers as they are, the host's too: the signature covers them.
                connection.putrequest(
                    self.command, self.path, skip_host=True, skip_accept_encoding=True
                )
                for name, value in self.headers.items():
                    if name.lower() not in ("connection", "expect"):
                        connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            status = answer.status
            if status == 404 and not _LISTINGS & parse_qs(urlsplit(self.path).query).keys():
                status, content = 403, b"" if self.command == "HEAD" else _REFUSAL
            self.send_response(status)
            for name, value in answer.getheaders():
                if name.lower() not in _OF_THE_CONNECTION:
                    self.send_header(name, value)
            size = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", size or str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815 - http.server's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
            pass

    return Handler
