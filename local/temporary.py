"""A cluster that lives as long as somebody needs it: for benchmarks and tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.instance import Instance, choose_port
from local.postgres import Server

FIRST_PORT = 20000


@contextmanager
def temporary_server(home: Path, is_durable: bool = False) -> Iterator[Server]:
    """Give a running cluster with roles and migrations, and remove it afterwards.

    Parameters
    ----------
    home
        A folder of its own, which stays.
    is_durable
        True where what fsync costs is part of what is measured.
    """
    port = choose_port("temporary_postgres", FIRST_PORT + os.getpid() % 10000)
    server = Server(home, port, Instance(home).secrets(), is_durable)
    server.start()
    try:
        server.prepare()
        yield server
    finally:
        server.remove()
