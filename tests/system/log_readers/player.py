#!/usr/bin/env python3
"""Plays the script against one mail system, inside a network and a mount namespace of its own.

    unshare -n -m play.py postfix|hikyaku DIRECTORY ROOT

DIRECTORY/etc is the configuration; the log goes to DIRECTORY/NAME.log."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "smtpd_differential"), str(HERE.parents[1] / "lib")]
import names                # noqa: E402
import day                  # noqa: E402
import stage                # noqa: E402
from instance import wait_until     # noqa: E402
from sink import Sink       # noqa: E402


def serve(*servers):
    """In a child that outlives nothing: its process id."""
    child = os.fork()
    if child:
        return child
    stage.die_with_parent()
    for s in servers:
        threading.Thread(target=s, daemon=True).start()
    signal.pause()


def own_commands(here):
    """postdrop without the setgid bit, which root does not need: with it, no library is found here."""
    programs = (here / "sbin").resolve()
    (here / "sbin").unlink()
    (here / "sbin").mkdir()
    for name in ("sendmail", "postdrop"):
        shutil.copyfile(programs / name, here / "sbin" / f"{name}.real")
        (here / "sbin" / name).write_text(f"#!/bin/sh\nLD_LIBRARY_PATH={here}/lib exec $0.real \"$@\"\n")
        for file in name, f"{name}.real":
            (here / "sbin" / file).chmod(0o755)


def main():
    kind, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    stage.die_with_parent()
    here = stage.make_world(directory)
    (here / "boxes").mkdir()
    os.chown(here / "boxes", 65534, 65534)
    auth = day.Auth(here / "auth")
    # Both speak the commands of the sink; LMTP's many replies are one, for there is one recipient.
    sinks = [Sink(port=p, reply=day.site) for p in (2001, 2003)]
    helpers = [names.serve(stage.die_with_parent), serve(auth.serve, *(s._accept for s in sinks))]
    make = stage.make_postfix if kind == "postfix" else stage.make_hikyaku
    argv, env = make(here, pathlib.Path(sys.argv[3]))
    sendmail = ([here / "sbin/sendmail"] if kind == "postfix"
                else [os.environ["HK_PROGRAM"], "-c", here / "etc", "sendmail"])
    os.environ.update(env)
    if kind == "postfix":
        own_commands(here)
    proc = subprocess.Popen(list(map(str, argv)), env=env, stdout=sys.stderr, start_new_session=True)
    log = here / "mail.log"
    try:
        stage.wait_up(proc, [25])
        day.play(list(map(str, sendmail)))
        began = time.monotonic()
        wait_until(lambda: day.is_done(log.read_text(errors="replace")), "all messages to rest", 60)
        print(f"rest after {time.monotonic() - began:.1f} s", file=sys.stderr)
    finally:
        proc.terminate()
        try:
            proc.wait(20)
        except subprocess.TimeoutExpired:
            proc.kill()
        for pid in helpers:
            os.kill(pid, signal.SIGKILL)
        if log.exists():
            shutil.copyfile(log, directory / f"{kind}.log")


main()
