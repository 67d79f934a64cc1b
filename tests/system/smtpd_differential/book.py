"""The book of a play: services (one smtpd line each) and the dialogues that are held with them."""
import json
import re

FIRST_PORT = 2600
MESSAGE = "From: <user@good.test>\r\nTo: <user@dest.test>\r\nSubject: play\r\n\r\nhello\r\n.\r\n"


class Book:
    def __init__(self):
        self.services = {}          # name: (port, {parameter: value})
        self.dialogues = []
        self.main = []              # further lines of main.cf
        self.files = {}             # name below etc: text
        self.names = set()

    def service(self, name, **options):
        """The smtpd line with these -o; each name once."""
        if name not in self.services:
            self.services[name] = (FIRST_PORT + len(self.services), options)
        assert self.services[name][1] == options, name
        return name

    def say(self, group, name, service, steps, client="10.1.0.1", word=None):
        """A dialogue.  A step is a line (CRLF is added, one reply is read), or (text, n) to send TEXT as
        it is and read n replies.  MESSAGE is sent only where the reply before was 354."""
        assert (group, name) not in self.names, (group, name)
        self.names.add((group, name))
        self.dialogues.append({"group": group, "name": name, "port": self.services[service][0],
                               "client": client, "word": word, "steps": [
                                   [s + "\r\n", 1] if isinstance(s, str) and s is not MESSAGE
                                   else [s, 1] if s is MESSAGE else list(s) for s in steps]})

    def master(self):
        lines = []
        for port, options in self.services.values():
            lines.append(f"{port} inet n - n - - smtpd")
            lines += [f"  -o {{ {k} = {v} }}" if re.search(r"\s", v) else f"  -o {k}={v}"
                      for k, v in options.items()]
        return "\n".join(lines) + "\n"

    def write(self, path):
        path.write_text(json.dumps(self.dialogues))


def letter(helo="good.test", sender="user@good.test", recipient="user@dest.test", data=True, esmtp=True):
    """The steps of one message."""
    steps = [("EHLO " if esmtp else "HELO ") + helo, f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>"]
    return steps + (["DATA", MESSAGE] if data else []) + ["QUIT"]
