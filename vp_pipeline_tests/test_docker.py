"""The compose file's promises that can be read off it."""

import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # no stubs; it comes with Dagster

from vp_pipeline.operations.place import PlaceSettings
from vp_pipeline.settings import Settings

DOCKER = Path(__file__).resolve().parent.parent / "docker"
TEXT = (DOCKER / "compose.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
EXAMPLE = (DOCKER / ".env.example").read_text()
CLUSTER_TEXT = (DOCKER / "compose.cluster.yaml").read_text()
CLUSTER: dict[str, dict[str, Any]] = yaml.safe_load(CLUSTER_TEXT)["services"]
SMALL: dict[str, dict[str, Any]] = yaml.safe_load((DOCKER / "compose.small.yaml").read_text())["services"]
PASSWORDS = ("POSTGRES_PASSWORD", "WRITER_PASSWORD", "READER_PASSWORD", "DAGSTER_PASSWORD")
RASPBERRY_PI = 4096

services = pytest.mark.parametrize("name", SERVICES)


def test_only_the_proxy_publishes_ports() -> None:
    assert [
        name for name, service in SERVICES.items() if "ports" in service or "network_mode" in service
    ] == ["proxy"]


@services
def test_every_service_comes_back_and_has_its_limits(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == ("on-failure" if name == "migrate" else "unless-stopped")
    assert re.fullmatch(r"\d+m", service["mem_limit"])
    assert service["logging"]["options"] == {"max-size": "5m", "max-file": "3"}
    assert name in ("migrate", "proxy") or "healthcheck" in service
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert name == "db" or service["read_only"]
    assert "cap_add" not in service or name in ("db", "proxy")


def neighbours(name: str, services: dict[str, dict[str, Any]]) -> set[str]:
    """The services that share a network with this one."""
    own = set(services[name]["networks"])
    return {other for other, one in services.items() if other != name and own & set(one["networks"])}


def test_what_reads_and_what_faces_the_network_cannot_reach_dagster() -> None:
    gone = {name for name, changes in SMALL.items() if changes == {"profiles": ["apart"]}}
    small = {name: one | SMALL.get(name, {}) for name, one in SERVICES.items() if name not in gone}
    for stack, webserver in ((SERVICES, "webserver"), (small, "code")):
        assert neighbours("site", stack) == {"db", "proxy"}
        assert neighbours("poller", stack) == {"db"}
        assert neighbours("ddns", stack) == set()
        assert neighbours("proxy", stack) == {"site", webserver}


def test_a_small_machine_has_room() -> None:
    lasting = [service for name, service in SERVICES.items() if name not in ("migrate", "ddns")]
    assert sum(int(service["mem_limit"][:-1]) for service in lasting) < 0.8 * RASPBERRY_PI


def test_no_password_has_a_default() -> None:
    used = re.findall(r"\$\{(\w*PASSWORD\w*)(:?[?-]?)", TEXT)
    assert {name for name, _ in used} == set(PASSWORDS)
    assert {mark for _, mark in used} == {":?"}, "nothing starts without one"
    assert re.findall(r"^\w*PASSWORD=(.*)$", EXAMPLE, re.MULTILINE) == [""] * len(PASSWORDS)
    of_cluster = re.findall(r"\$\{(\w*PASSWORD\w*)(:?[?-]?)", CLUSTER_TEXT)
    assert set(of_cluster) == {("WRITER_PASSWORD", ":?"), ("REDIS_PASSWORD", ":?")}
    assert re.findall(r"^#REDIS_PASSWORD=(.*)$", EXAMPLE, re.MULTILINE) == [""]


def test_no_service_has_the_password_of_a_greater_role() -> None:
    owners = {name for name, one in SERVICES.items() if "${POSTGRES_PASSWORD" in str(one)}
    assert owners == {"db", "migrate"}
    site = str(SERVICES["site"])
    assert "${READER_PASSWORD" in site
    assert "${WRITER_PASSWORD" not in site


def test_every_variable_is_a_setting_or_explained() -> None:
    known = {f"VP_{name.upper()}" for name in Settings.model_fields}
    images = {"VP_IMAGE", "POSTGRES_IMAGE", "CADDY_IMAGE", "REDIS_IMAGE"}
    explained = set(re.findall(r"^#?(\w+)=", EXAMPLE, re.MULTILINE))
    explained.remove("COMPOSE_FILE")  # what Docker itself reads
    used = set(re.findall(r"\$\{(\w+)", TEXT + CLUSTER_TEXT))
    assert used <= known | images | explained
    assert explained <= used


@services
def test_settings_are_spelled_right(name: str) -> None:
    known = {f"VP_{field.upper()}" for field in Settings.model_fields | PlaceSettings.model_fields}
    given = {key for key in SERVICES[name].get("environment", {}) if key.startswith("VP_")}
    others = {"VP_CODE_HOST", "VP_CODE_PORT", "VP_ADDRESS", "VP_DDNS_URL"}
    assert given <= known | others


def test_the_demo_changes_every_service_that_has_the_settings() -> None:
    demo = yaml.safe_load((DOCKER / "compose.demo.yaml").read_text())["services"]
    with_settings = {
        name for name, service in SERVICES.items() if "VP_SOURCE" in service.get("environment", {})
    }
    assert with_settings == {name for name in demo if name != "sandbox"}
    assert all(demo[name]["environment"]["VP_SOURCE"] == "sandbox" for name in with_settings)


def test_a_small_stack_has_the_same_services_in_fewer_containers() -> None:
    (files,) = re.findall(r"^COMPOSE_FILE=(.*)$", EXAMPLE, re.MULTILINE)
    assert files.split(":") == ["compose.yaml", "compose.small.yaml"]
    gone = {name for name, changes in SMALL.items() if changes == {"profiles": ["apart"]}}
    assert gone == {"daemon", "webserver"}
    lost = sum(int(SERVICES[name]["mem_limit"][:-1]) for name in gone)
    assert int(SMALL["code"]["mem_limit"][:-1]) <= int(SERVICES["code"]["mem_limit"][:-1]) + lost
    assert not any(gone & set(service.get("depends_on", ())) for service in SERVICES.values())
    # As the proxy and the other services know them.
    assert SMALL["code"]["networks"]["login"]["aliases"] == ["webserver"]
    _, _, module, port, *options = SMALL["code"]["command"]
    assert (module, port) == ("vp_pipeline.runtime.together", SERVICES["code"]["environment"]["VP_CODE_PORT"])
    apart = SERVICES["webserver"]["command"]
    assert sorted(options) == sorted(set(apart[4:]) - {"-w", "/app/workspace.yaml"})
    checks = [SERVICES[name]["healthcheck"]["test"][-1] for name in ("code", "webserver", "daemon")]
    assert SMALL["code"]["healthcheck"]["test"][3:] == checks


def test_a_cluster_has_the_same_limits_and_is_published_to_its_own_network_alone() -> None:
    ports = {name: service["ports"] for name, service in CLUSTER.items() if "ports" in service}
    assert ports.keys() == {"db", "redis"}
    assert all(port.startswith("${CLUSTER_ADDRESS:-127.0.0.1}:") for some in ports.values() for port in some)
    for name in ("redis", "worker"):
        service = CLUSTER[name]
        assert re.fullmatch(r"\d+m", service["mem_limit"])
        assert (service["restart"], service["read_only"], service["cap_drop"]) == (
            "unless-stopped",
            True,
            ["ALL"],
        )
    settings = {f"VP_{field.upper()}" for field in Settings.model_fields}
    given = {key for service in CLUSTER.values() for key in service.get("environment", {})}
    assert {key for key in given if key.startswith("VP_")} <= settings
    assert (
        CLUSTER["worker"]["environment"]["VP_DATABASE_URL"]
        == SERVICES["code"]["environment"]["VP_DATABASE_URL"]
    )


class Answer(BaseHTTPRequestHandler):
    """200 at /healthz, 503 elsewhere."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def test_a_health_check_knows_ill_from_well() -> None:
    def healthy(*what: str) -> bool:
        command = [sys.executable, "-IS", str(DOCKER / "healthy.py"), *what]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        here = f"127.0.0.1:{server.server_port}"
        assert healthy(f"http://{here}/healthz")
        assert healthy(here)
        assert not healthy(f"http://{here}/other")
        assert healthy(here, f"http://{here}/healthz")
        assert not healthy(here, f"http://{here}/other", here)
        server.shutdown()
    assert not healthy(here)
    assert not healthy(f"http://{here}/healthz")
