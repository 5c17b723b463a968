"""What launchd is to a job, where there is none: jobs from real plists by launchd.plist(5), and a
launchctl with the verbs and codes of the real one.

usage: launchd.py FOLDER      until it is asked to end; launchctl.c is FOLDER/launchctl

In the portable build svcmgr takes FOLDER (SVCMGR_LAUNCHD) for launchd: FOLDER/pid is its pid, what is
in /Library there is in FOLDER/root/Library.  'launchctl set KEY JSON' is for the tests:
domains     the sessions that there are
throttle    seconds between two starts, instead of ThrottleInterval
gone_after  seconds that a label is still known after its job has ended
refuse      how many bootstraps are still refused with EIO
load_delay  seconds until a job with RunAtLoad is started
"""

import contextlib
import ctypes
import json
import os
import plistlib
import resource
import selectors
import signal
import socket
import subprocess
import sys
import time

IO, IN_PROGRESS, NO_SERVICE, DISABLED, NO_DOMAIN = 5, 37, 113, 119, 125
SAYS = {IO: "Input/output error", IN_PROGRESS: "Operation already in progress",
        DISABLED: "Service is disabled", NO_DOMAIN: "Domain does not support specified action"}
PR_SET_CHILD_SUBREAPER = 36
OPEN_FILES = 256  # what launchd starts its jobs with
EXIT_TIMEOUT, THROTTLE = 20, 10


def fails(what, code):
    return code, f"{what} failed: {code}: {SAYS[code]}\n"


def read_plist(path):
    """As libplist reads it."""
    made = subprocess.run(["plistutil", "-i", path, "-f", "bin"], capture_output=True, check=False)
    if made.returncode != 0 or not made.stdout.startswith(b"bplist"):
        raise ValueError(path)
    return plistlib.loads(made.stdout)


def listen(entry):
    """The sockets that one dictionary of "Sockets" asks for."""
    if "SockPathName" in entry:
        made = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(entry["SockPathName"])
        made.bind(entry["SockPathName"])
        os.chmod(entry["SockPathName"], entry.get("SockPathMode", 0o777))
    else:
        dual = entry.get("SockFamily") == "IPv4v6"
        family = socket.AF_INET if entry.get("SockFamily") == "IPv4" else socket.AF_INET6
        made = socket.socket(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
        made.bind((entry.get("SockNodeName", "::" if dual else ""), int(entry["SockServiceName"])))
    made.listen()
    return made


class Job:
    def __init__(self, domain, path, plist):
        self.domain, self.path, self.plist = domain, path, plist
        self.label = plist["Label"]
        self.pid = None
        self.runs = 0
        self.started = None
        self.last_exit = "(never exited)"
        self.start_at = None  # when it is started
        self.kill_at = None
        self.gone_at = None
        self.removing = False
        self.sockets = {}

    def state(self):
        if self.pid:
            return "running"
        return "spawn scheduled" if self.start_at and self.runs else "not running"


class Launchd:
    def __init__(self, folder):
        self.folder = folder
        uid = os.getuid()
        self.settings = {"domains": ["system", f"gui/{uid}", f"user/{uid}"], "throttle": None,
                         "gone_after": 0, "refuse": 0, "load_delay": 0}
        self.jobs = {}
        self.disabled = set()
        self.calls = []
        self.selector = selectors.DefaultSelector()

    # -- jobs ----------------------------------------------------------------------------------

    def throttle(self, job):
        if self.settings["throttle"] is not None:
            return self.settings["throttle"]
        return job.plist.get("ThrottleInterval", THROTTLE)

    def schedule(self, job):
        """It is started as soon as its throttle allows, which counts from the last start."""
        now = time.monotonic()
        job.start_at = max(now, job.started + self.throttle(job) if job.runs else now)

    def environment(self, job, handed):
        made = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": os.environ.get("HOME", "/"),
                "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh", "TMPDIR": "/tmp"}
        made |= job.plist.get("EnvironmentVariables", {})
        made |= {"XPC_SERVICE_NAME": job.label, "XPC_FLAGS": "0x0", "SVCMGR_LAUNCHD": self.folder}
        if handed:
            made["SVCMGR_LAUNCHD_SOCKETS"] = ";".join(
                f"{name}={','.join(map(str, numbers))}" for name, numbers in handed.items())
        return made

    def start(self, job):
        plist = job.plist
        handed = {name: [one.fileno() for one in made] for name, made in job.sockets.items()}
        outputs = []
        for key in ("StandardOutPath", "StandardErrorPath"):
            path = plist.get(key, "/dev/null")
            outputs.append(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644))
        files = plist.get("SoftResourceLimits", {}).get("NumberOfFiles", OPEN_FILES)

        def limit():
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, hard), hard))

        self.watch(job, False)
        job.start_at = None
        job.started = time.monotonic()
        job.runs += 1
        try:
            child = subprocess.Popen(
                plist["ProgramArguments"], env=self.environment(job, handed), cwd="/",
                stdin=subprocess.DEVNULL, stdout=outputs[0], stderr=outputs[1],
                start_new_session=True, umask=plist.get("Umask", 0o22), preexec_fn=limit,
                pass_fds=[number for numbers in handed.values() for number in numbers])
            child.returncode = 0  # reaped with all others
            job.pid = child.pid
        except OSError:
            self.ended(job, 78 << 8)
        finally:
            for output in outputs:
                os.close(output)

    def ended(self, job, status):
        by_signal = os.WIFSIGNALED(status)
        if job.pid and not job.plist.get("AbandonProcessGroup"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)
        job.pid = job.kill_at = None
        job.last_exit = "(never exited)" if by_signal else str(os.WEXITSTATUS(status))
        if job.removing:
            job.gone_at = time.monotonic() + self.settings["gone_after"]
            return
        keep = job.plist.get("KeepAlive", False)
        if isinstance(keep, dict):
            clean = not by_signal and os.WEXITSTATUS(status) == 0
            keep = ("SuccessfulExit" in keep and keep["SuccessfulExit"] == clean) or (
                "Crashed" in keep and keep["Crashed"] == by_signal)
        if keep:
            self.schedule(job)
        else:
            self.watch(job, True)

    def watch(self, job, on):
        """Whoever connects starts a job that does not run."""
        for made in job.sockets.values():
            for one in made:
                with contextlib.suppress(KeyError):
                    self.selector.unregister(one)
                if on:
                    self.selector.register(one, selectors.EVENT_READ, job)

    def drop(self, job):
        self.watch(job, False)
        for made in job.sockets.values():
            for one in made:
                one.close()
        del self.jobs[job.domain, job.label]

    # -- verbs ---------------------------------------------------------------------------------

    def find(self, target):
        domain, _, label = target.rpartition("/")
        return self.jobs.get((domain, label))

    def missing(self, target):
        domain, _, label = target.rpartition("/")
        if domain not in self.settings["domains"]:
            return fails("Could not find domain", NO_DOMAIN)
        return NO_SERVICE, f'Could not find service "{label}" in domain for {domain}\n'

    def verb_bootstrap(self, domain, path):
        if domain not in self.settings["domains"]:
            return fails("Bootstrap", NO_DOMAIN)
        if self.settings["refuse"] > 0:
            self.settings["refuse"] -= 1
            return fails("Bootstrap", IO)
        try:
            plist = read_plist(path)
            job = Job(domain, path, plist)
            session = plist.get("LimitLoadToSessionType", "Aqua")
        except (ValueError, KeyError, TypeError, AttributeError):
            return fails("Bootstrap", IO)
        wanted = {"gui": "Aqua", "user": "Background"}.get(domain.split("/")[0])
        if wanted and wanted not in ([session] if isinstance(session, str) else session):
            return fails("Bootstrap", IO)
        if (domain, job.label) in self.disabled:
            return fails("Bootstrap", DISABLED)
        known = self.jobs.get((domain, job.label))
        if known:
            return fails("Bootstrap", IN_PROGRESS if known.removing else IO)
        for name, entries in plist.get("Sockets", {}).items():
            entries = entries if isinstance(entries, list) else [entries]
            job.sockets[name] = [listen(entry) for entry in entries]
        self.jobs[domain, job.label] = job
        if plist.get("RunAtLoad") or plist.get("KeepAlive") is True:
            job.start_at = time.monotonic() + self.settings["load_delay"]
        else:
            self.watch(job, True)
        return 0, ""

    def verb_bootout(self, target):
        """It answers at once; the job ends, and the label is free some time after that."""
        job = self.find(target)
        if not job:
            return 3, "Boot-out failed: 3: No such process\n"
        now = time.monotonic()
        if not job.removing:
            job.removing = True
            job.start_at = None
            if job.pid:
                os.kill(job.pid, signal.SIGTERM)
                job.kill_at = now + job.plist.get("ExitTimeOut", EXIT_TIMEOUT)
            else:
                job.gone_at = now + self.settings["gone_after"]
        return 0, ""

    def verb_kickstart(self, *words):
        job = self.find(words[-1])
        if not job:
            return self.missing(words[-1])
        if job.removing or (job.pid and "-k" not in words):
            return fails("Kickstart", IN_PROGRESS)
        self.schedule(job)
        if job.pid:
            job.start_at = None
            os.kill(job.pid, signal.SIGKILL)
        return 0, ""

    def verb_print(self, target):
        if target in self.settings["domains"]:
            return 0, f"{target} = {{\n\ttype = login\n\tsession = Aqua\n}}\n"
        job = self.find(target)
        if not job:
            return (fails("Could not print domain", NO_DOMAIN) if target.count("/") < 2
                    and target.split("/")[0] in ("gui", "user") else self.missing(target))
        lines = [f"active count = {1 if job.pid else 0}", f"path = {job.path}",
                 "type = LaunchAgent", f"state = {job.state()}", "",
                 f"program = {job.plist['ProgramArguments'][0]}", "arguments = {",
                 *(f"\t{word}" for word in job.plist["ProgramArguments"]), "}", "",
                 "inherited environment = {", "\tSSH_AUTH_SOCK => /private/tmp/x", "}", "",
                 f"minimum runtime = {self.throttle(job)}",
                 f"exit timeout = {job.plist.get('ExitTimeOut', EXIT_TIMEOUT)}",
                 f"runs = {job.runs}", *([f"pid = {job.pid}"] if job.pid else []),
                 f"last exit code = {job.last_exit}", "", "sockets = {", '\t"Listeners" = {',
                 "\t\tstate = active", "\t\tpid = 1", "\t\tpath = /nowhere", "\t}", "}", "",
                 "event channels = {", "\tstate = active", "\truns = 77", "}"]
        return 0, "\n".join([f"{target} = {{", *(f"\t{line}" if line else "" for line in lines),
                             "}", ""])

    def verb_list(self):
        """The jobs of all domains, as there is one user here."""
        rows = [f"{job.pid or '-'}\t0\t{job.label}\n" for job in self.jobs.values()]
        return 0, "PID\tStatus\tLabel\n" + "".join(rows)

    def verb_disable(self, target):
        self.disabled.add(tuple(target.rsplit("/", 1)))
        return 0, ""

    def verb_enable(self, target):
        self.disabled.discard(tuple(target.rsplit("/", 1)))
        return 0, ""

    def verb_print_disabled(self, domain):
        rows = [f'\t\t"{label}" => disabled\n' for where, label in self.disabled if where == domain]
        return 0, "\tdisabled services = {\n" + "".join(rows) + "\t}\n"

    def verb_set(self, key, value):
        self.settings[key] = json.loads(value)
        return 0, ""

    def verb_calls(self):
        return 0, json.dumps(self.calls)

    # -- life ----------------------------------------------------------------------------------

    def answer(self, words):
        if words[0] not in ("set", "calls", "print", "print-disabled", "list"):
            self.calls.append(words)
        return getattr(self, "verb_" + words[0].replace("-", "_"))(*words[1:])

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for job in list(self.jobs.values()):
                if job.pid == pid:
                    self.ended(job, status)

    def on_time(self):
        now = time.monotonic()
        for job in list(self.jobs.values()):
            if job.start_at is not None and not job.pid and now >= job.start_at:
                self.start(job)
            if job.kill_at is not None and now >= job.kill_at:
                job.kill_at = None
                os.kill(job.pid, signal.SIGKILL)
            if job.gone_at is not None and now >= job.gone_at:
                self.drop(job)

    def next_time(self):
        times = [at for job in self.jobs.values()
                 for at in (None if job.pid else job.start_at, job.kill_at, job.gone_at)
                 if at is not None]
        return max(0, min(times) - time.monotonic()) if times else None

    def serve(self, control):
        connection, _ = control.accept()
        with connection, connection.makefile("rwb") as stream:
            words = stream.read().decode(errors="surrogateescape").split("\0")[:-1]
            code, text = self.answer(words)
            stream.write(f"{code}\n{text}".encode(errors="surrogateescape"))

    def run(self):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans are launchd's
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        control = socket.socket(socket.AF_UNIX)
        control.bind(f"{self.folder}/socket")
        control.listen()
        self.selector.register(control, selectors.EVENT_READ)
        self.selector.register(wake, selectors.EVENT_READ)
        with open(f"{self.folder}/pid", "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
        while True:
            for key, _ in self.selector.select(self.next_time()):
                if key.fileobj is control:
                    self.serve(control)
                elif key.fileobj is wake:
                    wake.recv(4096)
                else:
                    self.watch(key.data, False)
                    self.schedule(key.data)
            self.reap()
            self.on_time()


if __name__ == "__main__":
    Launchd(sys.argv[1]).run()
