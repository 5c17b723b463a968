"""Measures svcmgr against a bare program that does the least possible, in one run side by side.

Figures of a shared machine mean little by themselves; the ratios hold.  Each line prints what was
measured, how often, the medians, the ratio, and the goal.  --markdown prints the README's table.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAIT_LIMIT = 20.0


class Bench:
    def __init__(self, build):
        self.build = Path(build).resolve()
        self.svcmgr = str(self.build / "bin" / "svcmgr")
        self.webui = str(self.build / "examples" / "webui" / "webui")
        self.bare = str(self.build / "tests" / "bare")
        self.directory = Path(tempfile.mkdtemp(prefix="svcmgr-bench-"))
        self.state = self.directory / "state"
        self.config = self.directory / "config"
        self.config.mkdir()
        self.rows = []

    def command(self, *words):
        return [self.svcmgr, "--config-dir", str(self.config), "--state-dir", str(self.state),
                *map(str, words)]

    def run(self, *words):
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3):
            raise SystemExit(f"bench: {words}: {done.stderr}")
        return done.stdout

    def status(self, name):
        return json.loads(self.run("status", "--json", name))

    def add(self, name, port, **keys):
        keys.setdefault("listen", {"address": f"127.0.0.1:{port}", "socket": "inherit"})
        keys["command"] = [self.webui, "--quiet"]
        keys["directory"] = "/"
        (self.config / f"{name}.json").write_text(json.dumps(keys))

    def row(self, what, measured, goal, good):
        self.rows.append((what, measured, goal, good))
        print(f"{'ok ' if good else 'NO '} {what}: {measured} (goal: {goal})", flush=True)

    def close(self):
        subprocess.run(self.command("stop", "--all"), capture_output=True, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


def free_ports(count):
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = []
    port = 20000 + os.getpid() % 5000
    while len(ports) < count and port < low:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                ports.append(port)
            except OSError:
                pass
        port += 1
    return ports


REQUEST = b"GET /health HTTP/1.0\r\n\r\n"


def ask(port, timeout=WAIT_LIMIT):
    """One request on a new connection; raises when it is refused or reset."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as client:
        client.sendall(REQUEST)
        answer = client.recv(4096)
        if not answer.startswith(b"HTTP/1.") or b" 200 " not in answer[:16]:
            raise OSError(f"bad answer {answer[:40]!r}")


def ask_until_answered(port):
    deadline = time.perf_counter() + WAIT_LIMIT
    while True:
        try:
            ask(port)
            return
        except (ConnectionRefusedError, ConnectionResetError):
            if time.perf_counter() >= deadline:
                raise


def milliseconds(seconds):
    return f"{seconds * 1000:.2f} ms"


def child_of(pid):
    """The only child of a process."""
    deadline = time.perf_counter() + WAIT_LIMIT
    path = Path(f"/proc/{pid}/task/{pid}/children")
    while time.perf_counter() < deadline:
        words = path.read_text().split()
        if words:
            return int(words[0])
    raise SystemExit("bench: no child")


def start_bare(bench, port):
    """The floor: a socket, fork, exec, and again when the child ends."""
    return subprocess.Popen([bench.bare, str(port), "--", bench.webui, "--quiet"],
                            stderr=subprocess.DEVNULL)


class Rain:
    """A steady rain of new connections, each with a request; what became of them."""

    LOST = ("refused", "reset", "short", "timed_out", "wrong", "missed", "late")

    def __init__(self, bench, port, rate):
        self.child = subprocess.Popen([str(bench.build / "tests" / "rain"), str(port), str(rate), "600"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end(self):
        out, _ = self.child.communicate(timeout=60)
        result = json.loads(out)
        return result, sum(result[name] for name in self.LOST)


def measure_crash(bench, rounds):
    """SIGKILL to the serving process; how long until a request that begins then is answered."""
    port, bare_port = free_ports(2)
    bench.add("crash", port, restart={"burst": 0})
    bench.run("start", "crash")
    bare = start_bare(bench, bare_port)
    ask_until_answered(bare_port)
    ours, theirs, refused = [], [], 0
    for number in range(rounds):
        begin = time.perf_counter()
        pair = ((bench.status("crash")["pid"], port, ours), (child_of(bare.pid), bare_port, theirs))
        # In turns: who is second finds the processor awake and its caches warm.
        for victim, its_port, results in pair if number % 2 == 0 else pair[::-1]:
            at = time.perf_counter()
            os.kill(victim, signal.SIGKILL)
            try:
                ask(its_port)
                results.append(time.perf_counter() - at)
            except ConnectionRefusedError:
                refused += 1
            except (ConnectionResetError, OSError):
                # The connection was accepted by the process that was about to die.
                ask_until_answered(its_port)
                results.append(time.perf_counter() - at)
        # A run that was ready for a second is restarted at once and does not count.
        while time.perf_counter() - begin < 1.1:
            time.sleep(0.01)
    bare.terminate()
    bare.wait()
    bench.run("stop", "crash")
    ratio = statistics.median(ours) / statistics.median(theirs)
    bench.row("crash to next answer, held socket",
              f"{ratio:.2f} x bare (medians {milliseconds(statistics.median(ours))} and "
              f"{milliseconds(statistics.median(theirs))} of {rounds}), {refused} refused",
              "1.6 x, 0 refused", ratio <= 1.6 and refused == 0)


def measure_start(bench, rounds):
    """From nothing to the first answered request."""
    port, bare_port = free_ports(2)
    bench.add("begin", port)
    ours, theirs = [], []
    for _ in range(rounds):
        at = time.perf_counter()
        starter = subprocess.Popen(bench.command("-q", "start", "begin"))
        ask_until_answered(port)
        ours.append(time.perf_counter() - at)
        starter.wait()
        bench.run("stop", "begin")
        at = time.perf_counter()
        bare = start_bare(bench, bare_port)
        ask_until_answered(bare_port)
        theirs.append(time.perf_counter() - at)
        bare.terminate()
        bare.wait()
    ours_ms = statistics.median(ours) * 1000
    theirs_ms = statistics.median(theirs) * 1000
    bench.row("start to first answer",
              f"bare + {ours_ms - theirs_ms:.2f} ms (medians {ours_ms:.2f} ms and {theirs_ms:.2f} ms "
              f"of {rounds})", "bare + 3 ms", ours_ms - theirs_ms <= 3)


def time_command(words):
    at = time.perf_counter()
    pid = os.posix_spawn(words[0], words, {}, setsigdef=[signal.SIGPIPE], file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    os.waitpid(pid, 0)
    return time.perf_counter() - at


def measure_status(bench, rounds):
    (port,) = free_ports(1)
    bench.add("asked", port)
    bench.run("start", "asked")
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(time_command(bench.command("status", "asked")))
        theirs.append(time_command(["/bin/true"]))
    bench.run("stop", "asked")
    ratio = statistics.median(ours) / statistics.median(theirs)
    bench.row("status of one service",
              f"{ratio:.2f} x true (medians {milliseconds(statistics.median(ours))} and "
              f"{milliseconds(statistics.median(theirs))} of {rounds})", "1.6 x", ratio <= 1.6)


ASK_STATUS = b'{"id":1,"method":"status"}\n'


def call_status(lines, client):
    client.sendall(ASK_STATUS)
    if b'"result"' not in lines.readline():
        raise SystemExit("bench: no status")


def measure_channel(bench, calls, rounds):
    """Calls over the control channel: one after the other on one connection, and each on its own."""
    (port,) = free_ports(1)
    bench.add("called", port)
    bench.run("start", "called")
    path = str(bench.state / "called" / "control.sock")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        with client.makefile("rb") as lines:
            call_status(lines, client)
            at = time.perf_counter()
            for _ in range(calls):
                call_status(lines, client)
            rate = calls / (time.perf_counter() - at)
    times = []
    for _ in range(rounds):
        at = time.perf_counter()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            with client.makefile("rb") as lines:
                call_status(lines, client)
        times.append(time.perf_counter() - at)
    bench.run("stop", "called")
    median = statistics.median(times)
    bench.row("status over the control channel, one client on one connection",
              f"{rate:.0f} calls a second ({calls} calls)", "10000 a second", rate >= 10000)
    bench.row("status over the control channel, a connection each",
              f"median {milliseconds(median)} of {rounds}", "1 ms", median < 0.001)


def most_kib(pid):
    """The most memory that a process ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise SystemExit("bench: no VmHWM")


PRINT_MUCH = "yes | head -c 1G"


def measure_exec(bench, rounds):
    """What a command prints, through svcmgr exec and through a pipe alone."""
    (port,) = free_ports(1)
    bench.add("printer", port)
    bench.run("start", "printer")
    supervisor = bench.status("printer")["supervisor_pid"]
    before = most_kib(supervisor)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(time_command(bench.command("exec", "printer", "--", "sh", "-c", PRINT_MUCH)))
        theirs.append(time_command(["/bin/sh", "-c", PRINT_MUCH + " | cat"]))
    more = most_kib(supervisor) - before
    bench.run("stop", "printer")
    ratio = statistics.median(ours) / statistics.median(theirs)
    bench.row("1 GiB of output through exec",
              f"{ratio:.2f} x the time of a pipe (medians {statistics.median(ours):.2f} s and "
              f"{statistics.median(theirs):.2f} s of {rounds}), {more} KiB more memory at most",
              "2 x, 2048 KiB", ratio <= 2 and more <= 2048)


def pss_kib(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise SystemExit("bench: no Pss")


def pss_of(bench, names):
    total = 0
    for name in names:
        status = bench.status(name)
        total += pss_kib(status["keeper_pid"]) + pss_kib(status["supervisor_pid"])
    return total


def measure_memory(bench, count):
    ports = free_ports(count)
    names = [f"mem{i}" for i in range(count)]
    subprocess.run(["sync"], check=True)  # an executable that was just written counts as dirty
    for name, port in zip(names, ports):
        bench.add(name, port)
    bench.run("start", names[0])
    one = pss_of(bench, names[:1])
    bench.row("memory of one service (PSS of keeper and supervisor)", f"{one} KiB", "500 KiB",
              one <= 500)
    bench.run("start", *names[1:])
    further = (pss_of(bench, names) - one) / (count - 1)
    bench.row(f"memory of each further service, at {count}", f"{further:.0f} KiB", "160 KiB",
              further <= 160)
    bench.run("stop", *names)


def switches(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches"):
            return int(line.split()[1])
    raise SystemExit("bench: no count of switches")


def cpu_seconds(pid):
    """The time that a process has run: proc(5), /proc/PID/schedstat."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def measure_idle(bench, seconds):
    """An idle supervisor without a health check does not wake up at all."""
    (port,) = free_ports(1)
    bench.add("idle", port)
    bench.run("start", "idle")
    status = bench.status("idle")
    pids = (status["keeper_pid"], status["supervisor_pid"])
    time.sleep(1)
    before = sum(switches(pid) for pid in pids)
    time.sleep(seconds)
    woken = sum(switches(pid) for pid in pids) - before
    bench.run("stop", "idle")
    bench.row(f"wake-ups of keeper and supervisor in {seconds} idle seconds", str(woken), "0",
              woken == 0)


def says_hello(bench, name, former):
    """Whether a supervisor other than the former one answers."""
    with socket.socket(socket.AF_UNIX) as control:
        try:
            control.connect(str(bench.state / name / "control.sock"))
            control.sendall(b'{"id":1,"method":"hello"}\n')
            answer = json.loads(control.recv(4096) or b"{}")
        except OSError:
            return False
    return answer.get("result", {}).get("supervisor_pid") not in (None, former)


def measure_revival(bench, rounds, rate):
    """SIGKILL to the supervisor under a steady rain of new connections; how long until another one
    answers, and whether a request fails."""
    (port,) = free_ports(1)
    bench.add("revive", port)
    bench.run("start", "revive")
    times = []
    first = bench.status("revive")["pid"]
    rain = Rain(bench, port, rate)
    for _ in range(rounds):
        supervisor = bench.status("revive")["supervisor_pid"]
        at = time.perf_counter()
        os.kill(supervisor, signal.SIGKILL)
        while not says_hello(bench, "revive", supervisor):
            pass
        times.append(time.perf_counter() - at)
    _, failed = rain.end()
    same = bench.status("revive")["pid"] == first
    bench.run("stop", "revive")
    slowest = max(times)
    bench.row(f"supervisor killed under {rate} connections a second: back after",
              f"median {milliseconds(statistics.median(times))}, slowest {milliseconds(slowest)} of "
              f"{rounds}, {failed} requests failed, {'same' if same else 'OTHER'} instance",
              "100 ms, 0 failed, same instance", slowest <= 0.1 and failed == 0 and same)


def run_standby(bench, name):
    return subprocess.Popen(bench.command("run", name, "--duplicate", "standby"),
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def until(condition):
    deadline = time.perf_counter() + WAIT_LIMIT
    while not condition():
        if time.perf_counter() >= deadline:
            raise SystemExit("bench: it did not come about")


def kill_for_good(status):
    """Keeper, supervisor and instance; the keeper is stopped first, so that it brings nobody back."""
    os.kill(status["keeper_pid"], signal.SIGSTOP)
    for pid in (status["supervisor_pid"], status["pid"], status["keeper_pid"]):
        os.kill(pid, signal.SIGKILL)


def measure_standby(bench, rounds, seconds):
    """Everything of the holder killed: how long until the one in line is the supervisor and until
    it serves; and what standing in line costs."""
    (port,) = free_ports(1)
    bench.add("line", port)
    bench.run("start", "line")
    runs, became, served = [], [], []
    for _ in range(rounds):
        runs.append(run_standby(bench, "line"))
        until(lambda: bench.status("line")["standby"])
        status = bench.status("line")
        at = time.perf_counter()
        kill_for_good(status)
        until(lambda former=status["supervisor_pid"]: says_hello(bench, "line", former))
        became.append(time.perf_counter() - at)
        ask_until_answered(port)
        served.append(time.perf_counter() - at)
    runs.append(run_standby(bench, "line"))
    until(lambda: bench.status("line")["standby"])
    entry = bench.status("line")["standby"][0]
    pids = (entry["pid"], entry["keeper_pid"])
    before = sum(cpu_seconds(pid) for pid in pids)
    time.sleep(seconds)
    a_minute = (sum(cpu_seconds(pid) for pid in pids) - before) * 60 / seconds
    bench.run("stop", "line")
    for one in runs:
        one.wait(WAIT_LIMIT)
    bench.row("all of the holder killed: the standby is the supervisor after",
              f"median {milliseconds(statistics.median(became))}, slowest "
              f"{milliseconds(max(became))} of {rounds}; it serves after "
              f"{milliseconds(statistics.median(served))}", "100 ms", max(became) <= 0.1)
    bench.row(f"CPU time of standing in line for a minute (measured: {seconds} s)",
              milliseconds(a_minute), "10 ms", a_minute <= 0.01)


def measure_stranger(bench, rounds):
    """The end of a stranger that a standby waits for."""
    (port,) = free_ports(1)
    bench.add("late", port)
    times = []
    for _ in range(rounds):
        stranger = start_bare(bench, port)
        ask_until_answered(port)
        waiting = run_standby(bench, "late")
        until(lambda: bench.status("late")["state"] == "standby")
        # The bare one is killed first, so that it does not start its program again.
        child = child_of(stranger.pid)
        at = time.perf_counter()
        stranger.kill()
        os.kill(child, signal.SIGKILL)
        until(lambda: bench.status("late")["state"] == "ready")
        times.append(time.perf_counter() - at)
        stranger.wait()
        bench.run("stop", "late")
        waiting.wait(WAIT_LIMIT)
    bench.row("a stranger ends: the standby is ready after",
              f"median {milliseconds(statistics.median(times))}, slowest "
              f"{milliseconds(max(times))} of {rounds}", "1 s", max(times) <= 1)


def measure_restart(bench, rounds, rate):
    """Restarts under a steady rain of new connections; beside a bare program whose child is asked to
    end and is started again."""
    port, other_port, bare_port = free_ports(3)
    bench.add("sequence", port, health={"http": "/health"}, replace="sequential")
    bench.add("overlap", other_port, ready="notify", replace="overlap")
    bare = start_bare(bench, bare_port)
    ask_until_answered(bare_port)
    gaps, failures, times = {}, {}, {}
    for name, its_port in (("sequence", port), ("overlap", other_port), ("bare", bare_port)):
        if name != "bare":
            bench.run("start", name)
        rain = Rain(bench, its_port, rate)
        took = []
        for _ in range(rounds):
            at = time.perf_counter()
            if name != "bare":
                bench.run("restart", name)
            else:
                child = child_of(bare.pid)
                os.kill(child, signal.SIGTERM)
                until(lambda former=child: Path(f"/proc/{bare.pid}/task/{bare.pid}/children").read_text()
                      .split() not in ([], [str(former)]))
                ask_until_answered(its_port)
            took.append(time.perf_counter() - at)
        result, failures[name] = rain.end()
        gaps[name], times[name] = result["longest_gap_ms"], statistics.median(took)
        if name != "bare":
            bench.run("stop", name)
    bare.terminate()
    bare.wait()
    for name, what in (("sequence", "one after the other"), ("overlap", "overlapping")):
        bench.row(f"restarts under {rate} connections a second, {what}",
                  f"{failures[name]} of {rounds} restarts' requests failed, longest gap {gaps[name]:.2f} ms "
                  f"(bare {gaps['bare']:.2f} ms, {failures['bare']} failed), done after "
                  f"{milliseconds(times[name])}", "0 failed", failures[name] == 0)


def measure_upgrade(bench, rounds, rate):
    """Upgrades under a steady rain of new connections."""
    (port,) = free_ports(1)
    bench.add("newer", port, health={"http": "/health"})
    bench.run("start", "newer")
    first = bench.status("newer")["pid"]
    rain = Rain(bench, port, rate)
    times = []
    for _ in range(rounds):
        at = time.perf_counter()
        bench.run("upgrade", "newer")
        times.append(time.perf_counter() - at)
    result, failed = rain.end()
    same = bench.status("newer")["pid"] == first
    bench.run("stop", "newer")
    bench.row(f"upgrades under {rate} connections a second",
              f"{failed} requests failed, longest gap {result['longest_gap_ms']:.2f} ms, "
              f"done after {milliseconds(statistics.median(times))}, slowest {milliseconds(max(times))} of "
              f"{rounds}, {'same' if same else 'OTHER'} instance", "0 failed, same instance",
              failed == 0 and same)


LAST_WORDS = """
import http.server, os, signal, sys, time
def end(*_):
    with open(sys.argv[1], "a") as file:
        file.write(f"{time.monotonic_ns()}\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Answer).serve_forever(0.01)
"""


def measure_rebind(bench, rounds):
    """A Python server that binds its port itself: from its last instruction to the first of the next."""
    (port,) = free_ports(1)
    begun, ended = bench.directory / "begun", bench.directory / "ended"
    bench.add("itself", port, listen={"address": f"127.0.0.1:{port}", "socket": "self"},
              health={"http": "/"})
    path = bench.config / "itself.json"
    document = json.loads(path.read_text())
    document["command"] = [str(bench.build / "tests" / "clocked"), str(begun), sys.executable, "-I", "-S",
                           "-c", LAST_WORDS, str(ended), str(port)]
    path.write_text(json.dumps(document))
    bench.run("start", "itself")
    for _ in range(rounds):
        bench.run("restart", "itself")
    bench.run("stop", "itself")
    starts = [int(word) for word in begun.read_text().split()][1:]
    ends = [int(word) for word in ended.read_text().split()]
    gaps = [(start - end) / 1e9 for end, start in zip(ends, starts)]
    bench.row("a server that binds itself: from its end to the next one's first instruction",
              f"median {milliseconds(statistics.median(gaps))}, slowest {milliseconds(max(gaps))} of "
              f"{len(gaps)}", "3 ms (median)", statistics.median(gaps) <= 0.003)


def markdown(bench):
    print("\n| what | measured | goal |\n| --- | --- | --- |")
    for what, measured, goal, _ in bench.rows:
        print(f"| {what} | {measured} | {goal} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="a build folder")
    parser.add_argument("--full", action="store_true", help="as many rounds as the goals name")
    parser.add_argument("--markdown", action="store_true", help="print a table too")
    parser.add_argument("--only", help="one of the steps: start status memory ... rebind")
    options = parser.parse_args()
    bench = Bench(options.build)
    full = options.full
    steps = {
        "start": lambda: measure_start(bench, 100 if full else 40),
        "status": lambda: measure_status(bench, 500 if full else 200),
        "channel": lambda: measure_channel(bench, 50000 if full else 20000, 1000 if full else 300),
        "exec": lambda: measure_exec(bench, 10 if full else 5),
        "memory": lambda: measure_memory(bench, 100),
        "idle": lambda: measure_idle(bench, 30 if full else 10),
        "revival": lambda: measure_revival(bench, 100 if full else 30, 1000),
        "standby": lambda: measure_standby(bench, 50 if full else 20, 60 if full else 10),
        "stranger": lambda: measure_stranger(bench, 20 if full else 5),
        "crash": lambda: measure_crash(bench, 100 if full else 30),
        "restart": lambda: measure_restart(bench, 100 if full else 20, 1000),
        "upgrade": lambda: measure_upgrade(bench, 100 if full else 20, 1000),
        "rebind": lambda: measure_rebind(bench, 50),
    }
    try:
        for name, step in steps.items():
            if options.only in (None, name):
                step()
    finally:
        bench.close()
    if options.markdown:
        markdown(bench)
    return 0 if all(good for *_, good in bench.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
