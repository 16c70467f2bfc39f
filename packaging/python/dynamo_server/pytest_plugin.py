"""The pytest fixture ``dynamo_server``: a server in memory for the session; ``dynamo_server.url`` is its endpoint."""

import pytest

from . import Server


@pytest.fixture(scope="session")
def dynamo_server():
    with Server() as server:
        yield server
