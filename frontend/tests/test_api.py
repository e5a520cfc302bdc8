"""Calls: tokens, idempotency keys, lists, and what can go wrong."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from frontend.api import (
    NO_ADDRESS,
    UNKNOWN,
    UNREACHABLE,
    UNSURE,
    Api,
    ApiError,
    Clock,
    SessionOver,
)
from frontend.logins import OPEN_WRITES, TICKET_S, Login, Logins
from frontend.tests.servers import reserved
from frontend.tests.stub import Asked, Told


def pair(number: int) -> dict[str, Any]:
    """Tokens."""
    return {"access_token": f"a{number}", "refresh_token": f"r{number}"}


class Issuer:
    """Gives new pairs; each refresh token works once, and the newest access token only."""

    def __init__(self) -> None:
        self.valid = 2
        self.lock = threading.Lock()

    def __call__(self, asked: Asked) -> Told:
        """An answer."""
        with self.lock:
            if asked.path == "/auth/refresh":
                if asked.body != {"refresh_token": f"r{self.valid - 1}"}:
                    return Told(401, {"code": "unauthorized", "detail": "Used already."})
                self.valid += 1
                return Told(200, pair(self.valid - 1))
            if asked.headers.get("authorization") != f"Bearer a{self.valid - 1}":
                return Told(401, {"code": "unauthorized", "detail": "No."})
            return Told(200, {"me": True})


def test_an_expired_token_is_renewed_once_and_the_whole_new_pair_is_kept(stub):
    one = stub(Issuer())
    login = Login({"access_token": "old", "refresh_token": "r1"})
    api = Api(login)
    assert api.read("/users/me").value == {"me": True}
    assert api.read("/users/me").value == {"me": True}
    assert [asked.path for asked in one.asked] == [
        "/users/me",
        "/auth/refresh",
        "/users/me",
        "/users/me",
    ]
    assert login.access == "a2"
    # And the next time the new refresh token is used, as the old one would end everything.
    login.access = "old again"
    assert api.read("/users/me").value == {"me": True}
    assert login.access == "a3"


def test_many_windows_use_a_refresh_token_once(stub):
    one = stub(Issuer())
    login = Login({"access_token": "old", "refresh_token": "r1"})
    start, failed = threading.Barrier(8), []

    def window() -> None:
        start.wait()
        try:
            Api(login).read("/users/me")
        except ApiError as error:
            failed.append(error)

    threads = [threading.Thread(target=window) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert sum(asked.path == "/auth/refresh" for asked in one.asked) == 1


def test_a_refused_refresh_ends_the_session(stub):
    one = stub(Issuer())
    login = Login({"access_token": "old", "refresh_token": "used"})
    with pytest.raises(SessionOver):
        Api(login).read("/users/me")
    assert login.over
    with pytest.raises(SessionOver):
        Api(login).read("/users/me")
    # The second time nobody is asked for tokens.
    assert sum(asked.path == "/auth/refresh" for asked in one.asked) == 1


def test_a_problem_is_told_in_its_words(stub):
    problem = {
        "code": "validation_failed",
        "detail": "2 fields are not valid.",
        "errors": [
            {"field": "title", "detail": "is missing"},
            {"field": "title", "detail": "is odd"},
            {"field": "price", "detail": "is negative"},
        ],
    }
    stub(lambda _: Told(422, problem))
    with pytest.raises(ApiError) as caught:
        Api().read("/events")
    assert caught.value.errors == {"title": "is missing; is odd", "price": "is negative"}
    assert caught.value.words() == "2 fields are not valid."
    assert not caught.value.unknown


def test_when_to_come_back_is_said(stub):
    stub(lambda _: Told(429, {"detail": "Too many."}, {"retry-after": "7"}))
    with pytest.raises(ApiError) as caught:
        Api().read("/events")
    assert caught.value.words() == "Too many. Please try again in 7 seconds."


def test_an_answer_that_is_no_problem_document_is_told_too(stub):
    stub(lambda _: Told(502, ["bad", "gateway"]))
    with pytest.raises(ApiError) as caught:
        Api().read("/events")
    assert caught.value.detail == "EventFlow answered with status 502."


def test_lists_are_followed_up_to_a_bound(stub):
    def answer(asked: Asked) -> Told:
        query = parse_qs(urlsplit(asked.path).query)
        number = int(query.get("cursor", ["0"])[0])
        link = f'</bookings?limit=1&cursor={number + 1}>; rel="next"'
        return Told(200, [{"n": number}], {"link": link} if number < 4 else {})

    one = stub(answer)
    part = Api().pages("/bookings", most=3, limit=1)
    assert [entry["n"] for entry in part.items] == [0, 1, 2]
    assert part.cursor and len(one.asked) == 3
    # All of them, and no more is asked for.
    for most in (5, 6):
        whole = Api().pages("/bookings", most=most, limit=1)
        assert [entry["n"] for entry in whole.items] == [0, 1, 2, 3, 4]
        assert whole.cursor is None


def test_a_write_is_repeated_under_the_same_key_after_a_lost_connection(stub):
    one = stub(lambda _: Told(201, {"id": "b"}, cut=len(one.asked) == 1))
    api = Api(Login(pair(1)))
    assert api.write("POST", "/bookings", {"event_id": "e"}).value == {"id": "b"}
    first, second = (asked.headers["idempotency-key"] for asked in one.asked)
    assert first == second


def test_what_has_no_key_is_sent_once_and_promised_nothing(stub):
    one = stub(lambda _: Told(cut=True))
    calls = (
        lambda: Api().register("ada", "ada@example.org", "a long walk home", None),
        lambda: Api().log_in("ada", "a long walk home"),
        lambda: Api(Login(pair(1))).call("PATCH", "/users/me", body={"full_name": "Ada"}),
    )
    for call in calls:
        with pytest.raises(ApiError) as caught:
            call()
        assert caught.value.detail == UNSURE
        assert caught.value.unknown
    assert len(one.asked) == len(calls)


def test_the_key_stays_until_the_outcome_is_known_and_then_is_another(stub):
    cut = True
    one = stub(lambda _: Told(201, {"id": "b"}, cut=cut))
    api, body = Api(Login(pair(1))), {"event_id": "e"}
    with pytest.raises(ApiError) as caught:
        api.write("POST", "/bookings", body)
    assert caught.value.detail == UNKNOWN and caught.value.unknown
    cut = False
    # The next click, and one after it was answered.
    api.write("POST", "/bookings", body)
    api.write("POST", "/bookings", body)
    keys = [asked.headers["idempotency-key"] for asked in one.asked]
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_what_is_seen_at_an_event_settles_what_was_asked_there(stub):
    one = stub(lambda _: Told(503, {"detail": "Who knows."}))
    api = Api(Login(pair(1)))

    def keys() -> list[str]:
        start = len(one.asked)
        for event_id in ("e", "f", None):
            with pytest.raises(ApiError):
                api.write("POST", "/bookings", {"event_id": event_id}, event_id=event_id)
        return [asked.headers["idempotency-key"] for asked in one.asked[start:]]

    first, again = keys(), keys()
    assert first == again
    api.login.settled_at("e")
    then = keys()
    assert then[0] != first[0]
    assert then[1:] == first[1:]


def test_a_refusal_settles_a_key_and_a_breakdown_does_not(stub):
    status = 409
    one = stub(lambda _: Told(status, {"detail": "No."}))
    api = Api(Login(pair(1)))
    for status in (409, 503, 503):  # noqa: B007
        with pytest.raises(ApiError):
            api.write("POST", "/bookings", {})
    keys = [asked.headers["idempotency-key"] for asked in one.asked]
    assert keys[0] != keys[1] == keys[2]


def test_a_form_has_one_key_for_what_it_says(stub):
    one = stub(lambda _: Told(201, {"id": "e"}))
    api = Api(Login(pair(1)))
    api.write("POST", "/events", {"title": "Tea"}, intent="form 1")
    api.write("POST", "/events", {"title": "Tea"}, intent="form 1")
    api.write("POST", "/events", {"title": "Coffee"}, intent="form 1")
    api.write("POST", "/events", {"title": "Tea"}, intent="form 2")
    keys = [asked.headers["idempotency-key"] for asked in one.asked]
    assert keys[0] == keys[1] and len(set(keys)) == 3


def test_nobody_there(monkeypatch):
    calls = (lambda: Api().read("/events"), lambda: Api(Login(pair(1))).write("POST", "/x"))
    with reserved() as nowhere:
        monkeypatch.setenv("API_URL", f"http://127.0.0.1:{nowhere.getsockname()[1]}")
        for call in calls:
            with pytest.raises(ApiError) as caught:
                call()
            # Never connected: nothing was sent, so nothing is in doubt.
            assert caught.value.detail == UNREACHABLE


@pytest.mark.parametrize(
    "odd",
    [
        "localhost:8080",
        "eventflow",
        "ftp://a",
        "http://",
        "http://a:b",
        "http://[::1",
        "http://a b",
    ],
)
def test_an_address_that_is_none_is_told_in_a_sentence(monkeypatch, odd):
    monkeypatch.setenv("API_URL", odd)
    for call in (lambda: Api().read("/events"), lambda: Api(Login(pair(1))).write("POST", "/x")):
        with pytest.raises(ApiError) as caught:
            call()
        assert caught.value.detail == NO_ADDRESS


def test_an_address_may_end_in_a_slash_and_have_a_path(stub, monkeypatch):
    one = stub(lambda _: Told(200, []))
    monkeypatch.setenv("API_URL", f" {one.url}/behind/ ")
    Api().read("/events")
    assert [asked.path for asked in one.asked] == ["/behind/events"]


def test_a_token_is_in_no_address_and_redirects_are_not_followed(stub):
    one = stub(lambda _: Told(302, None, {"location": "http://elsewhere.invalid/"}))
    with pytest.raises(ApiError) as caught:
        Api(Login(pair(1))).read("/users/me", empty="", none=None, zero=0)
    assert caught.value.status == 302 and len(one.asked) == 1
    assert one.asked[0].path == "/users/me?zero=0"
    assert one.asked[0].headers["authorization"] == "Bearer a1"


def test_who_asks_is_passed_on(stub):
    one = stub(lambda _: Told(200, []))
    Api(address="192.0.2.7").read("/events")
    Api().read("/events")
    assert [asked.headers.get("x-forwarded-for") for asked in one.asked] == ["192.0.2.7", None]


def test_the_clock_is_eventflows():
    clock = Clock()
    clock.learn("Thu, 01 Jan 1970 01:00:00 GMT", 0.0)
    assert clock.offset_s == 3600
    clock.learn("Thu, 01 Jan 1970 00:00:01 GMT", 0.0)
    assert clock.offset_s == 0
    clock.learn(None, 0.0)
    clock.learn("whenever", 0.0)
    assert clock.offset_s == 0


def test_a_ticket_works_once_and_for_a_minute():
    now = 0.0
    logins = Logins(lambda: now)
    login = Login(pair(1))
    first, second = logins.add(login), logins.add(login)
    name = logins.take(first)
    assert name and logins.find(name) is login
    assert logins.take(first) is None
    now = TICKET_S + 1.0
    assert logins.take(second) is None
    login.end()
    assert logins.find(name) is None
    assert logins.find(None) is None and logins.find("made up") is None


def test_what_is_remembered_is_bounded():
    login = Login(pair(1))
    first = login.key_for("0")
    for number in range(1, OPEN_WRITES + 1):
        login.key_for(str(number))
        login.remember_hold(str(number), "h")
    assert login.key_for("0") != first
    assert len(login.holds) <= OPEN_WRITES
