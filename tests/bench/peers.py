"""Measures svcmgr beside the other service managers, one after the other in one run, with the same
web server, which none of them knows.  Run by ./dev bench --peers as process 1's child in a container
where a systemd is process 1, since it is one of them.

Each is used as its manual says, with its own defaults."""

import argparse
import json
import math
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench import Rain, ask, ask_until_answered, cpu_seconds, pss_kib, until  # noqa: E402

RATE = 1000
PORT = 18787
SETTLE_S = 0.3  # between two restarts, so that each one's gap is its own
STABLE_S = 1.2  # a run that was shorter counts as a failed one with most of them
LIMIT_S = 30


def run(words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False,
                          timeout=60, **options)


def must(words, **options):
    done = run(words, **options)
    if done.returncode != 0:
        raise SystemExit(f"peers: {words}: {done.returncode} {done.stdout} {done.stderr}")
    return done.stdout


def processes(*needles):
    """Pids whose command line begins with one of the words."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        text = b" ".join(words).decode(errors="replace")
        if any(needle in text for needle in needles) and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


class Peer:
    """One manager: what it is called, and how it is told to do things."""

    name = version = ""
    note = ""

    def __init__(self, where, build):
        self.where = Path(where) / type(self).__name__
        self.where.mkdir(parents=True)
        self.build = build
        self.webui = str(build / "examples" / "webui" / "webui")
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.where), "PORT": str(PORT)}

    def script(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def main_pid(self):
        (pid,) = processes(f"{self.webui} --quiet")
        return pid

    def begin(self):
        """What is there before the service is started: a daemon, a unit file ..."""

    def end(self):
        """Everything of it is gone."""


class Svcmgr(Peer):
    name = "svcmgr"
    keys = {"health": {"http": "/health"}}

    def command(self, *words):
        return [self.build / "bin" / "svcmgr", "--config-dir", self.where / "config",
                "--state-dir", self.where / "state", *words]

    def begin(self):
        self.version = must([self.build / "bin" / "svcmgr", "version"]).split()[-1]
        (self.where / "config").mkdir()
        (self.where / "config" / "web.json").write_text(json.dumps({
            "command": [self.webui, "--quiet"], "directory": "/",
            "listen": {"address": f"127.0.0.1:{PORT}", "socket": "inherit"}, **self.keys}))

    def start(self):
        must(self.command("start", "web"))

    def restart(self):
        must(self.command("restart", "web"))

    def stop(self):
        must(self.command("stop", "web"))

    def managers(self):
        status = json.loads(must(self.command("status", "--json", "web")))
        return [status["keeper_pid"], status["supervisor_pid"]]


class SvcmgrOverlap(Svcmgr):
    name = "svcmgr, overlap"
    keys = {"ready": "notify", "replace": "overlap"}


class Runit(Peer):
    name = "runit"

    def begin(self):
        self.version = must(["dpkg-query", "-W", "-f", "${Version}", "runit"])
        self.services = self.where / "services"
        self.script(self.where / "web" / "run", f"exec env PORT={PORT} {self.webui} --quiet 2>&1")
        (self.where / "web" / "down").touch()
        self.services.mkdir()
        (self.services / "web").symlink_to(self.where / "web")
        self.daemon = subprocess.Popen(["runsvdir", "-P", str(self.services)], env=self.environment,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: run(["sv", "status", self.where / "web"]).returncode == 0)

    def start(self):
        must(["sv", "start", self.where / "web"])

    def restart(self):
        must(["sv", "restart", self.where / "web"])

    def stop(self):
        must(["sv", "stop", self.where / "web"])

    def managers(self):
        return [self.daemon.pid, *processes("runsv web")]

    def end(self):
        self.daemon.send_signal(signal.SIGHUP)
        self.daemon.wait(LIMIT_S)


class S6(Peer):
    name = "s6"

    def begin(self):
        self.version = must(["dpkg-query", "-W", "-f", "${Version}", "s6"])
        self.services = self.where / "services"
        self.script(self.services / "web" / "run", f"exec env PORT={PORT} {self.webui} --quiet 2>&1")
        (self.services / "web" / "down").touch()
        self.daemon = subprocess.Popen(["s6-svscan", str(self.services)], env=self.environment,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: run(["s6-svok", self.services / "web"]).returncode == 0)

    def start(self):
        must(["s6-svc", "-wu", "-u", self.services / "web"])

    def restart(self):
        must(["s6-svc", "-wr", "-r", self.services / "web"])

    def stop(self):
        must(["s6-svc", "-wD", "-d", self.services / "web"])

    def managers(self):
        return [self.daemon.pid, *processes("s6-supervise web")]

    def end(self):
        must(["s6-svscanctl", "-t", self.services])
        self.daemon.wait(LIMIT_S)


class Supervisord(Peer):
    name = "supervisord"

    def begin(self):
        self.version = must(["dpkg-query", "-W", "-f", "${Version}", "supervisor"])
        self.config = self.where / "supervisord.conf"
        self.config.write_text(f"""
[unix_http_server]
file={self.where}/control.sock
[supervisord]
nodaemon=true
logfile={self.where}/log
pidfile={self.where}/pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{self.where}/control.sock
[program:web]
command={self.webui} --quiet
environment=PORT="{PORT}"
autostart=false
""")
        self.daemon = subprocess.Popen(["supervisord", "-c", str(self.config)], env=self.environment,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: "STOPPED" in run(self.command("status")).stdout)

    def command(self, *words):
        return ["supervisorctl", "-c", self.config, *words]

    def start(self):
        must(self.command("start", "web"))

    def restart(self):
        must(self.command("restart", "web"))

    def stop(self):
        must(self.command("stop", "web"))

    def managers(self):
        return [self.daemon.pid]

    def end(self):
        self.daemon.terminate()
        self.daemon.wait(LIMIT_S)


class Pm2(Peer):
    name = "pm2"

    def begin(self):
        self.program = str(self.build.parent / "peers" / "node_modules" / ".bin" / "pm2")
        self.environment["PM2_HOME"] = str(self.where)
        self.script(self.where / "web.sh", f"exec {self.webui} --quiet")
        self.version = must([self.program, "--version"], env=self.environment).split()[-1]
        must([self.program, "ping"], env=self.environment)

    def pm2(self, *words):
        must([self.program, "--silent", *words], env=self.environment)

    def start(self):
        self.pm2("start", self.where / "web.sh", "--name", "web", "--interpreter", "/bin/sh")

    def restart(self):
        self.pm2("restart", "web")

    def stop(self):
        self.pm2("delete", "web")

    def managers(self):
        return [int((self.where / "pm2.pid").read_text())]

    def end(self):
        self.pm2("kill")


class Systemd(Peer):
    name = "systemd"
    note = "the manager is process 1"
    sockets = ""

    def begin(self):
        self.version = must(["systemctl", "--version"]).split()[1]
        unit = Path("/run/systemd/system/web.service")
        unit.write_text(f"[Unit]\nStartLimitIntervalSec=0\n{self.sockets}[Service]\nType=notify\n"
                        f"Environment=PORT={PORT}\nExecStart={self.webui} --quiet\nRestart=always\n"
                        "StandardOutput=null\nStandardError=null\n")
        must(["systemctl", "daemon-reload"])

    def start(self):
        must(["systemctl", "start", "web.service"])

    def restart(self):
        must(["systemctl", "restart", "web.service"])

    def stop(self):
        must(["systemctl", "stop", "web.service"])

    def managers(self):
        return [1]


class SystemdSocket(Systemd):
    name = "systemd, socket activation"
    sockets = "Requires=web.socket\nAfter=web.socket\n"

    def begin(self):
        Path("/run/systemd/system/web.socket").write_text(
            f"[Socket]\nListenStream=127.0.0.1:{PORT}\nBacklog=4096\n")
        super().begin()

    def start(self):
        must(["systemctl", "start", "web.socket", "web.service"])

    def stop(self):
        must(["systemctl", "stop", "web.socket", "web.service"])


PEERS = [Svcmgr, SvcmgrOverlap, Runit, S6, Supervisord, Pm2, Systemd, SystemdSocket]


# ---- What is measured -----------------------------------------------------------------------------------


def measure_start(peer, rounds):
    """From the command to the first answer; a start does not have to wait for it."""
    times = []
    for _ in range(rounds):
        at = time.perf_counter()
        peer.start()
        ask_until_answered(PORT)
        times.append(time.perf_counter() - at)
        time.sleep(STABLE_S)
        peer.stop()
    return statistics.median(times)


def answers(seconds=LIMIT_S):
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        try:
            ask(PORT)
            return
        except OSError:
            pass
    raise SystemExit("peers: no answer any more")


def measure_restart(peer, rounds):
    """Each restart in a rain of its own."""
    lost, gaps, took = [], [], []
    for _ in range(rounds):
        former = peer.main_pid()
        rain = Rain(peer, PORT, RATE)
        time.sleep(SETTLE_S)
        at = time.perf_counter()
        peer.restart()
        took.append(time.perf_counter() - at)
        until(lambda pid=former: [one for one in processes(f"{peer.webui} --quiet") if one != pid])
        answers()
        time.sleep(SETTLE_S)
        result, failed = rain.end()
        lost.append(failed)
        gaps.append(result["longest_gap_ms"] / 1000)
        time.sleep(STABLE_S)
    return sum(lost) / rounds, max(lost), max(gaps), statistics.median(took)


def has_ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def measure_crash(peer, rounds):
    times = []
    for _ in range(rounds):
        time.sleep(STABLE_S)
        pid = peer.main_pid()
        at = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        until(lambda former=pid: has_ended(former))
        answers()
        times.append(time.perf_counter() - at)
    return statistics.median(times)


def measure(peer, rounds, idle_s):
    peer.begin()
    found = {"start_ms": measure_start(peer, rounds) * 1000}
    peer.start()
    answers()
    time.sleep(STABLE_S)
    mean, most, gap, took = measure_restart(peer, rounds)
    found.update(lost=mean, lost_most=most, gap_ms=gap * 1000, restart_ms=took * 1000)
    found["crash_ms"] = measure_crash(peer, rounds) * 1000
    time.sleep(STABLE_S)
    managers = peer.managers()
    found["memory_kib"] = sum(pss_kib(pid) for pid in managers)
    before = sum(cpu_seconds(pid) for pid in managers)
    time.sleep(idle_s)
    found["cpu_ms"] = (sum(cpu_seconds(pid) for pid in managers) - before) * 1000 * 60 / idle_s
    peer.stop()
    peer.end()
    return {"name": peer.name, "version": peer.version, **found}


# ---- What is made of it -----------------------------------------------------------------------------------

COLUMNS = [("lost", "requests lost per restart", "{:.1f}"), ("lost_most", "the most of one", "{:.0f}"),
           ("gap_ms", "longest gap", "{:.0f} ms"), ("restart_ms", "restart returns after", "{:.0f} ms"),
           ("crash_ms", "crash to next answer", "{:.1f} ms"),
           ("start_ms", "start to first answer", "{:.1f} ms"),
           ("memory_kib", "memory", "{:.0f} KiB"), ("cpu_ms", "CPU of an idle minute", "{:.1f} ms")]


def table(rows):
    lines = ["| | " + " | ".join(title for _, title, _ in COLUMNS) + " |",
             "| --- |" + " ---: |" * len(COLUMNS)]
    for row in rows:
        values = " | ".join(form.format(row[key]) for key, _, form in COLUMNS)
        lines.append(f"| {row['name']} {row['version']} | {values} |")
    return "\n".join(lines)


PANELS = [("lost", "requests lost per restart", "{:.1f}"), ("gap_ms", "longest gap, ms", "{:.0f}"),
          ("crash_ms", "crash to next answer, ms", "{:.1f}"),
          ("start_ms", "start to first answer, ms", "{:.1f}"), ("memory_kib", "memory, KiB", "{:.0f}")]
BAR, LINE, WIDTH, LEFT = 260, 22, 520, 190


def plot(rows):
    """Bars on a logarithmic scale, a panel for each figure; shorter is better."""
    height = sum((len(rows) + 2) * LINE for _ in PANELS) + LINE
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
             f'width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>']
    y = LINE
    for key, title, form in PANELS:
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{title}</text>')
        y += 8
        most = max(row[key] for row in rows)
        for row in rows:
            length = BAR * scale(row[key], most)
            colour = "#1f6f4a" if row["name"].startswith("svcmgr") else "#9aa5b1"
            parts.append(f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{row["name"]}</text>')
            parts.append(f'<rect x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="14" '
                         f'fill="{colour}"/>')
            parts.append(f'<text x="{LEFT + length + 6:.1f}" y="{y + 14}">{form.format(row[key])}</text>')
            y += LINE
        y += LINE + 14
    parts.append("</svg>")
    parts[0] = parts[0].replace(str(height), str(y - LINE))
    parts[1] = parts[1].replace(str(height), str(y - LINE))
    return "\n".join(parts) + "\n"


def scale(value, most):
    """1 for the most, less by a fifth for each halving of ten."""
    if value <= 0 or most <= 0:
        return 0
    return max(0.01, 1 + (math.log10(value) - math.log10(most)) / 4)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="a build folder")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--idle", type=float, default=30, help="seconds of doing nothing")
    parser.add_argument("--only", help="one of them, by its name")
    parser.add_argument("--to", help="a folder for peers.json, peers.md and peers.svg")
    parser.add_argument("--draw", help="no measuring: draw this peers.json again")
    options = parser.parse_args()
    if options.draw:
        print(plot(json.loads(Path(options.draw).read_text())["rows"]), end="")
        return 0
    build = Path(options.build).resolve()
    where = Path("/run/peers")
    shutil.rmtree(where, ignore_errors=True)
    rows = []
    for kind in PEERS:
        if options.only in (None, kind.name):
            rows.append(measure(kind(where, build), options.rounds, options.idle))
            print(json.dumps(rows[-1]), flush=True)
    print(table(rows))
    if options.to:
        to = Path(options.to)
        (to / "peers.json").write_text(json.dumps({
            "rounds": options.rounds, "rate": RATE, "kernel": platform.release(),
            "date": time.strftime("%Y-%m-%d"), "rows": rows}, indent=1) + "\n")
        (to / "peers.md").write_text(
            f"{options.rounds} rounds each, {RATE} new connections a second, Linux "
            f"{'.'.join(platform.release().split('.')[:2])}, {os.cpu_count()} processors, {time.strftime('%Y-%m-%d')}.\n\n"
            f"{table(rows)}\n")
        (to / "peers.svg").write_text(plot(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
