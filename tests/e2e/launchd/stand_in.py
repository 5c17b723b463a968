"""launchd's stand-in (tests/helpers/launchd.py) as the tests use it."""

import json
import os
import subprocess

from support import BUILD, PYTHON, ROOT, wait_until

PROGRAM = str(ROOT / "tests/helpers/launchd.py")
UID = os.getuid()
GUI, USER = f"gui/{UID}", f"user/{UID}"


class StandIn:
    """Runs it for a site, whose services are the user's from now on."""

    def __init__(self, site):
        self.site = site
        self.folder = site.directory / "launchd"
        self.folder.mkdir()
        self.launchctl = self.folder / "launchctl"
        self.launchctl.symlink_to(BUILD / "tests" / "launchctl")
        self.program = site.stranger(PYTHON, "-I", "-S", PROGRAM, self.folder)
        wait_until(lambda: (self.folder / "pid").exists() and (self.folder / "pid").read_text())
        site.environment["SVCMGR_LAUNCHD"] = str(self.folder)
        self.set_scope("--user")
        self.set("throttle", 0.2)

    def set_scope(self, scope):
        plain = type(self.site).command
        self.site.command = lambda *words: plain(self.site, scope, *words)

    @property
    def agents(self):
        """Where a user's plists are."""
        home = subprocess.run(["getent", "passwd", str(UID)], capture_output=True, text=True,
                              check=True).stdout.split(":")[5]
        return self.folder / "root" / home.lstrip("/") / "Library/LaunchAgents"

    def plist(self, name="webui"):
        return self.agents / f"svcmgr.{name}.plist"

    def ask(self, *words):
        """launchctl: its code and what it says."""
        result = subprocess.run([self.launchctl, *map(str, words)], capture_output=True, text=True,
                                check=False)
        return result.returncode, result.stdout + result.stderr

    def do(self, *words):
        code, text = self.ask(*words)
        assert code == 0, (words, code, text)
        return text

    def set(self, key, value):
        self.do("set", key, json.dumps(value))

    def calls(self, verb=None):
        """What it was asked to change so far."""
        return [words for words in json.loads(self.do("calls")) if verb in (None, words[0])]

    def job(self, name="webui", domain=GUI):
        """What it says of a job; {} if it has none."""
        code, text = self.ask("print", f"{domain}/svcmgr.{name}")
        lines = [line[1:] for line in text.splitlines() if line[:1] == "\t" != line[1:2]]
        return dict(line.split(" = ", 1) for line in lines if " = " in line) if code == 0 else {}

    def runs(self, name="webui", domain=GUI):
        return int(self.job(name, domain)["runs"])

    def pid(self, name="webui", domain=GUI):
        return int(self.job(name, domain).get("pid", 0))

    def labels(self):
        return [line.split("\t")[2] for line in self.do("list").splitlines()[1:]]

    def end_all(self):
        """As at the end of a session."""
        self.set("gone_after", 0)
        for label in self.labels():
            for domain in (GUI, USER, "system"):
                self.ask("bootout", f"{domain}/{label}")
        wait_until(lambda: not self.labels(), "the end of all jobs")

    def install(self, name="webui", *options):
        result = self.site.svcmgr("install", name, *options)
        assert result.code == 0, result
        return result

    def wait_for_run(self, name="webui", number=1, domain=GUI):
        """Until it has been started so often, and runs."""
        wait_until(lambda: self.job(name, domain).get("state") == "running" and
                   self.runs(name, domain) == number, f"run {number} of {name}")
        return self.pid(name, domain)
