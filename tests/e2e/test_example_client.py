"""examples/client: the control channel without any of our code."""

import json
import os
import signal
import subprocess

import pytest
from instances import start_puppet, wait_for_status
from support import PYTHON, ROOT, wait_until

CLIENT = ROOT / "examples" / "client" / "svcmgr_client.py"


def run(site, *words):
    path = site.state_of("web") / "control.sock"
    return subprocess.run([PYTHON, "-I", CLIENT, path, *words], capture_output=True, text=True,
                          timeout=60, check=False)


def test_it_follows_the_log_across_the_supervisor_s_end(site):
    puppet, status = start_puppet(site)
    puppet.say("line 1\n")
    output = site.directory / "followed"
    with open(output, "wb") as file:
        site.stranger(PYTHON, "-I", CLIENT, site.state_of("web") / "control.sock", stdout=file)
    wait_until(lambda: b"line 1\n" in output.read_bytes(), "the first line")
    os.kill(status["supervisor_pid"], signal.SIGKILL)
    puppet.say("line 2\n")
    wait_for_status(site, "web", lambda now: now["adopted"])
    puppet.say("line 3\n")
    wait_until(lambda: b"line 3\n" in output.read_bytes(), "the last line")
    assert site.svcmgr("upgrade", "web").code == 0
    puppet.say("line 4\n")
    wait_until(lambda: b"line 4\n" in output.read_bytes(), "the line after the upgrade")
    hello, shown, *lines = output.read_text().splitlines()
    assert json.loads(hello.removeprefix("hello: "))["pid"] == status["pid"]
    assert json.loads(shown.removeprefix("status: "))["name"] == "web"
    assert [line.split(" ", 1)[1] for line in lines] == [f"line {n}" for n in range(1, 5)]


def test_it_makes_one_call(site):
    puppet, _ = start_puppet(site)
    puppet.say("line 1\nline 2\n")
    wait_until(lambda: len(json.loads(run(site, "logs/read").stdout)["lines"]) == 2)
    result = run(site, "logs/read", "lines=1")
    assert [line["text"] for line in json.loads(result.stdout)["lines"]] == ["line 2"]


@pytest.mark.parametrize("words, message", [(["fly"], 'unknown method "fly"'),
                                            (["logs/read", "lines=-1"], "lines must be")])
def test_an_error_is_told(site, words, message):
    start_puppet(site)
    result = run(site, *words)
    assert result.returncode == 1 and message in result.stderr, result
