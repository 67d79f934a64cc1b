"""A private Hikyaku instance for system tests: its directory, configuration, ports and processes.

Everything lives below one temporary directory and on free ports of 127.0.0.1, so that tests run
side by side.  Nothing sleeps: waiting is polling for the event, with a deadline.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("HK_BUILD_DIR", ".")).resolve()
SOURCE = pathlib.Path(os.environ.get("HK_SOURCE_DIR", ".")).resolve()
# An installation (DESTDIR and prefix) instead of the build tree.
INSTALLED = os.environ.get("HK_INSTALL_ROOT")
if INSTALLED:
    PREFIX = pathlib.Path(INSTALLED + os.environ["HK_INSTALL_PREFIX"])
    HIKYAKU, ROLES, MODULES = PREFIX / "sbin/hikyaku", PREFIX / "libexec/hikyaku", PREFIX / "lib/hikyaku"
else:
    HIKYAKU, ROLES, MODULES = BUILD / "hikyaku", BUILD, BUILD / ".libs"
DEADLINE = float(os.environ.get("HK_TEST_DEADLINE", "60"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, what, deadline=None):
    """Poll CONDITION until it is true; its value."""
    end = time.monotonic() + (deadline or DEADLINE)
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def is_stopped(pid):
    """SIGSTOP has reached each thread of PID (or it is gone); until then it may still answer."""
    try:
        return all((t / "stat").read_text().rpartition(")")[2].split()[0] in "TZX"
                   for t in pathlib.Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return not os.path.exists(f"/proc/{pid}")


MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
"""

MAIN = """\
queue_directory = {dir}/spool
data_directory = {dir}/data
plugin_directory = {plugins}
maillog_file = {dir}/mail.log
myhostname = mx.test
mydomain = test
myorigin = mx.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = virt.test
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = inline:{{ user@virt.test=user/ postmaster@virt.test=user/ other@virt.test=other/ }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
"""


class Instance:
    """with Instance(main="…extra lines…") as mta: …"""

    def __init__(self, main="", master=None, base_main=MAIN, files=None, name="mta"):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"hk-{name}-"))
        self.dir.chmod(0o755)
        self.port = free_port()
        uid, gid = os.getuid(), os.getgid()
        if uid == 0:                       # mail is delivered as somebody who is not root
            uid = gid = 65534
        self.etc = self.dir / "etc"
        self.etc.mkdir()
        (self.dir / "mail").mkdir()
        os.chown(self.dir / "mail", uid, gid)
        for path, text in (files or {}).items():
            (self.etc / path).write_text(text.format(dir=self.dir, etc=self.etc, port=self.port))
        self.main = base_main.format(dir=self.dir, plugins=MODULES, uid=uid, gid=gid)
        self.main += main.format(dir=self.dir, etc=self.etc, port=self.port, uid=uid, gid=gid)
        self.master = (master or MASTER).format(port=self.port, dir=self.dir)
        self.write_config()
        self.proc = None

    def write_config(self):
        (self.etc / "conf.d").mkdir(exist_ok=True)
        (self.etc / "main.cf").write_text(self.main)
        (self.etc / "master.cf").write_text(self.master)

    def __enter__(self):
        try:
            self.start()
        except BaseException as e:
            self.__exit__(type(e), e, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.stop()
        if kind is None and not os.environ.get("HK_TEST_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)
        else:
            print(f"# kept {self.dir}")
            for line in self.log().splitlines()[-40:]:
                print("# log: " + line)

    def env(self):
        return dict(os.environ, HIKYAKU_ROLE_DIR=str(ROLES), MAIL_CONFIG=str(self.etc))

    def run(self, verb, *args, input=None, check=False, timeout=60):
        """One tool: hikyaku -c ETC VERB ARGS."""
        p = subprocess.run([str(HIKYAKU), "-c", str(self.etc), verb, *map(str, args)],
                           env=self.env(), input=input, capture_output=True, timeout=timeout)
        if check and p.returncode != 0:
            raise AssertionError(f"hikyaku {verb} {args}: exit {p.returncode}: {p.stderr.decode()}")
        return p

    def start(self, wait=True):
        self.err = open(self.dir / "stderr", "ab")
        self.proc = subprocess.Popen([str(HIKYAKU), "-c", str(self.etc), "start-fg"],
                                     env=self.env(), stdout=self.err, stderr=self.err,
                                     start_new_session=True)
        if wait:
            self.wait_up()

    def wait_up(self):
        def greeted():
            if self.proc.poll() is not None:
                raise AssertionError(f"the mail system ended with {self.proc.returncode}: "
                                     + (self.dir / "stderr").read_text(errors="replace"))
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
                    return s.recv(200).startswith(b"220")
            except OSError:
                return False
        def has_qmgr():                    # smtpd takes mail before qmgr has read its queue
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(str(self.dir / "spool/public/qmgr"))
                    return True
            except OSError:
                return self.proc.poll() is not None
        wait_until(greeted, "the greeting")
        if (self.dir / "spool/public").is_dir():
            wait_until(has_qmgr, "the queue manager")

    def children(self):
        """{pid: program} of master's processes."""
        out = {}
        text = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(self.proc.pid)],
                              capture_output=True, text=True).stdout
        for line in text.splitlines():
            pid, comm = line.split(None, 1)
            out[int(pid)] = comm.strip()
        return out

    def stop(self, sig=signal.SIGTERM):
        if self.proc is None:
            return
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
            try:
                self.proc.wait(timeout=DEADLINE)
            except subprocess.TimeoutExpired:
                os.killpg(self.proc.pid, signal.SIGKILL)
                self.proc.wait()
                raise AssertionError("the mail system did not stop")
            finally:
                self.err.close()
        self.returncode, self.proc = self.proc.returncode, None
        self.check_sanitizers()

    def check_sanitizers(self):
        """A role that a sanitizer ended is started again and might go unnoticed."""
        said = (self.dir / "stderr").read_text(errors="replace")
        # Not "LeakSanitizer has encountered a fatal error": it could not stop a thread that was just
        # ending, looked at nothing and found nothing.
        for sign in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer",
                     "runtime error:"):
            at = said.find(sign)
            if at >= 0:
                raise AssertionError("a sanitizer's report: " + said[max(at - 50, 0):at + 3000])

    def kill_all(self):
        """Every process of the instance, at once."""
        group = self.proc.pid
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        self.proc.wait()

        def gone():
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return True
        wait_until(gone, "all its processes to be gone")
        self.proc = None
        self.err.close()

    def log(self):
        try:
            return (self.dir / "mail.log").read_text(errors="replace")
        except OSError:
            return ""

    def wait_log(self, text, deadline=None):
        wait_until(lambda: text in self.log(), f"the log to say {text!r}", deadline)

    def stats(self):
        return json.loads(self.run("stats", "--json", check=True).stdout or b"{}")

    def queue_length(self):
        return self.stats().get("queue", {}).get("messages", -1)

    def wait_empty(self, deadline=None):
        wait_until(lambda: self.queue_length() == 0, "the queue to be empty", deadline)

    def maildir(self, box="user"):
        """Contents of all messages in a box."""
        new = self.dir / "mail" / box / "new"
        return [p.read_bytes() for p in sorted(new.glob("*"))] if new.is_dir() else []


class Smtp:
    """A plain SMTP client: sends bytes as they are, reads replies."""

    def __init__(self, port, hello=b"client.test", timeout=30):
        self.s = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = b""
        self.greeting = self.reply()
        self.ehlo = self.cmd(b"EHLO " + hello) if hello else None

    def reply(self):
        lines = []
        while True:
            while b"\n" not in self.buf:
                d = self.s.recv(65536)
                if not d:
                    raise ConnectionError("closed: " + b" ".join(lines).decode(errors="replace"))
                self.buf += d
            line, self.buf = self.buf.split(b"\n", 1)
            lines.append(line.rstrip(b"\r"))
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines)

    def cmd(self, line):
        self.s.sendall(line + b"\r\n")
        return self.reply()

    def send(self, sender, rcpts, data):
        """One transaction; (code, text) of the last reply.  DATA is dot-stuffed here."""
        lines = [b"MAIL FROM:<" + sender + b">", *(b"RCPT TO:<" + r + b">" for r in rcpts), b"DATA"]
        self.s.sendall(b"\r\n".join(lines) + b"\r\n")
        replies = [self.reply() for _ in lines]
        if replies[-1][0] != 354:
            return next(r for r in replies if r[0] >= 400)
        if data.startswith(b"."):
            data = b"." + data
        self.s.sendall(data.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        return self.reply()

    def quit(self):
        with contextlib.suppress(OSError):
            self.cmd(b"QUIT")
        self.s.close()


def message(subject="test", body=b"hello\r\n", size=0):
    head = (f"From: <sender@load.test>\r\nTo: <user@virt.test>\r\nSubject: {subject}\r\n"
            f"Date: Mon, 01 Jan 2024 00:00:00 +0000\r\nMessage-ID: <{subject}@load.test>\r\n\r\n").encode()
    if size:
        line = b"x" * 78 + b"\r\n"
        body = line * max(1, (size - len(head)) // len(line))
    return head + body


# ---- TAP ------------------------------------------------------------------------------------

class Tap:
    """Runs the test functions of a file and prints TAP."""

    def __init__(self):
        self.tests = []

    def test(self, fn):
        self.tests.append(fn)
        return fn

    def main(self):
        only = sys.argv[1:]
        tests = [t for t in self.tests if not only or t.__name__ in only]
        print(f"1..{len(tests)}", flush=True)
        failed = 0
        for i, fn in enumerate(tests, 1):
            title = fn.__name__.removeprefix("test_").replace("_", " ")
            try:
                why = fn()
                print(f"ok {i} - {title}" + (f" # SKIP {why}" if why else ""), flush=True)
            except Exception as e:          # a test failure of any kind
                failed += 1
                import traceback
                for line in traceback.format_exc().splitlines():
                    print("# " + line)
                print(f"not ok {i} - {title}: {type(e).__name__}: {str(e)[:200]}", flush=True)
        sys.exit(1 if failed else 0)
