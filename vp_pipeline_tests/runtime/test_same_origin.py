"""Which requests Dagster's webserver gets to see: those of its own pages, links to it, and programs."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
import requests

from vp_pipeline.runtime import ports, same_origin
from vp_pipeline.runtime.dagster_api import DagsterApi, DagsterError
from vp_pipeline.runtime.same_origin import SameOrigin

URL = "https://vp.example.org:8443/dagster"
JSON = {"content-type": "application/json"}
FROM_ELSEWHERE = ["cross-site", "same-site"]
WEBSOCKET = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": "graphql-ws",
}


def asked(method: str = "GET", path: str = "/runs", query: str = "", url: str = URL, **headers: str) -> Any:
    """What a request comes to: the status of a refusal, the code that closes a websocket, or `passed`."""
    given = {"host": "127.0.0.1:3000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "websocket" if method == "WEBSOCKET" else "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items() if value],
    }
    sent: list[Any] = []

    async def app(*_: object) -> None:
        sent.append({"status": "passed"})

    async def receive() -> Any:
        raise AssertionError("a refusal needs nothing of the body")

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(SameOrigin(app, url)(scope, receive, send))
    first, *rest = sent
    if first.get("type") == "http.response.start":
        (body,) = rest
        assert dict(first["headers"])[b"content-length"] == str(len(body["body"])).encode()
        assert body["body"].strip().endswith(b".")
    else:
        assert not rest
    return first.get("status", first.get("code"))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:3000", "localhost:3001", "LOCALHOST", "[::1]", "[::1]:3000"),
        *("webserver:3000", "code:3000", "vp.example.org", "VP.example.org:8443", "vp.example.org:1"),
    ],
)
def test_it_answers_to_its_own_names(host: str) -> None:
    assert asked(host=host) == "passed"
    assert asked("WEBSOCKET", "/graphql", host=host) == "passed"


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "evil.example:3000",
            "192.168.1.10:3000",
            "127.0.0.2",
            "0.0.0.0:3000",
            "[::2]:3000",
            "x.localhost",
        ),
        *(
            "example.org",
            "127.0.0.1.evil.example",
            "evil@127.0.0.1",
            "127.0.0.1:x",
            "[::1",
            "127.0.0.1/",
            ":",
        ),
    ],
)
@pytest.mark.parametrize("url", [URL, "", "nonsense"])
def test_it_answers_to_no_other_name(host: str, url: str) -> None:
    assert asked(host=host, url=url) == 400
    assert asked("WEBSOCKET", "/graphql", host=host, url=url) == 1008


def test_an_address_with_a_login_or_a_query_names_its_host() -> None:
    for url in ("http://me:word@vp.example.org/dagster", "http://vp.example.org?x", "HTTP://VP.example.org"):
        assert asked(host="vp.example.org", url=url) == "passed"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("[::1]:3000", "http://[::1]:3000"),
        ("vp.example.org", "https://vp.example.org"),
        # A proxy that puts its own name for the server in place of the one asked for.
        ("webserver:3000", "https://vp.example.org:8443"),
    ],
)
def test_its_own_pages_may_ask(host: str, origin: str) -> None:
    own = {"host": host, "origin": origin, "sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"}
    assert asked("POST", "/dagster/graphql", content_type=JSON["content-type"], **own) == "passed"
    assert asked("POST", "/report_asset_materialization/x", **own) == "passed"
    assert asked("WEBSOCKET", "/graphql", host=host, origin=origin) == "passed"


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "null",
            "https://evil.example",
            "http://127.0.0.1:8080",
            "http://127.0.0.1",
            "http://localhost:3000",
        ),
        *("file://127.0.0.1:3000", "127.0.0.1:3000", "http://127.0.0.1:3000/", "http://x@127.0.0.1:3000"),
        "https://vp.example.org",
    ],
)
@pytest.mark.parametrize("path", ["/graphql", "/dagster/graphql", "/report_asset_check/x", "/logs/x", "/"])
def test_pages_of_another_origin_may_not(origin: str, path: str) -> None:
    assert asked("POST", path, content_type=JSON["content-type"], origin=origin) == 403
    assert asked("GET", path, origin=origin) == 403
    assert asked("WEBSOCKET", path, origin=origin) == 1008


@pytest.mark.parametrize("site", FROM_ELSEWHERE)
@pytest.mark.parametrize("path", ["/", "/runs", "/dagster/assets/candles", "/assets/graphql/x"])
def test_a_link_from_elsewhere_leads_here(site: str, path: str) -> None:
    link = {"sec_fetch_site": site, "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert asked(path=path, **link) == "passed"
    assert asked(path=path, **{**link, "sec_fetch_dest": ""}) == "passed"
    for different in (
        {"method": "POST"},
        {"sec_fetch_dest": "iframe"},
        {"sec_fetch_mode": "no-cors"},
        {"sec_fetch_mode": ""},
    ):
        assert asked(**{"path": path, **link, **different}) == 403
    assert asked("WEBSOCKET", path, **link) == 1008


@pytest.mark.parametrize("site", FROM_ELSEWHERE)
@pytest.mark.parametrize("path", ["/graphql", "/dagster/graphql/", "/dagster/report_asset_materialization/x"])
def test_no_link_from_elsewhere_leads_to_what_acts(site: str, path: str) -> None:
    assert asked(path=path, sec_fetch_site=site, sec_fetch_mode="navigate") == 403
    assert asked(path=path, sec_fetch_site="none", sec_fetch_mode="navigate") == "passed"


def test_a_query_comes_by_post_and_as_json() -> None:
    for query in ("query={runs}", "a=b&query=mutation{x}", "query=", "qu%65ry=x"):
        for method in ("GET", "HEAD"):
            assert asked(method, "/dagster/graphql", query) == 405
    assert asked("GET", "/graphql", "variables=query") == "passed"
    assert asked("GET", "/runs", "query=x") == "passed"
    for kind in ("application/json", "Application/JSON; charset=utf-8"):
        assert asked("POST", "/graphql", content_type=kind) == "passed"
    # Dagster looks for the words anywhere in the header; a form can send the last one.
    for kind in (
        "",
        "text/plain",
        "application/graphql",
        "multipart/form-data",
        "text/plain;application/json",
    ):
        assert asked("POST", "/graphql", "query=mutation{x}", content_type=kind) == 415
    assert asked("POST", "/report_asset_materialization/x") == "passed"


def test_what_is_no_request_passes() -> None:
    seen: list[Any] = []

    async def app(scope: Any, *_: object) -> None:
        seen.append(scope["type"])

    nobody: Any = None
    asyncio.run(SameOrigin(app, URL)({"type": "lifespan"}, nobody, nobody))
    assert seen == ["lifespan"]


@pytest.fixture(scope="module", params=["plain", "dagster_service"])
def webserver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the real webserver without code, started as in a container and as by `vp up`."""
    home = tmp_path_factory.mktemp("dagster")
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with ports.taken() as take, socket.create_server(("127.0.0.1", 0)) as code_server:
        port = take(0)
        command = [sys.executable, "-m", f"vp_pipeline.runtime.{request.param}"]
        command += [str(code_server.getsockname()[1])] if request.param == "dagster_service" else []
        command += [same_origin.WEBSERVER, "--empty-workspace", "-h", "127.0.0.1", "-p", str(port)]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                command, env={**os.environ, "DAGSTER_HOME": str(home)}, stdout=log, stderr=log
            )
        try:
            deadline = time.monotonic() + 120
            while not ports.listens(port):
                assert process.poll() is None, (home / "log").read_text()
                assert time.monotonic() < deadline, (home / "log").read_text()
                time.sleep(0.05)
            yield port
        finally:
            process.kill()
            process.wait()


WIPE = 'mutation { wipeAssets(assetPartitionRanges: [{assetKey: {path: ["kept"]}}]) { __typename } }'


def told(port: int) -> list[str]:
    """The assets that Dagster has heard of."""
    question = "{ assetsOrError { ... on AssetConnection { nodes { key { path } } } } }"
    answer = requests.post(f"http://127.0.0.1:{port}/graphql", json={"query": question}, timeout=60).json()
    return [node["key"]["path"][0] for node in answer["data"]["assetsOrError"]["nodes"]]


def test_dagster_itself_hears_programs_and_no_other_page(webserver: int) -> None:
    base = f"http://127.0.0.1:{webserver}"
    elsewhere = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}

    def status(method: str, path: str, **options: Any) -> int:
        return requests.request(method, f"{base}{path}", timeout=60, **options).status_code

    assert status("POST", "/report_asset_materialization/kept") == 200
    assert told(webserver) == ["kept"]
    assert status("POST", "/report_asset_materialization/added", headers=elsewhere) == 403
    assert status("GET", "/graphql", params={"query": WIPE}) == 405
    assert status("POST", "/graphql", params={"query": WIPE}, headers={"content-type": "text/plain"}) == 415
    assert status("POST", "/graphql", json={"query": WIPE}, headers=elsewhere) == 403
    assert status("POST", "/graphql", json={"query": WIPE}, headers={"host": "evil.example"}) == 400
    assert told(webserver) == ["kept"]
    assert status("POST", "/graphql", json={"query": WIPE}, headers={"origin": base}) == 200
    assert told(webserver) == []
    assert status("GET", "/runs") == 200
    assert status("GET", "/graphql", headers={"accept": "text/html"}) == 200


@pytest.mark.parametrize(("origin", "status"), [("http://127.0.0.1:{}", 101), ("https://evil.example", 403)])
def test_a_websocket_is_for_its_own_pages(webserver: int, origin: str, status: int) -> None:
    with closing(HTTPConnection("127.0.0.1", webserver, timeout=60)) as connection:
        connection.request("GET", "/graphql", headers={**WEBSOCKET, "origin": origin.format(webserver)})
        assert connection.getresponse().status == status


def test_what_we_ask_of_dagster_is_answered(webserver: int) -> None:
    dagster = DagsterApi(f"http://127.0.0.1:{webserver}")
    assert dagster.assets() == []
    dagster.terminate("no-such-run")
    with pytest.raises(DagsterError, match="the job tick cannot be started"):
        dagster.launch("tick", {})
