"""Messages leave through real sockets, and the addresses they leave to never show."""

from __future__ import annotations

import http.server
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from tests.alerts.conftest import a_rule, an_event
from tests.contracts.tree import ROOT

from faultline.alerts import sending
from faultline.alerts.delivery import CourierSettings
from faultline.alerts.desk import AlertDesk
from faultline.alerts.sending import Refused, is_usable, send
from faultline.alerts.targets import TARGET_SCHEMES, make_target
from faultline.alerts.texts import AlertText

SECRET = "hunter2-s3cr3t"
TEXT = AlertText(summary="BTC: price reached a zone", text="P0\nModel estimate.", is_urgent=True)


class Inbox:
    """A server on loopback that keeps what is posted to it and answers what it is told."""

    def __init__(self):
        self.got = []
        self.statuses = []
        self.pause_s = 0.0
        inbox = self

        class Post(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                time.sleep(inbox.pause_s)
                status = inbox.statuses.pop(0) if inbox.statuses else 200
                inbox.got.append((status, self.headers["authorization"], body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Post)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    @property
    def url(self):
        return f"json://user:{SECRET}@127.0.0.1:{self.server.server_port}/{SECRET}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def inbox():
    inbox = Inbox()
    yield inbox
    inbox.close()


@pytest.fixture
def free_port():
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        return server.server_port


def target(url, name="phone"):
    return make_target(name, url, "test")


def wait(until, limit_s=15.0):
    end = time.monotonic() + limit_s
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_message_arrives_with_its_two_parts(inbox):
    send(target(inbox.url), TEXT)
    [(_, authorization, body)] = inbox.got
    assert body["title"] == TEXT.summary
    assert body["message"].splitlines() == ["P0", "Model estimate."]
    assert body["type"] == "warning"
    assert authorization.startswith("Basic ")


@pytest.mark.parametrize(
    ("status", "is_final"), [(500, False), (503, False), (429, False), (401, True), (404, True), (410, True)]
)
def test_a_refusal_tells_the_status_and_whether_trying_again_can_help(inbox, status, is_final):
    inbox.statuses = [status]
    with pytest.raises(Refused, match=f"^the target answered {status}$") as refused:
        send(target(inbox.url), TEXT)
    assert refused.value.is_final is is_final
    assert len(inbox.got) == 1


def test_the_library_does_not_try_again_on_its_own_nor_hide_a_failure(inbox):
    inbox.statuses = [500, 500, 500]
    with pytest.raises(Refused):
        send(target(f"{inbox.url}?retry=3&wait=0&optional=yes"), TEXT)
    assert len(inbox.got) == 1


def test_a_target_that_is_not_there_is_said_without_its_address(free_port):
    with pytest.raises(Refused, match=r"^the target cannot be reached$"):
        send(target(f"json://user:{SECRET}@127.0.0.1:{free_port}"), TEXT)


def test_an_address_the_library_cannot_use_is_said_at_once():
    assert not is_usable(target(f"discord://{SECRET}"))
    with pytest.raises(Refused, match="cannot be used") as refused:
        send(target(f"discord://{SECRET}"), TEXT)
    assert refused.value.is_final


USABLE = {
    "bark": "bark://127.0.0.1/key",
    "discord": "discord://123456789012345678/" + "a" * 64,
    "gotify": "gotify://127.0.0.1/token1234567890a",
    "json": "json://127.0.0.1",
    "mailto": "mailto://user:pass@example.com",
    "matrix": "matrix://user:pass@127.0.0.1/#room",
    "mmost": "mmost://127.0.0.1/token",
    "ntfy": "ntfy://topic",
    "pover": "pover://" + "u" * 30 + "@" + "t" * 30,
    "signal": "signal://127.0.0.1:8080/+15551234567/+15557654321",
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
    "tgram": "tgram://123456789:abcdefg_hijklmnop/12345678/",
    "workflows": "workflows://host.example:443/workflow1a/signature2b",
    "xml": "xml://127.0.0.1",
}


@pytest.mark.parametrize("scheme", TARGET_SCHEMES)
def test_the_library_knows_every_scheme_of_the_list(scheme):
    url = USABLE.get(scheme) or USABLE[scheme.removesuffix("s")].replace("://", "s://", 1)
    assert is_usable(target(url))


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("https://discord.com/api/webhooks/123456789012345678/" + "a" * 64, "discord"),
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "slack"),
    ],
)
def test_an_address_as_its_maker_prints_it_is_read(url, scheme):
    assert target(url).scheme == scheme
    assert is_usable(target(url))


def test_delivery_through_a_socket_survives_answers_of_500(events, store, inbox):
    inbox.statuses = [500, 500]
    settings = CourierSettings(backoff_s=0.05)
    desk = AlertDesk(events, store, rules=[a_rule()], targets=[target(inbox.url)], settings=settings)
    desk.start()
    events.append([an_event()])
    wait(lambda: store.counts() == {"sent": 1})
    desk.stop()
    assert [status for status, _, _ in inbox.got] == [500, 500, 200]
    assert {body["title"] for _, _, body in inbox.got} == {
        "BTC: price reached long zone 96,150-96,400 (est. $31.2M, level 8)"
    }
    assert store.newest(1)[0].attempts == 3


def test_a_slow_target_runs_into_the_time_limit_and_its_answer_still_counts(events, store, inbox):
    inbox.pause_s = 0.6
    settings = CourierSettings(send_timeout_s=0.2, backoff_s=0.05)
    desk = AlertDesk(events, store, rules=[a_rule()], targets=[target(inbox.url)], settings=settings)
    desk.start()
    events.append([an_event()])
    wait(lambda: store.counts() == {"sent": 1})
    desk.stop()
    assert desk.courier.counters()["timed_out"] == 1
    assert len(inbox.got) == 1


def test_the_secret_of_an_address_shows_nowhere(events, store, inbox, free_port, tmp_path, caplog, capfd):
    caplog.set_level(1)
    logging.getLogger("apprise").propagate = True
    try:
        wrong = [
            target(f"json://user:{SECRET}@127.0.0.1:{free_port}/{SECRET}", "away"),
            target(f"discord://{SECRET}", "broken"),
            target(inbox.url, "phone"),
        ]
        names = tuple(item.name for item in wrong)
        settings = CourierSettings(backoff_s=0.02, attempts_max=2)
        inbox.statuses = [500, 404]
        desk = AlertDesk(events, store, rules=[a_rule(targets=names)], targets=wrong, settings=settings)
        desk.start()
        events.append([an_event()])
        wait(lambda: store.counts() == {"failed": 3})
        inbox.statuses = [403]
        answers = [desk.test_target(name) for name in names]
        wait(lambda: all(item["ready"] for item in desk.overview(1)["targets"] if item["name"] != "broken"))
        shown = desk.overview(100)
        desk.stop()
    finally:
        logging.getLogger("apprise").propagate = False
    assert [answer["detail"] for answer in answers] == [
        "the target cannot be reached",
        "the address of this target cannot be used",
        "the target answered 403",
    ]
    logged = "\n".join(f"{record.getMessage()} {record.exc_info}" for record in caplog.records)
    assert "withheld" in logged, "the libraries did say something"
    printed = "".join(capfd.readouterr())
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"alert_deliveries" in kept
    for place, content in {
        "log": logged,
        "output": printed,
        "API": repr(shown) + repr(answers),
        "database": kept.decode(errors="replace"),
        "object": repr(vars(desk)) + repr(vars(desk.courier)),
    }.items():
        assert SECRET not in content, place
        assert str(free_port) not in content or place == "database", place


def test_logs_of_other_threads_are_left_alone(caplog):
    with sending._withheld() as notes:
        thread = threading.Thread(target=logging.getLogger("urllib3").warning, args=("theirs %s", 1))
        thread.start()
        thread.join()
        logging.getLogger("urllib3").warning("ours %s", SECRET)
        logging.getLogger("urllib3").warning("wrong %d", SECRET)
    logging.getLogger("urllib3").warning("after %s", 2)
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "theirs 1"
    assert said[3] == "after 2"
    assert SECRET not in "".join(said)
    assert notes == [f"ours {SECRET}", ""]


KILLED = """
    import pathlib, sys, time
    from tests.alerts.conftest import a_rule, an_event
    from faultline.alerts.desk import AlertDesk
    from faultline.alerts.delivery import CourierSettings
    from faultline.alerts.targets import make_target
    from faultline.store.alerts import AlertStore
    from faultline.store.events import EventStore

    path, url, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    events, store = EventStore(path), AlertStore(path)
    desk = AlertDesk(
        events, store, rules=[a_rule()], targets=[make_target("phone", url, "x")],
        settings=CourierSettings(backoff_s=0.1),
    )
    desk.start()
    now_ns = time.time_ns()
    events.append([an_event(zone_id=f"z{k}", subject=f"z{k}", at_ns=now_ns) for k in range(n)])
    events.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.torture
def test_killed_at_any_moment_every_message_arrives_and_at_most_one_per_kill_twice(tmp_path, inbox):
    """The real thing: SIGKILL while messages leave through a socket."""
    path, n = tmp_path / "facts.db", 12
    inbox.pause_s = 0.05
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}"}
    kills = 2 if os.environ.get("FAULTLINE_TORTURE") != "1" else 30
    for number in range(kills + 1):
        fresh = n if number == 0 else 0
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), str(path), inbox.url, str(fresh)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout.readline() == "ready\n"
            if number < kills:
                before = len(inbox.got)
                end = time.monotonic() + 5
                while len(inbox.got) < before + 2 and time.monotonic() < end:
                    time.sleep(0.003)
            else:
                wait(lambda: count(path, "pending") == 0, 30)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
    assert count(path, "sent") == n
    assert n <= len(inbox.got) <= n + kills


def count(path, state):
    connection = sqlite3.connect(path)
    try:
        query = "select count(*) from alert_deliveries where state = ?"
        return connection.execute(query, (state,)).fetchone()[0]
    finally:
        connection.close()
