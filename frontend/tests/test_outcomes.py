"""Writes whose answer got lost: what is said of them, and of those that come after."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from frontend import widgets
from frontend.tests.apps import SOMEBODY, click, one_event, open_page, stand, words
from frontend.tests.people import PASSWORD
from frontend.tests.stub import Asked, Told

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlit.testing.v1 import AppTest

    from frontend.logins import Login

LOST = "It is not known whether this was done."
FAR = "2999-01-01T00:00:00.000Z"


class Forgetful:
    """An EventFlow that does what it is asked to, and loses answers while `loses` is set.

    As the real one it keeps the first success under each key, and says it again.
    """

    def __init__(self) -> None:
        self.loses = False
        # What happens elsewhere while a write is under way.
        self.meanwhile: Callable[[], object] = lambda: None
        # Looks at what there is that fail from now on.
        self.unreadable = 0
        self.booking: dict[str, Any] | None = None
        self.holds: dict[str, dict[str, Any]] = {}
        self._kept: dict[str, Any] = {}
        self._ids = itertools.count(1)

    def __call__(self, asked: Asked) -> Told:
        """An answer."""
        if asked.method == "GET":
            return self._shown(asked)
        self.meanwhile()
        key = asked.headers["idempotency-key"]
        if key not in self._kept:
            self._kept[key] = dict(self._done(asked))
        if self.loses:
            return Told(503, {"code": "outcome_unknown", "detail": LOST})
        return Told(201, self._kept[key])

    def _shown(self, asked: Asked) -> Told:
        if "/bookings/user/" in asked.path and self.unreadable:
            self.unreadable -= 1
            return Told(503, {"code": "unavailable", "detail": "Not now."})
        if "/bookings/user/" in asked.path:
            return Told(200, self.booking)
        if "/bookings/holds/" in asked.path:
            return Told(200, self.holds[asked.path.rsplit("/", 1)[1]])
        if asked.path.startswith("/users/me/bookings"):
            return Told(200, [self.booking] if self.booking else [])
        return Told(200, one_event(asked))

    def _done(self, asked: Asked) -> dict[str, Any]:
        new = {"id": f"n{next(self._ids)}", "event_id": "e", "quantity": 1}
        if asked.path.startswith("/bookings/holds/"):
            return self.holds.pop(asked.path.rsplit("/", 1)[1])
        if asked.method == "DELETE":
            assert self.booking, "nothing is there to cancel"
            gone, self.booking = self.booking, None
            return gone | {"status": "cancelled"}
        if asked.path == "/bookings/holds":
            hold = self.holds[new["id"]] = new | {"status": "held", "expires_at": FAR}
            return hold
        if hold := self.holds.get(asked.body.get("hold_id")):
            hold["status"] = "confirmed"
        self.booking = new | {"status": "confirmed", "ticket_code": f"T-{new['id']}"}
        return self.booking


@pytest.fixture
def eventflow(stub: Callable[..., Any]) -> Forgetful:
    """It."""
    one = Forgetful()
    stub(one)
    return one


def test_what_is_booked_again_after_a_lost_answer_is_booked(eventflow: Forgetful, ada: Login):
    app = open_page(login=ada, event="e")
    eventflow.loses = True
    assert LOST in words(click(app, "Book 1 place"))
    eventflow.loses = False
    # It was done: the page shows it. Then it is cancelled, here or elsewhere.
    first = eventflow.booking
    assert "You have 1 place." in words(app.run())
    eventflow.booking = None
    assert "Booked: 1 place." in words(click(app.run(), "Book 1 place"))
    assert eventflow.booking and eventflow.booking["id"] != first["id"]
    assert "You have 1 place." in words(app)


def test_nothing_is_called_booked_that_is_over(eventflow: Forgetful, ada: Login):
    app = open_page(login=ada, event="e")
    eventflow.loses = True
    click(app, "Book 1 place")
    eventflow.loses = False
    # Cancelled elsewhere before these pages ever saw it.
    eventflow.booking = None
    click(app, "Book 1 place")
    assert "Booked" not in words(app)
    assert "is over by now" in words(app)
    # And the next click is another intention.
    assert "Booked: 1 place." in words(click(app, "Book 1 place"))
    assert eventflow.booking


def test_what_is_booked_is_told_though_it_cannot_be_looked_at(eventflow: Forgetful, ada: Login):
    app = open_page(login=ada, event="e")

    def fails_once() -> None:
        eventflow.unreadable = 1

    eventflow.meanwhile = fails_once
    shown = words(click(app, "Book 1 place"))
    assert "Booked: 1 place." in shown and "Not now." not in shown


def test_cancelling_from_the_list_leaves_no_key_behind(
    eventflow: Forgetful, ada: Login, monkeypatch: pytest.MonkeyPatch
):
    app = open_page(login=ada, event="e")
    eventflow.loses = True
    click(app, "Book 1 place")
    eventflow.loses = False
    # `AppTest` has no dialogs: the question is answered with yes at once.
    monkeypatch.setattr(widgets, "ask", lambda _head, _sentence, _yes, act, **_: act())
    click(open_page("bookings", ada), "Cancel the booking")
    assert eventflow.booking is None
    assert "Booked: 1 place." in words(click(app, "Book 1 place"))
    assert eventflow.booking


def test_no_hold_is_shown_that_is_over(eventflow: Forgetful, ada: Login):
    app = open_page(login=ada, event="e")
    eventflow.loses = True
    click(app, "Hold for now")
    eventflow.loses = False
    eventflow.holds["n1"]["status"] = "released"
    click(app, "Hold for now")
    assert "is over by now" in words(app) and not app.subheader
    click(app, "Hold for now")
    assert [one.value for one in app.subheader] == ["You hold 1 place"]


def test_a_hold_that_is_seen_settles_what_was_asked(eventflow: Forgetful, ada: Login):
    app = open_page(login=ada, event="e")
    eventflow.loses = True
    click(app, "Hold for now")
    eventflow.loses = False
    # Another window finds it; then it is given back there.
    ada.remember_hold("e", "n1")
    assert "You hold 1 place" in [one.value for one in app.run().subheader]
    eventflow.holds["n1"]["status"] = "released"
    click(app.run(), "Hold for now")
    assert [one.value for one in app.subheader] == ["You hold 1 place"]


def register(app: AppTest) -> AppTest:
    """Fills the form for a new account, and sends it."""
    app.text_input(key="register-name").input("ada")
    app.text_input(key="register-email").input("ada@example.org")
    app.text_input(key="register-password").input(PASSWORD)
    return click(app, "Create the account")


@pytest.mark.parametrize("fails", ["/auth/login", "/users/me"])
def test_a_new_account_is_ready_though_one_cannot_log_in_yet(stub: Callable[..., Any], fails: str):
    busy = True

    def answer(asked: Asked) -> Told:
        if busy and asked.path == fails:
            return Told(503, {"detail": "Too much is under way."})
        told = {"/auth/login": {"access_token": "a", "refresh_token": "r"}, "/users/me": SOMEBODY}
        return Told(200, told.get(asked.path, []))

    one = stub(answer)
    app = register(open_page("register"))
    assert "Your account is ready. Please log in." in words(app)
    assert "Too much" not in words(app)
    busy = False
    stand(app, "login")
    assert app.text_input(key="login-name").value == "ada"
    app.text_input(key="login-password").input(PASSWORD)
    assert "Welcome, ada." in words(click(app, "Log in"))
    assert sum(asked.path == "/auth/register" for asked in one.asked) == 1


def test_an_account_that_is_refused_stays_on_its_form(stub: Callable[..., Any]):
    def answer(asked: Asked) -> Told:
        if asked.path != "/auth/register":
            return Told(200, [])
        return Told(409, {"code": "taken", "detail": "The name is taken."})

    stub(answer)
    app = register(open_page("register"))
    assert "The name is taken." in words(app)
    assert "Your account is ready" not in words(app)
    assert app.text_input(key="register-name").value == "ada"


@pytest.mark.parametrize("label", ["Book them", "Give them back"])
def test_the_end_of_a_hold_leaves_no_key_behind(
    eventflow: Forgetful, ada: Login, monkeypatch: pytest.MonkeyPatch, label: str
):
    monkeypatch.setattr(widgets, "ask", lambda _head, _sentence, _yes, act, **_: act())
    app = click(open_page(login=ada, event="e"), "Hold for now")
    # In another window a booking is asked for meanwhile, and its answer lost.
    asked = []
    eventflow.meanwhile = lambda: asked.append(ada.key_for("another window's", "e"))
    click(app, label)
    assert asked and ada.key_for("another window's", "e") not in asked
    assert not ada.holds
