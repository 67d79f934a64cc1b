"""Parameters that change what restrictions answer: reply codes, actions of failed questions, soft_bounce,
lists of local addresses, footers; each with a dialogue that meets it."""
from book import letter, MESSAGE

ANY = "user@good.test"
OURS = "user@dest.test"
CODES = {    # parameter: (list, what stands in it, client, helo, sender, recipient)
    "reject_code": ("client", "reject", 1, "good.test", ANY, OURS),
    "defer_code": ("client", "defer", 1, "good.test", ANY, OURS),
    "access_map_reject_code": ("sender", "check_sender_access static:REJECT", 1, "good.test", ANY, OURS),
    "access_map_defer_code": ("sender", "check_sender_access static:DEFER", 1, "good.test", ANY, OURS),
    "invalid_hostname_reject_code": ("helo", "reject_invalid_helo_hostname", 1, "-x.test", ANY, OURS),
    "non_fqdn_reject_code": ("sender", "reject_non_fqdn_sender", 1, "good.test", "user@nodots", OURS),
    "unknown_hostname_reject_code": ("helo", "reject_unknown_helo_hostname", 1, "nx.test", ANY, OURS),
    "unknown_client_reject_code": ("client", "reject_unknown_client_hostname", 2, "good.test", ANY, OURS),
    "unknown_address_reject_code": ("sender", "reject_unknown_sender_domain", 1, "good.test", "user@nx.test", OURS),
    "unverified_sender_reject_code": ("sender", "reject_unverified_sender", 1, "good.test", "no@dest.test", OURS),
    "unverified_recipient_reject_code": ("recipient", "reject_unverified_recipient", 1, "good.test", ANY,
                                         "no@dest.test"),
    "relay_domains_reject_code": ("recipient", "reject_unauth_destination", 1, "good.test", ANY, "user@else.test"),
    "maps_rbl_reject_code": ("client", "reject_rbl_client dnsbl.test", 8, "good.test", ANY, OURS),
    "multi_recipient_bounce_reject_code": ("data", "reject_multi_recipient_bounce", 1, "good.test", "", OURS),
    "plaintext_reject_code": ("client", "reject_plaintext_session", 1, "good.test", ANY, OURS),
    "unknown_local_recipient_reject_code": ("recipient", "", 1, "good.test", ANY, "no@mx.test"),
    "unknown_relay_recipient_reject_code": ("recipient", "", 1, "good.test", ANY, "no@relay.test"),
    "unknown_virtual_alias_reject_code": ("recipient", "", 1, "good.test", ANY, "no@alias.dest.test"),
    "unknown_virtual_mailbox_reject_code": ("recipient", "", 1, "good.test", ANY, "no@dest.test"),
    "unknown_client_reject_code ": ("client", "reject_unknown_reverse_client_hostname", 2, "good.test", ANY, OURS),
    "non_fqdn_reject_code ": ("recipient", "reject_non_fqdn_recipient", 1, "good.test", ANY, "user@nodots"),
    "non_fqdn_reject_code  ": ("helo", "reject_non_fqdn_helo_hostname", 1, "nodots", ANY, OURS),
    "unknown_address_reject_code ": ("recipient", "reject_unknown_recipient_domain", 1, "good.test", ANY,
                                     "user@nx.test"),
}
# The word, where it is not the first of the list.
WORDS = {"maps_rbl_reject_code": "reject_rbl_client", "unverified_sender_reject_code": "reject_unverified_sender",
         "unverified_recipient_reject_code": "reject_unverified_recipient"}
# What trivial-rewrite reads (relay_domains, swap_bangpath, relocated_maps, …) is no parameter of Postfix's
# smtpd: it has the value of main.cf in all of them.
# parameter, values, (list, text, client, helo, sender, recipient), word
CHANGES = [
    ("reject_tempfail_action", ("defer", "defer_if_permit"),
     ("sender", "reject_unknown_sender_domain", 1, "good.test", "user@servfail.test", OURS)),
    ("reject_tempfail_action", ("defer", "defer_if_permit"),
     ("helo", "reject_unknown_helo_hostname", 1, "servfail.test", ANY, OURS)),
    ("unknown_address_tempfail_action", ("defer", "defer_if_permit"),
     ("recipient", "reject_unknown_recipient_domain", 1, "good.test", ANY, "user@servfail.test")),
    ("unknown_helo_hostname_tempfail_action", ("defer", "defer_if_permit"),
     ("helo", "reject_unknown_helo_hostname, reject", 1, "servfail.test", ANY, OURS)),
    ("smtpd_reject_unlisted_sender", ("yes", "no"), ("sender", "", 1, "good.test", "no@dest.test", OURS)),
    ("smtpd_reject_unlisted_sender", ("yes",), ("sender", "", 1, "good.test", "no@alias.dest.test", OURS)),
    ("smtpd_reject_unlisted_sender", ("yes",), ("sender", "", 1, "good.test", "no@mx.test", OURS)),
    ("smtpd_reject_unlisted_sender", ("yes",), ("sender", "", 1, "good.test", "", OURS)),
    ("smtpd_reject_unlisted_recipient", ("yes", "no"), ("recipient", "", 1, "good.test", ANY, "no@dest.test")),
    ("smtpd_reject_unlisted_recipient", ("no",),
     ("recipient", "reject_unlisted_recipient", 1, "good.test", ANY, "no@dest.test")),
    ("receive_override_options", ("no_unknown_recipient_checks", "no_address_mappings"),
     ("recipient", "", 1, "good.test", ANY, "no@dest.test")),
    ("receive_override_options", ("no_unknown_recipient_checks",),
     ("recipient", "reject_unlisted_recipient", 1, "good.test", ANY, "no@dest.test")),
    ("relay_recipient_maps", ("inline:{yes@relay.test=x}", "fail:down", ""),
     ("recipient", "", 1, "good.test", ANY, "no@relay.test")),
    ("relay_recipient_maps", ("inline:{no@relay.test=x}", "inline:{@relay.test=x}"),
     ("recipient", "", 1, "good.test", ANY, "no@relay.test")),
    ("local_recipient_maps", ("", "fail:down", "inline:{no=x}"),
     ("recipient", "", 1, "good.test", ANY, "no@mx.test")),
    ("local_recipient_maps", ("inline:{yes=x}",), ("recipient", "", 1, "good.test", ANY, "yes+ext@mx.test")),
    ("recipient_delimiter", ("+", "", "+-"), ("recipient", "", 1, "good.test", ANY, "user+ext@dest.test")),
    ("recipient_delimiter", ("+-", "-"), ("recipient", "", 1, "good.test", ANY, "user-ext@mx.test")),
    ("delay_warning_time", ("0",), ("recipient", "", 1, "good.test", ANY, "moved@dest.test")),
    ("canonical_maps", ("inline:{old@dest.test=user@dest.test}",),
     ("recipient", "", 1, "good.test", ANY, "old@dest.test")),
    ("virtual_alias_maps", ("inline:{old@dest.test=user@dest.test}", "fail:down", "inline:{@dest.test=user@dest.test}"),
     ("recipient", "", 1, "good.test", ANY, "old@dest.test")),
    ("virtual_mailbox_maps", ("fail:down", "static:x", ""), ("recipient", "", 1, "good.test", ANY, "no@dest.test")),
    ("show_user_unknown_table_name", ("no",), ("recipient", "", 1, "good.test", ANY, "no@dest.test")),
    ("show_user_unknown_table_name", ("no",), ("recipient", "", 1, "good.test", ANY, "no@mx.test")),
    ("smtpd_null_access_lookup_key", ("<>", "nobody"),
     ("sender", "check_sender_access inline:{ {nobody=REJECT null} {<>=REJECT brackets} }", 1, "good.test", "", OURS)),
    ("parent_domain_matches_subdomains", ("", "smtpd_access_maps"),
     ("sender", "check_sender_access inline:{ {good.test=REJECT parent} }", 1, "good.test", "u@sub.good.test", OURS)),
    ("parent_domain_matches_subdomains", ("", "smtpd_access_maps"),
     ("sender", "check_sender_access inline:{ {.good.test=REJECT dot} }", 1, "good.test", "u@sub.good.test", OURS)),
    ("parent_domain_matches_subdomains", ("relay_domains",),
     ("recipient", "reject_unauth_destination", 1, "good.test", ANY, "user@sub.relay.test")),
    ("smtpd_reject_footer", ("For help, see $server_name", r"\c. Contact $client_address at $server_name",
                             r"first\nsecond $recipient $sender $helo_name"),
     ("recipient", "reject", 1, "good.test", ANY, OURS), "smtpd_reject_footer"),
    ("smtpd_reject_footer", ("421 and more", "550 5.1.1 said otherwise"),
     ("recipient", "reject", 1, "good.test", ANY, OURS), "smtpd_reject_footer"),
    ("smtpd_reject_footer", ("see $server_name",), ("recipient", "", 1, "good.test", ANY, "no@dest.test"),
     "smtpd_reject_footer"),
    ("smtpd_reject_footer_maps", ("regexp:{{/Access denied/ from a table}}", "static:{$client_name said $recipient}", "fail:down"),
     ("recipient", "reject", 1, "good.test", ANY, OURS), "smtpd_reject_footer"),
    ("smtpd_relay_before_recipient_restrictions", ("yes", "no"),
     ("recipient", "check_recipient_access static:{550 recipient list}", 1, "good.test", ANY, "user@else.test")),
    ("smtpd_helo_required", ("yes",), ("helo", "reject_invalid_helo_hostname", 1, "-x.test", ANY, OURS)),
    ("smtpd_log_access_permit_actions", ("static:all",), ("client", "permit_mynetworks", 7, "good.test", ANY, OURS)),
    ("smtpd_sender_login_maps", ("static:owner", "fail:down", "inline:{user@good.test=}"),
     ("sender", "reject_sender_login_mismatch", 1, "good.test", ANY, OURS), "reject_sender_login_mismatch"),
    ("default_rbl_reply", ("$rbl_code $rbl_domain lists $rbl_what ($rbl_class) $rbl_reason",
                           "$rbl_code 5.7.8 ${rbl_txt?has text}${recipient}"),
     ("client", "reject_rbl_client dnsbl.test", 8, "good.test", ANY, OURS), "reject_rbl_client"),
    ("rbl_reply_maps", ("inline:{ {dnsbl.test=$rbl_code 5.7.9 from a map, $client_address} }", "fail:down"),
     ("client", "reject_rbl_client dnsbl.test", 8, "good.test", ANY, OURS), "reject_rbl_client"),
    ("permit_mx_backup_networks", ("127.0.0.0/8", "192.0.2.0/24", ""),
     ("recipient", "permit_mx_backup, reject", 1, "good.test", ANY, "user@mxhere.test"), "permit_mx_backup"),
    ("unverified_recipient_reject_reason", ("nobody there",),
     ("recipient", "reject_unverified_recipient", 1, "good.test", ANY, "no@dest.test"), "reject_unverified_recipient"),
    ("resolve_null_domain", ("yes", "no"), ("recipient", "", 1, "good.test", ANY, "user@")),
    ("resolve_numeric_domain", ("yes", "no"), ("recipient", "", 1, "good.test", ANY, "user@192.0.2.1")),
    ("resolve_dequoted_address", ("yes",), ("recipient", "", 1, "good.test", ANY, '"user@else.test"@dest.test')),
    ("swap_bangpath", ("yes",), ("recipient", "reject_unauth_destination", 1, "good.test", ANY,
                                      "else.test!user")),
    ("allow_percent_hack", ("yes",), ("recipient", "reject_unauth_destination", 1, "good.test", ANY,
                                           "user%dest.test")),
    ("allow_untrusted_routing", ("yes", "no"), ("recipient", "permit_mx_backup, reject_unauth_destination", 1,
                                                "good.test", ANY, "user%else.test@relay.test"), "permit_mx_backup"),
    ("empty_address_recipient", ("MAILER-DAEMON",), ("recipient", "", 1, "good.test", ANY, "")),
    ("double_bounce_sender", ("double-bounce",), ("sender", "", 1, "good.test", "double-bounce@mx.test", OURS)),
    ("smtpd_client_restrictions", ("sleep 1, reject",), ("client", "sleep 1, reject", 1, "good.test", ANY, OURS),
     "sleep"),
    ("smtpd_peername_lookup", ("no",), ("client", "reject_unknown_client_hostname", 1, "good.test", ANY, OURS)),
    ("smtpd_peername_lookup", ("no",), ("client", "reject_unknown_reverse_client_hostname", 1, "good.test", ANY, OURS)),
    ("broken_sasl_auth_clients", ("yes",), ("client", "permit_sasl_authenticated", 1, "good.test", ANY, OURS)),
]
POLICY = ("dunno", "ok", "reject", "code", "if_permit", "if_reject", "list", "unknown", "empty", "nothing",
          "garbage", "close")


def one(book, group, name, spec, word=None, steps=None, **options):
    which, text, client, helo, sender, recipient = spec
    lists = {"smtpd_relay_restrictions": "$anybody", "smtpd_recipient_restrictions": ""}
    if text:
        lists[f"smtpd_{which}_restrictions"] = text
    lists.update({k: v for k, v in options.items()})
    book.service(f"{group} {name}", **lists)
    if steps is None:
        steps = letter(helo, sender, recipient)
        if "multi_recipient_bounce" in text:
            steps[3:3] = ["RCPT TO:<postmaster>"]
    book.say(group, name, f"{group} {name}", steps, f"10.{client}.0.1", word)


def add_policy(book):
    import policy
    for answer in POLICY:
        text = f"check_policy_service inet:127.0.0.1:{policy.port(answer)}"
        one(book, "policy service", answer, ("recipient", text, 1, "good.test", ANY, OURS), "check_policy_service")
    for name, text in {
        "nobody there": "check_policy_service inet:127.0.0.1:9",
        "nobody there, default action": "check_policy_service { inet:127.0.0.1:9, default_action=DUNNO }",
        "nobody there, default action with text":
            "check_policy_service { inet:127.0.0.1:9, { default_action = 450 4.7.3 not now } }",
        "warned": f"warn_if_reject check_policy_service inet:127.0.0.1:{policy.port('reject')}",
        "no argument": "check_policy_service",
    }.items():
        one(book, "policy service", name, ("recipient", text, 1, "good.test", ANY, OURS), "check_policy_service")
    for which in ("client", "helo", "sender", "data", "end_of_data", "etrn"):
        text = f"check_policy_service inet:127.0.0.1:{policy.port('reject')}"
        steps = ["EHLO good.test", "ETRN relay.test", "QUIT"] if which == "etrn" else None
        one(book, "policy service", f"reject in the {which} list", (which, text, 1, "good.test", ANY, OURS),
            "check_policy_service", steps, smtpd_delay_reject="no")


def add(book):
    for parameter, spec in CODES.items():
        for value in ("450", "599"):
            one(book, "reply codes", f"{parameter}={value}", spec, WORDS.get(parameter),
                **{parameter.strip(): value})
        one(book, "soft_bounce", parameter, spec, WORDS.get(parameter), soft_bounce="yes")
    for n, (parameter, values, spec, *word) in enumerate(CHANGES):
        for value in values:
            one(book, "parameters", f"{n} {parameter}={value}, {spec[0]}: {spec[1]}", spec, *word, **{parameter: value})
    add_policy(book)
    one(book, "soft_bounce", "syntax", ("client", "", 1, "", "", ""), None,
        ["MAIL", "RCPT", "DATA", "nonsense", "EHLO", "EHLO x", "MAIL FROM:<a@good.test> X=Y", "QUIT"],
        soft_bounce="yes", smtpd_helo_required="yes")
    one(book, "soft_bounce", "521", ("client", "check_client_access static:{521 no}", 1, "", "", ""), None,
        letter(), soft_bounce="yes")
    one(book, "soft_bounce", "end of data", ("end_of_data", "reject", 1, "", "", ""), None,
        ["EHLO a.test", f"MAIL FROM:<{ANY}>", f"RCPT TO:<{OURS}>", "DATA", MESSAGE, "QUIT"], soft_bounce="yes")
