"""The servers that both programs ask: tcp_table(5) and socketmap_table(5), on 127.0.0.1.

Each answer follows from the key alone: some keys are there, some are not, and a key that begins
with "bad-" gets the broken reply of that name."""
import socket
import threading
import zlib

TCP_BAD = {
    b"bad-400": b"400 not%20now\n",
    b"bad-500": b"500 not%20there\n",
    b"bad-503": b"503 other digits\n",
    b"bad-201": b"201 also%20found\n",
    b"bad-300": b"300 what\n",
    b"bad-code": b"2x0 what\n",
    b"bad-short": b"200\n",
    b"bad-glued": b"200value\n",
    b"bad-tab": b"200\tvalue\n",
    b"bad-empty": b"200 \n",
    b"bad-line": b"\n",
    b"bad-hex": b"200 a%4\n",
    b"bad-hex2": b"200 a%zz\n",
    b"bad-plain": b"200 two words\n",
    b"bad-cr": b"200 value\r\n",
    b"bad-lf": b"200 two%0Alines\n",
    b"bad-4095": b"200 " + b"x" * 4090 + b"\n",
    b"bad-latin": b"200 \xe4%e4\n",
}
SOCKETMAP_BAD = {
    b"bad-temp": b"8:TEMP why,",
    b"bad-timeout": b"11:TIMEOUT why,",
    b"bad-perm": b"8:PERM why,",
    b"bad-notfound": b"9:NOTFOUND ,",
    b"bad-notfound2": b"14:NOTFOUND there,",
    b"bad-noblank": b"8:NOTFOUND,",
    b"bad-status": b"4:HA x,",
    b"bad-case": b"4:ok x,",
    b"bad-nothing": b"0:,",
    b"bad-empty": b"3:OK ,",
    b"bad-blank": b"5:OK  x,",
    b"bad-lf": b"6:OK a\nb,",
    b"bad-comma": b"6:OK a,b,",
    b"bad-end": b"4:OK xy",
    b"bad-length": b":OK x,",
    b"bad-sign": b"-4:OK x,",
    b"bad-100000": b"100000:OK " + b"y" * 99997 + b",",
    b"bad-100001": b"100001:OK " + b"y" * 99998 + b",",
}


def answer(key):
    """The value for a key, or None."""
    n = zlib.crc32(key)
    return None if n % 3 == 0 else b"value %d of %s, 100%% \xc3\xa4" % (n, key[:40])


def unquote(text):
    out, i = b"", 0
    while i < len(text):
        if text[i:i + 1] == b"%":
            out, i = out + bytes([int(text[i + 1:i + 3], 16)]), i + 3
        else:
            out, i = out + text[i:i + 1], i + 1
    return out


def quote(value):
    return b"".join(b"%%%02x" % c if c in b"% " or c < 33 or c > 126 else bytes([c]) for c in value)


def tcp_session(stream):
    for line in stream:
        assert line.startswith(b"get ") and line.endswith(b"\n"), line
        key = unquote(line[4:-1])
        if key in TCP_BAD:
            reply = TCP_BAD[key]
        elif key == b"bad-hangup":
            return
        else:
            value = answer(key)
            reply = b"500 no such key\n" if value is None else b"200 " + quote(value) + b"\n"
        stream.write(reply)
        stream.flush()


def socketmap_session(stream):
    while True:
        size = b""
        while (c := stream.read(1)) not in (b":", b""):
            size += c
        if c == b"":
            return
        request = stream.read(int(size))
        assert stream.read(1) == b","
        name, key = request.split(b" ", 1)
        assert name == b"table", name
        if key in SOCKETMAP_BAD:
            reply = SOCKETMAP_BAD[key]
        elif key == b"bad-hangup":
            return
        else:
            value = answer(key)
            text = b"NOTFOUND " if value is None else b"OK " + value
            reply = b"%d:%s," % (len(text), text)
        stream.write(reply)
        stream.flush()


def start(session, path=None):
    """A server on its threads until the program ends; its port."""
    listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(path if path else ("127.0.0.1", 0))
    listener.listen(64)

    def one(s):
        with s, s.makefile("rwb") as stream:
            try:
                session(stream)
            except OSError:         # the client hung up
                pass

    def accept():
        while True:
            s, _ = listener.accept()
            threading.Thread(target=one, args=(s,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return None if path else listener.getsockname()[1]
