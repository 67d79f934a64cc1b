#!/usr/bin/env python3
"""Plays a book against one mail system, inside a network and a mount namespace of its own.

    unshare -n -m stage.py postfix|hikyaku DIRECTORY

DIRECTORY/etc is the configuration, DIRECTORY/dialogues.json the book.  What was said goes to
DIRECTORY/NAME.json, the log to DIRECTORY/NAME.log.  Both systems see the same paths: DIRECTORY/run is
a file system in memory that only this namespace sees."""
import ctypes
import json
import os
import pathlib
import pwd
import grp
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import names        # noqa: E402
import policy       # noqa: E402

PLAYERS = 6
PATIENCE = 15       # seconds for one reply
LOST = 3            # dialogues without a reply after which a player gives up
USERS = ("postfix", "hk-smtpd", "hk-deliver")


def run(*argv):
    subprocess.run(list(map(str, argv)), check=True)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


# ---- the world

def private_files():
    """{file of /etc: text}: users that the configuration names, and the private name server."""
    passwd, group = pathlib.Path("/etc/passwd").read_text(), pathlib.Path("/etc/group").read_text()
    for n, user in enumerate(USERS):
        passwd = "".join(x + "\n" for x in passwd.splitlines() if not x.startswith(user + ":"))
        group = "".join(x + "\n" for x in group.splitlines() if not x.startswith(user + ":"))
        passwd += f"{user}:x:{64100 + n}:{64100 + n}::/nonexistent:/usr/sbin/nologin\n"
        group += f"{user}:x:{64100 + n}:\n"
    group = "".join(x + "\n" for x in group.splitlines() if not x.startswith("postdrop:"))
    group += "postdrop:x:64110:\n"
    return {"passwd": passwd, "group": group, "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
            "hosts": "127.0.0.1 localhost\n", "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n"}


def make_world(directory):
    run("mount", "--make-rprivate", "/")
    here = directory / "run"
    run("mount", "-t", "tmpfs", "-o", "mode=755", "none", here)
    shutil.copytree(directory / "etc", here / "etc")
    (here / "world").mkdir()
    for name, text in private_files().items():
        (here / "world" / name).write_text(text)
        if pathlib.Path("/etc", name).exists():
            run("mount", "--bind", here / "world" / name, f"/etc/{name}")
    run("ip", "link", "set", "lo", "up")
    run("ip", "route", "add", "local", "10.0.0.0/8", "dev", "lo")
    return here


def make_postfix(here, root):
    spool, user = here / "spool", pwd.getpwnam("postfix").pw_uid
    drop = grp.getgrnam("postdrop").gr_gid
    spool.mkdir()
    (here / "data").mkdir()
    os.chown(here / "data", user, 64100)
    for d in "active bounce corrupt defer deferred flush hold incoming private saved trace".split():
        (spool / d).mkdir(mode=0o700)
        os.chown(spool / d, user, 0)
    for d, uid, gid, mode in (("maildrop", user, drop, 0o1730), ("public", user, drop, 0o2710),
                              ("pid", 0, 0, 0o755)):
        (spool / d).mkdir()
        os.chown(spool / d, uid, gid)
        (spool / d).chmod(mode)
    for name, target in (("sbin", "usr/sbin"), ("daemons", "usr/lib/postfix/sbin"), ("lib", "usr/lib/postfix")):
        (here / name).symlink_to(root / target)
    env = dict(os.environ, LD_LIBRARY_PATH=str(here / "lib"), MAIL_CONFIG=str(here / "etc"))
    return [here / "daemons/master", "-c", here / "etc", "-d"], env


def make_hikyaku(here, _):
    (here / "plugins").mkdir(mode=0o755)
    run("mount", "--bind", os.environ["HK_MODULES"], here / "plugins")
    env = dict(os.environ, MAIL_CONFIG=str(here / "etc"))
    return [os.environ["HK_PROGRAM"], "-c", here / "etc", "start-fg"], env


# ---- a dialogue

class Talk:
    def __init__(self, dialogue):
        self.buffer = b""
        self.said = []
        self.socket = socket.create_connection(("127.0.0.1", dialogue["port"]), PATIENCE,
                                               (dialogue["client"], 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def hear(self):
        """One reply, as text; None when there is none any more."""
        lines = []
        while True:
            while b"\n" not in self.buffer:
                data = self.socket.recv(65536)
                if not data:
                    return None
                self.buffer += data
            line, self.buffer = self.buffer.split(b"\n", 1)
            lines.append(line.rstrip(b"\r").decode("latin-1"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    def hear_all(self, n):
        for _ in range(n):
            reply = self.hear()
            self.said.append("closed" if reply is None else reply)
            if reply is None:
                return False
        return True

    def hold(self, steps):
        if not self.hear_all(1):
            return
        for text, n in steps:
            if text.endswith("\r\n.\r\n") and not self.said[-1].startswith("354"):
                continue
            self.socket.sendall(text.encode("latin-1"))
            if not self.hear_all(n):
                return


def play(dialogue):
    talk = None
    try:
        talk = Talk(dialogue)
        talk.hold(dialogue["steps"])
        return talk.said
    except TimeoutError:
        return (talk.said if talk else []) + ["silence"]
    except OSError as e:
        return (talk.said if talk else []) + ["closed" if talk else f"no connection: {e.strerror}"]
    finally:
        if talk:
            talk.socket.close()


def timed(dialogue):
    began = time.monotonic()
    return play(dialogue), time.monotonic() - began


def play_some(dialogues, p):
    mine, lost = {}, 0
    for n in range(p, len(dialogues), PLAYERS):
        mine[n] = timed(dialogues[n])
        lost += mine[n][0][-1] == "silence"
        if lost > LOST:
            print(f"no reply, {lost} times; last: {dialogues[n]}", file=sys.stderr, flush=True)
            os._exit(1)
    return mine


def play_all(dialogues, directory):
    """Several players, each with every so many'th dialogue; what was said, in the book's order."""
    children = []
    for p in range(PLAYERS):
        pid = os.fork()
        if pid == 0:
            die_with_parent()
            mine = play_some(dialogues, p)
            (directory / f"said{p}").write_text(json.dumps(mine))
            os._exit(0)
        children.append(pid)
    said = {}
    for p, pid in enumerate(children):
        if os.waitpid(pid, 0)[1] != 0:
            raise SystemExit(f"player {p} failed")
        said.update(json.loads((directory / f"said{p}").read_text()))
    return [said[str(n)] for n in range(len(dialogues))]


def wait_up(proc, ports):
    end = time.monotonic() + 60
    for port in ports:
        while True:
            if proc.poll() is not None:
                raise SystemExit(f"the mail system ended with {proc.returncode}")
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as s:
                    if s.recv(100)[:1] in (b"2", b"4", b"5"):
                        break
            except OSError:
                if time.monotonic() > end:
                    raise SystemExit(f"nothing listens on port {port}")
                time.sleep(0.05)


def main():
    kind, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    die_with_parent()
    began = time.monotonic()
    here = make_world(directory)
    helpers = [names.serve(die_with_parent), policy.serve(die_with_parent)]
    make = make_postfix if kind == "postfix" else make_hikyaku
    argv, env = make(here, pathlib.Path(sys.argv[3]))
    dialogues = json.loads((directory / "dialogues.json").read_text())
    proc = subprocess.Popen(list(map(str, argv)), env=env, stdout=sys.stderr, start_new_session=True)
    try:
        wait_up(proc, [dialogues[0]["port"], dialogues[-1]["port"]])
        up = time.monotonic()
        said = play_all(dialogues, here)
        played = time.monotonic()
    finally:
        proc.terminate()
        try:
            proc.wait(20)
        except subprocess.TimeoutExpired:
            proc.kill()
        for pid in helpers:
            os.kill(pid, signal.SIGKILL)
        if (here / "mail.log").exists():
            shutil.copyfile(here / "mail.log", directory / f"{kind}.log")
    (directory / f"{kind}.json").write_text(json.dumps(
        {"said": [s for s, _ in said], "took": [round(t, 3) for _, t in said], "start": up - began, "play": played - up, "status": proc.returncode}))


if __name__ == "__main__":
    main()
