"""A restart whose configuration adds an address: what it adds is guarded while the old instance goes
on, and whatever happens meanwhile, the restart ends and the service is up."""

import socket
import subprocess

import pytest
from instances import Control, wait_for_status
from strangers import add_marked, names, serve
from support import LIMIT, end_process, free_port, get, pid_is_alive, wait_until

LASTING = {"restart": {"delay": "1ms", "max_delay": "1ms", "burst": 0},
           "probe_timeout": "100ms"}


def listen(*ports):
    return [{"address": f"127.0.0.1:{port}", "name": f"at{port}", "socket": "inherit"}
            for port in ports]


class Change:
    """A service that runs, and a restart of it that waits for what it adds."""

    def __init__(self, site, bind_timeout):
        self.site = site
        self.port, self.added = free_port(), free_port()
        add_marked(site, listen=listen(self.port), **LASTING)
        self.pid = site.start()["pid"]
        self.stranger = serve(site, self.added, "accept-silent")
        add_marked(site, listen=listen(self.port, self.added), bind_timeout=bind_timeout,
                   **LASTING)
        self.restart = site.spawn("restart", "webui", stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.wait_for_the_guard()

    def wait_for_the_guard(self):
        """Until it waits for what is added; whoever comes late finds that it has refused it by now."""
        with Control(self.site, "webui") as client:
            wait_until(lambda: self.restart.poll() is not None or
                       f"waiting for 127.0.0.1:{self.added}"
                       in (client.call("status")["result"]["status_text"] or ""))

    def crash(self):
        """The instance is killed; returns the pid of the next."""
        former = self.site.status()["pid"]
        end_process(former)
        return wait_for_status(
            self.site, "webui", lambda status: status["state"] == "ready" and
            status["pid"] not in (None, former))["pid"]

    def is_held(self):
        """Whether the service holds both addresses now."""
        held = [one["held"] for one in self.site.status()["listen"]]
        with socket.create_connection(("127.0.0.1", self.added), LIMIT):
            return held == [True, True] and get(self.port)[0] == 200

    def end(self):
        out, err = self.restart.communicate(timeout=LIMIT)
        return self.restart.returncode, out + err


def test_what_is_taken_refuses_the_restart_and_the_instance_goes_on(site):
    change = Change(site, "300ms")
    code, said = change.end()
    assert code == 11 and f"127.0.0.1:{change.added}" in said, said
    assert names(said, change.stranger), said
    status = site.status()
    assert status["pid"] == change.pid and status["state"] == "ready"
    assert status["restarts"] == 0 and status["generation"] == 1
    assert get(change.port)[0] == 200
    assert change.stranger.is_untouched()


def test_what_becomes_free_is_taken_and_the_restart_goes_on(site):
    change = Change(site, f"{LIMIT}s")
    assert get(change.port)[0] == 200 and pid_is_alive(change.pid)
    change.stranger.child.kill()
    code, said = change.end()
    assert code == 0, said
    assert change.is_held()
    assert site.status()["generation"] == 2


@pytest.mark.parametrize("crashes", [1, 3])
def test_a_crash_meanwhile_is_restarted_first(site, crashes):
    change = Change(site, f"{LIMIT}s")
    for _ in range(crashes):
        change.crash()
        assert get(change.port)[0] == 200
        change.wait_for_the_guard()
        assert change.restart.poll() is None
    assert change.stranger.is_untouched()
    change.stranger.child.kill()
    code, said = change.end()
    assert code == 0, said
    assert change.is_held()
    status = site.status()
    assert status["generation"] == crashes + 2 and status["restarts"] == crashes


def test_after_a_crash_what_is_taken_still_refuses_the_restart(site):
    change = Change(site, "600ms")
    pid = change.crash()
    code, said = change.end()
    assert code == 11 and f"127.0.0.1:{change.added}" in said, said
    status = site.status()
    assert status["pid"] == pid and status["state"] == "ready"
    assert get(change.port)[0] == 200


@pytest.mark.parametrize("words", [["stop", "webui"], ["stop", "--now", "webui"]])
def test_a_stop_meanwhile_stops_and_the_restart_says_so(site, words):
    change = Change(site, f"{LIMIT}s")
    assert site.svcmgr(*words).code == 0
    code, said = change.end()
    assert code == 1 and "asked to stop" in said, said
    assert site.status()["state"] == "stopped" and not pid_is_alive(change.pid)
    assert change.stranger.is_untouched()


def test_an_instance_that_ends_for_good_meanwhile_ends_the_restart(site):
    change = Change(site, f"{LIMIT}s")
    # The policy is a live key: the instance's end is the service's from now on.
    add_marked(site, listen=listen(change.port, change.added),
               **{**LASTING, "restart": {"when": "never"}})
    assert site.svcmgr("reload", "webui").code == 0
    end_process(change.pid)
    code, said = change.end()
    assert code != 0, said
    wait_until(lambda: site.status()["state"] == "stopped")
    assert change.stranger.is_untouched()


def test_another_restart_meanwhile_joins(site):
    change = Change(site, f"{LIMIT}s")
    other = site.spawn("restart", "webui", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_status(site, "webui", lambda status: status["state"] == "ready")
    change.stranger.child.kill()
    assert change.end()[0] == 0
    assert other.wait(LIMIT) == 0
    assert site.status()["generation"] in (2, 3)  # it may have come when the first was over


# ---- What overlaps an address that the service has --------------------------------------------------------


def at(host, port, socket_kind="inherit"):
    return {"address": f"{host}:{port}", "socket": socket_kind}


def words(socket_kind, host, port):
    return ["serve"] if socket_kind == "inherit" else ["bind", f"{host}:{port}", "serve"]


@pytest.mark.parametrize("before, after", [
    (("127.0.0.1", "self"), ("127.0.0.1", "inherit")),
    (("127.0.0.1", "inherit"), ("127.0.0.1", "self")),
    (("127.0.0.1", "inherit"), ("0.0.0.0", "inherit")),
    (("0.0.0.0", "inherit"), ("127.0.0.1", "inherit")),
    (("127.0.0.1", "inherit"), ("localhost", "inherit")),
    (("localhost", "inherit"), ("127.0.0.1", "inherit")),
    (("0.0.0.0", "self"), ("127.0.0.1", "inherit")),
    (("127.0.0.1", "inherit"), ("[::]", "inherit")),
])
def test_our_own_instance_is_nobody_who_is_in_the_way(site, before, after):
    port = free_port()
    for generation, (host, kind) in enumerate((before, after, before), 1):
        add_marked(site, listen=at(host, port, kind), words=words(kind, host, port), **LASTING)
        result = site.svcmgr("restart", "webui")
        assert result.code == 0, result
        status = site.status()
        assert (status["generation"], status["state"]) == (generation, "ready")
        assert status["listen"][0]["held"] is (kind == "inherit")
        assert get(port)[0] == 200
    assert site.status()["restarts"] == 0


def test_also_where_a_restart_would_overlap(site):
    """It cannot: the new socket is to be had when the old one has gone."""
    port = free_port()
    keys = {"ready": "notify", "replace": "overlap", "settle": "10ms"}
    for host in ("127.0.0.1", "0.0.0.0"):
        add_marked(site, listen=at(host, port), words=["notify-ready", "serve"], **keys, **LASTING)
        assert site.svcmgr("restart", "webui").code == 0
    assert get(port, host="127.0.0.2")[0] == 200


def test_a_stranger_beside_us_refuses_what_would_take_both(site):
    port = free_port()
    add_marked(site, listen=at("127.0.0.1", port), **LASTING)
    before = site.start()
    stranger = serve(site, port, "serve", at=f"127.0.0.2:{port}")
    add_marked(site, listen=at("0.0.0.0", port), **LASTING)
    result = site.svcmgr("restart", "webui")
    assert result.code == 11 and names(result.err, stranger), result
    assert f"127.0.0.2:{port}" in result.err
    assert site.status()["pid"] == before["pid"] and get(port)[0] == 200
    assert stranger.is_untouched()
