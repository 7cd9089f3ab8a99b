from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from qanat.errors import BadInput
from qanat.server.settings import Settings, as_toml, convert, load, origin_of

_DOCUMENT = Path(__file__).parents[2] / "docs" / "qanat.toml"


def test_the_document_is_complete_and_states_the_defaults() -> None:
    assert _DOCUMENT.read_text(encoding="utf-8") == as_toml()
    assert convert(tomllib.loads(as_toml())) == Settings()
    assert tomllib.loads(as_toml()).keys() == msgspec.to_builtins(Settings()).keys()


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    file = tmp_path / "qanat.toml"
    file.write_text('data = "a"\n[http]\nlisten = "127.0.0.1:1"\nbody_limit = 2048\n[sign_in]\nhours = 1\n')
    environment = {"QANAT_HTTP_LISTEN": "127.0.0.1:2", "QANAT_SIGN_IN_HOURS": "2", "QANAT_URL": "http://elsewhere"}
    loaded = load(file, environment=environment, flags={"http.listen": "127.0.0.1:3"})
    assert (loaded.http.listen, loaded.sign_in.hours, loaded.http.body_limit) == ("127.0.0.1:3", 2, 2048)
    assert loaded.data == "a"


@pytest.mark.parametrize(
    ("text", "path", "cure"),
    [
        ("[http]\nbody_limit = 'big'\n", "http.body_limit", "Octets of a request body"),
        ("[http]\nbody_limit = 1\n", "http.body_limit", "The default is 1048576"),
        ("[http]\nlisen = '127.0.0.1:1'\n", "http.lisen", "Known here: listen"),
        ("[htp]\n", "htp", "Known here: data"),
        ("[log]\nformat = 'xml'\n", "log.format", "console for people"),
        ("http = 1\n", "http", "Known here: listen"),
        (
            "[http]\nlisten = '127.0.0.1'\n",
            "http.listen",
            "'127.0.0.1' is no HOST:PORT: write a host, a colon and a port",
        ),
        ("[http]\nlisten = ''\n", "http.listen", "'' is no HOST:PORT"),
        ("[http]\nlisten = '127.0.0.1:²'\n", "http.listen", "'127.0.0.1:²' is no HOST:PORT"),
        ("[gy]\ntls_listen = ':5658'\n", "gy.tls_listen", "':5658' is no HOST:PORT"),
        ("[web]\norigin = 'qanat.example'\n", "web.origin", "'qanat.example' does not fit. It is: How people reach"),
        ("[http]\nlisten = '::1:80'\n", "http.listen", "'::1:80' is no HOST:PORT"),
        ("[http]\nlisten = '::1'\n", "http.listen", "with an IPv6 address in brackets, [::1]:8080"),
        ("[gy]\ntls_listen = '[::1:80'\n", "gy.tls_listen", "'[::1:80' is no HOST:PORT"),
        ("[gy]\nlisten = '127.0.0.1:99999'\n", "gy.listen", "'127.0.0.1:99999' is no HOST:PORT"),
        ("workers = 2\n", "workers", "2 workers can't share a SQLite file"),
    ],
)
def test_a_wrong_setting_is_named_with_its_cure(tmp_path: Path, text: str, path: str, cure: str) -> None:
    file = tmp_path / "qanat.toml"
    file.write_text(text)
    with pytest.raises(BadInput) as bad:
        load(file, environment={})
    assert str(bad.value).startswith(f"{path} in {file}: ")
    assert cure in str(bad.value)
    assert "regex" not in str(bad.value)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "QANAT_HTTP_AT_ONCEE",
            "1",
            r"^http\.at_oncee from QANAT_HTTP_AT_ONCEE: there is no such setting\. Known here: ",
        ),
        (
            "QANAT_HTTP_LISTEN",
            "127.0.0.1:99999",
            r"^http\.listen from QANAT_HTTP_LISTEN: '127\.0\.0\.1:99999' is no HOST",
        ),
        ("QANAT_WORKERS", "many", r"^workers from QANAT_WORKERS: expected `int`"),
    ],
)
def test_a_wrong_setting_in_the_environment_is_named_with_its_variable(variable: str, value: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        load(environment={variable: value})


def test_what_the_command_line_says_wrong_is_not_laid_on_the_file(tmp_path: Path) -> None:
    file = tmp_path / "qanat.toml"
    file.write_text('[http]\nlisten = "127.0.0.1:1"\n')
    with pytest.raises(BadInput, match=r"^http\.listen from the command line: 'nowhere:99999' is no HOST"):
        load(file, environment={}, flags={"http.listen": "nowhere:99999"})


def test_where_a_setting_stands_is_told_of_the_place_that_is_in_force(tmp_path: Path) -> None:
    file = tmp_path / "qanat.toml"
    file.write_text('data = "a"\n[store]\ndatabase = "memory:"\n[http]\nlisten = "127.0.0.1:1"\n')
    said = {"environment": {"QANAT_HTTP_LISTEN": "127.0.0.1:2"}, "flags": {"data": "b"}}
    assert origin_of("data", file, **said) == "from the command line"
    assert origin_of("http.listen", file, **said) == "from QANAT_HTTP_LISTEN"
    assert origin_of("store.database", file, **said) == f"in {file}"
    assert origin_of("log.level", file, **said) == ""


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("a = \n")
    for file in (broken, tmp_path / "none.toml"):
        with pytest.raises(BadInput, match=str(file)):
            load(file, environment={})
