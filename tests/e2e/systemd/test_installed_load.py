"""Installed services under a steady rain of connections: systemd restarts, kills and reloads them."""

import os
import signal

from support import WEBUI, free_port, get, wait_until
from test_restart_load import lost, rain
from test_service import kill_its_keeper
from units import show, systemctl, wait_for

UNIT = "svcmgr-webui.service"


def add(site, **keys):
    port = free_port()
    site.add("webui", [WEBUI, "--quiet"], health={"http": "/health"},
             listen={"address": f"127.0.0.1:{port}", "backlog": 4096, **keys})
    return port


def restart_three_times(site):
    for _ in range(3):
        pid = site.status()["pid"]
        systemctl("restart", UNIT)
        assert site.status()["pid"] != pid


def test_systemd_restarts_it_and_refuses_nobody(site, installed):
    port = add(site, socket="inherit")
    installed.install("webui", "--now")
    with rain(port, 1000) as result:
        restart_three_times(site)
        systemctl("reload", UNIT)
        assert site.svcmgr("restart", "webui").code == 0
    assert lost(result) == {} and result["fine"] > 0
    assert show(UNIT, "NRestarts") == "0" and show(UNIT, "NFileDescriptorStore") == "1"
    wait_for(UNIT, "active (running)")
    assert show(UNIT, "StatusText").startswith(f"ready: pid {site.status()['pid']} serves")


def test_so_it_does_with_a_socket_unit(site, installed):
    port = add(site)
    installed.install("webui", "--socket", "--now")
    assert get(port)[0] == 200
    with rain(port, 1000) as result:
        restart_three_times(site)
    assert lost(result) == {} and result["fine"] > 0
    status = site.status()
    assert status["listen"][0]["socket"] == "inherit" and status["listen"][0]["held"]
    assert show(UNIT, "NRestarts") == "0" and show(UNIT, "NFileDescriptorStore") == "0"


def test_after_the_keepers_death_it_comes_back(site, installed):
    port = add(site, socket="inherit")
    installed.install("webui", "--now")
    kill_its_keeper(site, port, UNIT)


def test_the_users_manager_keeps_the_sockets_as_well(user):
    user.linger()
    port = free_port()
    result = user.svcmgr("add", "webui", "--health", "/health", "--set",
                         f'listen={{"address":"127.0.0.1:{port}","socket":"inherit"}}',
                         "--", WEBUI, "--quiet")
    assert result.code == 0, result
    assert user.svcmgr("install", "webui", "--now").code == 0

    def status():
        return user.svcmgr("status", "--json", "webui").json()

    former = status()
    with rain(port, 500) as result:
        user.systemctl("restart", UNIT)
        again = status()
        assert again["state"] == "ready" and again["keeper_pid"] != former["keeper_pid"]
    assert lost(result) == {} and result["fine"] > 0
    with rain(port, 500) as result:
        os.kill(again["keeper_pid"], signal.SIGKILL)
        wait_until(lambda: status()["state"] == "ready" and
                   status()["keeper_pid"] not in (None, again["keeper_pid"]))
    assert result["refused"] == 0 and result["timed_out"] == 0 and result["fine"] > 0
