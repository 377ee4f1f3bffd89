"""Airflow answers under the names it is meant to have only, so that no page reaches it by a name of its own."""

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from starlette.middleware.trustedhost import TrustedHostMiddleware

HOSTS = ("127.0.0.1", "localhost", "airflow-api-server")
"""Of this machine, and of the service of docker-compose.yaml; a reverse proxy must hand on one of these."""


class KnownHosts(AirflowPlugin):
    """Refuses every other Host with 400, before anything else is looked at."""

    name = "known_hosts"
    fastapi_root_middlewares: ClassVar[list[Any]] = [
        {"name": name, "middleware": TrustedHostMiddleware, "kwargs": {"allowed_hosts": list(HOSTS)}}
    ]
