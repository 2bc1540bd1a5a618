"""What holds for every answer: headers, hosts, errors; and starting and stopping."""

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from vp_pipeline.settings import Settings
from vp_pipeline.site.server import ListenError, listen
from vp_pipeline_tests.site.conftest import make_settings, reading, serving

PAGES = ("/", "/sessions", "/strategies", "/artifacts/", "/status")
NOWHERE = "postgresql://postgres@127.0.0.1:1/vp"


@pytest.mark.parametrize("path", [*PAGES, "/missing", "/healthz", "/api/v1/artifacts", "/static/site.css"])
def test_every_answer_carries_the_security_headers(address: str, path: str) -> None:
    headers = requests.get(address + path, timeout=10).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "server" not in headers


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_an_empty_database_are_pages(address: str, path: str) -> None:
    answer = requests.get(address + path, timeout=10)
    assert answer.status_code == 200
    assert "<h1>" in answer.text
    assert requests.head(address + path, timeout=10).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_pages_name_no_other_host_but_dagster(address: str, path: str) -> None:
    text = requests.get(address + path, timeout=10).text
    assert set(re.findall(r"https?://[^/\"']+", text)) <= {"http://127.0.0.1:3000"}
    assert not re.search(r"<script(?![^>]*(src=|application/json))|<style|\son\w+=|\sstyle=", text)


def test_the_front_page_of_an_empty_database_says_what_to_do(address: str) -> None:
    text = requests.get(address, timeout=10).text
    assert "No minutes of BTC yet" in text
    assert "make up" in text


@pytest.mark.parametrize("path", ["/missing", "/?instrument=DOGE", "/?period=3h"])
def test_what_does_not_exist_is_a_friendly_404(address: str, path: str) -> None:
    answer = requests.get(address + path, timeout=10)
    assert answer.status_code == 404
    assert "Go to the market page" in answer.text


def test_text_from_the_address_stays_text(address: str) -> None:
    answer = requests.get(address, params={"instrument": "<script>alert(1)</script>"}, timeout=10)
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert" in answer.text


def test_other_hosts_are_refused(address: str) -> None:
    for host, status in {"evil.example": 400, "localhost": 200, "127.0.0.1:99": 200, "": 400}.items():
        answer = requests.get(f"{address}/healthz", headers={"Host": host}, timeout=10)
        assert answer.status_code == status, host
        assert answer.headers["x-frame-options"] == "DENY"


def test_the_host_of_the_site_address_is_accepted(database_url: str, markets_file: Path) -> None:
    with serving(make_settings(database_url, markets_file, site_url="http://pi.lan:8080")) as url:
        assert requests.get(f"{url}/healthz", headers={"Host": "pi.lan:8080"}, timeout=10).ok


@pytest.mark.parametrize(("source", "label"), [("sandbox", "SIMULATED DATA"), ("replay", "RECORDED DATA")])
def test_the_label_stands_on_every_page(
    database_url: str, markets_file: Path, source: str, label: str
) -> None:
    settings = make_settings(database_url, markets_file, source=source, exchange_url="http://127.0.0.1:9")
    with serving(settings) as url:
        for path in (*PAGES, "/missing"):
            assert f"<strong>{label}</strong>" in requests.get(url + path, timeout=10).text, path


def test_live_pages_have_no_label(address: str) -> None:
    assert 'class="banner"' not in requests.get(address, timeout=10).text


def test_without_a_database_every_page_says_so(markets_file: Path) -> None:
    with serving(make_settings(NOWHERE, markets_file)) as url:
        for path in (*PAGES, "/artifacts/x"):
            answer = requests.get(url + path, timeout=10)
            assert answer.status_code == 503, path
            assert "The database does not answer" in answer.text
            assert "Traceback" not in answer.text
        health = requests.get(f"{url}/healthz", timeout=10)
        assert health.status_code == 503
        assert health.headers["content-type"] == "application/problem+json"
        assert health.json()["status"] == 503


def test_a_database_without_tables_is_named_as_such(postgres_server: object, markets_file: Path) -> None:
    url_of = postgres_server.url  # type: ignore[attr-defined]
    with serving(make_settings(url_of("postgres"), markets_file)) as url:
        answer = requests.get(url, timeout=10)
    assert answer.status_code == 503
    assert "has not been set up yet" in answer.text


def test_the_site_cannot_write(settings: Settings) -> None:
    import psycopg

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), reading(settings) as connection:
        connection.execute("DELETE FROM artifact")


def test_plotly_is_the_published_one() -> None:
    from vp_pipeline.site import plotly_js

    assert hashlib.sha256(plotly_js._read()).hexdigest() == plotly_js.SHA256
    assert f"plotly.js (finance - minified) v{plotly_js.VERSION}\n".encode() in plotly_js._read()[:200]


def test_plotly_is_kept_by_the_browser_for_good(address: str) -> None:
    from vp_pipeline.site.plotly_js import PLOTLY_PATH

    plain = requests.get(address + PLOTLY_PATH, headers={"Accept-Encoding": "identity"}, timeout=10)
    packed = requests.get(address + PLOTLY_PATH, headers={"Accept-Encoding": "gzip"}, timeout=10)
    assert plain.content == packed.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert "immutable" in plain.headers["cache-control"]


def test_a_taken_port_is_an_error_that_says_what_to_do() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(ListenError, match="--port"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_sigterm_ends_it_within_five_seconds_with_connections_open(
    database_url: str, markets_file: Path
) -> None:
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-c",
        "from vp_pipeline.site.command import site; site()",
        "--port",
        str(port),
    ]
    environment = os.environ | {"VP_DATABASE_URL": database_url, "VP_MARKETS_FILE": str(markets_file)}
    with (
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process,
        _killed_after(process),
    ):
        _wait_until_it_answers(f"http://127.0.0.1:{port}/healthz")
        with socket.create_connection(("127.0.0.1", port)) as idle, requests.Session() as session:
            idle.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            assert session.get(f"http://127.0.0.1:{port}/", timeout=10).ok
            process.send_signal(signal.SIGTERM)
            started = time.monotonic()
            process.wait(10)
        assert time.monotonic() - started < 5
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


@contextmanager
def _killed_after(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()


def _wait_until_it_answers(url: str) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            if requests.get(url, timeout=1).ok:
                return
        except requests.ConnectionError:
            pass
        assert time.monotonic() < until, f"{url} does not answer"
        time.sleep(0.1)


def test_who_asks_too_often_is_told_when_to_come_back(database_url: str, markets_file: Path) -> None:
    with serving(make_settings(database_url, markets_file, site_rate=5)) as url:
        answers = [requests.get(f"{url}/api/v1/artifacts", timeout=10) for _ in range(7)]
        assert [one.status_code for one in answers] == [200] * 5 + [429] * 2
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert "More than 5 requests" in answers[-1].json()["detail"]
        assert answers[-1].headers["x-frame-options"] == "DENY"
        assert requests.get(f"{url}/healthz", timeout=10).ok
        assert requests.get(f"{url}/static/site.css", timeout=10).ok
        # What a client says of itself counts only if a proxy on this machine passes it on.
        other = {"X-Forwarded-For": "203.0.113.7"}
        assert requests.get(f"{url}/api/v1/artifacts", headers=other, timeout=10).ok
