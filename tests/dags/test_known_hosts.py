"""The plugin that Airflow finds lets known hosts through and no other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import json
from airflow.plugins_manager import get_fastapi_plugins
_, found = get_fastapi_plugins()
print(json.dumps([[one["name"], one["middleware"].__name__, one["kwargs"]] for one in found]))
"""


@pytest.fixture(scope="module")
def middleware() -> tuple[str, dict[str, list[str]]]:
    """Class and arguments of the one middleware that Airflow adds, asked as the stack starts it."""
    environment = {**os.environ, "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "dags" / "plugins")}
    line = [sys.executable, "-c", CODE]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
    ((name, kind, arguments),) = json.loads(done.stdout.splitlines()[-1])
    assert name == "known_hosts"
    return kind, arguments


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:58080", 200),
        ("localhost", 200),
        ("airflow-api-server:8080", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example:58080", 400),
        ("10.9.9.9:58080", 400),
        ("", 400),
    ],
)
def test_a_host_is_known_or_refused(middleware: tuple[str, dict[str, list[str]]], host: str, status: int) -> None:
    from starlette.middleware import trustedhost

    kind, arguments = middleware
    app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("in"))])
    app.add_middleware(getattr(trustedhost, kind), **arguments)
    assert TestClient(app).get("/", headers={"Host": host}).status_code == status
