"""Calls to EventFlow over HTTP, and what can go wrong with them."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from frontend.logins import Login

# Seconds until a connection is there, and until an answer is.
TIMEOUT = (5, 20)
# How often a call is sent again after a lost connection. Reads may be repeated, writes carry
# an idempotency key.
REPEATS = 1
# Connections kept open to EventFlow.
CONNECTIONS = 32
# A clock is believed to differ from EventFlow's only beyond this: the header has whole seconds.
CLOCK_TOLERANCE_S = 2.0

# A connection that isn't made, or breaks, or says nothing. Whatever else goes wrong is our fault.
LOST = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
# An `API_URL` without a scheme, with another one than HTTP's, or without a host.
NOWHERE = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidURL,
)

UNREACHABLE = "EventFlow cannot be reached right now. Please try again in a moment."
UNKNOWN = (
    "The answer got lost, so it is not known yet whether this was done. "
    "Try again: it will not be done twice."
)
NO_ADDRESS = (
    "These pages have not been told where EventFlow is: API_URL has to be an address such as "
    "http://localhost:8080."
)
# For what has no key to be known again by.
UNSURE = (
    "The answer got lost, so it is not known whether this was done. "
    "Please look before you try again."
)


def api_url() -> str:
    """Where EventFlow is."""
    return os.environ.get("API_URL", "").strip().rstrip("/") or "http://localhost:8080"


class ApiError(Exception):
    """A call that was not granted, in words for whoever asked."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: dict[str, str] | None = None,
        retry_after: int | None = None,
        figures: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        # What is wrong with which field of a form.
        self.errors = errors or {}
        # Seconds.
        self.retry_after = retry_after
        # The whole problem, for figures such as `available`.
        self.figures = figures or {}

    @property
    def unknown(self) -> bool:
        """Whether the call may have been done all the same."""
        return self.status == 0 or self.status >= 500

    def words(self) -> str:
        """The sentence to show."""
        if not self.retry_after:
            return self.detail
        unit = "second" if self.retry_after == 1 else "seconds"
        return f"{self.detail} Please try again in {self.retry_after} {unit}."


class SessionOver(ApiError):
    """Neither token is good any more: log in again."""

    def __init__(self) -> None:
        super().__init__(401, "session_over", "Your session is over. Please log in again.")


@dataclass
class Answer:
    """What came back."""

    value: Any
    etag: str | None = None
    # The cursor of the next page of a list.
    cursor: str | None = None


@dataclass
class Page:
    """A part of a list."""

    items: list[dict[str, Any]] = field(default_factory=list)
    cursor: str | None = None


def _transport() -> requests.Session:
    session = requests.Session()
    # The machine's .netrc must not put somebody's password in front of our token.
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=CONNECTIONS))
    return session


_SHARED = _transport()


class Clock:
    """EventFlow's clock as its answers show it: deadlines are counted by it."""

    offset_s = 0.0

    def learn(self, date: str | None, now: float) -> None:
        """Takes note of an answer's `Date` header."""
        try:
            seen = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        offset = seen - now
        self.offset_s = offset if abs(offset) > CLOCK_TOLERANCE_S else 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.offset_s


CLOCK = Clock()


class Api:
    """EventFlow for one person, or for somebody unknown."""

    def __init__(self, login: Login | None = None, address: str | None = None) -> None:
        self.login = login
        # Who asks us, so that limits per address don't put all our visitors into one. EventFlow
        # believes it if we are among its `trusted_proxies`.
        self.address = address

    # -- the bottom ---------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One call; a token that has run out is renewed once.

        Raises `ApiError` for whatever is not a success.
        """
        token = self.login.access if self.login else None
        answer = self._send(method, path, token, params, body, headers)
        if answer.status_code == 401 and self.login:
            self.login.renew(token, self.refresh)
            answer = self._send(method, path, self.login.access, params, body, headers)
            if answer.status_code == 401:
                self.login.end()
                raise SessionOver
        return _read(answer)

    def _send(
        self,
        method: str,
        path: str,
        token: str | None,
        params: dict[str, Any] | None,
        body: dict[str, Any] | None,
        headers: dict[str, str] | None,
    ) -> requests.Response:
        head = {"accept": "application/json", **(headers or {})}
        if token:
            head["authorization"] = f"Bearer {token}"
        if self.address:
            head["x-forwarded-for"] = self.address
        repeatable = method == "GET" or "idempotency-key" in head
        for left in range(REPEATS if repeatable else 0, -1, -1):
            try:
                answer = _SHARED.request(
                    method,
                    api_url() + path,
                    params=params,
                    json=body,
                    headers=head,
                    timeout=TIMEOUT,
                    allow_redirects=False,
                )
            except NOWHERE:
                raise ApiError(0, "no_address", NO_ADDRESS) from None
            except LOST as error:
                if not left:
                    raise _lost(error, method, head) from None
            else:
                CLOCK.learn(answer.headers.get("date"), time.time())
                return answer
        raise AssertionError("the last attempt returns or raises")

    def read(self, path: str, **params: Any) -> Answer:
        """GET; parameters that are `None` or empty are left out."""
        kept = {name: value for name, value in params.items() if value not in (None, "")}
        return self.call("GET", path, params=kept)

    def page(self, path: str, **params: Any) -> Page:
        """One page of a list."""
        answer = self.read(path, **params)
        return Page(answer.value, answer.cursor)

    def pages(self, path: str, *, most: int, **params: Any) -> Page:
        """Up to `most` pages of a list as one; its cursor says that there are more."""
        whole = Page()
        for _ in range(most):
            page = self.page(path, cursor=whole.cursor, **params)
            whole.items += page.items
            whole.cursor = page.cursor
            if page.cursor is None:
                break
        return whole

    def write(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        intent: str | None = None,
        if_match: str | None = None,
        event_id: str | None = None,
    ) -> Answer:
        """A write under one idempotency key per intention.

        Without `intent` the same call is the same intention until its outcome is known. With
        one (a form that was opened), the same call of it is never done twice at all.
        `event_id` is where it makes something: what is seen there tells its outcome too
        (`Login.settled_at`).
        """
        assert self.login, "only who is logged in writes"
        print_ = fingerprint(method, path, body, intent)
        key = print_ if intent else self.login.key_for(print_, event_id)
        headers = {"idempotency-key": key}
        if if_match:
            headers["if-match"] = if_match
        try:
            answer = self.call(method, path, body=body, headers=headers)
        except ApiError as error:
            if not error.unknown:
                self.login.settled(print_)
            raise
        self.login.settled(print_)
        return answer

    # -- accounts -----------------------------------------------------------------------------

    def register(self, username: str, email: str, password: str, full_name: str | None) -> dict:
        """A new account."""
        body = {"username": username, "email": email, "password": password}
        if full_name:
            body["full_name"] = full_name
        return self.call("POST", "/auth/register", body=body).value

    def log_in(self, username: str, password: str) -> dict:
        """A pair of tokens."""
        return self.call(
            "POST", "/auth/login", body={"username": username, "password": password}
        ).value

    def refresh(self, refresh_token: str) -> dict:
        """The next pair of tokens. The old one is used up, so this is never sent twice."""
        answer = self._send(
            "POST", "/auth/refresh", None, None, {"refresh_token": refresh_token}, None
        )
        return _read(answer).value

    def log_out(self) -> None:
        """Ends the session at EventFlow too."""
        self.call("POST", "/auth/logout")


def fingerprint(method: str, path: str, body: Any, intent: str | None = None) -> str:
    """What makes two calls the same; also good as an idempotency key."""
    parts = json.dumps([method, path, body, intent], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:48]


def _lost(error: requests.RequestException, method: str, head: dict[str, str]) -> ApiError:
    """No answer at all. Whoever never connected has sent nothing."""
    never = isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in repr(error)
    if method == "GET" or never:
        return ApiError(0, "unreachable", UNREACHABLE)
    return ApiError(0, "unreachable", UNKNOWN if "idempotency-key" in head else UNSURE)


def _read(answer: requests.Response) -> Answer:
    # A redirect is no answer either: EventFlow has none.
    if 200 <= answer.status_code < 300:
        try:
            value = answer.json() if answer.content else None
        except ValueError:
            raise ApiError(502, "not_json", "EventFlow's answer cannot be read.") from None
        return Answer(value, answer.headers.get("etag"), _cursor(answer))
    raise _problem(answer)


def _cursor(answer: requests.Response) -> str | None:
    url = answer.links.get("next", {}).get("url")
    found = parse_qs(urlsplit(url).query).get("cursor") if url else None
    return found[0] if found else None


def _problem(answer: requests.Response) -> ApiError:
    try:
        told = answer.json()
    except ValueError:
        told = {}
    if not isinstance(told, dict):
        told = {}
    errors: dict[str, str] = {}
    for one in told.get("errors") or []:
        name, detail = str(one.get("field")), str(one.get("detail"))
        errors[name] = f"{errors[name]}; {detail}" if name in errors else detail
    try:
        retry_after = int(answer.headers.get("retry-after", ""))
    except ValueError:
        retry_after = None
    return ApiError(
        answer.status_code,
        str(told.get("code") or "unexpected"),
        str(told.get("detail") or f"EventFlow answered with status {answer.status_code}."),
        errors=errors,
        retry_after=retry_after,
        figures=told,
    )
