"""The environment variables by which the platform's processes are told what to do, checked when one starts.

Here belong names, defaults and their validation. What the markets file may say is in `catalog`. Commands
on an installation know a few more, which stand in `operations.place`, and `vp restore` one of its own. Other
modules take no setting from `os.environ`, but for one address in `runtime.same_origin`: they only hand it on.
"""

from datetime import UTC, date, datetime
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from vp_pipeline.catalog import SHIPPED, Catalog, load_catalog
from vp_pipeline.storage.address import checked
from vp_pipeline.windows import DAY, HOUR, Window, floor

Source = Literal["live", "sandbox", "replay"]
LABELS: dict[Source, str | None] = {"live": None, "sandbox": "SIMULATED DATA", "replay": "RECORDED DATA"}


class SettingsError(ValueError):
    """An environment variable cannot be used; the message names it and the remedy."""


def database_address(value: SecretStr | None) -> SecretStr | None:
    """For a validator: the address of a database, which is one that can be used; as libpq takes it."""
    return None if value is None else SecretStr(checked(value.get_secret_value()))


def _parts(value: SecretStr, schemes: set[str]) -> SplitResult | None:
    """The parts of an address with one of the schemes and a host; None if it is none."""
    try:
        parts = urlsplit(value.get_secret_value())
        usable = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:  # quotes what it takes for a port, which may be of a password
        return None
    return parts if usable else None


class Settings(BaseSettings):
    """The environment variables, each with the prefix VP_."""

    # A compose file passes on what is not set as an empty text.
    model_config = SettingsConfigDict(
        env_prefix="VP_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    home: Path = Field(
        default=Path(".vp/live"), description="Folder of this installation's database, logs and state."
    )
    source: Source = Field(default="live", description="Where candles come from: live, sandbox or replay.")
    markets_file: Path = Field(default=SHIPPED, description="The markets file.")
    database_url: SecretStr = Field(description="Postgres of candles, tables and artifacts.")
    exchange_url: AnyHttpUrl | None = Field(
        default=None,
        description="Sandbox server that stands in for every exchange; required unless the source is live.",
    )
    site_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:8080"),
        description="Address of the website: in links, and the only host besides 127.0.0.1 and localhost"
        " that it answers to.",
    )
    dagster_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:3000"),
        description="Address of Dagster's UI: in the website's links to runs, and the only host besides"
        " 127.0.0.1 and localhost that it answers to.",
    )
    hourly_start: datetime | None = Field(
        default=None, description="First hour of the live partitions; the start of last month if not set."
    )

    refetch_minutes: int = Field(
        default=5, ge=0, le=60, description="How many of the last closed minutes each tick fetches again."
    )
    heal_seconds: float = Field(
        default=120, ge=0, le=600, description="After how many seconds a tick begins no further gap."
    )

    poll_seconds: int = Field(
        default=20,
        ge=0,
        le=600,
        description="Every how many seconds (5 or more) the leads are asked between ticks; 0 is never.",
    )

    site_rate: int = Field(
        default=600, ge=0, description="Requests a minute that the site answers one client; 0 is any number."
    )

    history_start: date = Field(
        default=date(2021, 1, 1), description="First month of the history partitions, by any of its days."
    )
    history_files: Path | None = Field(
        default=None,
        description="Folder of recorded candles that history is loaded from; `history` in VP_HOME"
        " if not set.",
    )

    broker_url: SecretStr | None = Field(
        default=None,
        description="Redis that hands months of history to workers, as `redis://:password@host:6379/0`;"
        " not set: this machine loads them.",
    )

    dagster_database_url: SecretStr | None = Field(
        default=None,
        description="Postgres of Dagster's own records; the database `dagster` beside ours if not set.",
    )
    backup_dir: Path | None = Field(
        default=None, description="Folder of the daily backups; `backups` in VP_HOME if not set."
    )
    backup_keep: int = Field(
        default=7, ge=0, description="How many backups stay in that folder; 0 makes no daily backups."
    )
    log_days: int = Field(
        default=30, ge=2, description="After how many days Dagster's logs and superseded records go."
    )
    alert_webhook: SecretStr | None = Field(
        default=None, description="Address that gets each alert as JSON; Slack, Mattermost, Discord read it."
    )
    alert_email: str | None = Field(
        default=None, description="Who gets alerts by e-mail; needs `VP_ALERT_SMTP_URL`."
    )
    alert_smtp_url: SecretStr | None = Field(
        default=None, description="Mail server, as `smtp://user:password@host:587` or `smtps://`."
    )
    alert_warnings: bool = Field(default=False, description="Whether checks that only warn raise alerts too.")
    alert_stale_minutes: int = Field(
        default=45, ge=20, description="After how many minutes without any new minute an alert is raised."
    )

    @field_validator("poll_seconds")
    @classmethod
    def _not_too_often(cls, value: int) -> int:
        if 0 < value < 5:
            raise ValueError("must be 0 or at least 5: an exchange asked more often limits our requests")
        return value

    @field_validator("database_url")
    @classmethod
    def _address(cls, value: SecretStr) -> SecretStr | None:
        return database_address(value)

    @field_validator("dagster_database_url")
    @classmethod
    def _dagsters_address(cls, value: SecretStr | None) -> SecretStr | None:
        database_address(value)
        return value  # with the driver that Dagster wants

    @field_validator("broker_url")
    @classmethod
    def _redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://")):
            raise ValueError("must begin with redis:// or rediss://")
        return value

    @field_validator("alert_webhook")
    @classmethod
    def _web(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and _parts(value, {"http", "https"}) is None:
            raise ValueError("must be an address that begins with https:// or http:// and has a host")
        return value

    @field_validator("alert_smtp_url")
    @classmethod
    def _mail(cls, value: SecretStr | None) -> SecretStr | None:
        parts = None if value is None else _parts(value, {"smtp", "smtps"})
        # What ends a host ends a password too, and the rest of it would be taken for a path.
        if value is not None and (parts is None or parts.path.strip("/") or parts.query or parts.fragment):
            raise ValueError(
                "must be a mail server, such as smtp://user:password@host:587 or smtps://host; in a password"
                " /, ?, # and @ are written %2F, %3F, %23 and %40"
            )
        return value

    @field_validator("hourly_start")
    @classmethod
    def _whole_hour(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        if value != floor(value, HOUR):
            raise ValueError("must be a whole hour, such as 2026-01-01T00:00:00Z")
        return value

    @cached_property
    def catalog(self) -> Catalog:
        """The markets file, read and checked."""
        return load_catalog(self.markets_file)

    @property
    def label(self) -> str | None:
        """What every page and artifact must say of its data; None on live data."""
        return LABELS[self.source]

    @property
    def broker(self) -> str | None:
        """Address of the Redis, with its password; None if history is loaded here."""
        return None if self.broker_url is None else self.broker_url.get_secret_value()

    @property
    def history_folder(self) -> Path:
        """Where a person puts recorded candles for the history."""
        return self.history_files or self.home / "history"

    @property
    def backup_folder(self) -> Path:
        """Where the daily backups are."""
        return self.backup_dir or self.home / "backups"

    @property
    def listings_folder(self) -> Path:
        """Where ticks keep the exchanges' listings, and all processes their bans."""
        return self.home / "cache" / "listings"

    def exchange_host(self, exchange: str) -> str | None:
        """Base address that replaces an exchange's own; None on live."""
        return f"{str(self.exchange_url).rstrip('/')}/{exchange}" if self.exchange_url else None

    def artifact_url(self, name: str, partition: str = "") -> str:
        """Address that downloads an artifact."""
        path = f"{name}/{partition}" if partition else name
        return f"{str(self.site_url).rstrip('/')}/artifacts/{path}?download=1"

    def first_hour(self, now: datetime) -> datetime:
        """First hour of the live partitions.

        Without a setting it moves with the calendar, a month at a time: the hourly keys stay
        within 62 days, however long the platform runs.
        """
        if self.hourly_start is not None:
            return self.hourly_start
        last_month = floor(now, DAY).replace(day=1) - DAY
        return last_month.replace(day=1)

    def recorded_minutes(self) -> Window | None:
        """The hours a recording's minute candles cover; None without a recording or without minutes."""
        recording = self.catalog.recording
        if recording is None or not recording.minutes:
            return None
        hull = recording.minutes[0].hours
        for span in recording.minutes[1:]:
            hull = hull.hull(span.hours)
        return hull


class UserSettings(BaseSettings):
    """The variables that matter before a platform runs: its folder, its markets, and whether it polls."""

    model_config = SettingsConfigDict(env_prefix="VP_", env_ignore_empty=True, frozen=True)

    home: Path | None = None
    markets_file: Path = SHIPPED
    database_url: SecretStr | None = None
    # As it is written: what it may be is checked by the platform's processes.
    poll_seconds: str = ""

    @property
    def polls(self) -> bool:
        """Whether the lead markets are asked between ticks."""
        return self.poll_seconds.strip() != "0"

    def home_or(self, name: str) -> Path:
        """The folder set, or else `.vp/<name>` of the working directory."""
        return (self.home or Path(".vp") / name).resolve()


def load_settings() -> Settings:
    """The settings of this process, with the markets file already checked.

    Raises:
        SettingsError: a variable cannot be used.
        CatalogError: the markets file cannot be used.
    """
    try:
        settings = Settings.model_validate({})
    except ValidationError as error:
        raise SettingsError(complaints(error, Settings)) from error
    if settings.source != "live" and settings.exchange_url is None:
        raise SettingsError(
            f"VP_EXCHANGE_URL: needed with VP_SOURCE={settings.source}: the sandbox's address"
        )
    if settings.source == "live" and settings.exchange_url is not None:
        raise SettingsError(
            "VP_EXCHANGE_URL: set, but VP_SOURCE is live: unset one; data would be mislabelled"
        )
    if (settings.alert_email is None) != (settings.alert_smtp_url is None):
        missing = "VP_ALERT_SMTP_URL" if settings.alert_email else "VP_ALERT_EMAIL"
        raise SettingsError(f"{missing}: not set, while the other is: e-mail needs both")
    if settings.broker_url is not None and find_spec("dagster_celery") is None:
        raise SettingsError(
            "VP_BROKER_URL: needs Celery, which is not installed: `pip install vp-pipeline[cluster]` or"
            " `uv sync --extra cluster`; unset it to load history on this machine"
        )
    _ = settings.catalog  # read now: a mistake in the markets file must show at the start
    return settings


def complaints(error: ValidationError, model: type[BaseSettings]) -> str:
    """What is wrong with the variables of these settings, a line each, without what is secret."""
    return "\n".join(_complaint(problem, model) for problem in error.errors())


def _complaint(problem: ErrorDetails, model: type[BaseSettings]) -> str:
    name = f"VP_{problem['loc'][0]}".upper()
    if problem["type"] == "missing":
        return f"{name}: not set: set it, or start the platform with `vp`"
    annotation = model.model_fields[str(problem["loc"][0])].annotation
    is_secret = SecretStr in (annotation, *get_args(annotation))
    return f"{name}: {problem['msg']}" + ("" if is_secret else f" (found {problem['input']!r})")
