"""The CLI's way to the server: one request, one answer, and failures said with their cure."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec

import click
import httpx2

from qanat.console.private import told_if_lost
from qanat.printed import plain

DEFAULT_URL: Final = "http://127.0.0.1:8080"
_DEFAULT_TOKEN: Final = Path("data/admin.token")

_CONNECT_S: Final = 5.0
_SILENT_S: Final = 15.0
"""A stream says something every other second."""
_AGAIN_S: Final = 1.0
_ANSWER_S: Final = 60.0

P = ParamSpec("P")
Json = dict[str, Any]


class Answered(click.ClickException):
    """A problem that the server answered (RFC 9457): what it says, and its cure on a line of its own.

    A value that can't be is a usage error.
    """

    def __init__(self, problem: Json) -> None:
        detail, cure, reason = problem.get("detail") or problem["title"], problem.get("cure"), problem.get("reason")
        super().__init__(
            "\n".join(plain(str(part)) for part in (detail, cure, f"({reason})" if reason else "") if part)
        )
        self.problem = problem
        if reason == "bad_input":
            self.exit_code = click.UsageError.exit_code  # type: ignore[misc]  # click declares it for the class


class Client:
    """Speaks to one server with one token. A failure becomes a ClickException: exit 2 for a value that can't be, else 1."""

    def __init__(self, *, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token

    def get(self, path: str, *, within_s: float | None = _ANSWER_S, **query: Any) -> Json:
        """Get what is at a path; without ``within_s`` it may take as long as it takes."""
        params = {key: value for key, value in query.items() if value}
        return self._ask("GET", path, within_s=within_s, params=params)

    def post(self, path: str, body: Json | None = None) -> Json:
        """Ask for something to be done, once: a repeat inside the transport can't do it twice."""
        return self._ask("POST", path, json=body or {}, headers={"idempotency-key": secrets.token_urlsafe(18)})

    def text(self, path: str) -> str:
        """Get something that is no JSON, such as a file."""
        return self._answer("GET", path).text

    def events(self, path: str) -> Iterator[Json]:
        """Yield what a stream of server-sent events carries, for ever; ``away`` tells why there is nothing just now."""
        heard = False
        while True:
            try:
                for event in self._stream(path):
                    heard = True
                    yield event
                away = "the server has stopped"
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                if not heard:
                    raise self._nobody(error) from error
                away = str(error) or "no word from the server"
            yield {"away": away}
            time.sleep(_AGAIN_S)

    def _stream(self, path: str) -> Iterator[Json]:
        timeout = httpx2.Timeout(_SILENT_S, connect=_CONNECT_S)
        with (
            self._http(timeout) as http,
            http.stream("GET", self._url + path, headers=self._credentials) as answer,
        ):
            if answer.is_error:
                answer.read()
                raise _failure(answer)
            for line in answer.iter_lines():
                if line == "event: end":
                    raise click.ClickException("The sign-in has ended. Sign in again: `qanat sign-in`.")
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    def _ask(self, method: str, path: str, **request: Any) -> Json:
        result: Json = self._answer(method, path, **request).json()
        return result

    def _answer(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        within_s: float | None = _ANSWER_S,
        **request: Any,
    ) -> httpx2.Response:
        sent = {**self._credentials, **(headers or {})}
        try:
            with self._http(httpx2.Timeout(within_s, connect=_ANSWER_S)) as http:
                answer = http.request(method, self._url + path, headers=sent, **request)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._nobody(error) from error
        if answer.is_error:
            raise _failure(answer)
        return answer

    def _http(self, timeout: httpx2.Timeout) -> httpx2.Client:
        # To read the authorities' certificates takes 60 ms, and plain HTTP, which leads nowhere else, needs none.
        return httpx2.Client(timeout=timeout, trust_env=False, verify=not self._url.startswith("http://"))

    @property
    def _credentials(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"} if self._token else {}

    def _nobody(self, error: Exception) -> click.ClickException:
        if isinstance(error, httpx2.ConnectError | httpx2.UnsupportedProtocol | httpx2.InvalidURL):
            return click.ClickException(
                f"No server answers at {self._url} ({_clause(error)}).\n"
                "Start one with `qanat serve --data data`, or name another with --url or QANAT_URL."
            )
        return click.ClickException(f"{self._url} did not answer: {_clause(error)}. Try again.")


def _clause(error: Exception) -> str:
    """Return what a library says, to stand within a sentence of ours."""
    return str(error).rstrip(".")


def _failure(answer: httpx2.Response) -> click.ClickException:
    try:
        return Answered(answer.json())
    except (ValueError, KeyError, AttributeError, TypeError):
        return click.ClickException(f"The server answered {answer.status_code}; is this the address of Qanat?")


@contextmanager
def _said_as_json() -> Iterator[None]:
    """End a command that fails with the problem as JSON on stderr: the server's own body, or ours of the same shape."""
    try:
        yield
    except click.ClickException as error:
        said, _, cure = error.format_message().partition("\n")
        problem = error.problem if isinstance(error, Answered) else {"detail": said} | ({"cure": cure} if cure else {})
        click.echo(json.dumps(problem, ensure_ascii=False), err=True)
        click.get_current_context().exit(error.exit_code)


def path_of(subscriber: str | None, rest: str = "") -> str:
    """Return the path of a named subscriber, or of whoever's token it is."""
    return (f"/v1/subscribers/{segment(subscriber)}" if subscriber else "/v1/me") + rest


def segment(name: str) -> str:
    """Refuse a name that would change the path it is put into."""
    if not name or any(letter in "/?#%\\" or letter.isspace() for letter in name):
        raise click.UsageError(f"{name!r} is no name: letters (a to z), digits and . _ - @ only.")
    return name


def remote(command: Callable[Concatenate[Client, P], Json]) -> Callable[..., None]:
    """Make a command of a function that asks a server: adds --url, --token-file and --json.

    The function prints for people and returns what --json prints instead. With --json a failure is JSON, too, on stderr.
    """

    @click.option("--url", envvar="QANAT_URL", default=DEFAULT_URL, show_default=True, help="The server (QANAT_URL).")
    @click.option(
        "--token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Holds the token; else QANAT_TOKEN, else data/admin.token.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON for programs; a failure is JSON on stderr.")
    @wraps(command)
    def asked(*args: P.args, **kwargs: P.kwargs) -> None:
        url, token_file = str(kwargs.pop("url")), kwargs.pop("token_file")
        as_json = bool(kwargs.pop("as_json"))
        click.get_current_context().meta["json"] = as_json
        with _said_as_json() if as_json else nullcontext(), told_if_lost():
            client = Client(url=url, token=_token(token_file if isinstance(token_file, Path) else None))
            result = command(client, *args, **kwargs)
            if as_json:
                click.echo(json.dumps(result, ensure_ascii=False))
        if result.get("balanced") is False:
            click.get_current_context().exit(1)

    return asked


def _token(file: Path | None) -> str:
    if file is None and os.environ.get("QANAT_TOKEN"):
        return _printable(os.environ["QANAT_TOKEN"].strip(), "QANAT_TOKEN")
    try:
        return _printable((file or _DEFAULT_TOKEN).read_text(encoding="ascii").strip(), str(file or _DEFAULT_TOKEN))
    except (OSError, UnicodeDecodeError) as error:
        if file is None:
            return ""
        why = error.strerror if isinstance(error, OSError) else error
        raise click.ClickException(
            f"{file} can't be read: {why}. `qanat sign-in NAME --save {shlex.quote(str(file))}` writes one; "
            "the administrator's is in DIR/admin.token, where the server keeps its data."
        ) from error


def _printable(token: str, where: str) -> str:
    """Refuse what no header could carry, without showing it."""
    if not all("!" <= letter <= "~" for letter in token):
        raise click.ClickException(f"{where} holds no token: one line without spaces, as in DIR/admin.token.")
    return token
