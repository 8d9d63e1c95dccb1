"""``news serve``: the search page alone, for this machine only."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware

from pipeline.errors import ConfigurationError
from pipeline.run import Services
from pipeline.web.app import create_app, reader_services

_HOST = "127.0.0.1"


def serve(
    *,
    port: int = 8090,
    services_factory: Callable[[], Services] = reader_services,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the search page on 127.0.0.1 until Ctrl-C. It needs no log-in, and only reads.

    Requests that name another host are refused, so that a web page elsewhere can't read along by pointing its own
    name at this machine (DNS rebinding). Port 0 takes a free one. Raises ConfigurationError for a port in use.
    """
    app = create_app(services_factory)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((_HOST, port))
            listening.listen()  # who reads the address below may call at once
        except OSError as error:
            raise ConfigurationError(
                f"Port {port} of {_HOST} can't be had: {error.strerror}.", hint="Give another with --port."
            ) from error
        say(f"News search: http://{_HOST}:{listening.getsockname()[1]}/   Ctrl-C stops it.")
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off")
        with suppress(KeyboardInterrupt):  # uvicorn has ended in order and hands it on
            uvicorn.Server(config).run(sockets=[listening])
