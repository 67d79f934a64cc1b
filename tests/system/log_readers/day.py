"""What happens on the day whose log is read: the configuration of both mail systems, the sites that they
deliver to, and what each client does.  A client has an address of its own, so that what a reader says of
an address is about one thing."""
import base64
import contextlib
import os
import re
import socket
import ssl
import subprocess

MAIN = """\
compatibility_level = 3.6
queue_directory = {run}/spool
data_directory = {run}/data
command_directory = {run}/sbin
daemon_directory = {run}/daemons
shlib_directory = {run}/lib
meta_directory = {etc}
plugin_directory = {run}/plugins
import_environment = MAIL_CONFIG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH
maillog_file = {run}/mail.log
maillog_file_prefixes = /
mail_owner = postfix
setgid_group = postdrop
smtpd_owner = hk-smtpd
deliver_owner = hk-deliver
mail_name = Postfix
syslog_name = postfix
myhostname = mx.test
mydomain = test
myorigin = mx.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_database =
biff = no
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
mydestination = host.test
alias_maps = inline:{ team=user@virt.test }
local_recipient_maps = $alias_maps
mynetworks = 10.7.0.0/16
relay_domains =
virtual_mailbox_domains = virt.test
virtual_mailbox_base = {run}/boxes
virtual_mailbox_maps = inline:{ user@virt.test=user/ postmaster@virt.test=postmaster/ }
virtual_alias_maps = inline:{ also@virt.test=user@virt.test { two@virt.test = user@virt.test, postmaster@virt.test } }
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
transport_maps = inline:{ relay.test=smtp:[127.0.0.1]:2001 down.test=smtp:[127.0.0.1]:2002
    lmtp.test=lmtp:inet:127.0.0.1:2003
    { gone.test = error:5.1.1 nobody lives here } { later.test = retry:4.3.0 not today }
    { some.test = retry:not this week } { bad.test = error:so it is } }
smtpd_peername_lookup = yes
smtpd_timeout = 2s
smtpd_per_request_deadline = no
smtpd_hard_error_limit = 4
smtpd_soft_error_limit = 3
smtpd_error_sleep_time = 0
smtpd_forbid_unauth_pipelining = yes
smtpd_delay_reject = yes
smtpd_helo_required = yes
message_size_limit = 20000
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {run}/auth
smtpd_sasl_security_options = noanonymous
smtpd_tls_security_level = may
smtpd_tls_cert_file = {etc}/tls.pem
smtpd_tls_key_file = {etc}/tls.key
smtpd_tls_loglevel = 1
smtp_tls_security_level = none
smtpd_client_restrictions = check_client_access inline:{ 10.1.1.1=REJECT { 10.1.1.2 = 450 4.7.1 not now } }
smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname
    check_helo_access inline:{ spam.example=REJECT }
smtpd_sender_restrictions = reject_non_fqdn_sender, reject_unknown_sender_domain
    check_sender_access inline:{ { bad@good.test = REJECT no such friends } { hold@good.test = HOLD look at it }
    { trash@good.test = DISCARD of no use } { warn@good.test = WARN mind it } { info@good.test = INFO seen }
    { turn@good.test = REDIRECT postmaster@virt.test } { head@good.test = PREPEND X-Seen: yes } }
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unlisted_recipient
    reject_rbl_client dnsbl.test, warn_if_reject, reject_unknown_client_hostname
smtpd_data_restrictions = check_sender_access inline:{ data@good.test=REJECT }
smtpd_end_of_data_restrictions = check_sender_access inline:{ { end@good.test = REJECT too late } }
smtpd_etrn_restrictions = reject
header_checks = regexp:{etc}/headers
body_checks = regexp:{etc}/bodies
smtpd_reject_unlisted_recipient = yes
"""
MASTER = """\
smtp inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
HEADERS = """\
/^Subject: refused/ REJECT no such subject
/^Subject: doubtful/ WARN of this subject
/^Subject: quiet/ DISCARD quietly
/^Subject: later/ HOLD for later
"""
BODIES = "/^cheap/ REJECT nothing is\n"


# ---- the sites that mail goes to

def site(verb, line):
    """What 127.0.0.1:2001 and 2003 say instead of the usual."""
    if verb == "RCPT" and b"<no" in line:
        return "550 5.1.1 <no@relay.test>: no such user"
    if verb == "RCPT" and b"<busy" in line:
        return "451 4.2.1 <busy@relay.test>: mailbox busy (again), try; later"
    if verb == "END" and b"Subject: never" in line:
        return "554 5.7.1 content refused"
    return None


class Auth:
    """Dovecot's auth service as far as the script needs it: joe, secret."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        os.chmod(path, 0o666)
        self.listener.listen(100)

    def serve(self):
        import threading
        while True:
            s, _ = self.listener.accept()
            threading.Thread(target=self.talk, args=(s,), daemon=True).start()

    def talk(self, s):
        f = s.makefile("rwb")
        f.write(b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t1\nCUID\t1\n"
                b"COOKIE\t0123456789abcdef0123456789abcdef\nDONE\n")
        f.flush()
        logins = {}
        for line in f:
            word = line.decode("latin-1").rstrip("\n").split("\t")
            given = ""
            if word[0] == "AUTH":
                given = next((x[5:] for x in word if x.startswith("resp=")), None)
                logins[word[1]] = [word[2]]
            elif word[0] == "CONT":
                given = word[2]
            else:
                continue
            f.write(self.answer(word[1], logins[word[1]], given).encode() + b"\n")
            f.flush()

    @staticmethod
    def answer(number, state, given):
        if given is None:
            return f"CONT\t{number}\t" + ("" if state[0] == "PLAIN" else base64.b64encode(b"Username:").decode())
        try:
            said = base64.b64decode(given, validate=True)
        except ValueError:
            return f"FAIL\t{number}\treason=Invalid base64 data in initial response"
        if state[0] == "LOGIN" and len(state) == 1:
            state.append(said)
            return f"CONT\t{number}\t" + base64.b64encode(b"Password:").decode()
        user, secret = state[1:] + [said] if state[0] == "LOGIN" else (said + b"\0\0").split(b"\0")[1:3]
        if (user, secret) == (b"joe", b"secret"):
            return f"OK\t{number}\tuser=joe"
        return f"FAIL\t{number}\tuser={user.decode()}"


# ---- clients

taken = []      # queue ids of the messages that were accepted and are to go on


class Client:
    """A dialogue from ADDRESS: each `say` waits for the reply."""

    def __init__(self, address, hello="h.good.test"):
        self.s = socket.create_connection(("127.0.0.1", 25), 60, (address, 0))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.f = self.s.makefile("rb")
        self.hear()
        if hello:
            self.say("EHLO " + hello)

    def hear(self):
        while True:
            line = self.f.readline()
            if not line or line[3:4] != b"-":
                return line.decode("latin-1").rstrip()

    def say(self, line):
        self.s.sendall(line.encode("latin-1") + b"\r\n")
        return self.hear()

    def secure(self):
        self.say("STARTTLS")
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
        self.s = c.wrap_socket(self.s)
        self.f = self.s.makefile("rb")
        self.say("EHLO h.good.test")

    def mail(self, recipients, sender="a@good.test", subject="x", body="hello", options=""):
        """One transaction as far as it goes; the last reply."""
        said = self.say(f"MAIL FROM:<{sender}>{options}")
        good = [r for r in recipients if said[:1] == "2" and self.say(f"RCPT TO:<{r}>")[:1] == "2"]
        if not good:
            return said
        said = self.say("DATA")
        if said[:3] != "354":
            return said
        said = self.say(f"From: <{sender}>\r\nSubject: {subject}\r\n"
                        f"Message-ID: <{subject}.{os.urandom(4).hex()}@good.test>\r\n\r\n{body}\r\n.")
        if not sender.startswith(("hold@", "trash@")) and subject not in ("quiet", "later"):
            taken.extend(re.findall(r"queued as (\S+)", said))
        return said

    def quit(self):
        self.say("QUIT")
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.f.close()
            self.s.close()

    def until_closed(self):
        with contextlib.suppress(OSError):
            while self.f.readline():
                pass
        self.close()


def one(address, *args, hello="h.good.test", **kw):
    c = Client(address, hello)
    said = c.mail(*args, **kw)
    c.quit()
    return said


def lines(address, *said, hello="h.good.test"):
    c = Client(address, hello)
    replies = [c.say(x) for x in said]
    c.quit()
    return replies


def plain(user, secret):
    return base64.b64encode(f"\0{user}\0{secret}".encode()).decode()


def deliveries():
    one("10.1.0.1", ["user@virt.test"])
    one("10.1.0.2", ["also@virt.test", "postmaster@virt.test"], sender="b@good.test")
    one("10.1.0.3", ["two@virt.test"], sender="")
    one("10.1.0.4", ["team@host.test"])
    c = Client("10.1.0.5")                              # several in one session
    for n in range(3):
        c.mail(["user@virt.test"], sender=f"c{n}@good.test")
    c.quit()
    one("10.7.0.1", ["x@relay.test", "y@relay.test"], sender="in@good.test")
    one("10.7.0.2", ["x@lmtp.test"], sender="in@good.test")
    one("10.7.0.3", ["no@relay.test", "ok@relay.test"], sender="user@virt.test")         # bounced
    one("10.7.0.4", ["ok@relay.test"], sender="user@virt.test", subject="never")          # after DATA
    one("10.7.0.5", ["who@gone.test"], sender="user@virt.test")                           # error:
    one("10.7.0.6", ["busy@relay.test"], sender="user@virt.test")                         # deferred
    one("10.7.0.7", ["x@down.test", "y@down.test"], sender="user@virt.test")              # no connection
    one("10.7.0.8", ["x@later.test"], sender="user@virt.test")                            # retry:
    one("10.7.0.11", ["x@some.test", "x@bad.test"], sender="user@virt.test")
    one("10.7.0.9", ["x@nx.test"], sender="user@virt.test")                               # no such domain
    one("10.7.0.10", ["x@gone.test"], sender="")                                          # a bounce of a bounce
    c = Client("10.1.0.6")                              # TLS
    c.secure()
    c.mail(["user@virt.test"], sender="tls@good.test")
    c.quit()


def actions():
    for n, who in enumerate(("hold", "trash", "warn", "info", "turn", "head")):
        one(f"10.1.2.{n}", ["user@virt.test"], sender=f"{who}@good.test")
    for n, subject in enumerate(("refused", "doubtful", "quiet", "later")):
        one(f"10.1.3.{n}", ["user@virt.test"], subject=subject)
    one("10.1.3.9", ["user@virt.test"], body="fine\r\ncheap watches")


def refusals():
    one("10.1.1.1", ["user@virt.test"])                 # client
    one("10.1.1.2", ["user@virt.test"])                 # later
    one("10.1.1.3", ["user@virt.test"], hello="spam.example")
    one("10.1.1.4", ["user@virt.test"], hello="bare")
    one("10.1.1.5", ["user@virt.test"], hello="-x_.!")
    one("10.1.1.6", ["user@virt.test"], sender="bad@good.test")
    one("10.1.1.7", ["user@virt.test"], sender="bare")
    one("10.1.1.8", ["user@virt.test"], sender="x@nx.test")
    one("10.1.1.9", ["user@virt.test"], sender="x@servfail.test")
    one("10.1.1.10", ["nobody@virt.test"])
    one("10.1.1.11", ["x@elsewhere.test", "user@virt.test"])
    one("10.1.1.12", ["nobody@host.test"])
    one("10.8.0.1", ["user@virt.test"])                 # listed
    one("10.2.0.1", ["user@virt.test"])                 # no name: warned of
    one("10.3.0.1", ["user@virt.test"])                 # a name without an address
    one("10.1.1.13", ["user@virt.test"], sender="data@good.test")
    one("10.1.1.14", ["user@virt.test"], sender="end@good.test")
    one("10.1.1.21", ["user@virt.test", "also@virt.test"], sender="data@good.test")
    one("10.1.1.22", ["user@virt.test", "also@virt.test"], sender="end@good.test")
    one("10.5.0.1", ["user@virt.test"])                 # a name of another address
    one("10.1.1.15", ["user@virt.test"], options=" SIZE=99999")
    one("10.1.1.16", ["user@virt.test"], body="line\r\n" * 5000)
    lines("10.1.1.17", "VRFY nobody@virt.test", "VRFY user@virt.test", "ETRN virt.test", "FOO")
    lines("10.1.1.18", "MAIL FROM:<a@good.test>", hello=None)           # no HELO
    lines("10.1.1.19", "MAIL FROM:a b", "RCPT TO:<user@virt.test>", "DATA")
    lines("10.1.1.20", "HELO h.good.test", "MAIL FROM:<a@good.test>", "RCPT TO:<x@elsewhere.test>", hello=None)


def logins():
    for n in range(3):
        lines("10.1.4.1", "AUTH PLAIN " + plain("joe", f"wrong{n}"))
    lines("10.1.4.2", "AUTH LOGIN", base64.b64encode(b"ann").decode(), base64.b64encode(b"x").decode())
    lines("10.1.4.3", "AUTH PLAIN", "*")
    lines("10.1.4.4", "AUTH PLAIN ====", "AUTH NOSUCH", "AUTH LOGIN !!")
    c = Client("10.1.4.5")
    c.say("AUTH PLAIN " + plain("joe", "secret"))
    c.mail(["x@relay.test"], sender="joe@good.test")
    c.quit()


def ends():
    Client("10.1.5.1", hello=None).close()              # lost after CONNECT
    c = Client("10.1.5.2")
    c.close()                                           # ... EHLO
    c = Client("10.1.5.3")
    for line in "MAIL FROM:<a@good.test>", "RCPT TO:<user@virt.test>", "DATA":
        c.say(line)
    c.s.sendall(b"Subject: cut\r\n")
    c.close()                                           # ... DATA
    c = Client("10.1.5.4")
    c.say("MAIL FROM:<a@good.test>")
    c.close()                                           # ... MAIL
    c = Client("10.1.5.5")
    c.until_closed()                                    # timeout after EHLO
    c = Client("10.1.5.6")
    for n in range(6):                                  # too many errors
        with contextlib.suppress(OSError):
            c.say(f"BAD{n}")
    c.until_closed()
    c = Client("10.1.5.7", hello=None)                  # sends ahead of what it must wait for
    c.s.sendall(b"HELO h.good.test\r\nMAIL FROM:<a@good.test>\r\n")
    c.until_closed()
    c = Client("10.1.5.8", hello=None)
    with contextlib.suppress(OSError):
        c.say("GET / HTTP/1.0")
    c.until_closed()


def submissions(sendmail):
    def submit(sender, *rcpts):
        subprocess.run([*sendmail, "-f", sender, *rcpts], check=True,
                       input=b"Subject: local\nMessage-ID: <local@host.test>\n\nhello\n")
    submit("root@host.test", "user@virt.test")
    submit("root@host.test", "x@relay.test", "also@virt.test")


def play(sendmail):
    deliveries()
    actions()
    refusals()
    logins()
    ends()
    submissions(sendmail)


def is_done(log):
    """Whether every message that was taken has come to rest: removed, or each recipient was tried."""
    resting, outcomes, wanted, known = set(), {}, {}, set(taken)
    for m in re.finditer(r"\]: ([0-9A-F]{6,}): (\S+)(.*)", log):
        name, word, rest = m.groups()
        if word == "removed":
            resting.add(name)
        elif "nrcpt=" in rest:
            known.add(name)
            wanted[name] = int(re.search(r"nrcpt=(\d+)", rest)[1])
        elif "status=" in rest and word.startswith("to=<"):
            outcomes[name] = outcomes.get(name, 0) + 1
        elif word.startswith("uid="):
            known.add(name)
        known.update(re.findall(r"notification: (\S+)", rest))
    return all(n in resting or 0 < wanted.get(n, 0) <= outcomes.get(n, 0) for n in known)


# Whom fail2ban finds in each mode, at least, and whom it never finds.
BANNED = {
    "normal": ["10.1.1.1", "10.1.1.4", "10.1.1.8", "10.1.1.10", "10.1.1.11", "10.1.5.6", "10.1.5.7"],
    "auth": ["10.1.4.1", "10.1.4.2", "10.1.4.4"],
    "rbl": ["10.8.0.1"],
    "ddos": ["10.1.5.1", "10.1.5.2", "10.1.4.1"],
    "errors": ["10.1.5.6"],
}
BANNED["more"] = BANNED["normal"]
BANNED["extra"] = BANNED["normal"] + BANNED["auth"]
BANNED["aggressive"] = BANNED["extra"] + BANNED["ddos"]
HARMLESS = ("10.1.0.1", "10.1.0.6", "10.7.0.1", "10.1.4.5", "10.1.2.2", "10.1.3.1")
# What pflogsumm counts.
COUNTED = {
    "messages / received": 39, "messages / delivered": 30, "messages / forwarded": 1, "deferrals": 3,
    "messages / deferred": 2, "messages / bounced": 3, "messages / rejected": 28,
    "messages / reject warnings": 4, "messages / held": 2, "messages / discarded": 2,
    "messages / senders": 15, "messages / recipients": 6,
}
