"""Typed settings: the only reader of the environment. Every name has the prefix SUPPORT_COPILOT_.

A file ``.env`` in the working directory is read too; the environment wins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "SUPPORT_COPILOT_"
CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    data_dir: Path = Field(
        Path("data"), description="Where database, models, secrets and configuration files live."
    )
    database_url: str | None = Field(
        None,
        description=(
            "Unset: SQLite in the data directory. "
            "Otherwise mysql+asyncmy://user:password@host/database."
        ),
    )
    company_name: str = Field("our team", description="Fills {company.name} in replies.")
    load_samples: bool = Field(
        False, description="Load the sample company into an empty database at start."
    )
    encoder: Literal["auto", "off"] = Field(
        "auto", description="off: work on rules and TF-IDF, as where the weights are missing."
    )
    threads: int = Field(1, ge=1, le=64, description="Threads of one encoding.")
    severity_rules: Path | None = Field(
        None, description="Rule table; unset: severity_rules.toml in the data directory."
    )
    targets: Path | None = Field(
        None, description="Targets and calendar; unset: targets.toml in the data directory."
    )
    deadline_seconds: float = Field(15.0, gt=0, le=300, description="Time for one request.")
    max_body_bytes: int = Field(1 << 20, ge=1024, description="Largest request body.")
    rate_limit_default: int = Field(60_000, ge=0, description="Requests a minute; 0: no limit.")
    rate_limit_intake: int = Field(12_000, ge=0, description="New issues a minute; 0: no limit.")
    rate_limit_ai: int = Field(12_000, ge=0, description="Analyses a minute; 0: no limit.")
    rate_limit_sign_in: int = Field(
        10, ge=0, description="Sign-in attempts a minute and address; 0: no limit."
    )
    cors_origins: CommaSeparated = Field(
        (), description="Origins, separated by commas, whose scripts may call the API."
    )
    webhook_url: str | None = Field(None, description="Where notifications are posted.")
    webhook_secret: str | None = Field(
        None, description="Signs them after Standard Webhooks; whsec_ and base64."
    )
    smtp_host: str | None = Field(None, description="Mail server for notifications.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is encrypted."
    )
    smtp_username: str | None = Field(None, description="Unset: no login.")
    smtp_password: str = Field("", description="Password of the login.")
    smtp_sender: str | None = Field(None, description="From address of notifications.")
    smtp_recipients: CommaSeparated = Field((), description="To addresses, separated by commas.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, JSON elsewhere."
    )
    public_metrics: bool = Field(True, description="Answer /metrics without a key.")

    @field_validator("cors_origins", "smtp_recipients", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @property
    def sqlite_path(self) -> Path:
        return self.data_dir / "support-copilot.db"


class SettingsError(Exception):
    """Carries one line per mistake, each with the variable's name."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def load(**overrides: object) -> Settings:
    """Read the settings. Raises SettingsError naming every mistake at once."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # validated by pydantic
    except ValidationError as error:
        raise SettingsError(
            [
                f"{PREFIX}{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}"
                for item in error.errors(include_url=False)
            ]
        ) from None
