"""An organizer's pages: messages, and lists that are long."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from frontend.tests.apps import click, new_person, one_event, open_page, words
from frontend.tests.stub import Asked, Told

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlit.testing.v1 import AppTest

    from frontend.logins import Login


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
