"""People who use the pages in a real browser."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

PASSWORD = "a long walk home"
SIZES = {"desktop": (1280, 850), "phone": (390, 844)}
# Milliseconds. Patience, not speed: the machine may be busy.
PATIENCE = 30_000
# Chromium as root, in a container, without a graphics card, and without calling anybody.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# Where pictures of all pages go, if anywhere.
PICTURES = os.environ.get("PICTURES")
# The tallest picture, in pixels.
TALLEST = 4_000


class Person:
    """Somebody with a browser of their own."""

    def __init__(self, browser: Browser, home: str, size: str, name: str) -> None:
        width, height = SIZES[size]
        self.size, self.name, self.home = size, name, home
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            locale="en-GB",
            timezone_id="Europe/Zurich",
            has_touch=size == "phone",
            is_mobile=size == "phone",
        )
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.dialogs: list[str] = []
        self.page.on("dialog", self._alarm)

    def _alarm(self, dialog: object) -> None:
        """Nothing on these pages opens one: it would be somebody's script."""
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    # -- moving about -------------------------------------------------------------------------

    def visit(self, path: str = "/") -> None:
        """By the address bar."""
        self.page.goto(self.home + path)
        self.settle()

    def settle(self) -> None:
        """Waits until the page is drawn."""
        self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        expect(self.page.locator('[data-testid="stSkeleton"]')).to_have_count(0, timeout=PATIENCE)

    def menu(self, name: str) -> None:
        """By the menu."""
        self.aside()
        self.page.locator(".st-key-nav").get_by_role("link", name=name, exact=True).click()
        self.settle()

    def heading(self, name: str) -> None:
        """Waits for a page by its title."""
        expect(self.page.get_by_role("heading", name=name, exact=True).first).to_be_visible(
            timeout=PATIENCE
        )

    # -- doing --------------------------------------------------------------------------------

    def fill(self, label: str, value: str) -> None:
        """Types into a field, and leaves it."""
        field = self.page.get_by_label(label, exact=True)
        field.fill(value)
        field.press("Tab")

    def aside(self) -> None:
        """Takes the pointer off notes: one that is pointed at stays, over what is below it."""
        notes = self.page.get_by_test_id("stToastContainer")
        tops = notes.evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
        at_the_top = any(top <= 1 for top in tops)
        self.page.mouse.move(1, SIZES[self.size][1] - 1 if at_the_top else 1)

    def click(self, name: str, within: Locator | None = None) -> None:
        """A button, once it can be clicked."""
        self.aside()
        (within or self.page).get_by_role("button", name=name, exact=True).first.click()

    def tab(self, name: str) -> None:
        """A tab of a page, once the page is drawn: a form drawn anew forgets what was typed."""
        self.settle()
        self.aside()
        self.page.get_by_role("tab", name=re.compile(f"^{name}")).click()

    def sees(self, words: str | re.Pattern[str]) -> None:
        """Waits for words."""
        expect(self.page.get_by_text(words).first).to_be_visible(timeout=PATIENCE)

    def sees_not(self, words: str) -> None:
        """Waits until words are gone."""
        expect(self.page.get_by_text(words)).to_have_count(0, timeout=PATIENCE)

    def agree(self, name: str) -> None:
        """Answers a question with yes."""
        question = self.page.get_by_role("dialog")
        question.get_by_role("button", name=name, exact=True).click()
        expect(question).to_have_count(0, timeout=PATIENCE)
        self.settle()

    def register(self) -> None:
        """A new account, on the page for it."""
        self.heading("Create an account")
        self.fill("User name", self.name)
        self.fill("E-mail address", f"{self.name}@example.org")
        self.fill("Password", PASSWORD)
        # The browser gets its cookie in the background, right after.
        with self.page.expect_response(lambda one: one.url.endswith("/session")) as kept:
            self.click("Create the account")
        assert kept.value.status == 204
        self.sees(f"Welcome, {self.name}.")

    # -- looking ------------------------------------------------------------------------------

    def picture(self, name: str) -> None:
        """Checks that nothing sticks out at the side, and takes a picture of the whole page."""
        self.settle()
        main = self.page.get_by_test_id("stMain")
        over = main.evaluate("one => one.scrollWidth - one.clientWidth")
        assert over <= 0, f"{name} at {self.size}: {over} pixels too wide"
        assert not self.dialogs, f"{name}: somebody's script ran: {self.dialogs}"
        if not PICTURES:
            return
        width, height = SIZES[self.size]
        tall = min(TALLEST, max(height, main.evaluate("one => one.scrollHeight")))
        self.page.set_viewport_size({"width": width, "height": tall})
        self.page.mouse.move(0, 0)
        folder = Path(PICTURES)
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{self.size}-{name}.png", animations="disabled")
        self.page.set_viewport_size({"width": width, "height": height})
