"""A QMQP client (http://cr.yp.to/proto/qmqp.html) that can also say what no client should."""
import socket


def netstring(data):
    return b"%d:%s," % (len(data), data)


def request(message, sender, *recipients):
    return netstring(b"".join(netstring(x) for x in (message, sender, *recipients)))


def is_up(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except OSError:
        return False


def say(port, data, then_close=False, patience=20):
    """What comes back until the server closes, as text; "silence" when it does not."""
    said = b""
    try:
        with socket.create_connection(("127.0.0.1", port), patience) as s:
            s.sendall(data)
            if then_close:
                s.shutdown(socket.SHUT_WR)
            while True:
                got = s.recv(65536)
                if not got:
                    return said.decode("latin-1")
                said += got
    except TimeoutError:
        return said.decode("latin-1") + "silence"
    except OSError:
        return said.decode("latin-1")
