"""Backends of authentication, each private: Dovecot's auth service, saslauthd with a played IMAP
server behind it, and the database of the Cyrus library."""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
from instance import free_port, wait_until  # noqa: E402


def program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/lib/dovecot")


DOVECOT = """\
base_dir = {dir}/run
state_dir = {dir}/run
protocols =
log_path = {dir}/log
ssl = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
default_vsz_limit = 0
auth_mechanisms = plain login cram-md5
auth_failure_delay = {delay}
disable_plaintext_auth = no
passdb {{
  driver = passwd-file
  args = {dir}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nowhere
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
  client_limit = 100
}}
service auth {{
  unix_listener {socket} {{
    mode = 0666
  }}
  inet_listener smtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


class Dovecot:
    """Users: joe (secret), ann@virt.test (pass word)."""

    def __init__(self, directory, socket_path=None, delay="0"):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(mode=0o755)
        self.socket = pathlib.Path(socket_path or self.dir / "auth")
        self.port = free_port()
        # Its helpers run as somebody who is not root; a user's own instance as that user.
        user = pwd.getpwuid(os.getuid() or pwd.getpwnam("nobody").pw_uid)
        (self.dir / "users").write_text("joe:{PLAIN}secret\nann@virt.test:{PLAIN}pass word\n")
        self.conf = self.dir / "dovecot.conf"
        group = __import__("grp").getgrgid(user.pw_gid).gr_name
        self.conf.write_text(DOVECOT.format(dir=self.dir, user=user.pw_name, group=group, delay=delay,
                                            socket=self.socket, port=self.port))
        self.proc = None
        self.start()

    def start(self):
        self.proc = subprocess.Popen([program("dovecot"), "-F", "-c", str(self.conf)],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                     start_new_session=True)
        wait_until(self.is_up, "Dovecot's socket", 20)

    def is_up(self):
        if self.proc.poll() is not None:
            raise AssertionError(f"dovecot: {self.proc.stderr.read()}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
                s.sendall(b"VERSION\t1\t1\nCPID\t1\n")
                text = b""
                while b"DONE\n" not in text:
                    got = s.recv(4096)
                    if not got:
                        return False
                    text += got
                return True
        except OSError:
            return False

    def signal(self, sig):
        os.killpg(self.proc.pid, sig)

    def stop(self):
        if self.proc.poll() is None:
            self.signal(signal.SIGCONT)
            self.proc.terminate()
            self.proc.wait(20)
            try:
                self.signal(signal.SIGKILL)     # its services end when their clients have gone
            except ProcessLookupError:
                pass
        self.proc.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Imap(threading.Thread):
    """An IMAP server that knows LOGIN: what `saslauthd -a rimap` asks."""

    def __init__(self, users):
        super().__init__(daemon=True)
        self.users = users
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        def line():
            text = f.readline().rstrip(b"\r\n")
            while text.endswith(b"}"):          # a literal
                size = int(text[text.rindex(b"{") + 1:-1].rstrip(b"+"))
                if not text.endswith(b"+}"):
                    s.sendall(b"+ go on\r\n")
                text = text[:text.rindex(b"{")] + b'"' + f.read(size) + b'"' + f.readline().rstrip(b"\r\n")
            return text
        with s, s.makefile("rb") as f:
            s.sendall(b"* OK ready\r\n")
            while text := line():
                tag, verb, *rest = text.split(b" ", 2)
                if verb.upper() == b"LOGIN":
                    words = [w.strip(b'"') for w in rest[0].split(b" ", 1)]
                    ok = self.users.get(words[0].decode()) == words[1].decode()
                    s.sendall(tag + (b" OK done\r\n" if ok else b" NO wrong\r\n"))
                elif verb.upper() == b"CAPABILITY":
                    s.sendall(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n")
                else:
                    s.sendall(tag + b" OK done\r\n")
                    if verb.upper() == b"LOGOUT":
                        return

    def stop(self):
        self.listener.close()


class Saslauthd:
    """Users: joe (secret)."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(mode=0o755)
        self.imap = Imap({"joe": "secret"})
        self.socket = self.dir / "mux"
        self.start()

    def start(self):
        self.proc = subprocess.Popen(
            [program("saslauthd"), "-d", "-a", "rimap", "-O", f"127.0.0.1/{self.imap.port}", "-n", "2",
             "-m", str(self.dir)],
            stdout=subprocess.DEVNULL, stderr=open(self.dir / "log", "ab"), start_new_session=True)
        wait_until(self.socket.exists, "saslauthd's socket", 20)
        self.socket.chmod(0o777)

    def signal(self, sig):
        os.killpg(self.proc.pid, sig)

    def stop(self):
        self.imap.stop()
        for sig in (signal.SIGCONT, signal.SIGTERM):
            try:
                self.signal(sig)
            except ProcessLookupError:
                pass
        self.proc.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def sasldb(path, realm):
    """A database with joe (secret) of REALM."""
    subprocess.run([program("saslpasswd2"), "-p", "-c", "-f", str(path), "-u", realm, "joe"],
                   input=b"secret", check=True, capture_output=True)
    os.chmod(path, 0o644)
