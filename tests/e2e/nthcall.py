"""The n-th system call of one process of svcmgr's is its last, or fails (helpers/nthcall.c)."""

import subprocess

from support import BUILD

NTHCALL = BUILD / "tests" / "nthcall"

# Who makes the calls: by descent from the command, or from a supervisor that runs already.
CLI, KEEPER, SUPERVISOR, CHILD = "command", "keeper", "supervisor", "child"
BY_DESCENT = {CLI: ["command"], KEEPER: ["command/1"], SUPERVISOR: ["command/2"],
              CHILD: ["command/3", "before-exec"]}


def target(role, running=None):
    """The words for nthcall; running is the status of a service whose processes it is about."""
    if running is None or role == CLI:
        return BY_DESCENT[role]
    if role == CHILD:
        return [f"{running['supervisor_pid']}/1", "before-exec"]
    return [str(running[f"{role}_pid"])]


class Outcome:
    """What came of a command under nthcall."""

    def __init__(self, report, out, err):
        lines = [line.split() for line in report.splitlines()]
        self.calls = [value for word, value in lines if word == "call"]
        self.acted = next((value for word, value in lines if word == "acted"), None)
        self.code = next(int(value) for word, value in lines if word == "code")
        self.out, self.err = out, err

    def __repr__(self):
        return f"<code {self.code}, at {self.acted}\nout: {self.out}\nerr: {self.err}>"


def run(site, words, action, *command):
    """Runs svcmgr to its end while something happens to one process; see target()."""
    report = site.directory / "nthcall"
    child = subprocess.Popen([NTHCALL, report, *words, *map(str, action), "--",
                              *site.command(*command)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env=site.environment)
    site.children.append(child)
    out, err = child.communicate(timeout=90)
    site.children.remove(child)
    assert child.returncode == 0, (words, action, out, err)
    return Outcome(report.read_text(), out, err)
