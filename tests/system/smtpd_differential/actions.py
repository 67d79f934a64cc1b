"""Every action of access(5) as what a table says about the client, the HELO name, the sender and the
recipient; at home with smtpd_delay_reject on and off, and in the other lists."""
from book import letter

ACTIONS = """\
OK
ok
OK and more
1
12345
DUNNO
DUNNO and more
REJECT
REJECT with a text
REJECT 5.1.1 unknown
REJECT 5.1.8 domain
REJECT 4.7.1 another class
reject
Reject mixed case
DEFER
DEFER with a text
DEFER 4.1.8 domain
DEFER 5.1.1 another class
450
450 with a text
450 4.7.7 with both
450 5.7.7 another class
451 4.3.0 local
550
550 with a text
550 4.7.1 another class
550 5.1.0 other
550 5.1.1 mailbox
550 5.1.2 system
550 5.1.3 syntax
550 5.1.4 ambiguous
550 5.1.6 moved
550 5.1.7 sender syntax
550 5.1.8 sender system
550 5.2.1 disabled
550 5.4.4 no route
554 5.0.0 nothing special
550 5.7.1
550 5.1 not an enhanced code
550 5.7.1234 long detail
421 go
421 4.3.2 go away
421 4.7.0
521 no mail here
521 5.3.2 no mail here
500 odd
499 odd
400 odd
599 odd
350 odd
600 odd
55 short
5501 long
550x
450-dash
DEFER_IF_PERMIT
DEFER_IF_PERMIT greylisted
DEFER_IF_PERMIT 4.7.9 greylisted
DEFER_IF_PERMIT 5.7.9 another class
DEFER_IF_REJECT
DEFER_IF_REJECT no mail now
DEFER_IF_REJECT 4.1.8 no mail now
HOLD
HOLD for a look
DISCARD
DISCARD it
FILTER discard:
FILTER discard:nowhere
FILTER wrong
FILTER
REDIRECT user@dest.test
REDIRECT wrong
REDIRECT
BCC user@dest.test
BCC wrong
PREPEND X-Played: yes
PREPEND wrong
PREPEND
WARN
WARN about it
INFO
INFO about it
IGNORE
permit
reject_unauth_destination
permit_mynetworks, reject
permit_mynetworks reject_unknown_sender_domain
no_such_word
hash:/no/such/table
check_sender_access hash:/no/such/table
class_reject
class_nested
class_defer, reject
warn_if_reject reject
defer_if_permit
defer_if_reject
defer_if_reject reject
reject_unknown_sender_domain reject_non_fqdn_sender
sleep 0
REJECT <angle> & $dollar ${braces} "quote" % back\\slash
REJECT   many   blanks
REJECT: colon
550 5.7.1 <user@dest.test>: Recipient address rejected: said twice
REJECT %s
451 4.7.1 x
""".splitlines() + ["REJECT " + "long " * 120]
LISTS = ("client", "helo", "sender", "relay", "recipient", "data", "end_of_data", "etrn")
HOME = {"client": "client", "helo": "helo", "sender": "sender", "recipient": "recipient"}
TABLE = {kind: f"check_{kind}_access texthash:{{etc}}/actions-{kind}" for kind in HOME}


def key(kind, n):
    return {"client": f"10.11.{n}", "helo": f"a{n}.good.test", "sender": f"a{n}@good.test",
            "recipient": f"a{n}@dest.test"}[kind]


def service(book, kind, which, delay, tail=""):
    lists = {f"smtpd_{x}_restrictions": "" for x in LISTS}
    lists["smtpd_relay_restrictions"] = "$anybody"
    lists[f"smtpd_{which}_restrictions"] = TABLE[kind] + (", $anybody" if which == "relay" else tail)
    return book.service(f"{kind} table in {which} list, delay={delay}{tail}", smtpd_delay_reject=delay, **lists)


def say(book, kind, which, name):
    for n, action in enumerate(ACTIONS):
        p = {"client": "10.1.0.1", "helo": "good.test", "sender": "user@good.test", "recipient": "user@dest.test"}
        p[kind] = key(kind, n) + (".1" if kind == "client" else "")
        steps = letter(p["helo"], p["sender"], p["recipient"])
        if which == "etrn":
            steps = ["EHLO " + p["helo"], "ETRN relay.test", "QUIT"]
        elif which in ("client", "helo", "sender"):         # goes on after a refusal
            steps[-1:] = ["RSET", "HELP", "NOOP", f"VRFY {p['recipient']}", "QUIT"]
        word = "sleep" if action.startswith("sleep") else None
        book.say(f"{kind} table", f"{name}: {action[:60]}", name, steps, p["client"], word)


def add(book):
    book.main += ["smtpd_restriction_classes = class_reject, class_nested, class_defer",
                  "class_reject = reject", "class_nested = class_defer, class_reject",
                  "class_defer = defer_if_permit"]
    for kind in HOME:
        book.files[f"actions-{kind}"] = "".join(f"{key(kind, n)} {a}\n" for n, a in enumerate(ACTIONS))
        for delay in ("yes", "no"):
            say(book, kind, HOME[kind], service(book, kind, HOME[kind], delay))
        if kind != "recipient":
            say(book, kind, "recipient", service(book, kind, "recipient", "yes"))
    for which in LISTS[1:4] + LISTS[5:]:
        say(book, "client", which, service(book, "client", which, "yes"))
    for kind in ("sender", "recipient"):
        say(book, kind, "data", service(book, kind, "data", "yes"))
    say(book, "recipient", "recipient", service(book, "recipient", "recipient", "yes", ", reject"))
