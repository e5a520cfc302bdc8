"""What is typed into a form outlives somebody else's change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from frontend.api import Api
from frontend.tests import test_pages
from frontend.tests.test_pages import click, open_page, words

if TYPE_CHECKING:
    from frontend.tests.test_pages import Person

# As for all pages: a fresh start, and somebody with an account.
_fresh, somebody = test_pages._fresh, test_pages.somebody


def change(who: Person, made: dict[str, Any], **fields: Any) -> None:
    """Somebody else's change, or that of another window."""
    Api(who.login).write("PATCH", f"/events/{made['id']}", fields)


def now(made: dict[str, Any]) -> dict[str, Any]:
    """The event as it is."""
    return Api().read(f"/events/{made['id']}").value


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
