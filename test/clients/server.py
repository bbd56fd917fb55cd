"""A built server on free ports, for the clients to talk to."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
READY_WITHIN_SECONDS = 60


class Server:
    """Serves the shipped models from construction to `stop`."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="penstock-clients-")
        self._log_path = Path(self._folder.name, "log")
        ready_file = Path(self._folder.name, "ready.json")
        flags = ["--host", "127.0.0.1", "--drain-delay-secs", "0", "--ready-file", str(ready_file)]
        for name in ("http-port", "grpc-port", "metrics-port"):
            flags += [f"--{name}", "0"]
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                ["node", str(ROOT / "dist/main.js"), "serve", "--model-repository", str(ROOT / "models"), *flags],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=os.environ,
            )
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not ready_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                raise RuntimeError(f"the server did not become ready:\n{self._log_path.read_text()}")
            time.sleep(0.02)
        ports = json.loads(ready_file.read_text())
        self.http = f"127.0.0.1:{ports['http']}"
        self.grpc = f"127.0.0.1:{ports['grpc']}"

    def stop(self):
        """Returns the exit code."""
        self._process.terminate()
        try:
            return self._process.wait(timeout=20)
        finally:
            self._process.kill()
            self._folder.cleanup()
