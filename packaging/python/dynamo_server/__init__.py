"""dynamo-server, an open database that speaks the Amazon DynamoDB API, for tests.

    with dynamo_server.Server() as server:
        boto3.client("dynamodb", endpoint_url=server.url, region_name="eu-west-1",
                     aws_access_key_id="any", aws_secret_access_key="any")

With pytest the fixture ``dynamo_server`` is such a server: one process for the session, in memory.
"""

import os
import re
import subprocess
import sys
import threading

__all__ = ["Server", "binary", "main"]

_READY = re.compile(r"ready on (http://[^\s,]+)")


def binary():
    """The path of the program that this package brings."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "dynamo-server")


class Server:
    """A server process, started at once, in memory and on a free port unless the flags say otherwise.

    Raises RuntimeError with what the process wrote, if it ends or is not ready within ``timeout`` seconds.
    """

    def __init__(self, *flags, timeout=60):
        flags = flags or ("--in-memory", "--port", "0")
        self._process = subprocess.Popen(
            [binary(), *flags], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self._log = []
        self._ready = threading.Event()
        #: The endpoint for any AWS SDK, such as ``http://127.0.0.1:40000``.
        self.url = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(timeout) or self.url is None:
            self.stop()
            raise RuntimeError("dynamo-server did not start:\n" + "".join(self._log))

    def _read(self):
        # Read to the end: a pipe that nobody empties would stop the server.
        for line in self._process.stderr:
            found = self.url is None and _READY.search(line)
            if found:
                self.url = found.group(1)
                self._ready.set()
            elif len(self._log) < 1000:
                self._log.append(line)
        self._ready.set()

    def stop(self):
        """Ends the process in order, or by force after ten seconds. May be called again."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(10)
        self._process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def main():
    """The console script: becomes the server."""
    os.execv(binary(), ["dynamo-server", *sys.argv[1:]])
