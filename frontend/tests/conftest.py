"""One EventFlow for all tests of a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from frontend.tests import servers

if TYPE_CHECKING:
    from collections.abc import Iterator


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
