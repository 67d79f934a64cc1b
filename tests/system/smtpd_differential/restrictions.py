"""Every word of smtpd_*_restrictions (Postfix 3.7) in every list, with smtpd_delay_reject on and off.

One service for each list, delay and tail.  Which word a list begins with is told by the third number of
the client's address (check_client_access with a restriction class for each word); what the client's
name is like by the second.  Behind the word stands nothing, or a refusal that says "fell through"."""
import os

from book import letter

LISTS = ("client", "helo", "sender", "relay", "recipient", "data", "end_of_data", "etrn")
CLIENTS = (1, 2, 3, 4, 5, 6, 7, 8, 9)
HELOS = ("good.test", "bad.test", "nx.test", "servfail.test", "nodots", "[10.1.1.1]", "[bogus]", "[IPv6:::1]",
         "bad_name.test", "-x.test", "noa.test", "mxonly.test", "1.2.3.4", "host.bad.test", "badmx.test",
         "badns.test", "good.test.", "nullmx.test", "alias.test", "#23")
SENDERS = ("user@good.test", "user@bad.test", "", "user@nx.test", "user@servfail.test", "user@nodots", "user",
           "user@noa.test", "user@nullmx.test", "user@deadmx.test", "user@failmx.test", "nosuch@dest.test",
           "user@[10.1.1.1]", "user@badns.test", "user@badmx.test", "owned@dest.test", "user@alias.test",
           "listed@good.test", "user@host.bad.test", "user+ext@good.test", "user@v6.test", "user@litmx.test",
           "user@aonly.test")
RECIPIENTS = ("user@dest.test", "nosuch@dest.test", "user@relay.test", "user@else.test", "user@bad.test",
              "user@nx.test", "user@servfail.test", "user@nullmx.test", "user@nodots", "user@mxhere.test",
              "user", "postmaster", "user@[192.0.2.1]", "user%else.test@dest.test", "user@badmx.test",
              "user@badns.test", "user@sub.relay.test", "else.test!user@dest.test", "listed@dest.test",
              "gone@alias.dest.test", "user@deadmx.test", "user@failmx.test")
# What a word is tried with where it is not at home: nothing special, a hit, a failure.
FEW = {"client": (1, 8, 4), "helo": ("good.test", "bad.test", "servfail.test"),
       "sender": ("user@good.test", "user@bad.test", "user@servfail.test"),
       "recipient": ("user@dest.test", "user@bad.test", "user@servfail.test")}
ACCESS = """\
bad.test REJECT listed
192.0.2.66 REJECT listed address
192.0.2.67 450 4.7.1 listed mail server
192.0.2.68 REJECT 5.1.8 listed name server
10.8 REJECT listed network
listed@ REJECT 5.1.1 listed user
user@good.test DUNNO
mx.test REJECT our name
192.0.2.12 OK
"""
TABLE = "texthash:{etc}/access"


def tables(group, words):
    """Each of WORDS with a table that knows, and with one that fails."""
    for word in words:
        yield f"{word} {TABLE}", group, word
        yield f"{word} fail:down", group, word


# (what stands in the list, whose properties matter, the word)
def vocabulary():
    plain = {
        "client": """permit reject defer defer_if_permit defer_if_reject permit_inet_interfaces permit_mynetworks
            permit_sasl_authenticated permit_tls_all_clientcerts permit_tls_clientcerts permit_naked_ip_address
            reject_unknown_client_hostname reject_unknown_client reject_unknown_reverse_client_hostname
            reject_unknown_forward_client_hostname reject_plaintext_session reject_unauth_pipelining
            reject_maps_rbl no_such_word""",
        "helo": """reject_invalid_helo_hostname reject_invalid_hostname reject_non_fqdn_helo_hostname
            reject_non_fqdn_hostname reject_unknown_helo_hostname reject_unknown_hostname""",
        "sender": """reject_non_fqdn_sender reject_unknown_sender_domain reject_unlisted_sender
            reject_unverified_sender reject_sender_login_mismatch reject_authenticated_sender_login_mismatch
            reject_unauthenticated_sender_login_mismatch reject_known_sender_login_mismatch
            reject_multi_recipient_bounce reject_unknown_address""",
        "recipient": """permit_auth_destination reject_unauth_destination defer_unauth_destination permit_mx_backup
            check_relay_domains check_recipient_maps reject_non_fqdn_recipient reject_unknown_recipient_domain
            reject_unlisted_recipient reject_unverified_recipient""",
    }
    for group, words in plain.items():
        for word in words.split():
            yield word, group, word
    for kind in ("", "_a", "_mx", "_ns"):
        yield from tables("client", [f"check_client{kind}_access", f"check_reverse_client_hostname{kind}_access"])
        yield from tables("helo", [f"check_helo{kind}_access"])
        yield from tables("sender", [f"check_sender{kind}_access"])
        yield from tables("recipient", [f"check_recipient{kind}_access"])
    yield from tables("client", ["check_ccert_access", "check_sasl_access"])
    yield from tables("recipient", ["check_etrn_access"])
    yield TABLE, "recipient", "table"
    for word in ("reject_rbl_client", "reject_rbl"):
        yield f"{word} dnsbl.test", "client", word
    yield "reject_rbl_client dnsbl.test=127.0.0.[3..9]", "client", "reject_rbl_client"
    yield "reject_rbl_client dnsbl.test=127.0.0.3", "client", "reject_rbl_client"
    yield "permit_dnswl_client dnswl.test", "client", "permit_dnswl_client"
    yield "permit_rhswl_client rhswl.test", "client", "permit_rhswl_client"
    yield "reject_rhsbl_client rhsbl.test", "client", "reject_rhsbl_client"
    yield "reject_rhsbl_reverse_client rhsbl.test", "client", "reject_rhsbl_reverse_client"
    yield "reject_rhsbl_helo rhsbl.test", "helo", "reject_rhsbl_helo"
    yield "reject_rhsbl_sender rhsbl.test", "sender", "reject_rhsbl_sender"
    yield "reject_rhsbl_recipient rhsbl.test", "recipient", "reject_rhsbl_recipient"
    for word, group in (("reject_unknown_client_hostname", "client"), ("reject", "client"), ("defer", "client"),
                        ("defer_if_permit", "client"), ("no_such_word", "client"),
                        ("reject_invalid_helo_hostname", "helo"), ("reject_non_fqdn_sender", "sender"),
                        ("reject_unknown_sender_domain", "sender"), ("reject_unauth_destination", "recipient"),
                        (f"check_recipient_access {TABLE}", "recipient"), ("reject_unlisted_recipient", "recipient")):
        yield f"warn_if_reject {word}", group, "warn_if_reject"
    yield "defer_if_permit defer_if_reject", "client", "defer_if_permit"
    yield "defer_if_reject reject_unknown_sender_domain", "sender", "defer_if_reject"
    yield "defer_if_reject reject_unauth_destination", "recipient", "defer_if_reject"
    yield "warn_if_reject defer_if_reject reject_unauth_destination", "recipient", "warn_if_reject"
    yield "reject_unknown_sender_domain reject_unauth_destination", "sender", "reject_unknown_sender_domain"


def words():
    """(number, text, group, word): the number is the third of the client's address."""
    return [(n, *entry) for n, entry in enumerate(vocabulary(), 1)]


def service(book, which, delay, tail):
    lists = {f"smtpd_{x}_restrictions": "" for x in LISTS}
    lists["smtpd_relay_restrictions"] = "$anybody"
    text = "check_client_access regexp:{etc}/words"
    if tail:
        text += ", check_client_access static:{550 5.7.77 fell through}"
    if which == "relay":
        text += ", $anybody"
    lists[f"smtpd_{which}_restrictions"] = text
    return book.service(f"{which} delay={delay} tail={tail}", smtpd_delay_reject=delay,
                        smtpd_restriction_classes="$words", **lists)


def properties(group, which, full):
    """(what is said in the name, client's kind, helo, sender, recipient) of the dialogues of a group."""
    every = {"client": CLIENTS, "helo": HELOS, "sender": SENDERS, "recipient": RECIPIENTS}[group]
    for value in every if full else FEW[group] if which in (group, "recipient") else FEW[group][1:]:
        p = {"client": 1, "helo": "good.test", "sender": "user@good.test", "recipient": "user@dest.test"}
        p[group] = value
        yield str(value) or "<>", p["client"], p["helo"], p["sender"], p["recipient"]


def steps(which, helo, sender, recipient):
    if which == "etrn":
        return [f"EHLO {helo}", f"ETRN {recipient.rpartition('@')[2]}", "QUIT"]
    return letter(helo, sender, recipient, data=which in ("data", "end_of_data"))


def add(book):
    entries = words()
    book.main.append("words = " + " ".join(f"w{n}" for n, *_ in entries))
    book.main += [f"w{n} = {text}" for n, text, *_ in entries]
    book.files["words"] = "".join(f"/^10\\.[0-9]+\\.{n}\\.[0-9]+$/ w{n}\n" for n, *_ in entries)
    book.files["access"] = ACCESS
    every = bool(os.environ.get("HK_DIFFERENTIAL_ALL"))
    for which in LISTS:
        for delay, tail in (("yes", False), ("yes", True), ("no", False)):
            if (delay == "no" or tail) and which in ("data", "end_of_data") + ("etrn",) * tail and not every:
                continue        # comes after RCPT in any case
            name = service(book, which, delay, tail)
            for n, text, group, word in entries:
                if (tail or "unverified" in word) and which != group and not every:
                    continue    # (and a probe takes a second)
                if delay == "no" and which != group and group != "client" and not every:
                    continue
                full = every or (which == group and not tail and "fail:" not in text and "unverified" not in word)
                for said, client, helo, sender, recipient in properties(group, which, full):
                    book.say(f"{which} list", f"{which} delay={delay} tail={tail}: {text}: {said}", name,
                             steps(which, helo, sender, recipient), f"10.{client}.{n}.1", word)
