"""An SMTP server for tests: keeps what it receives, and refuses what it is told to."""
import re
import socket
import threading


class Sink:
    """with Sink() as sink: … sink.messages is a list of (sender, recipients, data)."""

    def __init__(self, port=0, reply=None, ehlo=("PIPELINING", "SIZE 0", "8BITMIME", "DSN",
                                                "SMTPUTF8", "ENHANCEDSTATUSCODES")):
        self.messages = []
        self.commands = []
        self.n_connections = 0
        self.reply = reply or (lambda verb, line: None)   # a reply line instead of the usual
        self.ehlo = ehlo
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.n_connections += 1
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        f = s.makefile("rwb")
        try:
            self._dialogue(f)
        except (OSError, ValueError):
            pass
        finally:
            s.close()

    def _say(self, f, text):
        f.write(text.encode() + b"\r\n")
        f.flush()

    def _dialogue(self, f):
        sender, rcpts, first = None, [], True
        self._say(f, self.reply("CONNECT", b"") or "220 sink.test ESMTP")
        while line := f.readline():
            with self.lock:
                self.commands.append(line)
            verb = line[:4].upper().decode("latin-1").strip()
            special = self.reply(verb, line)
            if special == "close":
                return
            if special:
                self._say(f, special)
                if verb == "DATA" and special.startswith("354"):
                    special = None
                else:
                    continue
            if verb in ("EHLO", "LHLO"):
                lines = ["sink.test", *self.ehlo]
                for i, x in enumerate(lines):
                    f.write(f"250{' ' if i == len(lines) - 1 else '-'}{x}\r\n".encode())
                f.flush()
            elif verb == "MAIL":
                sender, rcpts = re.search(rb"<(.*?)>", line).group(1), []
                self._say(f, "250 2.1.0 Ok")
            elif verb == "RCPT":
                rcpts.append(re.search(rb"<(.*?)>", line).group(1))
                self._say(f, "250 2.1.5 Ok")
            elif verb == "DATA":
                self._say(f, "354 go ahead")
                data = []
                while (d := f.readline()) != b".\r\n":
                    if not d:
                        return
                    data.append(d[1:] if d.startswith(b".") else d)
                answer = self.reply("END", b"".join(data)) or "250 2.0.0 Ok: kept"
                if answer.startswith("250"):
                    with self.lock:
                        self.messages.append((sender, list(rcpts), b"".join(data)))
                self._say(f, answer)
            elif verb == "BDAT":
                words = line.split()
                chunk = f.read(int(words[1]))
                data = (b"" if first else data) + chunk
                first = len(words) > 2
                if first:
                    with self.lock:
                        self.messages.append((sender, list(rcpts), data))
                self._say(f, "250 2.0.0 Ok: kept")
            elif verb == "QUIT":
                self._say(f, "221 2.0.0 Bye")
                return
            else:
                self._say(f, "250 2.0.0 Ok")
