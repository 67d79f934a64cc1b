"""A name server for tests: what it knows stands in a dictionary; it counts what it is asked.

    with Names({("a.test", "A"): ["192.0.2.1"], ("a.test", "MX"): ["10 mx.a.test"],
                ("fail.test", None): "SERVFAIL", ("mute.test", None): "SILENT"}) as names:
        … dns_servers = 127.0.0.1@{names.port} …

A name without any entry does not exist; one with entries of other types has no such data.
"""
import collections
import ipaddress
import socket
import struct
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}


def _name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def _data(kind, value):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(value).packed
    if kind == "MX":
        preference, host = value.split()
        return struct.pack(">H", int(preference)) + _name(host)
    if kind == "TXT":
        return bytes([len(value)]) + value.encode()
    return _name(value)


def reverse(address):
    return ipaddress.ip_address(address).reverse_pointer


class Names:
    def __init__(self, rows, port=0, address="127.0.0.1"):
        self.rows = {}
        self.broken = {}
        for (name, kind), value in rows.items():
            if kind is None:
                self.broken[name] = value
            else:
                self.rows.setdefault(name, {})[TYPES[kind]] = [_data(kind, v) for v in value]
        self.asked = collections.Counter()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()

    def _serve(self):
        while True:
            packet, peer = self.socket.recvfrom(4096)
            if len(packet) < 17:
                return
            answer = self._answer(packet)
            if answer is not None:
                self.socket.sendto(answer, peer)

    def _answer(self, packet):
        at, labels = 12, []
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1").lower())
            at += 1 + packet[at]
        name, end = ".".join(labels), at + 5
        kind = struct.unpack(">H", packet[at + 1:at + 3])[0]
        self.asked[name, kind] += 1
        state = self.broken.get(name)
        if state == "SILENT":
            return None
        known = self.rows.get(name)
        code = 2 if state == "SERVFAIL" else 0 if known is not None else 3
        records = (known or {}).get(kind, [])
        if not records and known and TYPES["CNAME"] in known:
            kind, records = TYPES["CNAME"], known[TYPES["CNAME"]]
        head = struct.pack(">HHHHHH", struct.unpack(">H", packet[:2])[0], 0x8480 | code, 1, len(records), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(r)) + r for r in records)
        return head + packet[12:end] + body
