"""One EventFlow for all tests of a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from frontend.tests import servers
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
