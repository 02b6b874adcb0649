# SPDX-License-Identifier: Apache-2.0
"""dpuflowd's API, as tests use it."""

import json
import socket
import time

TIMEOUT = 60  # seconds that the agent may take for an answer


class Agent:
    """A connection."""

    def __init__(self, path="/run/dpuflow/dpuflowd.sock"):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(TIMEOUT)

    def call(self, method, **parameters):
        request = json.dumps({"method": f"io.dpuflow.Agent.{method}", "parameters": parameters})
        self.socket.sendall(request.encode() + b"\0")
        answer = b""
        while not answer.endswith(b"\0"):
            part = self.socket.recv(1 << 20)
            if not part:
                raise RuntimeError("the agent has closed the connection")
            answer += part
        reply = json.loads(answer[:-1])
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error']} {reply.get('parameters')}")
        return reply["parameters"]

    def sync(self):
        """Returns when all that has happened so far has reached the hardware: milliseconds that it took."""
        return self.call("Sync", timeout_ms=30000)["took_ms"]

    def last_round(self):
        """When the last complete round of the audit began, as time.monotonic() counts; None before there is one."""
        audit = self.call("GetStatus").get("audit")
        if audit is None:
            raise RuntimeError("there is no audit")
        if "ended_ms" not in audit:
            return None
        return time.monotonic() - (audit["ended_ms"] + audit["took_ms"]) / 1000
