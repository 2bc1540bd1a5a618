"""The real Caddy with our Caddyfile: the site is open, Dagster is not.

The site and Dagster's webserver are stood in for by a server that says what reached it.
"""

import base64
import gzip
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

DOCKER = Path(__file__).resolve().parent.parent / "docker"
PASSWORD = "correct horse battery"


class _Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.server.server_name_given  # type: ignore[attr-defined]
        told = {"from": name, "path": self.path, "authorization": self.headers.get("Authorization")}
        self.send_response(404 if "missing" in self.path else 200)
        if self.path.endswith(".js"):
            self.send_header("Content-Type", "application/javascript")
            told["script"] = "//" + "x" * 2000
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


def _echo(name: str) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    server.server_name_given = name  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever).start()
    return server


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of Caddy, started by docker/caddy.sh."""
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("no caddy on the PATH: install it to test the proxy's configuration")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    servers = {name: _echo(name) for name in ("webserver", "site")}
    text = (DOCKER / "Caddyfile").read_text()
    for name, asked in (("webserver", "webserver:3000"), ("site", "site:8080")):
        assert text.count(asked) == 1
        text = text.replace(asked, f"127.0.0.1:{servers[name].server_address[1]}")
    folder = tmp_path_factory.mktemp("caddy")
    (folder / "Caddyfile").write_text(text)
    variables = {
        **os.environ,
        "VP_ADDRESS": f"http://:{port}",
        "DAGSTER_USER": "admin",
        "DAGSTER_PASSWORD": PASSWORD,
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    started = (DOCKER / "caddy.sh").read_text().replace("/etc/caddy/Caddyfile", str(folder / "Caddyfile"))
    command = ["sh", "-c", started]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert running.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
        yield port
    finally:
        running.terminate()
        running.wait(10)
        for server in servers.values():
            server.shutdown()
            server.server_close()


def _ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """The path goes out as it is: no client of ours tidies it."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.putheader("Content-Length", "0")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def _login(password: str) -> str:
    return "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()


@pytest.mark.parametrize(
    "path",
    [
        "/dagster",
        "/dagster/",
        "/dagster/graphql",
        "/dagster/server_info",
        "/dagster/logs/../graphql",
        "/DAGSTER/graphql",
        "//dagster/graphql",
        "/./dagster/graphql",
        "/x/../dagster/graphql",
        "/%64agster/graphql",
        "/dagster%2Fgraphql",
        "/artifacts/..%2Fdagster/graphql",
        "/dagster;x/graphql",
        "/graphql",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_dagster_is_not_reached_without_a_login(proxy: int, path: str, method: str) -> None:
    for headers in (
        {},
        {"Authorization": _login("wrong horse")},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic "},
    ):
        status, _, body = _ask(proxy, path, method, **headers)
        # Refused, or taken for a path of the site, which knows none of these.
        assert status == 401 or b'"from": "site"' in body, (path, status, body)


def test_with_the_login_dagster_answers_and_never_sees_it(proxy: int) -> None:
    status, headers, body = _ask(proxy, "/dagster/graphql", Authorization=_login(PASSWORD))
    assert (status, json.loads(body)) == (
        200,
        {"from": "webserver", "path": "/dagster/graphql", "authorization": None},
    )
    assert headers["X-Frame-Options"] == "DENY"


def test_a_short_password_is_refused() -> None:
    variables = {"PATH": os.environ["PATH"], "DAGSTER_PASSWORD": "x" * 15}
    ended = subprocess.run(["sh", DOCKER / "caddy.sh"], env=variables, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("DAGSTER_PASSWORD has fewer than 16 characters: choose a longer one")


def test_a_browser_is_asked_for_the_login(proxy: int) -> None:
    status, headers, _ = _ask(proxy, "/dagster", Authorization=_login("wrong"))
    assert (status, headers["Www-Authenticate"]) == (401, "Basic realm=Dagster")


def test_another_sites_page_cannot_use_a_browsers_login(proxy: int) -> None:
    foreign = {"Authorization": _login(PASSWORD), "Sec_Fetch_Site": "cross-site"}
    assert _ask(proxy, "/dagster/graphql", "POST", **foreign)[0] == 403
    assert _ask(proxy, "/dagster/graphql", "POST", Authorization=_login(PASSWORD))[0] == 200


def test_the_site_is_open(proxy: int) -> None:
    for path in ("/", "/artifacts/volume_profile/btc/2023-03-11", "/api/v1/status", "/live?instrument=BTC"):
        status, _, body = _ask(proxy, path)
        assert (status, json.loads(body)["from"], json.loads(body)["path"]) == (200, "site", path)


def test_dagsters_scripts_are_small_and_kept(proxy: int) -> None:
    login = _login(PASSWORD)
    script = "/dagster/_next/static/chunks/main-28206b536e1c4f74.js"
    _, headers, body = _ask(proxy, script, Authorization=login, Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(body))["path"] == script
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert "Cache-Control" not in _ask(proxy, "/dagster/runs", Authorization=login)[1]
    for refused in (_ask(proxy, script), _ask(proxy, f"{script}.missing", Authorization=login)):
        assert refused[0] in (401, 404)
        assert "Cache-Control" not in refused[1], "only scripts are kept"
