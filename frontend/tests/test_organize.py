"""An organizer's pages: messages, and lists that are long."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from frontend.api import Api
from frontend.logins import Login
from frontend.tests.apps import SOMEBODY, click, new_person, one_event, open_page, words
from frontend.tests.stub import Asked, Told
from frontend.views import organize

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlit.testing.v1 import AppTest

    from frontend.tests.apps import Person


def write(app: AppTest, subject: str, text: str) -> AppTest:
    """Fills the form of a message, and sends it."""
    field(app.text_input, "Subject").input(subject)
    field(app.text_area, "Text").input(text)
    return click(app, "Send")


def field(kind: Any, label: str) -> Any:
    """The field with that label."""
    return next(one for one in kind if one.label == label)


class Post:
    """An EventFlow that sends each message once under a key, and may lose answers."""

    def __init__(self) -> None:
        self.loses = False
        self.sent: dict[str, dict[str, Any]] = {}

    def __call__(self, asked: Asked) -> Told:
        """An answer."""
        if asked.path == "/notifications/send":
            self.sent.setdefault(asked.headers["idempotency-key"], asked.body)
            if self.loses:
                return Told(503, {"detail": "Who knows."})
            return Told(202, {"recipients": 1})
        if asked.path.split("?")[0].endswith("/bookings"):
            return Told(200, [])
        return Told(200, one_event(asked))


def test_the_same_words_are_sent_again_later(stub: Callable[..., Any], ada: Login):
    post = Post()
    stub(post)
    app = open_page("manage", ada, event="e")
    field(app.selectbox, "To").select("everyone")
    assert "On its way to 1 person." in words(write(app, "Doors", "They open at seven."))
    assert field(app.text_input, "Subject").value == ""
    # To the same people, unless one says otherwise.
    assert "On its way to 1 person." in words(write(app, "Doors", "They open at seven."))
    assert [body["to"] for body in post.sent.values()] == ["everyone"] * 2
    assert [body["subject"] for body in post.sent.values()] == ["Doors"] * 2


def test_a_message_whose_answer_got_lost_is_sent_once(stub: Callable[..., Any], ada: Login):
    post = Post()
    post.loses = True
    stub(post)
    app = open_page("manage", ada, event="e")
    assert "Who knows." in words(write(app, "Doors", "They open at seven."))
    post.loses = False
    # What was written is still there.
    assert "On its way to 1 person." in words(click(app, "Send"))
    assert len(post.sent) == 1


def test_a_click_that_was_on_its_way_sends_nothing_more(stub: Callable[..., Any], ada: Login):
    post = Post()
    stub(post)
    app = open_page("manage", ada, event="e")
    field(app.text_input, "Subject").input("Doors")
    field(app.text_area, "Text").input("They open at seven.")
    field(app.button, "Send").click()
    # All that a browser says; the second time it has not seen yet what the first led to.
    said = app._tree.get_widget_states()
    app._run(said)
    assert "On its way to 1 person." in words(app)
    app._run(said)
    assert not app.exception
    assert len(post.sent) == 1


# -- lists ----------------------------------------------------------------------------------


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> int:
    """Lists are cut after so many."""
    monkeypatch.setattr(organize, "BOOKINGS", 1)
    monkeypatch.setattr(organize, "BOOKING_PAGES", 2)
    return 2


def turns(app: AppTest) -> list[int]:
    """The waitlist of the page."""
    return next((list(one.value["Turn"]) for one in app.dataframe if "Turn" in one.value), [])


def test_who_comes_next_is_on_the_waitlist_however_much_came_later(somebody: Person, short: int):
    made = somebody.make_event(capacity=1)
    somebody.book(made)
    new_person().book(made)
    undecided = new_person()
    for _ in range(short):
        gone = undecided.book(made)
        Api(undecided.login).write("DELETE", f"/bookings/{gone['id']}")
    app = open_page("manage", somebody.login, event=made["id"])
    assert turns(app) == [1]
    assert "who came last" not in words(app)
    assert f"These are the newest {short}; older ones are not shown." in words(app)
    # Until the list of those who wait is cut as well: then it says which part of it there is.
    for _ in range(short):
        new_person().book(made)
    app = open_page("manage", somebody.login, event=made["id"])
    assert turns(app) == [2, 3]
    assert f"These are the {short} who came last" in words(app)


def test_a_curve_of_the_newest_bookings_begins_where_older_ones_left_it(
    somebody: Person, short: int
):
    made = somebody.make_event(capacity=10)
    for quantity in range(1, short + 1):
        new_person().book(made, quantity=quantity)
    app = open_page("manage", somebody.login, event=made["id"])
    assert "The curve begins with" not in words(app)
    somebody.book(made, quantity=4)
    app = open_page("manage", somebody.login, event=made["id"])
    assert f"The curve begins with the newest {short} bookings" in words(app)


def test_lists_are_read_once_in_a_while(
    stub: Callable[..., Any], ada: Login, monkeypatch: pytest.MonkeyPatch
):
    now, version = 100.0, 1
    monkeypatch.setattr(organize, "time", SimpleNamespace(monotonic=lambda: now))

    def answer(asked: Asked) -> Told:
        if asked.path.split("?")[0].endswith("/bookings"):
            return Told(200, [])
        told = one_event(asked)
        if told and "version" in told:
            told |= {"id": asked.path.rsplit("/", 1)[1], "version": version}
        return Told(200, told)

    one = stub(answer)

    def read(app: AppTest) -> int:
        before = len(one.asked)
        assert not app.run().exception
        return sum("/bookings?" in asked.path for asked in one.asked[before:])

    app = open_page("manage", ada, event="e")
    assert read(app) == 0
    now += organize.KEPT_S
    anew = read(app)
    assert anew > 0 and read(app) == 0
    # Who changed the event sees what came of it at once.
    version = 2
    assert read(app) == anew
    # Another event, another person, another window: none of them gets this list.
    app.query_params["event"] = "f"
    assert read(app) == anew
    app.session_state["login"] = Login(
        {"access_token": "b", "refresh_token": "s"}, SOMEBODY | {"id": "u2"}
    )
    assert read(app) == anew
    before = len(one.asked)
    open_page("manage", ada, event="e")
    assert sum("/events/e/bookings" in asked.path for asked in one.asked[before:]) == anew
