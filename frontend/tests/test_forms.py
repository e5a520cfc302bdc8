"""What is typed into a form outlives somebody else's change, and logging in again."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from frontend.api import Api
from frontend.tests.apps import click, new_person, open_page, stand, words
from frontend.tests.people import PASSWORD

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

    from frontend.tests.apps import Person


def change(who: Person, made: dict[str, Any], **fields: Any) -> None:
    """Somebody else's change, or that of another window."""
    Api(who.login).write("PATCH", f"/events/{made['id']}", fields)


def now(made: dict[str, Any]) -> dict[str, Any]:
    """The event as it is."""
    return Api().read(f"/events/{made['id']}").value


def over(who: Person) -> None:
    """Their session ends, and they don't know yet."""
    who.login.access, who.login._refresh = "run.out.token", "used.up"


def log_in_again(app: AppTest, who: Person, page: str) -> None:
    """By the button that a page offers, and back to it."""
    click(app, "Log in")
    stand(app, "login")
    app.run()
    app.text_input(key="login-name").input(who.name)
    app.text_input(key="login-password").input(PASSWORD)
    click(app, "Log in")
    stand(app, page)
    app.run()
    assert not app.exception, app.exception[0].value


# -- changes in between ---------------------------------------------------------------------


def test_what_was_typed_outlives_somebody_elses_change(somebody):
    made = somebody.make_event(timezone="Europe/Zurich")
    key = f"edit-{made['id']}-1"
    app = open_page("manage", somebody.login, event=made["id"])
    change(somebody, made, title="Coffee", capacity=9)
    app.text_input(key=f"{key}-location").input("Chur")
    app.text_area(key=f"{key}-description").input("Bring cups.")
    click(app, "Save")
    # Nothing is saved unseen; what is new is told, and what was typed is there.
    assert now(made)["location"] == "Bern"
    told = words(app)
    assert "has changed since" in told
    assert "<span>Title</span><span>Coffee</span><span>Places</span><span>9</span>" in told
    assert app.text_input(key=f"{key}-location").value == "Chur"
    click(app, "Save")
    after = now(made)
    assert (after["location"], after["description"]) == ("Chur", "Bring cups.")
    assert (after["title"], after["capacity"]) == ("Coffee", 9)
    # The next form begins with all of it.
    key = f"edit-{made['id']}-{after['version']}"
    assert app.text_input(key=f"{key}-title").value == "Coffee"
    assert "The event was changed" not in words(app)


def test_one_may_start_again_from_what_is_saved(somebody):
    made = somebody.make_event()
    app = open_page("manage", somebody.login, event=made["id"])
    change(somebody, made, title="Coffee")
    app.text_input(key=f"edit-{made['id']}-1-title").input("Cocoa")
    click(app, "Save")
    assert app.text_input(key=f"edit-{made['id']}-1-title").value == "Cocoa"
    click(app, "Start again from what is saved")
    assert app.text_input(key=f"edit-{made['id']}-2-title").value == "Coffee"
    click(app, "Save")
    assert now(made)["version"] == 2


def test_ones_own_switch_is_in_the_way_of_nothing(somebody):
    made = somebody.make_event()
    app = open_page("manage", somebody.login, event=made["id"])
    change(somebody, made, is_active=False)
    app.run()
    assert "The event was changed" not in words(app)
    app.text_input(key=f"edit-{made['id']}-1-title").input("Cocoa")
    click(app, "Save")
    assert now(made)["title"] == "Cocoa"


# -- logging in again -----------------------------------------------------------------------


def fill_new(app: AppTest) -> None:
    """Something in every kind of field of a new event."""
    app.text_input(key="create-title").input("A long evening")
    app.text_area(key="create-description").input("With tea.")
    app.text_input(key="create-location").input("Bern")
    app.number_input(key="create-capacity").set_value(7)
    app.selectbox(key="create-waitlist").set_value(False)
    app.datetime_input(key="create-booking_closes_at").set_value(datetime(2030, 1, 2, 3, 4))


def test_a_new_event_is_still_there_after_logging_in_again(somebody):
    app = open_page("create", somebody.login)
    fill_new(app)
    typed = {name: app.session_state[f"create-{name}"] for name in ("start_time", "timezone")}
    over(somebody)
    click(app, "Create the event")
    assert "Please log in" in words(app)
    assert "What you typed is kept" in words(app)
    log_in_again(app, somebody, "create")
    assert "Your session is over" not in words(app)
    state = app.session_state
    assert state["create-title"] == "A long evening"
    assert state["create-description"] == "With tea."
    assert state["create-capacity"] == 7
    assert state["create-waitlist"] is False
    assert state["create-booking_closes_at"] == datetime(2030, 1, 2, 3, 4)
    assert {name: state[f"create-{name}"] for name in typed} == typed


def test_nobody_finds_what_somebody_else_typed(somebody):
    app = open_page("create", somebody.login)
    fill_new(app)
    over(somebody)
    click(app, "Create the event")
    log_in_again(app, new_person(), "create")
    assert app.text_input(key="create-title").value == ""


def test_a_form_that_was_left_is_empty_afterwards(somebody):
    app = open_page("create", somebody.login)
    fill_new(app)
    app.text_input(key="create-title").input(" ")
    click(app, "Create the event")
    assert app.text_input(key="create-location").value == "Bern"
    for page in ("organize", "create"):
        stand(app, page)
        app.run()
    assert app.text_input(key="create-location").value == ""


def test_a_change_is_still_there_after_logging_in_again(somebody):
    made = somebody.make_event()
    app = open_page("manage", somebody.login, event=made["id"])
    app.text_input(key=f"edit-{made['id']}-1-title").input("Cocoa")
    over(somebody)
    click(app, "Save")
    log_in_again(app, somebody, "manage")
    assert app.text_input(key=f"edit-{made['id']}-1-title").value == "Cocoa"
    click(app, "Save")
    assert now(made)["title"] == "Cocoa"


def test_a_message_is_still_there_after_logging_in_again(somebody):
    made = somebody.make_event()
    app = open_page("manage", somebody.login, event=made["id"])
    key = f"message-{made['id']}-{app.session_state['form-message']['intent']}"
    app.text_input(key=f"{key}-subject").input("Cups")
    app.text_area(key=f"{key}-text").input("There are none.")
    app.selectbox(key=f"{key}-to").set_value("everyone")
    over(somebody)
    click(app, "Send")
    log_in_again(app, somebody, "manage")
    assert app.text_input(key=f"{key}-subject").value == "Cups"
    assert app.text_area(key=f"{key}-text").value == "There are none."
    assert app.selectbox(key=f"{key}-to").value == "everyone"
