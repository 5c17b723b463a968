"""Units of a real systemd, for the tests of this folder."""

import os
import signal
import subprocess
from pathlib import Path

from support import (LIMIT, SVCMGR, WEBUI, Result, free_port, processes_with,
                     wait_until)

PLACE = Path("/etc/systemd/system")


def systemctl(*words, check=True):
    return subprocess.run(["systemctl", *map(str, words)], capture_output=True, text=True,
                          timeout=60, check=check, stdin=subprocess.DEVNULL).stdout


class Units:
    """The units of one test; they and their processes go with it."""

    def __init__(self):
        self.names = []

    def write(self, name, **sections):
        """A unit file: sections as dicts, a list for a key that comes again."""
        lines = []
        sections.setdefault("Unit", {})
        sections["Unit"] = {"DefaultDependencies": "no", "StartLimitIntervalSec": "0",
                            **sections["Unit"]}
        for section, keys in sections.items():
            lines.append(f"[{section}]")
            for key, values in keys.items():
                for value in values if isinstance(values, list) else [values]:
                    lines.append(f"{key}={value}")
        (PLACE / name).write_text("\n".join(lines) + "\n")
        self.names.append(name)
        systemctl("daemon-reload")
        return name

    def service(self, name, *command, **keys):
        return self.write(f"{name}.service", Service={
            "ExecStart": " ".join(map(str, command)), "Type": "exec", "TimeoutStopSec": "5",
            "StandardOutput": "null", **keys})

    def clean_up(self):
        for name in self.names:
            systemctl("stop", "--no-block", name, check=False)
        for name in self.names:
            systemctl("kill", "--signal=KILL", name, check=False)
            systemctl("stop", name, check=False)
            systemctl("reset-failed", name, check=False)
            (PLACE / name).unlink()
        systemctl("daemon-reload")


def show(unit, name):
    return systemctl("show", f"--property={name}", "--value", "--", unit).strip()


def state(unit):
    return f"{show(unit, 'ActiveState')} ({show(unit, 'SubState')})"


def wait_for(unit, wanted):
    wait_until(lambda: wanted in state(unit), f"{unit}: {wanted}", LIMIT)


def main_pid(unit):
    return int(show(unit, "MainPID"))


def files_of(place):
    """Every file and link below a folder, with what is in it."""
    return {path: os.readlink(path) if path.is_symlink() else path.read_bytes()
            for path in place.rglob("*") if path.is_symlink() or path.is_file()}


class Installed:
    """What svcmgr itself installs, from a site's configurations."""

    def __init__(self, site):
        self.site = site
        self.before = files_of(PLACE)

    def install(self, name="webui", *options):
        result = self.site.svcmgr("install", name, *options)
        assert result.code == 0, result
        return result

    def uninstall(self, name="webui"):
        result = self.site.svcmgr("uninstall", name)
        assert result.code == 0, result
        return result

    def clean_up(self):
        names = [path.stem for path in PLACE.glob("svcmgr-*.service") if path not in self.before]
        for name in names:
            self.site.svcmgr("uninstall", name.removeprefix("svcmgr-"))
        left = files_of(PLACE).keys() - self.before.keys()
        for path in left:
            path.unlink()
        systemctl("daemon-reload")
        systemctl("reset-failed", check=False)
        assert not left, f"files were left behind: {left}"


class User:
    """A user of their own, with a systemd of their own: pam_systemd(8), loginctl(1)."""

    def __init__(self, name, directory):
        self.name = name
        self.home = Path(f"/home/{name}")
        systemctl("start", "dbus.service", "systemd-logind.service")
        subprocess.run(["useradd", "--create-home", name], check=True)
        self.uid = int(subprocess.run(["id", "-u", name], check=True, capture_output=True,
                                      text=True).stdout)
        # The tests' folders are root's alone.
        for folder in (Path(SVCMGR).parents[i] for i in range(len(Path(SVCMGR).parents))):
            folder.chmod(folder.stat().st_mode | 0o111)
        directory.chmod(0o777)
        self.config = self.home / ".config/svcmgr"
        self.state = self.home / ".local/state/svcmgr"
        self.place = self.home / ".config/systemd/user"

    def run(self, *words, **options):
        return subprocess.run(
            ["setpriv", f"--reuid={self.name}", f"--regid={self.name}", "--init-groups", "env", "-i",
             f"HOME={self.home}", "PATH=/usr/bin:/bin", *map(str, words)],
            capture_output=True, text=True, timeout=60, cwd="/", stdin=subprocess.DEVNULL,
            check=False, **options)

    def svcmgr(self, *words):
        completed = self.run(SVCMGR, *words)
        return Result(completed, 0)

    def systemctl(self, *words):
        return self.run("env", f"XDG_RUNTIME_DIR=/run/user/{self.uid}", "systemctl", "--user",
                        *words).stdout.strip()

    def add_webui(self, name="webui"):
        port = free_port()
        result = self.svcmgr("add", name, "--listen", f"127.0.0.1:{port}", "--health", "/health",
                             "--", WEBUI, "--quiet")
        assert result.code == 0, result
        return port

    def linger(self, on=True):
        loginctl("enable-linger" if on else "disable-linger", self.name)
        if on:
            wait_until(lambda: Path(f"/run/user/{self.uid}/systemd/private").exists())

    @property
    def lingers(self):
        return Path(f"/var/lib/systemd/linger/{self.name}").exists()

    def clean_up(self):
        self.svcmgr("stop", "--all", "--now")
        loginctl("disable-linger", self.name)
        systemctl("stop", f"user@{self.uid}.service", check=False)
        left = processes_with(f"/home/{self.name}")
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not processes_with(f"/home/{self.name}"))
        subprocess.run(["userdel", "--force", "--remove", self.name], check=True,
                       capture_output=True)
        return left


def loginctl(*words):
    subprocess.run(["loginctl", *words], check=True, timeout=60, stdin=subprocess.DEVNULL)
