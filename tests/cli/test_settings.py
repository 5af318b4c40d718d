"""Where settings come from, and what is said about wrong ones."""

from pathlib import Path

import pytest
import typer

from exchange.cli.exits import MEANING, Exit
from exchange.cli.found import example_settings
from exchange.cli.settings import Settings, load


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults() -> None:
    settings = load()
    assert (settings.host, settings.http_port, settings.ws_port) == ("127.0.0.1", 8000, 8001)
    assert (settings.ops_host, settings.ops_port) == ("127.0.0.1", 8002)
    assert settings.data == Path("data")


def test_an_option_goes_before_the_environment_and_that_before_the_file(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "exchange.toml").write_text('data = "from-file"\nhttp_port = 1\nws_port = 1\nhost = "127.0.0.2"\n')
    monkeypatch.setenv("EXCHANGE_HTTP_PORT", "2")
    monkeypatch.setenv("EXCHANGE_WS_PORT", "2")
    settings = load(ws_port=3, data=None)
    assert (settings.host, settings.http_port, settings.ws_port) == ("127.0.0.2", 2, 3)
    assert settings.data == Path("from-file")


def test_a_named_file_is_read_in_place_of_the_one_here(empty_folder: Path) -> None:
    (empty_folder / "exchange.toml").write_text("http_port = 1")
    (empty_folder / "other.toml").write_text("http_port = 2")
    assert load(empty_folder / "other.toml").http_port == 2


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("http_port = 70000", "http_port"),
        ('http_port = "x"', "http_port"),
        ("htp_port = 1", "htp_port"),
        ('log_level = "loud"', "log_level"),
        ("http_port = ", "not TOML"),
        ('[genesis]\nvenue = "x"\nassets = []\nmarkets = []', "genesis.fee_tiers"),
        ("[ws_limits]\nconections = 1", "ws_limits"),
        ('trusted_proxies = ["neighbour"]', "trusted_proxies: Value error, 'neighbour'"),
    ],
)
def test_a_wrong_setting_is_named_and_ends_with_code_2(
    content: str, named: str, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty_folder / "exchange.toml").write_text(content)
    with pytest.raises(typer.Exit) as ended:
        load()
    assert ended.value.exit_code == Exit.USAGE
    assert named in capsys.readouterr().err


def test_trusted_proxies_are_a_list_also_in_a_variable(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / "exchange.toml").write_text('trusted_proxies = ["10.0.0.7"]')
    assert load().trusted_proxies == ["10.0.0.7"]
    monkeypatch.setenv("EXCHANGE_TRUSTED_PROXIES", "10.0.0.8, 10.1.0.0/16")
    assert load().trusted_proxies == ["10.0.0.8", "10.1.0.0/16"]


def test_a_missing_file_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        load(Path("nowhere.toml"))
    assert "nowhere.toml" in capsys.readouterr().err


def test_the_example_shows_the_defaults() -> None:
    example = load(example_settings())
    assert example.model_dump(exclude={"genesis"}) == Settings().model_dump(exclude={"genesis"})


def test_every_exit_code_has_a_meaning() -> None:
    assert list(MEANING) == list(Exit)
