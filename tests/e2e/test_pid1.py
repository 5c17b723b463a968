"""run as process 1 of a container: output, orphans, signals, codes."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest
from instances import add_puppet, causes, states, wait_for_status
from support import MISBEHAVE, pid_is_alive, wait_until

UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc"]


def may_unshare():
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not may_unshare(), reason="needs the right to make a namespace")


def children_of(pid):
    with contextlib.suppress(OSError):
        return [int(child) for child in
                Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def state_and_command(pid):
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat.rsplit(")", 1)[1].split()[0], stat.split("(", 1)[1].rsplit(")", 1)[0]


def tree_of(pid):
    found = [pid]
    for child in children_of(pid):
        found += tree_of(child)
    return found


class Container:
    """svcmgr run as process 1 of a pid namespace; pids are as they are seen from outside."""

    def __init__(self, site, name, *options):
        self.site, self.name = site, name
        self.out_path = site.directory / "container.out"
        with open(self.out_path, "wb") as out:
            self.child = site.stranger(*UNSHARE, *site.command("run", name, *options),
                                       env=site.environment, stdout=out,
                                       stderr=open(site.directory / "container.err", "wb"))
        self.init = wait_until(lambda: next(iter(children_of(self.child.pid)), None), "process 1")

    def out(self):
        return self.out_path.read_bytes()

    def err(self):
        return (self.site.directory / "container.err").read_text()

    def wait_for_out(self, text):
        wait_until(lambda: text in self.out(), f"{text!r} on standard output")

    def ready(self):
        return self.site.wait_for_state(self.name, "ready")

    def signal(self, number):
        os.kill(self.init, number)

    def code(self, limit=30):
        return self.child.wait(limit)

    def supervisor(self):
        """The supervisor, the only child of process 1 that runs svcmgr."""
        return next(pid for pid in children_of(self.init) if b"supervise" in
                    Path(f"/proc/{pid}/cmdline").read_bytes())


# ---- Output ---------------------------------------------------------------------------------------


def test_output_goes_to_where_the_container_s_goes(site):
    site.add("job", [MISBEHAVE, "print", "hello", "print-err", "trouble", "sleep-forever"],
             settle="10ms")
    container = Container(site, "job")
    status = container.ready()
    assert status["keeper_pid"] == 1
    assert container.out() == b"hello\n"
    assert "trouble\n" in container.err()
    assert status["log"] is None
    assert not (site.state_of("job") / "log" / "current").exists()
    container.signal(signal.SIGTERM)
    assert container.code() == 0


def test_output_goes_there_for_good(site):
    """After a restart of the instance, of the supervisor, and after a reload."""
    puppet = add_puppet(site, "job", settle="10ms", restart={"delay": "1ms", "burst": 0})
    container = Container(site, "job")
    container.ready()
    puppet.do("say('one\\n')")
    container.wait_for_out(b"one\n")
    os.kill(container.supervisor(), signal.SIGKILL)
    puppet.do("say('two\\n')")
    assert site.svcmgr("reload", "job").code == 0
    assert site.svcmgr("restart", "job").code == 0
    puppet.do("say('three\\n')")
    container.wait_for_out(b"three\n")
    assert container.out() == b"one\ntwo\nthree\n"
    assert site.status("job")["config_changed"] is False


def test_a_log_can_be_asked_for(site):
    site.add("job", [MISBEHAVE, "print", "hello", "sleep-forever"], settle="10ms",
             logs={"destination": "file"})
    container = Container(site, "job")
    container.ready()
    wait_until(lambda: site.log("job") == ["hello"])
    assert container.out() == b""


# ---- Orphans --------------------------------------------------------------------------------------


def test_orphans_are_reaped(site):
    started = site.directory / "started"
    script = f"for n in $(seq 50); do (sleep 0.02 & ) ; done; touch {started}; exec sleep 1000"
    site.add("job", ["/bin/sh", "-c", script], settle="10ms")
    container = Container(site, "job")
    container.ready()
    wait_until(started.exists)
    wait_until(lambda: len(tree_of(container.init)) == 3, "keeper, supervisor and the program alone")
    assert [state_and_command(pid)[0] for pid in tree_of(container.init)].count("Z") == 0
    container.signal(signal.SIGTERM)
    assert container.code() == 0


def test_orphans_of_the_container_s_own_are_reaped_too(site):
    """Whatever is executed in the container from outside, as docker exec does."""
    site.add("job", [MISBEHAVE, "sleep-forever"], settle="10ms")
    container = Container(site, "job")
    container.ready()
    done = subprocess.run(["nsenter", "-t", str(container.init), "-p", "/bin/sh", "-c",
                           "(sleep 0.05 &) ; (sleep 0.05 &) ; true"], check=False)
    assert done.returncode == 0
    wait_until(lambda: len(tree_of(container.init)) == 3)


# ---- Signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_term_and_int_stop_the_whole_tree_politely(site, number):
    program = site.directory / "asked"
    program.write_text("trap 'echo asked; exit 0' TERM\necho up\nwhile :; do sleep 0.02; done\n")
    site.add("job", ["/bin/sh", "-c", f"sh {program} & sh {program} & wait"], settle="50ms",
             stop={"timeout": "1h"})
    container = Container(site, "job")
    container.ready()
    wait_until(lambda: container.out() == b"up\n" * 2)
    container.signal(number)
    assert container.code() == 0
    assert container.out() == b"up\n" * 2 + b"asked\n" * 2
    assert states(site, "job")[-1] == "stopped"


def test_a_second_term_does_not_wait(site):
    site.add("job", [MISBEHAVE, "ignore", "TERM", "sleep-forever"], settle="50ms",
             stop={"timeout": "1h"})
    container = Container(site, "job")
    container.ready()
    container.signal(signal.SIGTERM)
    site.wait_for_state("job", "stopping")
    container.signal(signal.SIGTERM)
    assert container.code() == 0


def test_hup_reloads(site):
    site.add("job", [MISBEHAVE, "sleep-forever"], settle="10ms")
    container = Container(site, "job")
    status = container.ready()
    site.add("job", [MISBEHAVE, "sleep-forever"], settle="10ms", stop={"signal": "INT"})
    container.signal(signal.SIGHUP)
    wait_until(lambda: causes(site, "job", "reload") == ["applied"])
    assert site.status("job")["pid"] == status["pid"]


def test_other_signals_are_passed_on(site):
    site.add("job", [MISBEHAVE, "note", "USR1", "USR2", "sleep-forever"], settle="50ms")
    container = Container(site, "job")
    container.ready()
    for name in ("USR1", "USR2"):
        container.signal(getattr(signal, f"SIG{name}"))
        container.wait_for_out(f"caught {name}\n".encode())


# ---- The end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("words, code", [
    (["exit-after-ms", "100", "0"], 0), (["exit-after-ms", "100", "42"], 42),
    (["sleep", "100", "die", "KILL"], 128 + 9), (["sleep", "100", "die", "USR1"], 128 + 10)])
def test_it_ends_with_the_instance_s_own_code(site, words, code):
    site.add("job", [MISBEHAVE, *words], settle="10ms", restart={"when": "never"})
    container = Container(site, "job")
    assert container.code() == code
    assert states(site, "job")[-1] == "stopped"


def test_its_own_code_is_known_also_when_the_supervisor_was_killed(site):
    puppet = add_puppet(site, "job", settle="10ms", restart={"when": "never"})
    container = Container(site, "job")
    container.ready()
    puppet.pid()  # it listens
    os.kill(container.supervisor(), signal.SIGKILL)
    with contextlib.suppress(ConnectionError):
        puppet._ask("os._exit(43)")
    assert container.code() == 43


def test_the_policy_holds_from_the_first_start_on(site):
    counter = site.directory / "counter"
    site.add("job", ["/bin/sh", "-c", f"echo x >> {counter}; test $(wc -l < {counter}) -ge 3 || "
                     "exit 1; exec sleep 1000"], settle="100ms",
             restart={"delay": "1ms", "max_delay": "5ms", "burst": 10})
    container = Container(site, "job")
    assert container.ready()["restarts"] == 2
    container.signal(signal.SIGTERM)
    assert container.code() == 0


def test_nothing_is_left_of_it(site):
    pids = site.directory / "pids"
    site.add("job", [MISBEHAVE, "ignore", "TERM", "pids", pids, "double-fork", "fork-tree", "2",
                     "2", "sleep-forever"], settle="50ms", stop={"timeout": "200ms"})
    container = Container(site, "job")
    container.ready()
    wait_until(lambda: len(tree_of(container.init)) == 3 + 1 + 6)
    tree = tree_of(container.init)
    container.signal(signal.SIGTERM)
    assert container.code() == 0
    assert not any(pid_is_alive(pid) for pid in tree)
    assert states(site, "job")[-1] == "stopped"  # by stopping them, not by the end of process 1


def test_a_killed_supervisor_is_started_again(site):
    site.add("job", [MISBEHAVE, "sleep-forever"], settle="10ms")
    container = Container(site, "job")
    before = container.ready()
    os.kill(container.supervisor(), signal.SIGKILL)
    after = wait_for_status(site, "job", lambda now: now["supervisor_pid"] not in
                            (None, before["supervisor_pid"]))
    assert (after["pid"], after["state"]) == (before["pid"], "ready")
