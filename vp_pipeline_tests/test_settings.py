import os
import pickle
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vp_pipeline.catalog import SHIPPED, CatalogError
from vp_pipeline.settings import Settings, SettingsError, load_settings
from vp_pipeline.windows import Window

URL = "postgresql://vp:geheim@127.0.0.1/vp"

RECORDING = """
[[recording.minutes]]
start = 2023-03-09T00:30:00Z
end = 2023-03-10T00:10:00Z

[[recording.minutes]]
start = 2022-11-08T00:00:00Z
end = 2022-11-09T00:00:00Z
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that must be set, and no more."""
    for name in [name for name in os.environ if name.startswith("VP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VP_DATABASE_URL", URL)


def test_the_least_is_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert settings.database_url.get_secret_value() == URL
    assert (settings.source, settings.label, settings.markets_file) == ("live", None, SHIPPED)
    assert settings.exchange_host("kraken") is None
    assert settings.recorded_minutes() is None
    assert settings.catalog.markets
    monkeypatch.delenv("VP_DATABASE_URL")
    with pytest.raises(SettingsError, match="VP_DATABASE_URL: not set: set it"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("VP_SOURCE", "alive", "Input should be 'live', 'sandbox' or 'replay' (found 'alive')"),
        ("VP_SITE_URL", "localhost", "Input should be a valid URL"),
        ("VP_DAGSTER_URL", "ftp://127.0.0.1", "URL scheme should be 'http' or 'https'"),
        ("VP_EXCHANGE_URL", "127.0.0.1", "Input should be a valid URL"),
        ("VP_HOURLY_START", "yesterday", "Input should be a valid datetime"),
        ("VP_HOURLY_START", "2026-01-01T00:30:00Z", "Value error, must be a whole hour, such as 2026-"),
    ],
)
def test_a_bad_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{name}: {message}")


@pytest.mark.parametrize(
    ("given", "missing"),
    [("VP_ALERT_EMAIL", "VP_ALERT_SMTP_URL"), ("VP_ALERT_SMTP_URL", "VP_ALERT_EMAIL")],
)
def test_mail_needs_both_of_its_variables(monkeypatch: pytest.MonkeyPatch, given: str, missing: str) -> None:
    monkeypatch.setenv(given, "smtps://mail.example.org")
    with pytest.raises(SettingsError, match=f"^{missing}: not set, while the other is"):
        load_settings()
    monkeypatch.setenv(missing, "smtps://mail.example.org")
    assert load_settings().alert_email


def test_what_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "VP_HOURLY_START",
        "VP_POLL_SECONDS",
        "VP_ALERT_EMAIL",
        "VP_EXCHANGE_URL",
        "VP_MARKETS_FILE",
    ):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert (settings.hourly_start, settings.poll_seconds, settings.markets_file) == (None, 20, SHIPPED)


@pytest.mark.parametrize("source", ["sandbox", "replay"])
def test_data_that_is_not_live_needs_its_server(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setenv("VP_SOURCE", source)
    with pytest.raises(SettingsError, match=f"^VP_EXCHANGE_URL: needed with VP_SOURCE={source}"):
        load_settings()


def test_live_data_never_comes_from_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VP_EXCHANGE_URL", "http://127.0.0.1:9000")
    with pytest.raises(SettingsError, match="VP_EXCHANGE_URL: set, but VP_SOURCE is live: unset one"):
        load_settings()


@pytest.mark.parametrize(("source", "label"), [("sandbox", "SIMULATED DATA"), ("replay", "RECORDED DATA")])
def test_data_that_is_not_live_says_so(monkeypatch: pytest.MonkeyPatch, source: str, label: str) -> None:
    monkeypatch.setenv("VP_SOURCE", source)
    monkeypatch.setenv("VP_EXCHANGE_URL", "http://127.0.0.1:9000/")
    settings = load_settings()
    assert settings.label == label
    assert settings.exchange_host("kraken") == "http://127.0.0.1:9000/kraken"


def test_the_markets_file_is_checked_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "markets.toml"
    file.write_text("[instruments.BTC]\nrow_size = 10\n")
    monkeypatch.setenv("VP_MARKETS_FILE", str(file))
    with pytest.raises(CatalogError, match=r"markets.toml:1: instruments.BTC.lead: missing: add it"):
        load_settings()


def test_a_recording_covers_the_hours_it_touches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "markets.toml"
    file.write_text(RECORDING)
    monkeypatch.setenv("VP_MARKETS_FILE", str(file))
    assert load_settings().recorded_minutes() == Window(
        datetime(2022, 11, 8, tzinfo=UTC), datetime(2023, 3, 10, 1, tzinfo=UTC)
    )


@pytest.mark.parametrize("source", ["live", "no such source"])
def test_the_database_password_is_not_shown(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setenv("VP_SOURCE", source)
    try:
        settings = load_settings()
    except SettingsError as error:
        assert source == "no such source"
        shown = f"{error} {error!r} {error.__cause__}"
    else:
        assert source == "live"
        shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert "geheim" not in shown


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (datetime(2026, 3, 31, 23, 59, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC)),
    ],
)
def test_hours_begin_with_last_month(now: datetime, first: datetime) -> None:
    assert load_settings().first_hour(now) == first


@pytest.mark.parametrize(
    "value", ["2026-01-01T05:00:00Z", "2026-01-01T05:00:00", "2026-01-01T14:00:00+09:00"]
)
def test_hours_begin_where_told(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("VP_HOURLY_START", value)
    first = load_settings().first_hour(datetime(2026, 3, 1, tzinfo=UTC))
    assert (first, first.tzinfo) == (datetime(2026, 1, 1, 5, tzinfo=UTC), UTC)


def test_artifact_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VP_SITE_URL", "https://example.org/profiles/")
    settings = load_settings()
    address = "https://example.org/profiles/artifacts/btc_profile/2026-03-01?download=1"
    assert settings.artifact_url("btc_profile", "2026-03-01") == address
    assert settings.artifact_url("tearsheet").endswith("/artifacts/tearsheet?download=1")


def test_settings_can_be_handed_to_another_process() -> None:
    settings = load_settings()
    again = pickle.loads(pickle.dumps(settings))
    assert isinstance(again, Settings)
    assert again == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VP_ALERT_WEBHOOK", "hooks.example.org/geheim"),
        ("VP_ALERT_WEBHOOK", "ftp://hooks.example.org/geheim"),
        ("VP_ALERT_WEBHOOK", "https:///geheim"),
        ("VP_ALERT_WEBHOOK", "https://hooks.example.org:geheim/"),
        ("VP_ALERT_SMTP_URL", "mail.example.org:geheim"),
        ("VP_ALERT_SMTP_URL", "http://u:geheim@mail.example.org"),
        ("VP_ALERT_SMTP_URL", "smtp://u:geheim@"),
        *(("VP_ALERT_SMTP_URL", f"smtp://u:{word}@mail.example.org:587")
          for word in ("geheim/x", "1/geheim", "geheim#x", "1#geheim", "geheim?x", "1?geheim", "[geheim")),
    ],
)  # fmt: skip
def test_an_address_of_alerts_is_checked_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("VP_ALERT_EMAIL", "me@example.org")
    monkeypatch.setenv("VP_ALERT_SMTP_URL", "smtps://u:%2Fgeheim@mail.example.org")
    load_settings()
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: Value error, must be") as refused:
        load_settings()
    assert "geheim" not in "".join(traceback.format_exception(refused.value))
