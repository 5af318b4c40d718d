"""Settings of a process: from options, then `EXCHANGE_...` variables, then a TOML file, then defaults.

They steer the process alone. What the venue is (listings, fees, core limits) changes by command;
the file's `[genesis]` table is read once, by `exchange init`.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from exchange.cli.exits import Exit, stop
from exchange.cli.listing import GenesisTable, described
from exchange.gateway.addresses import TrustedProxies
from exchange.gateway.admission import GatewayLimits
from exchange.gateway.session.limits import WsLimits
from exchange.runtime.core.watchdog import Bounds

#: Read when no file is named and it lies in the current folder.
DEFAULT_FILE = Path("exchange.toml")

Port = Annotated[int, Field(ge=1, le=65535)]


def _names_of(limits: type[msgspec.Struct]) -> AfterValidator:
    """Only names and types that `limits` has; a variable's text becomes its number."""

    def check(given: dict[str, Any]) -> dict[str, Any]:
        try:
            read = msgspec.convert(given, limits, strict=False)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        unknown = given.keys() - msgspec.structs.asdict(read).keys()
        if unknown:
            known = ", ".join(msgspec.structs.asdict(read))
            raise ValueError(f"there is no limit {', '.join(sorted(unknown))}; there are {known}")
        return {name: getattr(read, name) for name in given}

    return AfterValidator(check)


def _listed(given: object) -> object:
    """A variable's text is a list with commas; the file has a list of its own."""
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given


def _networks(given: list[str]) -> list[str]:
    TrustedProxies(given)
    return given


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", envvar="EXCHANGE_CONFIG", help="Settings file; by default exchange.toml if it is here."),
]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="Data folder; before EXCHANGE_DATA and the settings file.")
]


class Settings(BaseSettings):
    """What a process runs with; each field is also the variable `EXCHANGE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="EXCHANGE_", env_nested_delimiter="__", extra="forbid")

    data: Path = Field(default=Path("data"), description="data folder: journal, snapshots, read models, keys")
    witness: Path | None = Field(
        default=None, description="folder of the witness; default `<data>/witness`, better on another disk"
    )
    host: str = Field(default="127.0.0.1", description="address the two ports for clients listen on")
    http_port: Port = Field(default=8000, description="REST, docs and `/ws`")
    ws_port: Port = Field(default=8001, description="trading WebSocket")
    ops_host: str = Field(default="127.0.0.1", description="address the operators' port listens on")
    ops_port: Port = Field(default=8002, description="operators' port: `/metrics` for Prometheus")
    trusted_proxies: Annotated[list[str], NoDecode, BeforeValidator(_listed), AfterValidator(_networks)] = Field(
        default=[],
        description="addresses or networks of proxies of your own, with commas: limits count the client that the last "
        "entry of their `X-Forwarded-For` names",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level that is logged"
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto",
        description=(
            "how the log is written: `console` for a person, `json`, or `auto`, which is `console` on a terminal"
            " and `json` elsewhere"
        ),
    )
    limits: Annotated[dict[str, Any], _names_of(GatewayLimits)] = Field(
        default={}, description="limits on requests, by name, such as `EXCHANGE_LIMITS__REQUESTS_PER_MINUTE`"
    )
    ws_limits: Annotated[dict[str, Any], _names_of(WsLimits)] = Field(
        default={}, description="limits of WebSocket connections, by name, such as `EXCHANGE_WS_LIMITS__CONNECTIONS`"
    )
    bounds: Annotated[dict[str, Any], _names_of(Bounds)] = Field(
        default={},
        description="how far disk and history may be behind, by name, such as `EXCHANGE_BOUNDS__SLOW_AT_RECORDS`",
    )
    genesis: GenesisTable | None = Field(default=None, description="what `exchange init` founds; a table of the file")

    @property
    def http_url(self) -> str:
        """Where a client on this machine finds REST."""
        return f"http://{_reachable(self.host)}:{self.http_port}"

    @property
    def ops_url(self) -> str:
        return f"http://{_reachable(self.ops_host)}:{self.ops_port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{_reachable(self.host)}:{self.ws_port}"


def _reachable(host: str) -> str:
    return "127.0.0.1" if host == "0.0.0.0" else host


def load(config: Path | None = None, **options: Any) -> Settings:
    """The settings of this process; `options` that are None were not given.

    Ends the program with `Exit.USAGE` where one is wrong, naming it.
    """
    file = config or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            sources = (init_settings, env_settings)
            return (*sources, TomlConfigSettingsSource(settings_cls, file)) if file else sources

    if file is not None and not file.is_file():
        stop(Exit.USAGE, f"there is no settings file {file}")
    try:
        return FromFile(**{name: value for name, value in options.items() if value is not None})
    except tomllib.TOMLDecodeError as error:
        stop(Exit.USAGE, f"{file} is not TOML: {error}")
    except ValidationError as error:
        stop(
            Exit.USAGE,
            f"wrong settings: {described(error)}",
            f"read from options, EXCHANGE_... and {file or 'no file'}",
        )
