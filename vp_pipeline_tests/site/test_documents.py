"""Artifacts through HTTP: exact bytes, caching, downloads, and what is refused."""

import hashlib
from email.utils import parsedate_to_datetime

import pytest
import requests

from vp_pipeline.site import documents
from vp_pipeline.storage import artifacts
from vp_pipeline.storage.artifacts import Artifact, Include
from vp_pipeline.storage.connection import transaction

INCLUDE = Include("<!--plotly-->", "<script>var Plotly = {};</script>")
TEXT = "text/plain; charset=utf-8"
REPORT = "<!doctype html><title>Report</title><!--plotly--><p>\u03c3</p>"


@pytest.fixture(scope="module", autouse=True)
def stored(database_url: str) -> dict[str, Artifact]:
    with transaction(database_url) as connection:
        kept = [
            artifacts.put(connection, "volume_profile/btc", "2023-03-10", REPORT, "run-1", INCLUDE),
            artifacts.put(connection, "volume_profile/btc", "2023-03-11", REPORT + "!", "run-2", INCLUDE),
            artifacts.put(connection, "tearsheets/mean_reversion", "", "<p>tearsheet", "run-3"),
            artifacts.put(
                connection, "notes", "", "a <b> c", "run-4", media_type="text/plain; charset=utf-8"
            ),
            artifacts.put(connection, "damaged", "", "good", "run-5"),
        ]
        connection.execute("UPDATE artifact SET sha256 = 'wrong' WHERE name = 'damaged'")
    return {f"{one.name}/{one.partition}".rstrip("/"): one for one in kept}


@pytest.mark.parametrize(
    "path",
    ["volume_profile/btc/2023-03-10", "volume_profile/btc/2023-03-11", "tearsheets/mean_reversion", "notes"],
)
def test_a_document_comes_as_the_bytes_its_checksum_names(
    address: str, stored: dict[str, Artifact], path: str
) -> None:
    answer = requests.get(f"{address}/artifacts/{path}", timeout=10)
    expected = stored[path]
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == expected.sha256
    assert len(answer.content) == expected.size == int(answer.headers["content-length"])
    assert answer.headers["content-type"] == expected.media_type
    assert "content-encoding" not in answer.headers


def test_a_document_may_draw_but_not_act(address: str) -> None:
    policy = requests.get(f"{address}/artifacts/notes", timeout=10).headers["content-security-policy"]
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert "allow-same-origin" not in directives["sandbox"]
    assert directives["default-src"] == "'none'"
    assert "connect-src" not in directives
    assert not any("http" in value for value in directives.values())


def test_a_download_has_a_file_name(address: str) -> None:
    answer = requests.get(f"{address}/artifacts/volume_profile/btc/2023-03-11?download=1", timeout=10)
    assert (
        answer.headers["content-disposition"] == 'attachment; filename="volume_profile-btc-2023-03-11.html"'
    )
    opened = requests.get(f"{address}/artifacts/volume_profile/btc/2023-03-11", timeout=10)
    assert "content-disposition" not in opened.headers
    plain = requests.get(f"{address}/artifacts/notes?download=1", timeout=10)
    assert plain.headers["content-disposition"] == 'attachment; filename="notes.txt"'


def test_an_unchanged_document_is_not_sent_again(address: str, stored: dict[str, Artifact]) -> None:
    url, sha256 = f"{address}/artifacts/tearsheets/mean_reversion", stored["tearsheets/mean_reversion"].sha256
    first = requests.get(url, timeout=10)
    assert first.headers["etag"] == f'"{sha256}"'
    modified = stored["tearsheets/mean_reversion"].created_at.replace(microsecond=0)
    assert parsedate_to_datetime(first.headers["last-modified"]) == modified
    assert first.headers["last-modified"].endswith(" GMT")
    for tag in (f'"{sha256}"', f'W/"{sha256}"', f'"old", "{sha256}"', "*"):
        again = requests.get(url, headers={"If-None-Match": tag}, timeout=10)
        assert (again.status_code, again.content) == (304, b""), tag
    assert requests.get(url, headers={"If-None-Match": '"old"'}, timeout=10).status_code == 200


def test_head_says_the_size_and_sends_nothing(address: str, stored: dict[str, Artifact]) -> None:
    answer = requests.head(f"{address}/artifacts/volume_profile/btc/2023-03-11", timeout=10)
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == stored["volume_profile/btc/2023-03-11"].size
    assert answer.content == b""


@pytest.mark.parametrize(
    "path",
    ["nothing", "volume_profile/btc", "volume_profile/btc/2023-03-12", "a/../../etc/passwd", "nul%00", "%ff"],
)
def test_an_unknown_document_is_a_friendly_404(address: str, path: str) -> None:
    answer = requests.get(f"{address}/artifacts/{path}", timeout=10)
    assert answer.status_code == 404
    assert "<h1>Not Found</h1>" in answer.text
    assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]


def test_a_document_that_does_not_match_its_checksum_is_not_served(address: str) -> None:
    answer = requests.get(f"{address}/artifacts/damaged", timeout=10)
    assert answer.status_code == 500
    assert "does not match its checksum; make it again" in answer.text


def test_the_list_groups_by_name_newest_first_with_links_to_runs(address: str) -> None:
    text = requests.get(f"{address}/artifacts/", timeout=10).text
    assert text.index(">2023-03-11</a>") < text.index(">2023-03-10</a>")
    assert text.count(">volume_profile/btc</h2>") == 1
    assert 'href="http://127.0.0.1:3000/runs/run-2"' in text
    assert 'href="/artifacts/volume_profile/btc/2023-03-11?download=1"' in text


def test_the_list_without_a_slash_leads_to_the_list(address: str) -> None:
    assert requests.get(f"{address}/artifacts", timeout=10).url == f"{address}/artifacts/"


def test_search_finds_by_all_words(address: str) -> None:
    text = requests.get(f"{address}/artifacts/", params={"search": "BTC 03-10"}, timeout=10).text
    assert ">2023-03-10</a>" in text
    assert ">2023-03-11</a>" not in text
    assert "1 of" in text
    none = requests.get(f"{address}/artifacts/", params={"search": '"><script>'}, timeout=10)
    assert "0 of" in none.text
    assert "<script>" not in none.text


def test_a_long_list_shows_the_newest_and_leads_to_the_rest(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST_OF_A_NAME", 1)
    text = requests.get(f"{address}/artifacts/", timeout=10).text
    assert ">2023-03-11</a>" in text
    assert ">2023-03-10</a>" not in text
    assert '<a href="/artifacts/?search=volume_profile/btc">1 older</a>' in text
