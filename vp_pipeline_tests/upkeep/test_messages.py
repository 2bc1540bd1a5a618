"""Alerts arrive at a real webhook and a real mail server, and nobody reads a secret in an error."""

import json
import socketserver
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vp_pipeline.upkeep.incidents import News
from vp_pipeline.upkeep.messages import Channels, DeliveryError, send

SINCE = "2026-03-01T00:00:00+00:00"
ALERT = News(
    "alert", "check coverage:staleness", "kraken BTC/USD: 90 minutes old", "2026-03-01T00:00:00+00:00"
)


class Webhook(BaseHTTPRequestHandler):
    """Notes what is posted; answers with `status`."""

    got: list[dict[str, str]]
    status = 204

    def do_POST(self) -> None:
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs that sends one message."""

    got: list[str]

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.got.append(b"".join(lines).decode())
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                return


@pytest.fixture
def webhook() -> Iterator[tuple[str, type[Webhook]]]:
    handler = type("Handler", (Webhook,), {"got": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/s3cret?token=s3cret", handler
        server.shutdown()


@pytest.fixture
def mail() -> Iterator[tuple[str, list[str]]]:
    got: list[str] = []
    handler = type("Handler", (Mail,), {"got": got})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"smtp://127.0.0.1:{server.server_address[1]}", got
        server.shutdown()


def test_a_webhook(webhook: tuple[str, type[Webhook]]) -> None:
    url, handler = webhook
    channels = Channels(webhook=url, label="vp-pipeline", link="http://pi/dagster")
    assert channels.names == ("webhook",)
    send(channels, "webhook", ALERT)
    (body,) = handler.got
    assert body["kind"] == "alert"
    assert body["incident"] == "check coverage:staleness"
    assert body["text"] == body["content"]
    assert body["text"].startswith(
        "vp-pipeline: ALERT: check coverage:staleness\nkraken BTC/USD: 90 minutes old"
    )
    handler.status = 302
    with pytest.raises(DeliveryError, match=r"the webhook at 127\.0\.0\.1 answers with status 302") as told:
        send(channels, "webhook", ALERT)
    assert "s3cret" not in str(told.value)


def test_a_mail(mail: tuple[str, list[str]]) -> None:
    smtp, got = mail
    channels = Channels(email="me@example.org", smtp=smtp)
    assert channels.names == ("email",)
    send(channels, "email", News("recovery", "minutes", "in order again", "2026-03-01T00:00:00+00:00"))
    (message,) = got
    assert "Subject: vp-pipeline: OK again: minutes" in message
    assert "To: me@example.org" in message
    assert "in order again" in message


def test_a_password_is_never_sent_in_clear(mail: tuple[str, list[str]]) -> None:
    smtp = mail[0].replace("//", "//me%40example.org:s3cret@")
    with pytest.raises(DeliveryError, match="SMTPNotSupportedError") as told:
        send(Channels(email="me@example.org", smtp=smtp), "email", ALERT)
    assert "s3cret" not in str(told.value)
    assert mail[1] == []


@pytest.mark.parametrize("name", ["webhook", "email"])
def test_nobody_there(name: str) -> None:
    channels = Channels(webhook="http://127.0.0.1:1/s3cret", email="a@b", smtp="smtp://u:s3cret@127.0.0.1:1")
    with pytest.raises(DeliveryError) as told:
        send(channels, name, ALERT)
    assert "s3cret" not in f"{told.value!r}{told.value.__cause__}"
    assert "127.0.0.1" in str(told.value)


@pytest.mark.parametrize("password", ["s3cret/", "/s3cret", "s3cret#", "s3cret?", "[s3cret", "1/s3cret"])
@pytest.mark.parametrize("name", ["webhook", "email"])
def test_an_address_that_cannot_be_read(name: str, password: str) -> None:
    """One channel's mistake is a failed delivery, so that the others go on, and tells no part of it."""
    channels = Channels(
        webhook=f"http://u:{password}@127.0.0.1:1/", email="a@b", smtp=f"smtp://u:{password}@127.0.0.1:1"
    )
    with pytest.raises(DeliveryError) as told:
        send(channels, name, ALERT)
    assert "s3cret" not in "".join(traceback.format_exception(told.value))


def test_mail_needs_both() -> None:
    assert Channels(email="a@b").names == ()
    assert Channels(webhook="", email="", smtp="").names == ()
