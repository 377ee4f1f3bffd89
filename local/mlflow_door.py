"""MLflow's server behind a login: ``mlflow server --app-name bundles-door``.

MLflow's own login needs a package more, a database of users, and a slow hash for every call. Here is one login, that of
MLflow's clients: ``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD``. Without both the server does not start.

It also refuses experiments that keep their artifacts anywhere but behind the server: the bare server accepts a folder
of its machine as an artifact location, and would then hand out what lies there.
"""

import base64
import binascii
import json
import os
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

OPEN = "/health"
"""Answers everybody, with two letters: for whoever watches that the server is up."""
BEHIND_THE_SERVER = "mlflow-artifacts:"
LOCATION_NAMES = ("artifact_location", "artifactLocation")
MAX_EXPERIMENT_BYTES = 1_000_000


class Door:
    """An ASGI application that lets those who know the login through to another one.

    Parameters
    ----------
    app
        MLflow's application.
    login
        ``user:password``.
    """

    def __init__(self, app: App, login: str) -> None:
        self._app, self._login = app, login.encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one call, or hand it on."""
        if scope["type"] == "lifespan" or scope.get("path") == OPEN:
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return None  # MLflow has no other calls
        if not self._is_known(dict(scope["headers"]).get(b"authorization", b"")):
            return await _refuse(send, 401, "sign in", [(b"www-authenticate", b'Basic realm="mlflow"')])
        if not str(scope["path"]).rstrip("/").endswith("/experiments/create"):
            return await self._app(scope, receive, send)
        body = await _body(receive)
        if not _stays_behind_the_server(body):
            return await _refuse(
                send, 400, f"artifact_location: only the server's own, {BEHIND_THE_SERVER}, is allowed"
            )
        return await self._app(scope, _again(body, receive), send)

    def _is_known(self, header: bytes) -> bool:
        kind, _, given = header.partition(b" ")
        try:
            login = base64.b64decode(given.strip(), validate=True)
        except binascii.Error:
            return False
        return kind.lower() == b"basic" and secrets.compare_digest(login, self._login)


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more and len(body) <= MAX_EXPERIMENT_BYTES:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _stays_behind_the_server(body: bytes) -> bool:
    try:
        asked = json.loads(body) if len(body) <= MAX_EXPERIMENT_BYTES else None
    except ValueError:
        return False
    if not isinstance(asked, dict):
        return False
    locations = [asked[name] for name in LOCATION_NAMES if asked.get(name)]
    return all(isinstance(one, str) and one.startswith(BEHIND_THE_SERVER) for one in locations)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a receiver that gives the body once more, and then what comes after it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return left.pop() if left else await receive()

    return receive_again


async def _refuse(send: Send, status: int, why: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    head = [(b"content-type", b"text/plain"), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": f"{why}\n".encode()})


def login_of(environment: MutableMapping[str, str]) -> str:
    """Return the login that the environment states.

    Raises
    ------
    SystemExit
        When it states none: a server without a login must not start.
    """
    user, password = (environment.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD"))
    if not user or not password:
        raise SystemExit("MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD are needed; MLflow does not start")
    return f"{user}:{password}"


def create_app() -> Door:
    """Return MLflow's application behind the door, for the server to run."""
    login = login_of(os.environ)
    from mlflow.server.fastapi_app import app  # heavy, and asks for the server's own environment

    return Door(app, login)
