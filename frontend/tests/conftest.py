"""What tests start: an EventFlow for all of them, and browsers with one of their own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, sync_playwright

from frontend import widgets
from frontend.live import counts, known
from frontend.logins import Login
from frontend.tests import apps, people, servers
from frontend.tests.stub import Asked, Stub, Told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def eventflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an EventFlow of our own; the pages in this process talk to it too."""
    program = servers.eventflow(tmp_path_factory.mktemp("eventflow"))
    before = os.environ.get("API_URL")
    os.environ["API_URL"] = program.found
    try:
        yield program.found
    finally:
        if before is None:
            del os.environ["API_URL"]
        else:
            os.environ["API_URL"] = before
        program.end()


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stub]]:
    """Starts one, which `Api` then talks to."""
    started: list[Stub] = []

    def start(answer: Callable[[Asked], Told]) -> Stub:
        started.append(Stub(answer))
        monkeypatch.setenv("API_URL", started[-1].url)
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is shared for two seconds is not by tests. There is no browser with an address."""
    monkeypatch.setattr(widgets, "address", lambda: None)
    counts.clear()
    known.clear()
    yield
    counts.clear()
    known.clear()


@pytest.fixture
def somebody(eventflow_url: str) -> apps.Person:
    """A new person."""
    assert eventflow_url
    return apps.new_person()


@pytest.fixture
def ada() -> Login:
    """Somebody at a stub."""
    return Login({"access_token": "a", "refresh_token": "r"}, apps.SOMEBODY)


# -- in a browser ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as play:
        one = play.chromium.launch(executable_path=people.CHROMIUM, args=people.FLAGS)
        yield one
        one.close()


@pytest.fixture
def size() -> str:
    """How wide the browser is."""
    return "desktop"


@pytest.fixture
def api(tmp_path) -> Iterator[str]:
    """An EventFlow where nothing has happened yet."""
    program = servers.eventflow(tmp_path)
    yield program.found
    program.end()


@pytest.fixture
def home(tmp_path, api: str) -> Iterator[str]:
    """The pages, started as README says."""
    program = servers.pages(tmp_path, api)
    yield program.found
    program.end()
    # A page that breaks says so in the log only.
    broken = [line for line in program.lines if "Traceback" in line or "Uncaught" in line]
    assert not broken, "\n".join(program.lines[-60:])
    shown = "\n".join(program.lines)
    assert "eyJ" not in shown, "a token is in the log"
    assert people.PASSWORD not in shown, "a password is in the log"


@pytest.fixture
def visitor(browser: Browser, home: str, size: str) -> Iterator[Callable[[str], people.Person]]:
    """People, by name, each with a browser of their own."""
    all_of_them: list[people.Person] = []

    def make(name: str) -> people.Person:
        all_of_them.append(people.Person(browser, home, size, name))
        return all_of_them[-1]

    yield make
    for one in all_of_them:
        one.context.close()
