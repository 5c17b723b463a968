"""All launches of one account meet in one lock, wherever they come from; and a state directory that
cannot be used is refused, so that nothing runs unguarded.

The account is a throwaway one: its entry in the user database, its home, /etc/svcmgr and
/var/lib/svcmgr are mounts that only the processes of the test see."""

import os
import shutil
import signal
import subprocess

import pytest
from strangers import has_program, is_root
from support import (LIMIT, MISBEHAVE, SVCMGR, WINDOWS, free_port, get, processes_with,
                     wait_until)

pytestmark = pytest.mark.skipif(
    not is_root() or not all(map(has_program, ("unshare", "nsenter", "setpriv"))),
    reason="needs root, unshare, nsenter and setpriv")

UID = 54321
HOME = "/mnt"
CALLERS = 200
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Account:
    """A user (or root) with a home, and a mount namespace in which all of it is true."""

    def __init__(self, site, uid):
        self.site = site
        self.uid = uid
        self.port = free_port()
        self.home = site.directory / "home"
        self.state = ((site.directory / "varlib") if uid == 0 else
                      self.home / ".local" / "state") / "svcmgr" / "webui"
        for name in ("home", "varlib", "etc", "elsewhere"):
            (site.directory / name).mkdir()
        for name in ("passwd", "group", "nsswitch.conf"):
            if os.path.exists(f"/etc/{name}"):
                shutil.copy(f"/etc/{name}", site.directory / "etc")
        with open(site.directory / "etc" / "passwd", "a", encoding="ascii") as passwd:
            passwd.write(f"throwaway:x:{UID}:{UID}::{HOME}:/bin/sh\n")
        shutil.copy(SVCMGR, self.home / "svcmgr")
        shutil.copy(MISBEHAVE, self.home / "misbehave")
        self.write_config()
        self.give(self.home)
        self.holder = self.hold_namespace()

    def give(self, top):
        for place, _, names in os.walk(top):
            for path in (place, *(os.path.join(place, name) for name in names)):
                os.chown(path, self.uid, self.uid)

    def write_config(self):
        program = f"echo $$ >> {HOME}/spawned; exec {HOME}/misbehave serve"
        self.site.add("webui", ["/bin/sh", "-c", program], directory=HOME,
                      health={"http": "/health"},
                      listen={"address": f"127.0.0.1:{self.port}", "socket": "inherit"})
        where = self.site.directory / "etc" if self.uid == 0 else self.home / ".config"
        (where / "svcmgr").mkdir(parents=True)
        shutil.copy(self.site.config_dir / "webui.json", where / "svcmgr")

    def hold_namespace(self):
        """A process that keeps the mounts for as long as the test needs them."""
        top, ready = self.site.directory, self.site.directory / "ready"
        etc = "/etc" if self.uid == 0 else "/etc/passwd"
        script = (f"set -e; mount --bind {top}/home {HOME}; mount --bind {top}/varlib /var/lib; "
                  f"mount --bind {top}{etc} {etc}; touch {ready}; exec sleep 600")
        holder = self.site.stranger("unshare", "--mount", "--propagation", "private", "sh", "-c",
                                    script)
        wait_until(ready.exists, "the mounts")
        return holder

    def ways(self):
        """Environments and directories that a launch comes from: ENV, working directory, and what
        switches the user."""
        switch = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        runuser = ["runuser", "-u", "throwaway", "--"] if self.uid and has_program("runuser") \
            else switch
        elsewhere = str(self.site.directory / "elsewhere")
        other = {name: elsewhere for name in (
            "HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR",
            "XDG_CACHE_HOME", "TMPDIR", "TMP", "TEMP", "PWD")}
        return [
            ({"HOME": HOME, "USER": "throwaway", "LANG": "C.UTF-8"}, HOME, switch),  # a login
            ({"HOME": "/root", "USER": "root", "LOGNAME": "root"}, "/", switch),  # su, sudo -E
            ({"HOME": "/root", "SUDO_USER": "bob", "SUDO_UID": "1000"}, "/usr", runuser),  # sudo
            ({"HOME": HOME, "SHELL": "/bin/sh", "LOGNAME": "throwaway"}, "/", switch),  # cron
            ({}, "/", switch),  # env -i
            ({"HOME": HOME, "SSH_CONNECTION": "::1 1 ::1 22", "TERM": "xterm",
              "XDG_RUNTIME_DIR": f"/run/user/{UID}"}, HOME, switch),  # ssh
            (other, elsewhere, switch),
            ({"HOME": "", "XDG_STATE_HOME": "", "TMPDIR": "", "SVCMGR_STATE_DIR": ""}, "/etc",
             switch),
            ({"HOME": "relative/home", "XDG_STATE_HOME": "../state"}, "/usr/bin", switch),
            ({"HOME": "/nonexistent", "INVOCATION_ID": "0" * 32, "JOURNAL_STREAM": "1:2"}, "/var",
             switch),
        ]

    def launch(self, way, *words, **options):
        environment, directory, switch = way
        command = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "env", "-C", directory,
                   "-i", *(f"{name}={value}" for name, value in
                           {"PATH": PATH, **sanitizer_options(), **environment}.items()),
                   *switch, f"{HOME}/svcmgr", *words]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, **options)

    def run(self, way, *words):
        child = self.launch(way, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = child.communicate(timeout=60)
        return child.returncode, out, err

    def spawned(self):
        return (self.home / "spawned").read_text().split()

    def end(self):
        self.run(self.ways()[0], "stop", "webui", "--now")
        wait_until(lambda: not processes_with(f"{HOME}/misbehave"), "the end of all processes")


def sanitizer_options():
    return {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
            if name in os.environ}


@pytest.fixture(params=[UID, 0], ids=["user", "root"])
def account(site, request):
    site.directory.chmod(0o755)
    for parent in list(site.directory.parents)[:2]:
        if parent.stat().st_mode & 0o001 == 0 and str(parent).startswith("/tmp/pytest"):
            parent.chmod(0o711)
    made = Account(site, request.param)
    yield made
    made.end()


def test_every_way_of_launching_finds_the_same_service(account):
    """HOME, XDG_*, TMPDIR, the working directory, sudo, cron, ssh: one lock and one state."""
    pids = set()
    for way in account.ways():
        code, out, err = account.run(way, "start", "webui")
        assert code == 0 and err == "", (way, code, out, err)
        pids.add(out.split("pid ")[1].split(",")[0])
        code, out, err = account.run(way, "--json", "status", "webui")
        assert code == 0 and f'"pid":{min(pids)},' in out, (way, out, err)
    assert len(pids) == 1 and account.spawned() == [*pids]
    assert (account.state / "pid").exists()
    assert os.listdir(account.site.directory / "elsewhere") == []
    for way in account.ways():
        code, out, err = account.run(way, "restart", "webui")
        assert code == 0, (way, out, err)
    code, _, err = account.run(account.ways()[-1], "stop", "webui")
    assert code == 0 and err == ""
    assert len(account.spawned()) == 1 + len(account.ways())


def test_two_hundred_starts_from_everywhere_are_one_instance(account):
    ways = account.ways()
    children = [account.launch(ways[number % len(ways)], "start", "webui", stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE) for number in range(CALLERS)]
    said = [(child.communicate(timeout=120), child.returncode) for child in children]
    pids = account.spawned()
    assert len(pids) == 1
    for (out, err), code in said:
        assert code == 0 and f"pid {pids[0]}," in out and err == "", (code, out, err)
    assert get(account.port)[0] == 200
    assert os.listdir(account.site.directory / "elsewhere") == []


# ---- A place that cannot be used ----------------------------------------------------------------


def with_state_on(site, mount, *words):
    """A command for which the state directory is what a mount made of it; all that it started is
    gone when it returns."""
    site.state_dir.mkdir(exist_ok=True)
    script = f"set -e; cd /; S='{site.state_dir}'; {mount}; exec \"$@\""
    child = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", script,
                              "sh", *site.command(*words)], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env=site.environment,
                             stdin=subprocess.DEVNULL)
    site.children.append(child)
    out, err = child.communicate(timeout=LIMIT)
    return child.returncode, out, err


def full(pages):
    """A file system with room for so many more files of a page."""
    return (f'mount -t tmpfs -o size={4 * (pages + 1)}k,mode=0755 none "$S"; '
            f'head -c 4096 /dev/zero > "$S/full"')


@pytest.mark.parametrize("command", ["start", "run"])
@pytest.mark.parametrize("mount,said", [
    ('mount --bind "$S" "$S"; mount -o remount,bind,ro "$S"', "Read-only file system"),
    (full(0), "No space left on device"),
    (full(1), "No space left on device"),  # the lock fits, the record does not
    (full(2), "No space left on device"),  # the copy of the configuration fits too
    ('mount -t tmpfs -o nr_inodes=2,mode=0755 none "$S"; touch "$S/full"',
     "No space left on device"),
], ids=["read-only", "full", "no room for the record", "little room", "no inode"])
def test_what_cannot_be_recorded_is_not_started(site, mount, said, command):
    mark = site.directory / "spawned"
    site.add("webui", [MISBEHAVE, "touch", mark, "sleep-forever"], settle="10ms")
    code, _, err = with_state_on(site, mount, command, "webui")
    assert code == 1, (code, err)
    assert said in err and str(site.state_of("webui")) in err, err
    assert not mark.exists()
    wait_until(lambda: not processes_with(str(site.directory)))


def test_a_path_that_no_socket_could_have_works_from_everywhere(site):
    """Longer than a Unix socket's path may be, whatever the working directory."""
    site.state_dir = site.directory / ("d" * 100) / ("e" * 100)
    site.add("webui", [MISBEHAVE, "sleep-forever"], settle="10ms")
    assert site.svcmgr("start", "webui", cwd="/").code == 0
    pid = site.status()["pid"]
    assert "already running" in site.svcmgr("start", "webui", cwd=site.directory).out
    if not WINDOWS:  # where nobody starts it again
        os.kill(site.status()["supervisor_pid"], signal.SIGKILL)
        wait_until(lambda: site.status()["state"] == "ready")
    assert site.svcmgr("run", "webui").code == 10
    assert site.status()["pid"] == pid
    assert site.svcmgr("stop", "webui", cwd="/usr").code == 0
