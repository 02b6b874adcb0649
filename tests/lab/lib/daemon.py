# SPDX-License-Identifier: Apache-2.0
"""dpuflowd, started and ended by tests that are written in Python."""

import contextlib
import os
import signal
import socket
import subprocess
import time

from agent_api import Agent

LOG, CONFIG, NOTIFY = "/run/lab/dpuflowd.log", "/run/lab/dpuflowd.toml", "/run/lab/notify"


class Failure(Exception):
    pass


def until(what, condition, limit=120):
    """Returns what the condition does, once that is true."""
    end = time.monotonic() + limit
    while not (result := condition()):
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {limit} s")
        time.sleep(0.02)
    return result


class Daemon:
    """With the configuration in the file CONFIG."""

    def __init__(self):
        self.process = None
        self.api = None

    def start(self):
        """Returns when it has told that it is ready, as it would tell systemd."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(NOTIFY)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified, open(LOG, "ab") as log:
            notified.bind(NOTIFY)
            notified.settimeout(1)
            self.process = self.run(log, NOTIFY_SOCKET=NOTIFY)
            until("the agent is ready", lambda: self.is_ready(notified))
        self.api = Agent()

    def run(self, log, **environment):
        return subprocess.Popen([os.environ["DPUFLOWD"], "--config", CONFIG], stdout=log, stderr=log,
                                env=os.environ | environment)  # fmt: skip

    def is_ready(self, notified):
        if self.process.poll() is not None:
            raise Failure(f"the agent has ended with {self.process.returncode}")
        with contextlib.suppress(TimeoutError):
            return b"READY=1" in notified.recv(4096)
        return False

    def end(self, number):
        """By this signal; returns when it has ended."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    @contextlib.contextmanager
    def standing_still(self):
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)
