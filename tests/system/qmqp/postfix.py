#!/usr/bin/env python3
"""Says each of a list of QMQP requests to a real Postfix's qmqpd, in a network of its own.

    unshare -n -m postfix.py ROOT DIRECTORY

ROOT holds Debian's unpacked postfix package.  DIRECTORY/requests.json: [[what is sent, then], …] as
latin-1 text; the replies go to DIRECTORY/postfix.json."""
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import qmqp             # noqa: E402
from instance import wait_until     # noqa: E402

PORT, STRANGER = 2628, 2629
MAIN = """\
compatibility_level = 3.6
queue_directory = {run}/spool
data_directory = {run}/data
command_directory = {run}/sbin
daemon_directory = {run}/daemons
shlib_directory = {run}/lib
meta_directory = {run}
import_environment = MAIL_CONFIG LD_LIBRARY_PATH LANG=C
maillog_file = {run}/mail.log
maillog_file_prefixes = /
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.test
myorigin = mx.test
mydestination =
alias_maps =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
message_size_limit = 20000
default_transport = discard:
smtputf8_enable = no
hopcount_limit = 5
qmqpd_authorized_clients = 127.0.0.1
qmqpd_error_delay = 0s
qmqpd_timeout = 2s
header_checks = regexp:{{{{/^Subject: bad/ REJECT no such subject}} {{/^Subject: away/ DISCARD}}}}
"""
MASTER = """\
{port} inet n - n - - qmqpd
{stranger} inet n - n - - qmqpd
  -o qmqpd_authorized_clients=192.0.2.1
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


def run(*argv):
    subprocess.run(list(map(str, argv)), check=True)


def users(here):
    """A passwd and a group that know Postfix's names, seen by this namespace only."""
    for path, extra in (("passwd", "postfix:x:64100:64100::/nonexistent:/usr/sbin/nologin\n"),
                        ("group", "postfix:x:64100:\npostdrop:x:64110:\n")):
        lines = [x for x in pathlib.Path("/etc", path).read_text().splitlines(True)
                 if not x.startswith(("postfix:", "postdrop:"))]
        (here / path).write_text("".join(lines) + extra)
        run("mount", "--bind", here / path, f"/etc/{path}")


def spool(here):
    top = here / "spool"
    top.mkdir()
    (here / "data").mkdir()
    os.chown(here / "data", 64100, 64100)
    for d in "active bounce corrupt defer deferred flush hold incoming private saved trace".split():
        (top / d).mkdir(mode=0o700)
        os.chown(top / d, 64100, 0)
    for d, uid, gid, mode in (("maildrop", 64100, 64110, 0o1730), ("public", 64100, 64110, 0o2710),
                              ("pid", 0, 0, 0o755)):
        (top / d).mkdir()
        os.chown(top / d, uid, gid)
        (top / d).chmod(mode)


def main():
    root, directory = map(pathlib.Path, sys.argv[1:3])
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)      # die with the parent
    run("mount", "--make-rprivate", "/")
    here = directory / "run"
    here.mkdir()
    run("mount", "-t", "tmpfs", "-o", "mode=755", "none", here)
    run("ip", "link", "set", "lo", "up")
    users(here)
    spool(here)
    for name, target in (("sbin", "usr/sbin"), ("daemons", "usr/lib/postfix/sbin"), ("lib", "usr/lib/postfix")):
        (here / name).symlink_to(root / target)
    (here / "main.cf").write_text(MAIN.format(run=here))
    (here / "master.cf").write_text(MASTER.format(port=PORT, stranger=STRANGER))
    (here / "dynamicmaps.cf").write_text("")
    env = dict(os.environ, LD_LIBRARY_PATH=str(here / "lib"), MAIL_CONFIG=str(here))
    proc = subprocess.Popen([str(here / "daemons/master"), "-c", str(here), "-d"], env=env, start_new_session=True)
    try:
        wait_until(lambda: qmqp.is_up(STRANGER), "Postfix to listen")
        said = [qmqp.say(STRANGER if who == "stranger" else PORT, text.encode("latin-1"))
                for who, text in json.loads((directory / "requests.json").read_text())]
    finally:
        proc.terminate()
        proc.wait(20)
        if (here / "mail.log").exists():
            (directory / "postfix.log").write_bytes((here / "mail.log").read_bytes())
    (directory / "postfix.json").write_text(json.dumps(said))


main()
