"""A store filled with a made-up market, and a client of the application around it."""

from __future__ import annotations

import pytest
from litestar.testing import TestClient

from faultline.api.app import build_app
from faultline.api.settings import ApiSettings
from faultline.store.maps import MapStore
from faultline.testing.market import fake_market, fill_store

BASE_URL = "http://127.0.0.1:8787"


@pytest.fixture(scope="session")
def market():
    return fake_market(seed=21, n_columns=400, n_rows=160)


@pytest.fixture
def store(market):
    store = MapStore(first_seq=1_000)
    fill_store(store, market, n_columns=300)
    return store


@pytest.fixture
def open_client(store):
    """A function that opens a client of an app with the given settings; all are closed at the end."""
    opened = []

    def open_one(*, scores=None, events=None, zones=None, base_url=BASE_URL, static_folder=None, **settings):
        app = build_app(
            store, scores, ApiSettings(**settings), events=events, zones=zones, static_folder=static_folder
        )
        client = TestClient(app, base_url=base_url, raise_server_exceptions=False)
        client.__enter__()
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(open_client):
    return open_client()
