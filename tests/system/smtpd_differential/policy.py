"""Policy servers of a play: one port of 127.0.0.1 for each answer that one may give."""
import os
import socket
import threading

FIRST_PORT = 10040
ANSWERS = {
    "dunno": "action=DUNNO\n\n",
    "ok": "action=OK\n\n",
    "reject": "action=REJECT not by policy\n\n",
    "code": "action=450 4.7.9 later by policy\n\n",
    "if_permit": "action=DEFER_IF_PERMIT greylisted\n\n",
    "if_reject": "action=DEFER_IF_REJECT greylisted\n\n",
    "list": "action=reject_unauth_destination\n\n",
    "unknown": "action=no_such_word\n\n",
    "empty": "action=\n\n",
    "nothing": "\n",
    "garbage": "hello\n\n",
    "close": "",
}


def port(name):
    return FIRST_PORT + list(ANSWERS).index(name)


def attend(s, answer):
    buffer = b""
    with s:
        while True:
            while b"\n\n" not in buffer:
                data = s.recv(65536)
                if not data:
                    return
                buffer += data
            buffer = buffer.split(b"\n\n", 1)[1]
            if not answer:
                return
            s.sendall(answer.encode())


def listen(s, answer):
    while True:
        threading.Thread(target=attend, args=(s.accept()[0], answer), daemon=True).start()


def serve(begin):
    """Answer in a child; its process id.  BEGIN is called there first."""
    sockets = [(socket.create_server(("127.0.0.1", port(n))), a) for n, a in ANSWERS.items()]
    child = os.fork()
    if child:
        for s, _ in sockets:
            s.close()
        return child
    begin()
    for s, answer in sockets[1:]:
        threading.Thread(target=listen, args=(s, answer), daemon=True).start()
    listen(*sockets[0])
