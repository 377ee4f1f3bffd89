"""Incidents are written down and told; who cannot be told of is still written down."""

import email
import email.policy
import json
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import StreamRequestHandler, TCPServer

import pytest
from pydantic import SecretStr

from ml.alerts import note, tell
from ml.errors import TemporaryError
from ml.settings import AlertSettings, Settings, WarehouseSettings
from ml.warehouse import Warehouse

DAY = date(2017, 12, 3)


class Listener(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    heard: list[dict[str, str]]

    def do_POST(self) -> None:
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def webhook() -> Iterator[AlertSettings]:
    Listener.heard = []
    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield AlertSettings(webhook=SecretStr(f"http://127.0.0.1:{server.server_port}/hook"))
    server.shutdown()


class Mailbox(StreamRequestHandler):
    """Takes mail by SMTP as a relay does, and keeps the envelope and the text."""

    taken: list[tuple[list[str], bytes]]

    def handle(self) -> None:
        envelope: list[str] = []
        self.say("220 here")
        for line in map(bytes.strip, self.rfile):
            match line.split(b":")[0].split()[0].upper():
                case b"MAIL" | b"RCPT":
                    envelope.append(line.decode().split(" SIZE=")[0].split(" size=")[0])
                    self.say("250 ok")
                case b"DATA":
                    self.say("354 go on")
                    text = list(iter(lambda: self.rfile.readline().rstrip(b"\r\n"), b"."))
                    self.taken.append((envelope, b"\n".join(text)))
                    self.say("250 taken")
                case b"QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 ok")

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def mailbox() -> Iterator[AlertSettings]:
    Mailbox.taken = []
    with TCPServer(("127.0.0.1", 0), Mailbox) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield AlertSettings(
            mail_to="ops@example.com, night@example.com",
            mail_from="bundles@example.com",
            mail_port=server.server_address[1],
        )
        server.shutdown()


def test_an_incident_is_told_by_mail_to_everybody_named(settings: Settings, mailbox: AlertSettings) -> None:
    whole = settings.model_copy(update={"alerts": mailbox})
    # A subject with a line break would be a header of its own.
    note(whole, "task_failed", "load_shop.load_raw\nBcc: x@example.com", "exit 65: für ünï", DAY, "manual__1")
    ((envelope, text),) = Mailbox.taken
    assert [line.lower() for line in envelope] == [
        "mail from:<bundles@example.com>",
        "rcpt to:<ops@example.com>",
        "rcpt to:<night@example.com>",
    ]
    message = email.message_from_bytes(text, policy=email.policy.default)
    assert (message["To"], message["From"]) == ("ops@example.com, night@example.com", "bundles@example.com")
    assert message["Subject"] == "task_failed: load_shop.load_raw Bcc: x@example.com" and message["Bcc"] is None
    body = message.get_body()
    assert body and body.get_content().strip() == "exit 65: für ünï\nas of 2017-12-03, run manual__1"


def test_an_incident_is_written_and_told(settings: Settings, webhook: AlertSettings) -> None:
    whole = settings.model_copy(update={"alerts": webhook})
    number = note(whole, "task_failed", "load_shop.load_raw", "exit 65", DAY, "manual__1")
    rows = Warehouse(settings, "publisher").read_view("ops.incidents", {"incident_id": number}).to_dicts()
    assert [(row["kind"], row["subject"], row["as_of"], row["started_by"]) for row in rows] == [
        ("task_failed", "load_shop.load_raw", DAY, "manual__1")
    ]
    assert Listener.heard == [{"text": "task_failed: load_shop.load_raw\nexit 65\nas of 2017-12-03, run manual__1"}]


def test_a_missing_day_is_noted_and_told_once(settings: Settings, webhook: AlertSettings) -> None:
    whole = settings.model_copy(update={"alerts": webhook})
    other = DAY + timedelta(days=1)
    numbers = [note(whole, "day_missing", "raw.orders", "no order", day, "x") for day in (DAY, DAY, other)]
    assert [number > 0 for number in numbers] == [True, False, True]
    assert [heard["text"].splitlines()[-1] for heard in Listener.heard] == [
        f"as of {day}, run x" for day in (DAY, other)
    ]


def test_nobody_to_tell_is_no_failure(settings: Settings) -> None:
    deaf = AlertSettings(webhook=SecretStr("http://127.0.0.1:9/"), mail_to="ops@example.com", mail_port=9)
    assert note(settings.model_copy(update={"alerts": deaf}), "run_late", "load_shop", "late", None, "x") > 0


def test_an_address_that_is_none_is_not_called_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    tell(AlertSettings(webhook=SecretStr("file:///etc/passwd?token=secret")), "title", "text")
    assert "webhook was not told: ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_without_postgres_it_is_told_all_the_same(webhook: AlertSettings) -> None:
    nowhere = WarehouseSettings(port=9, publisher_password=SecretStr("none"))
    with pytest.raises(TemporaryError):
        note(Settings(warehouse=nowhere, alerts=webhook), "run_late", "load_shop", "late", None, "x")
    assert len(Listener.heard) == 1
