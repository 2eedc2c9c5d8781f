"""Configuration: every environment variable with its default and its meaning, in one table. Read once, at start.

A wrong value is refused with a sentence that names the variable.
"""

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from environs import Env, EnvError
from marshmallow import ValidationError, validate

PREFIX = "GRIDTRAIL_"


class BadConfiguration(Exception):
    """A setting has a value that the service cannot run with; the message says which and what would do."""


def setting(default: Any, meaning: str, check: Any = None) -> Any:
    """One setting: its default, what it means (shown by ``gridtrail config``), and a marshmallow validator."""
    return field(default=default, metadata={"meaning": meaning, "check": check})


def _known_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is not a time zone of the IANA database, such as Asia/Shanghai.")


def _database_url(url: str) -> None:
    if not url.startswith(("sqlite:", "postgresql:", "postgresql+psycopg:", "postgres:")):
        raise ValidationError("must begin with sqlite:/// or postgresql://")


def _city(code: str) -> None:
    if not (len(code) == 4 and code.isascii() and code.isdigit()):
        raise ValidationError("must be a city's 4-digit division code, such as 4115")


WITNESS = re.compile(r"([^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+)@(https?://\S+)")


def _witnesses(items: str) -> None:
    if not all(WITNESS.fullmatch(item) for item in items.split()):
        raise ValidationError("must be items such as witness.example/1+0123abcd+BASE64@https://witness.example, with spaces between")


def _tiles(template: str) -> None:
    if template and not (TILES.fullmatch(template) and all(part in template for part in ("{z}", "{x}", "{y}"))):
        raise ValidationError("must be an address such as https://tiles.city.example/{z}/{x}/{y}.png, of one host, with {z}, {x} and {y}")


TILES = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[!#-&(-:<-~]{1,500}")
POSITIVE = validate.Range(min=1)
NOT_NEGATIVE = validate.Range(min=0)
LEVELS = ["debug", "info", "warning", "error"]


@dataclass(frozen=True)
class Config:
    """All settings. The variable of ``database_url`` is ``GRIDTRAIL_DATABASE_URL``, and so on."""

    database_url: str = setting("sqlite:///var/gridtrail.db", "Where the ledgers live: sqlite:///FILE or postgresql://…", _database_url)
    city: str = setting("4115", "The city's 4-digit division code; its ledger holds the rulebooks.", _city)
    time_zone: str = setting("Asia/Shanghai", "The city's time zone: decides the local day of an event.", _known_zone)
    origin: str = setting(
        "gridtrail.example",
        "Name of this deployment in signed checkpoints, like a URL without scheme.",
        validate.Regexp(r"^[!-*,-~]{1,200}$"),
    )
    base_url: str = setting(
        "http://127.0.0.1:8080", "Address that tablets reach, printed in enrolment codes.", validate.Regexp(r"^https?://\S+$")
    )
    signing_key_file: str = setting("var/signing.key", "File with the Ed25519 key that signs checkpoints; made at first start if absent.")
    signing_key: str = setting("", "The same key as base64 of its 32-byte seed; wins over the file.")
    vault_url: str = setting(
        "sqlite:///var/vault.db", "The key store of personal values, a database of its own: sqlite:///FILE or postgresql://…", _database_url
    )
    vault_key_file: str = setting("var/vault.key", "File with the key that wraps the key store's keys; made at first start if absent.")
    vault_key: str = setting("", "The same key as base64 of 32 bytes, or several, newest first, with commas between; wins over the file.")
    watermark_file: str = setting("var/signed.journal", "Journal of what was signed; keep it apart from the database and its backups.")
    erasures_file: str = setting(
        "var/erasures.journal", "Journal of erasures (random ids only), outside both databases, so that restored backups bring nobody back."
    )
    emergency_days: int = setting(30, "Days from the end of an emergency until values told in it are destroyed.", NOT_NEGATIVE)
    retain_hours: float = setting(24.0, "Hours between two runs of retention in the engine; 0: none.", validate.Range(min=0, max=168))
    pending_hours: float = setting(72.0, "Hours that a value may come later than its event, or earlier.", validate.Range(min=0))
    photos_url: str = setting("var/photos", "Folder or fsspec URL (s3://bucket/…) for photos.")
    host: str = setting("127.0.0.1", "Address that gridtrail serve binds.")
    port: int = setting(8080, "Port that gridtrail serve binds.", validate.Range(min=1, max=65535))
    workers: int = setting(2, "Web processes of gridtrail serve.", validate.Range(min=1, max=64))
    threads: int = setting(32, "Threads of each web process.", validate.Range(min=1, max=256))
    slots: int = setting(4, "Requests that each web process works on at once, at most half of its threads; others wait.", POSITIVE)
    wait_for_slot_s: float = setting(0.5, "Longest wait for a turn before 503 overloaded; half for queries.", validate.Range(min=0, max=1))
    request_max_seconds: float = setting(60.0, "Seconds after which a request is given up.", validate.Range(min=1, max=600))
    max_requests: int = setting(100_000, "Requests, with a jitter, after which a web process is replaced; 0: never.", NOT_NEGATIVE)
    trusted_proxies: int = setting(0, "Proxies in front that set X-Forwarded-*; 0: nobody is believed.", validate.Range(min=0, max=5))
    pool_size: int = setting(10, "Database connections of each process.", validate.Range(min=1, max=200))
    lock_timeout_s: float = setting(5.0, "Seconds to wait for a lock before answering 503.", validate.Range(min=0.1, max=60))
    statement_timeout_s: float = setting(30.0, "Seconds that one statement may take.", validate.Range(min=1, max=600))
    engine_poll_s: float = setting(0.1, "Seconds between two rounds of an engine that has little to do.", validate.Range(min=0.05, max=60))
    wait_for_position_s: float = setting(2.0, "Longest wait of a reader that names a position.", validate.Range(min=0, max=10))
    session_hours: float = setting(12.0, "Life of a login session.", validate.Range(min=0.1, max=72))
    login_attempts: int = setting(10, "Failed logins for one name, or 5 times as many from one address, before a pause.", POSITIVE)
    login_window_minutes: int = setting(15, "Minutes in which failed logins are counted.", POSITIVE)
    enrolment_hours: float = setting(24.0, "Life of an enrolment code.", validate.Range(min=0.1, max=168))
    batch_max_bytes: int = setting(4_194_304, "Longest body of a batch as sent.", POSITIVE)
    batch_max_inflated_bytes: int = setting(16_777_216, "Longest body of a batch after gzip.", POSITIVE)
    batch_max_entries: int = setting(2_000, "Most entries in one batch.", POSITIVE)
    entry_max_bytes: int = setting(16_384, "Longest entry. A recorded line has at most 65,535 bytes.", validate.Range(min=256, max=32_768))
    entry_max_depth: int = setting(16, "Deepest nesting of an entry.", validate.Range(min=3, max=64))
    upload_attempts: int = setting(6, "How often an upload that lost a race is decided again before 503.", POSITIVE)
    batch_max_seconds: float = setting(30.0, "Longest time to receive and decide one batch.", validate.Range(min=1, max=300))
    body_max_bytes: int = setting(262_144, "Longest JSON body of every other request.", POSITIVE)
    import_max_bytes: int = setting(8_388_608, "Largest file of areas that is imported over HTTP.", POSITIVE)
    photo_max_bytes: int = setting(8_388_608, "Largest photo.", POSITIVE)
    dossier_max_bytes: int = setting(536_870_912, "Most bytes of photos in one dossier over HTTP.", POSITIVE)
    page_max: int = setting(500, "Most rows of one page.", validate.Range(min=10, max=5000))
    publish_s: float = setting(5.0, "Seconds between two looks of the publisher for ledgers that grew.", validate.Range(min=0.1, max=3600))
    root_log_s: float = setting(60.0, "Least seconds between two appends to the root log.", validate.Range(min=0, max=86_400))
    backup_keep_days: int = setting(30, "Days that backups and archived logs are kept; erasures record the end.", NOT_NEGATIVE)
    vault_backup_keep_days: int = setting(7, "Days that backups of the key store are kept; not longer than the others.", NOT_NEGATIVE)
    witnesses: str = setting("", "Witnesses of the root log: <verifier key>@<URL>, with spaces between.", _witnesses)
    access_retention_days: int = setting(183, "Days that the record of reads is kept before it may be pruned.", validate.Range(min=183))
    tsa_url: str = setting(
        "", "Address of an RFC 3161 timestamping authority for the root log; empty: none.", validate.Regexp(r"^(https?://\S+)?$")
    )
    tsa_s: float = setting(3600.0, "Least seconds between two timestamps of the root log.", validate.Range(min=1, max=604_800))
    map_tiles: str = setting(
        "", "Tiles of a base map for the pages: https://host/{z}/{x}/{y}.png; empty: the grids' polygons alone.", _tiles
    )
    map_datum: str = setting("wgs84", "Datum that these tiles are drawn in: wgs84 or gcj02.", validate.OneOf(["wgs84", "gcj02"]))
    map_attribution: str = setting(
        "", "What the tiles' owner wants to be named as on the map, with its review number.", validate.Length(max=200)
    )
    metrics_token: str = setting("", "Bearer token for /metrics; empty: only from this machine.")
    log_format: str = setting("json", "json or text.", validate.OneOf(["json", "text"]))
    log_level: str = setting("info", "Least level that is logged; access lines are info.", validate.OneOf(LEVELS))
    open_logs: bool = setting(False, "Whether everybody may read /log/…, which holds every entry of every ledger; false: auditors only.")
    ready_lag_s: float = setting(60.0, "Age of an unfolded event from which readiness says degraded.", validate.Range(min=1, max=86_400))

    @property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.time_zone)

    @classmethod
    def from_environment(cls, **overrides: Any) -> "Config":
        """Reads all settings from the environment. BadConfiguration names the variable and says what is wrong."""
        env = Env(prefix=PREFIX)
        values: dict[str, Any] = {}
        for each in dataclasses.fields(cls):
            name = each.name.upper()
            check = each.metadata["check"]
            try:
                read = getattr(env, type(each.default).__name__)
                values[each.name] = read(name, each.default, validate=check) if check else read(name, each.default)
            except EnvError as wrong:
                raise BadConfiguration(f"{PREFIX}{name}: {wrong}") from wrong
        return cls(**{**values, **overrides})

    def folder_of_database(self) -> Path | None:
        """The folder that must exist for an SQLite file, None for other stores."""
        return folder_of(self.database_url)


def folder_of(url: str) -> Path | None:
    """The folder that must exist for the SQLite file of a URL, None for other stores."""
    if url.startswith("sqlite:///") and ":memory:" not in url:
        return Path(url.removeprefix("sqlite:///")).resolve().parent
    return None
