"""The private name server of a play: an authoritative one for everything, on 127.0.0.1:53.

The second number of a client's address says what its name is like (see CLIENTS); other names are
hosts of a few kinds, each in a domain that says the kind: good.test, bad.test, nx.test, …"""
import os
import re
import socket
import struct

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA = 1, 2, 5, 6, 12, 15, 16, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3

CLIENTS = {
    1: "a name that leads back", 2: "no name", 3: "a name without an address",
    4: "a name server that fails", 5: "a name of another address",
    6: "a name whose address cannot be asked", 7: "in mynetworks", 8: "a name in a listed domain",
    9: "a name that is none",
}
CLIENT_DOMAIN = {1: "good.test", 3: "nx.test", 5: "other.test", 6: "servfail.test", 7: "good.test",
                 8: "bad.test"}
# name: {type: [values]}; what is below one of these and is not named itself does not exist.
ZONE = {
    "good.test": {A: ["192.0.2.10"], MX: [(10, "mx.good.test")], NS: ["ns.good.test"]},
    "mx.good.test": {A: ["192.0.2.11"]}, "ns.good.test": {A: ["192.0.2.12"]},
    "bad.test": {A: ["192.0.2.66"], MX: [(10, "mx.bad.test")], NS: ["ns.bad.test"]},
    "mx.bad.test": {A: ["192.0.2.67"]}, "ns.bad.test": {A: ["192.0.2.68"]},
    "host.bad.test": {A: ["192.0.2.66"]},
    "noa.test": {TXT: ["neither address nor MX"]},
    "aonly.test": {A: ["192.0.2.10"]},
    "mxonly.test": {MX: [(10, "mx.good.test")]},
    "v6.test": {AAAA: ["2001:db8::10"]},
    "nullmx.test": {MX: [(0, "")]},
    "deadmx.test": {MX: [(10, "nx.test")], NS: ["nx.test"]},
    "failmx.test": {MX: [(10, "servfail.test")], NS: ["servfail.test"]},
    "badmx.test": {A: ["192.0.2.10"], MX: [(10, "mx.good.test"), (20, "mx.bad.test")]},
    "badns.test": {A: ["192.0.2.10"], NS: ["ns.bad.test"]},
    "alias.test": {CNAME: ["good.test"]},
    "badalias.test": {CNAME: ["bad.test"]},
    "loop.test": {CNAME: ["loop.test"]},
    "mxhere.test": {MX: [(10, "mx.test")]},
    "mx.test": {A: ["127.0.0.1"]},
    "else.test": {A: ["192.0.2.10"]},
    "litmx.test": {MX: [(10, "192.0.2.66")]},
    "dest.test": {MX: [(10, "mx.test")]}, "relay.test": {MX: [(10, "mx.test")]},
    "bad_name.test": {A: ["192.0.2.10"]},
    "ns.test": {A: ["127.0.0.1"]},
    "test": {NS: ["ns.test"]},
    "10.in-addr.arpa": {NS: ["ns.test"]},
}
LISTS = ("dnsbl.test", "dnswl.test")          # of addresses, reversed
NAME_LISTS = ("rhsbl.test", "rhswl.test")     # of domains


def client_name(a, b, c, d):
    return f"c-{a}-{b}-{c}-{d}.{CLIENT_DOMAIN[b]}" if b in CLIENT_DOMAIN else None


def answer_reverse(name):
    m = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa", name)
    if not m:
        return NXDOMAIN, {}
    d, c, b, a = map(int, m.groups())
    if a == 10 and b == 4:
        return SERVFAIL, {}
    if a == 10 and b == 9:
        return NOERROR, {PTR: ["-bad_name!.test"]}
    found = client_name(a, b, c, d) if a == 10 else None
    return (NOERROR, {PTR: [found]}) if found else (NXDOMAIN, {})


def answer_listed(listed, fails):
    if fails:
        return SERVFAIL, {}
    if not listed:
        return NXDOMAIN, {}
    return NOERROR, {A: ["127.0.0.2", "127.0.0.9"], TXT: ["listed, see http://list.test/"]}


def lookup(name):
    """(rcode, {type: values}) of a name."""
    name = name.lower()
    for zone in LISTS:
        if name.endswith("." + zone):
            m = re.fullmatch(r"\d+\.\d+\.(\d+)\.10", name[:-len(zone) - 1])
            return answer_listed(m and m[1] == "8", m and m[1] == "4")
    for zone in NAME_LISTS:
        if name.endswith("." + zone):
            asked = name[:-len(zone) - 1]
            return answer_listed(asked == "bad.test" or asked.endswith(".bad.test"),
                                 asked == "servfail.test" or asked.endswith(".servfail.test"))
    if name == "servfail.test" or name.endswith(".servfail.test"):
        return SERVFAIL, {}
    if name in ZONE:
        return NOERROR, ZONE[name]
    if name.endswith(".in-addr.arpa"):
        return answer_reverse(name)
    m = re.fullmatch(r"c-(\d+)-(\d+)-(\d+)-(\d+)\.(good|bad|other)\.test", name)
    if m:
        address = ".".join(m.groups()[:4])
        return NOERROR, {A: ["192.0.2.77" if m[5] == "other" else address]}
    return NXDOMAIN, {}


# ---- the wire

def encode(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".") if x) + b"\0"


def rdata(kind, value):
    if kind == A:
        return socket.inet_aton(value)
    if kind == AAAA:
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == MX:
        return struct.pack("!H", value[0]) + encode(value[1])
    if kind == TXT:
        return bytes([len(value)]) + value.encode()
    return encode(value)


def reply(query):
    ident, flags = struct.unpack("!HH", query[:4])
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    kind = struct.unpack("!H", query[at + 1:at + 3])[0]
    question = query[12:at + 5]
    rcode, records = lookup(".".join(labels))
    used = kind if kind in records else CNAME
    answers = [b"\xc0\x0c" + struct.pack("!HHIH", used, 1, 300, len(data)) + data
               for data in (rdata(used, v) for v in records.get(used, []))]
    authority = b""
    if not answers and rcode != SERVFAIL:
        soa = encode("ns.test") + encode("root.test") + struct.pack("!IIIII", 1, 60, 60, 60, 60)
        authority = encode("in-addr.arpa" if labels[-1:] == ["arpa"] else "test")
        authority += struct.pack("!HHIH", SOA, 1, 60, len(soa)) + soa
    head = struct.pack("!HHHHHH", ident, 0x8480 | (flags & 0x0100) | rcode, 1, len(answers),
                       1 if authority else 0, 0)
    return head + question + b"".join(answers) + authority


def serve(begin):
    """Answer in a child; its process id.  BEGIN is called there first."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 53))
    child = os.fork()
    if child:
        s.close()
        return child
    begin()
    while True:
        query, peer = s.recvfrom(4096)
        try:
            s.sendto(reply(query), peer)
        except (IndexError, struct.error, UnicodeError, ValueError):
            continue        # no question: no answer
