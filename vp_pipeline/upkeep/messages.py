"""Telling people: a webhook and e-mail.

Here belongs delivery. Addresses carry secrets: no message and no error shows more than their host.
"""

import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from vp_pipeline.upkeep.incidents import News

_TIMEOUT = 10


class DeliveryError(RuntimeError):
    """A message was not taken; the text names the host and no more of the address."""


@dataclass(frozen=True)
class Channels:
    """Where alerts go. `smtp`: smtp://user:password@host:port, or smtps://."""

    webhook: str | None = None
    email: str | None = None
    smtp: str | None = None
    label: str = "vp-pipeline"
    link: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are configured."""
        mail = ("email",) if self.email and self.smtp else ()
        return (("webhook",) if self.webhook else ()) + mail


def send(channels: Channels, name: str, news: News) -> None:
    """Deliver one message by one channel.

    Raises:
        DeliveryError: it was not taken.
    """
    subject = f"{channels.label}: {'OK again' if news.kind == 'recovery' else 'ALERT'}: {news.incident}"
    text = f"{news.text}\nSince {news.since}. {channels.link}".strip()
    try:
        if name == "webhook" and channels.webhook:
            _post(channels.webhook, subject, text, news)
        elif name == "email" and channels.email and channels.smtp:
            _mail(channels.smtp, channels.email, subject, text)
    except ValueError as error:
        # Not chained: of an address that cannot be read it quotes a part, which may be of the password.
        raise DeliveryError(f"the address of {name} cannot be used: {type(error).__name__}") from None


def _post(url: str, subject: str, text: str, news: News) -> None:
    # Here, as the code server looks for incidents all the time and seldom has any to tell.
    import requests

    # `text` is what Slack and Mattermost show, `content` what Discord does.
    whole = f"{subject}\n{text}"
    body: Mapping[str, str] = {
        "text": whole,
        "content": whole[:2000],
        "kind": news.kind,
        "incident": news.incident,
        "details": news.text,
        "since": news.since,
    }
    try:
        answer = requests.post(url, json=body, timeout=_TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        # Not chained: its text has the address.
        raise DeliveryError(f"the webhook at {_host(url)} does not answer: {type(error).__name__}") from None
    if answer.status_code >= 300:
        raise DeliveryError(f"the webhook at {_host(url)} answers with status {answer.status_code}")


def _mail(smtp: str, to: str, subject: str, text: str) -> None:
    parts = urlsplit(smtp)
    message = EmailMessage()
    message["Subject"] = subject
    message["To"] = to
    message["From"] = unquote(parts.username) if parts.username and "@" in unquote(parts.username) else to
    message.set_content(text)
    try:
        with _connected(smtp) as server:
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(f"the mail server {_host(smtp)} refuses: {type(error).__name__}") from None


def _connected(smtp: str) -> smtplib.SMTP:
    """Encrypted from the start (smtps), or if the server offers it; no password goes in clear."""
    parts = urlsplit(smtp)
    context = ssl.create_default_context()
    host = parts.hostname or ""
    if parts.scheme == "smtps":
        return smtplib.SMTP_SSL(host, parts.port or 465, timeout=_TIMEOUT, context=context)
    server = smtplib.SMTP(host, parts.port or 587, timeout=_TIMEOUT)
    try:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=context)
        elif parts.username:
            raise smtplib.SMTPNotSupportedError("no encryption")
    except BaseException:
        server.close()
        raise
    return server


def _host(url: str) -> str:
    return urlsplit(url).hostname or "an address without a host"
