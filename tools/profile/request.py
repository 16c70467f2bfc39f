#!/usr/bin/env python3
"""Counts the instructions of one kind of request in the server, with callgrind (valgrind must be installed).

    cargo build --profile profiling -p dynamo-server -p bench \\
        --config 'profile.profiling.inherits="release"' \\
        --config 'profile.profiling.debug="line-tables-only"' --config 'profile.profiling.strip="none"'
    tools/profile/request.py target/profiling get.callgrind --workload get --load sdk
    tools/profile/components.py 1000 get.callgrind

The server starts on an empty folder and `bench send` fills a table; only the measured requests are counted: a thousand, one
after the other on one connection, unless the further arguments, which are those of `bench send`, say otherwise.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def await_ready(server, port):
    for _ in range(1200):
        if server.poll() is not None:
            raise SystemExit("the server ended")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=10):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server does not become ready")


def expect(line, wanted):
    if line.strip() != wanted:
        raise SystemExit(f"bench send said {line!r} instead of {wanted}")


def main():
    folder, out, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    data, port = tempfile.mkdtemp(prefix="profile-"), free_port()
    valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=" + out]
    command = [folder + "/dynamo-server", "--port", str(port), "--data-dir", data]
    server = subprocess.Popen(valgrind + command, stderr=subprocess.DEVNULL)

    def count(switch):
        subprocess.run(["callgrind_control", "-i", switch, str(server.pid)], stdout=subprocess.DEVNULL, check=True)

    try:
        await_ready(server, port)
        send = [folder + "/bench", "send", "--endpoint", f"http://127.0.0.1:{port}", *arguments]
        with subprocess.Popen(send, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            expect(client.stdout.readline(), "ready")
            count("on")
            print("go", file=client.stdin, flush=True)
            expect(client.stdout.readline(), "sent")
            count("off")
            print("end", file=client.stdin, flush=True)
        if client.returncode != 0:
            raise SystemExit("an answer was wrong")
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(data)


main()
