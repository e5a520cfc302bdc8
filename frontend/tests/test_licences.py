"""What the pages stand on may be used by anybody for anything."""

from __future__ import annotations

import re
from importlib import metadata

from frontend.tests.servers import ROOT

PERMISSIVE = re.compile(r"\b(mit|bsd|apache|isc|hpnd|psf|python software foundation|zlib|0bsd)\b")
# A list of certificates under MPL-2.0, which asks for changes to that file to be published.
KNOWN = {"certifi": "mpl-2.0"}


def name_of(requirement: str) -> str:
    """`a` of `a[b]>=1`."""
    return re.split(r"[\s\[<>=!~;(]", requirement.strip())[0].lower().replace("_", "-")


def everything() -> set[str]:
    """The packages of requirements-frontend.txt, and all that they need here."""
    lines = (ROOT / "requirements-frontend.txt").read_text().splitlines()
    open_, seen = [name_of(line) for line in lines if line and not line.startswith("#")], set()
    while open_:
        name = open_.pop()
        if name in seen:
            continue
        try:
            needs = metadata.distribution(name).requires or []
        except metadata.PackageNotFoundError:
            # Only wanted on another system, or by an extra.
            continue
        seen.add(name)
        open_ += [name_of(need) for need in needs if "extra ==" not in need]
    return seen


def licence(name: str) -> str:
    """What a package says of its licence."""
    told = metadata.metadata(name)
    kinds = [one for one in told.get_all("Classifier") or [] if one.startswith("License")]
    short = (told.get("License") or "").splitlines()[:1]
    return " ".join([told.get("License-Expression") or "", *short, *kinds]).lower()


def test_licences_are_permissive():
    names = everything()
    assert {"streamlit", "requests", "starlette", "tzdata"} <= names
    bad = {
        name: licence(name)
        for name in names
        if not PERMISSIVE.search(licence(name)) and KNOWN.get(name, "?") not in licence(name)
    }
    assert not bad
