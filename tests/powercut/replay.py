#!/usr/bin/env python3
"""replay.py: what a power cut would leave of a directory, from the log of shim.c.

    replay.py init ROOT BASE            keep ROOT as it is now: the state before the log begins
    replay.py points BASE LOG           the instants (CLOCK_MONOTONIC, ns) at which a sync ended
    replay.py at BASE LOG TIME OUT      make OUT: the tree that a cut at TIME leaves
    replay.py at ... --torn SEED        the same, with some unsynced sectors written as well

The strict model: file data counts from the end of a sync of the file that began after the
write, names count from the end of a sync of their directory; everything else vanishes: a file
whose name was not synced is not there, one that was removed without a sync is there again.
"""
import argparse
import os
import pickle
import random
import stat
import struct
import sys

RECORD = struct.Struct("<IHHQIIQQQQIHH")
MAGIC = 0x31435048
(CREATE, MKDIR, RENAME, LINK, UNLINK, WRITE, ZERO, TRUNCATE, EXTEND, SYNC_BEGIN,
 SYNC_END, OWNER) = range(1, 13)
SECTOR = 512


EVERYTHING = 2**64 - 1  # syncfs


class Node:
    def own(self, path):
        if os.geteuid() == 0:
            os.chown(path, self.owner >> 32, self.owner & 0xffffffff)
        os.chmod(path, self.mode)


def owner_of(st):
    return st.st_uid << 32 | st.st_gid


class File(Node):
    def __init__(self, mode, owner, data=b""):
        self.mode, self.owner = mode, owner
        self.durable = bytearray(data)
        self.pending = []  # (kind, offset, data or size)
        self.applied = 0   # operations that are in `durable`

    def mark(self):
        return self.applied + len(self.pending)

    def commit(self, upto):
        n = upto - self.applied
        if n <= 0:
            return
        for op in self.pending[:n]:
            apply(self.durable, op)
        del self.pending[:n]
        self.applied = upto

    def torn(self, rng):
        data = bytearray(self.durable)
        for kind, offset, what in self.pending:
            if kind != WRITE:
                if rng.random() < 0.5:
                    apply(data, (kind, offset, what))
                continue
            at = 0
            while at < len(what):
                n = min(SECTOR - (offset + at) % SECTOR, len(what) - at)
                if rng.random() < 0.5:
                    apply(data, (WRITE, offset + at, what[at:at + n]))
                at += n
        return data


def apply(data, op):
    kind, offset, what = op
    if kind == TRUNCATE:
        if offset < len(data):
            del data[offset:]
        else:
            data.extend(bytes(offset - len(data)))
    elif kind == EXTEND:
        if offset > len(data):
            data.extend(bytes(offset - len(data)))
    else:
        size = what if kind == ZERO else len(what)
        if offset + size > len(data):
            data.extend(bytes(offset + size - len(data)))
        data[offset:offset + size] = bytes(size) if kind == ZERO else what


class Directory(Node):
    def __init__(self, mode, owner):
        self.mode, self.owner = mode, owner
        self.live = {}
        self.durable = {}
        self.version = 0  # of `durable`
        self.changes = 0

    def mark(self):
        return (self.changes, dict(self.live))

    def commit(self, mark):
        if mark[0] >= self.version:
            self.version, self.durable = mark


def keep(root):
    """The tree as it is, all of it durable: (root object, objects by inode)."""
    objects = {}

    def walk(path):
        st = os.lstat(path)
        if st.st_ino in objects:
            return objects[st.st_ino]
        if stat.S_ISDIR(st.st_mode):
            node = objects[st.st_ino] = Directory(st.st_mode & 0o7777, owner_of(st))
            for name in os.listdir(path):
                child = walk(os.path.join(path, name))
                if child is not None:
                    node.live[name] = child
            node.durable = dict(node.live)
            return node
        if stat.S_ISREG(st.st_mode):
            with open(path, "rb") as f:
                node = objects[st.st_ino] = File(st.st_mode & 0o7777, owner_of(st), f.read())
            return node
        return None  # sockets and the like are made anew

    return walk(root), objects


class Replay:
    """Goes forward through a log; materialise() at any point."""

    def __init__(self, base, log):
        with open(base, "rb") as f:
            self.root, self.objects = pickle.load(f)
        self.log = open(log, "rb")
        self.held = None  # a record that was read and is later than the instant asked for
        self.syncs = {}
        self.now = 0

    def _next(self):
        if self.held is not None:
            record, self.held = self.held, None
            return record
        head = self.log.read(RECORD.size)
        if len(head) < RECORD.size:
            return None
        (magic, kind, _, time, pid, thread, ino, d, d2, off, size, n1,
         n2) = RECORD.unpack(head)
        if magic != MAGIC:
            raise ValueError("the log is damaged before offset %d" % self.log.tell())
        name = os.fsdecode(self.log.read(n1))
        name2 = os.fsdecode(self.log.read(n2))
        data = self.log.read(size) if kind == WRITE else size
        return kind, time, (pid, thread), ino, d, d2, off, name, name2, data

    def advance(self, until):
        """Take in what happened up to UNTIL (ns); false at the end of the log."""
        while True:
            record = self._next()
            if record is None:
                return False
            if record[1] > until:
                self.held = record
                return True
            self.now = record[1]
            self._apply(record)

    def points(self):
        """Every instant at which a sync ended, going to the end of the log."""
        while True:
            record = self._next()
            if record is None:
                return
            self._apply(record)
            if record[0] == SYNC_END:
                yield record[1]

    def _apply(self, record):
        kind, _, thread, ino, d, d2, off, name, name2, data = record
        if kind in (CREATE, MKDIR):
            node = File(off, d2) if kind == CREATE else Directory(off, d2)
            self.objects[ino] = node
            self._set(d, name, node)
        elif kind == RENAME:
            node = self.objects.get(ino)
            source = self.objects.get(d)
            if node is None and isinstance(source, Directory):
                raise ValueError("%s was renamed and never made: the log has a hole" % name)
            if isinstance(source, Directory) and source.live.get(name) is node:
                del source.live[name]
                source.changes += 1
            if node is not None:
                self._set(d2, name2, node)
        elif kind == LINK:
            if ino in self.objects:
                self._set(d2, name2, self.objects[ino])
        elif kind == UNLINK:
            parent = self.objects.get(d)
            if isinstance(parent, Directory):
                parent.live.pop(name, None)
                parent.changes += 1
        elif kind in (WRITE, ZERO, TRUNCATE, EXTEND):
            node = self.objects.get(ino)
            if isinstance(node, File):
                node.pending.append((kind, off, data))
        elif kind == OWNER:
            node = self.objects.get(ino)
            if node is not None:
                node.mode, node.owner = off, d2
        elif kind == SYNC_BEGIN:
            nodes = self.objects.values() if ino == EVERYTHING else filter(None, [self.objects.get(ino)])
            self.syncs[thread] = (ino, [(node, node.mark()) for node in nodes])
        elif kind == SYNC_END:
            begun = self.syncs.pop(thread, None)
            if begun is not None and begun[0] == ino:
                for node, mark in begun[1]:
                    node.commit(mark)

    def _set(self, d, name, node):
        parent = self.objects.get(d)
        if isinstance(parent, Directory):
            parent.live[name] = node
            parent.changes += 1

    def materialise(self, out, torn=None):
        rng = random.Random(torn) if torn is not None else None
        made = {}

        def put(node, path):
            if isinstance(node, Directory):
                os.mkdir(path, 0o700)
                for name, child in node.durable.items():
                    put(child, os.path.join(path, name))
                node.own(path)
            elif id(node) in made:
                os.link(made[id(node)], path)
            else:
                made[id(node)] = path
                write_sparse(path, node.torn(rng) if rng else node.durable)
                node.own(path)

        put(self.root, out)


def write_sparse(path, data):
    piece = 1 << 16
    with open(path, "wb") as f:
        for at in range(0, len(data), piece):
            part = data[at:at + piece]
            if part.count(0) != len(part):
                f.seek(at)
                f.write(part)
        f.truncate(len(data))


def main():
    parser = argparse.ArgumentParser(description="what a power cut would leave")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("init")
    verb.add_argument("root")
    verb.add_argument("base")
    verb = verbs.add_parser("points")
    verb.add_argument("base")
    verb.add_argument("log")
    verb = verbs.add_parser("at")
    verb.add_argument("base")
    verb.add_argument("log")
    verb.add_argument("time", type=int)
    verb.add_argument("out")
    verb.add_argument("--torn", type=int)
    args = parser.parse_args()
    if args.verb == "init":
        sys.setrecursionlimit(100000)
        with open(args.base, "wb") as f:
            pickle.dump(keep(args.root), f)
    elif args.verb == "points":
        for time in Replay(args.base, args.log).points():
            print(time)
    else:
        replay = Replay(args.base, args.log)
        replay.advance(args.time)
        replay.materialise(args.out, args.torn)


if __name__ == "__main__":
    import replay  # what is kept names its classes by this module
    replay.main()
