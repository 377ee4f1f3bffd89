"""What went wrong is written down, and told to whoever the settings name.

Written first: what nobody could be told of is still there to read. Telling is best effort, since a mail server that is
down must not turn a failure into another one.
"""

import json
import logging
import smtplib
import urllib.request
from datetime import date
from email.message import EmailMessage
from typing import Literal

from ml.settings import AlertSettings, Settings
from ml.warehouse import Warehouse

Kind = Literal["task_failed", "run_late", "invariant_broken", "day_missing"]
SECONDS = 10.0
"""How long a mail server or webhook is waited for."""

log = logging.getLogger(__name__)


def note(settings: Settings, kind: Kind, subject: str, detail: str, as_of: date | None, started_by: str) -> int:
    """Write an incident into ``ops.incidents``, tell of it, and return its number.

    A missing day that was noted before is neither noted nor told again; its number is 0.

    Raises
    ------
    TemporaryError
        When Postgres does not answer; told it is all the same.
    """
    # What could not be written is told all the same.
    is_new = True
    try:
        ((number,),) = Warehouse(settings, "publisher").call(
            "ops.record_incident", kind=kind, subject=subject, detail=detail, as_of=as_of, started_by=started_by
        )
        is_new = number is not None
    finally:
        if is_new:
            tell(settings.alerts, f"{kind}: {subject}", f"{detail}\nas of {as_of or 'no day'}, run {started_by}")
    return int(number or 0)


def tell(settings: AlertSettings, title: str, text: str) -> None:
    """Send a text to the webhook and the address of the settings, where there are any."""
    for name, send in (("webhook", _post), ("e-mail", _mail)):
        try:
            send(settings, title, text)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            # The type alone: an address may hold a token.
            log.warning("%s was not told: %s", name, type(error).__name__)


def _post(settings: AlertSettings, title: str, text: str) -> None:
    address = settings.webhook.get_secret_value()
    if not address:
        return
    if not address.startswith(("https://", "http://")):
        raise ValueError("a webhook is an http address")
    body = json.dumps({"text": f"{title}\n{text}"}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})  # noqa: S310 - looked at above
    with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310
        pass


def _mail(settings: AlertSettings, title: str, text: str) -> None:
    if not settings.mail_to:
        return
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = " ".join(title.split()), settings.mail_from, settings.mail_to
    message.set_content(text)
    with smtplib.SMTP(settings.mail_host, settings.mail_port, timeout=SECONDS) as server:
        server.send_message(message)
