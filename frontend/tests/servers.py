"""Programs that the tests start, and end again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# Seconds. They guard against hanging, not against slowness.
START_S = 60
STOP_S = 30


class Program:
    """A child of ours that says when it is ready."""

    def __init__(self, command: list[str], ready: str, env: dict[str, str], log: Path) -> None:
        self.lines: list[str] = []
        self._child = subprocess.Popen(
            command,
            cwd=ROOT,
            # EventFlow takes variables with its name for settings, and refuses unknown ones.
            env={k: v for k, v in os.environ.items() if not k.startswith("EVENTFLOW_")} | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._is_ready, self._found = threading.Event(), None
        self._reader = threading.Thread(target=self._read, args=(ready, log), daemon=True)
        self._reader.start()
        if not self._is_ready.wait(START_S) or self._found is None:
            self.end()
            raise AssertionError(f"{command[0]} did not start:\n" + "\n".join(self.lines[-40:]))
        self.found: str = self._found

    def _read(self, ready: str, log: Path) -> None:
        assert self._child.stdout
        with log.open("w") as kept:
            for line in self._child.stdout:
                kept.write(line)
                kept.flush()
                self.lines.append(line.rstrip())
                hit = re.search(ready, line)
                if hit and not self._is_ready.is_set():
                    self._found = hit.group(1)
                    self._is_ready.set()
        self._is_ready.set()

    def end(self) -> None:
        """Asks it to end, and sees to it."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        self._reader.join(STOP_S)


def reserved() -> socket.socket:
    """A port that nobody listens on, and nobody else is given while this is open."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", 0))
    return one


def eventflow(folder: Path) -> Program:
    """EventFlow on a free port and a new folder; `found` is its address."""
    binary = os.environ.get("EVENTFLOW_BINARY") or ROOT / "target/debug/eventflow"
    return Program(
        [str(binary), "run", "--listen", "127.0.0.1:0", "--data", str(folder / "data")],
        r"EventFlow listens on (http://\S+)",
        # A test makes more people in a minute than may come from one address.
        {"EVENTFLOW_GATEWAY__RATE_LIMIT__ENABLED": "false"},
        folder / "eventflow.log",
    )


def pages(folder: Path, api_url: str) -> Program:
    """The pages, as README says to start them, on a free port; `found` is their address."""
    place = reserved()
    started = Program(
        [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            "streamlit_app.py",
            f"--server.port={place.getsockname()[1]}",
        ],
        r"URL: (http://\S+)",
        {"API_URL": api_url, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        folder / "pages.log",
    )
    place.close()
    return started
