"""logs.destination: journal, with the real one."""

import json
import subprocess

from puppet import Puppet
from support import wait_until
from units import systemctl


def entries(*matches):
    lines = subprocess.run(["journalctl", "--no-pager", "--output=json", "--all", *matches],
                           capture_output=True, text=True, check=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_lines_of_an_installed_service_are_found_by_name_unit_and_priority(site, installed):
    systemctl("start", "systemd-journald")
    puppet = Puppet(site.directory / "web.sock")
    site.add("web", puppet.command, settle="10ms", logs={"destination": "journal"})
    installed.install("web", "--now")
    puppet.do("say('one\\n<3>bad\\n')")
    puppet.do("say('x' * 200000 + '\\n')")
    puppet.do("say(b'\\xe2\\x82\\xac \\xff\\n')")
    wait_until(lambda: len(entries("SVCMGR_NAME=web")) == 4 + 200_000 // (31 * 1024), "the entries")
    found = entries("SVCMGR_NAME=web")
    assert [(entry["MESSAGE"], entry["PRIORITY"]) for entry in found[:2]] == [("one", "6"), ("bad", "3")]
    assert "".join(entry["MESSAGE"] for entry in found[2:-1]) == "x" * 200_000
    assert bytes(found[-1]["MESSAGE"]) == "€ ".encode() + b"\xff"
    pid = str(site.status("web")["supervisor_pid"])
    assert {(entry["_SYSTEMD_UNIT"], entry["SVCMGR_GENERATION"], entry["_PID"])
            for entry in found} == {("svcmgr-web.service", "1", pid)}
    assert [entry["MESSAGE"] for entry in entries("SYSLOG_IDENTIFIER=web", "--priority=err")] == ["bad"]
    assert site.status("web")["log_error"] is None
    assert "bad" in systemctl("status", "svcmgr-web.service")
