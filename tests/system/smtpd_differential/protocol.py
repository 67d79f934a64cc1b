"""The protocol itself: commands and their order, addresses, parameters of MAIL and RCPT, limits,
pipelining, sizes, BDAT; and the parameters that change them."""
from book import MESSAGE

HELLO = "EHLO good.test"
MAIL = "MAIL FROM:<user@good.test>"
RCPT = "RCPT TO:<user@dest.test>"
BODY = MESSAGE[:-3]

PATHS = [
    "<user@good.test>", "user@good.test", "< user@good.test >", "<user@good.test", "user@good.test>", "<<user@good.test>>",
    "<>", "", "< >", "<user>", "user", "<@good.test>", "<user@>", "<@>", "<user@good.test.>", "<user@.good.test>",
    "<user@good..test>", "<us er@good.test>", '<"us er"@good.test>', '<"us\\"er"@good.test>', '<"user"@good.test>',
    '<us"er@good.test>', "<user@[10.1.0.1]>", "<user@[bogus]>", "<user@[IPv6:::1]>", "<user@[IPv6:bogus]>",
    "<user@10.1.0.1>", "<@a.test,@b.test:user@good.test>", "<@a.test:user@good.test>", "@a.test:user@good.test",
    "User Name <user@good.test>", '"User Name" <user@good.test>', "<user@good.test> (comment)", "(comment) <user@good.test>",
    "<user(comment)@good.test>", "<user@good.test(comment)>", "<user@good.test,other@good.test>", "<user@good.test> <x@y.test>",
    "user@good.test, x@good.test", "<user..name@good.test>", "<.user@good.test>", "<user.@good.test>", "<user@good_x.test>",
    "<user@-good.test>", "<user@good-.test>", "<user%else.test@good.test>", "<else.test!user>", "<user@else.test@good.test>",
    "<user@localhost>", "<postmaster>", "<POSTMASTER>", "<user\\@x@good.test>", "<\\user@good.test>", "<us\\ er@good.test>",
    "<" + "l" * 64 + "@good.test>", "<" + "l" * 65 + "@good.test>", "<" + "l" * 300 + "@good.test>",
    "<user@" + "d" * 63 + ".test>", "<user@" + "d" * 64 + ".test>", "<user@" + ("d" * 60 + ".") * 5 + "test>",
    "<us\xc3\xa9r@good.test>", "<user@b\xc3\xbccher.test>", "<us\xe9r@good.test>", "<user@good.test\x01>", "<us\ter@good.test>",
    "<user@good.test>:", ":<user@good.test>", "<\"\"@good.test>", "<\"a@b\"@good.test>", "<user@[]>", "<user@[10.1.0.1>",
    "<user@10.1.0.1]>", "<user;x@good.test>", "<user:x@good.test>", "group: user@good.test;", "<user@good.test>;",
    "<user@xn--bcher-kva.test>", "<!user@good.test>", "<user!@good.test>", "<%@good.test>", "<|cmd@good.test>", "</file@good.test>",
    "<-user@good.test>", "<user@#123>", "<user@good.test#>", "'user@good.test'", "[user@good.test]",
]
PARAMETERS = [
    "SIZE=100", "SIZE=", "SIZE", "SIZE=0", "SIZE=-1", "SIZE=abc", "SIZE=20000", "SIZE=99999999999999999999",
    "SIZE=999999999999999999999999", "BODY=7BIT", "BODY=8BITMIME", "body=8bitmime", "BODY=BINARYMIME", "BODY=", "BODY",
    "RET=FULL", "RET=HDRS", "RET=BOTH", "RET=", "RET", "RET=FULL RET=HDRS", "ENVID=abc", "ENVID=", "ENVID", "ENVID=a+20b",
    "ENVID=a+2b", "ENVID=a+", "ENVID=+0A", "ENVID=" + "e" * 100, "ENVID=" + "e" * 101, "ENVID=a ENVID=b", "AUTH=<>",
    "AUTH=user", "SMTPUTF8", "SMTPUTF8=x", "UNKNOWN=x", "UNKNOWN", "=x", "SIZE=100 BODY=8BITMIME RET=HDRS ENVID=x",
    "SIZE=100  BODY=8BITMIME", "SIZE=100\tBODY=8BITMIME", "NOTIFY=NEVER", "SIZE=100 SIZE=200", "BODY=7BIT BODY=8BITMIME",
    "REQUIRETLS", "XVERP", "XVERP=+=", "XVERP=ab", "MT-PRIORITY=3", "BY=100;R", "HOLDFOR=10",
]
RCPT_PARAMETERS = [
    "NOTIFY=NEVER", "NOTIFY=SUCCESS", "NOTIFY=SUCCESS,FAILURE,DELAY", "NOTIFY=NEVER,SUCCESS", "NOTIFY=SUCCESS,SUCCESS",
    "NOTIFY=", "NOTIFY", "NOTIFY=X", "NOTIFY=SUCCESS,", "NOTIFY=,SUCCESS", "notify=never", "NOTIFY=NEVER NOTIFY=NEVER",
    "ORCPT=rfc822;user@dest.test", "ORCPT=rfc822;a+20b", "ORCPT=user@dest.test", "ORCPT=;x", "ORCPT=rfc822;", "ORCPT=", "ORCPT",
    "ORCPT=rfc822;a+2", "ORCPT=utf-8;user", "ORCPT=x y", "ORCPT=rfc822;a ORCPT=rfc822;b", "NOTIFY=NEVER ORCPT=rfc822;a",
    "SIZE=1", "X=Y", "X", "ORCPT=rfc822;" + "o" * 500, "ORCPT=rfc822;" + "o" * 250, "ORCPT=r@c;x", "ORCPT=utf-8;a\\x{e9}@dest.test",
]
HELOS = ["good.test", "", " ", "[10.1.0.1]", "[IPv6:::1]", "a b", "a  b c", "good.test ", "\xc3\xa9.test", "x" * 200, "x" * 300, "<good.test>",
         "good.test\x01", "-", ".", "a.", "[", "under_score", "127.0.0.1", "#1", "user@good.test", "a,b", "(c)", "\"q\"", "a;b", "a!b", "$x"]
LINES = {
    "nothing": [""], "blanks": ["   "], "unknown": ["NONSENSE"], "unknown with arguments": ["FOO bar baz"],
    "lower case": ["ehlo good.test", "mail from:<user@good.test>", "rcpt to:<user@dest.test>", "rset"],
    "blanks in front": ["  NOOP"], "blanks behind": ["NOOP  "], "a tab": ["NOOP\tx"], "NOOP": ["NOOP", "NOOP x", "NOOP x y"],
    "HELP": ["HELP", "HELP MAIL", "HELP x y"], "RSET": ["RSET", "RSET x"], "QUIT with an argument": ["QUIT now"],
    "QUIT with blanks": ["QUIT "], "VRFY": ["VRFY user@dest.test", "VRFY", "VRFY no@dest.test", "VRFY user@else.test",
                                            "VRFY <user@dest.test>", "VRFY user", "VRFY a b", "VRFY <>", "VRFY user@", "VRFY @",
                                            "VRFY user@dest.test SMTPUTF8", "VRFY \"us er\"@dest.test", "VRFY us\xc3\xa9r@dest.test",
                                            "VRFY User <user@dest.test>"],
    "VRFY first": ["VRFY user@dest.test"], "EXPN": ["EXPN user"], "ETRN": [HELLO, "ETRN", "ETRN relay.test", "ETRN a b", "ETRN @relay.test",
                                                                            "ETRN #relay.test", "ETRN else.test", "ETRN -bad.test", "ETRN [10.1.0.1]",
                                                                            "ETRN sub.relay.test", "ETRN RELAY.TEST", "ETRN @", "ETRN 10.1.0.1"],
    "ETRN without HELO": ["ETRN relay.test"], "ETRN within mail": [HELLO, MAIL, "ETRN relay.test"],
    "SEND": ["SEND FROM:<x@good.test>"], "TURN": ["TURN"], "AUTH": [HELLO, "AUTH", "AUTH PLAIN", "AUTH PLAIN AHgAeA=="],
    "STARTTLS": [HELLO, "STARTTLS", "STARTTLS x"], "XCLIENT": [HELLO, "XCLIENT NAME=x", "XCLIENT"],
    "XFORWARD": [HELLO, "XFORWARD NAME=x", "XFORWARD"], "GET": ["GET / HTTP/1.0"], "POST": ["POST / HTTP/1.0"],
    "CONNECT": ["CONNECT x:25 HTTP/1.0"], "a header": ["Subject: hello"], "a header after mail": [HELLO, MAIL, "From: x@good.test"],
    "a binary byte": ["\x01\x02\x03"], "a high byte": ["\xe9\xe9"], "UTF-8": ["\xc3\xa9\xc3\xa9"], "digits": ["123"], "a colon": [":"],
    "short": ["X", "HE", "NOO"], "MAIL": [HELLO, "MAIL", "MAIL FROM", "MAIL FROM:", "MAIL FROM <user@good.test>", "MAIL user@good.test",
                                          "MAIL TO:<user@good.test>", "MAIL FROM: <user@good.test>"],
    "MAIL with a blank before the colon": [HELLO, "MAIL FROM :<user@good.test>"], "MAIL with none": [HELLO, "MAIL FROM:user@good.test"],
    "MAIL without HELO": [MAIL, RCPT, "DATA", MESSAGE], "MAIL twice": [HELLO, MAIL, MAIL], "RCPT first": [HELLO, RCPT],
    "RCPT": [HELLO, MAIL, "RCPT", "RCPT TO", "RCPT TO:", "RCPT TO <user@dest.test>", "RCPT user@dest.test", "RCPT FROM:<user@dest.test>",
             "RCPT TO : <user@dest.test>", "RCPT TO: user@dest.test"],
    "DATA first": [HELLO, "DATA"], "DATA without RCPT": [HELLO, MAIL, "DATA"], "DATA with an argument": [HELLO, MAIL, RCPT, "DATA x", "DATA", MESSAGE],
    "DATA after refused RCPT": [HELLO, MAIL, "RCPT TO:<no@dest.test>", "DATA"], "two messages": [HELLO, MAIL, RCPT, "DATA", MESSAGE, MAIL, RCPT, "DATA", MESSAGE],
    "RCPT after DATA": [HELLO, MAIL, RCPT, "DATA", MESSAGE, RCPT], "EHLO resets": [HELLO, MAIL, RCPT, HELLO, RCPT, "DATA"],
    "HELO resets": [HELLO, MAIL, RCPT, "HELO a.test", RCPT], "RSET resets": [HELLO, MAIL, RCPT, "RSET", "DATA"], "HELO twice": ["HELO a.test", "HELO b.test"],
    "HELO then EHLO": ["HELO a.test", HELLO], "one recipient twice": [HELLO, MAIL, RCPT, RCPT, "DATA", MESSAGE],
    "null sender": [HELLO, "MAIL FROM:<>", RCPT, "DATA", MESSAGE], "refused MAIL then RCPT": [HELLO, "MAIL FROM:<x@good.test> X=Y", RCPT, "DATA"],
    "DSN after HELO": ["HELO a.test", "MAIL FROM:<user@good.test> RET=FULL", MAIL, "RCPT TO:<user@dest.test> NOTIFY=NEVER"],
    "SIZE after HELO": ["HELO a.test", "MAIL FROM:<user@good.test> SIZE=10"], "BDAT after HELO": ["HELO a.test", MAIL, RCPT, "BDAT 0 LAST"],
    "percent": ["%s%n"], "a long line": ["NOOP " + "x" * 500], "a longer line": ["NOOP " + "x" * 1500], "longest": ["NOOP " + "x" * 2040],
    "too long": ["NOOP " + "x" * 3000],
    "long unknown": ["Z" * 600],
}
CHUNKS = {
    "one": [("BDAT 5 LAST\r\nx\r\ny\r\n"[:18], 1)],
    "two": [("BDAT 3\r\na\r\n", 1), ("BDAT 3 LAST\r\nb\r\n", 1)],
    "empty last": [("BDAT 3\r\na\r\n", 1), ("BDAT 0 LAST\r\n", 1)],
    "only empty": [("BDAT 0 LAST\r\n", 1)], "no number": ["BDAT"], "bad number": ["BDAT x"], "negative": ["BDAT -1"],
    "bad word": ["BDAT 0 FIRST"], "more words": ["BDAT 0 LAST x"], "lower case": [("bdat 3 last\r\na\r\n", 1)],
    "RCPT between": [("BDAT 3\r\na\r\n", 1), RCPT], "DATA between": [("BDAT 3\r\na\r\n", 1), "DATA"],
    "MAIL between": [("BDAT 3\r\na\r\n", 1), MAIL], "RSET between": [("BDAT 3\r\na\r\n", 1), "RSET", RCPT],
    "NOOP between": [("BDAT 3\r\na\r\n", 1), "NOOP", ("BDAT 3 LAST\r\nb\r\n", 1)], "VRFY between": [("BDAT 3\r\na\r\n", 1), "VRFY user@dest.test"],
    "EHLO between": [("BDAT 3\r\na\r\n", 1), HELLO], "HELP between": [("BDAT 3\r\na\r\n", 1), "HELP"],
    "pipelined": [("BDAT 3\r\na\r\nBDAT 3 LAST\r\nb\r\n", 2)], "no line end": [("BDAT 1 LAST\r\nx", 1)], "a NUL": [("BDAT 3 LAST\r\na\0b", 1)],
    "bare LF": [("BDAT 3 LAST\r\na\nb", 1)], "a dot": [("BDAT 3 LAST\r\n.\r\n", 1)], "over the limit": [("BDAT 20000 LAST\r\n" + "x" * 20000, 1)],
    "over the limit in two": [("BDAT 6000\r\n" + "x" * 6000, 1), ("BDAT 6000 LAST\r\n" + "x" * 6000, 1)],
    "too large a number": ["BDAT 99999999999999999999"], "after last": [("BDAT 3 LAST\r\na\r\n", 1), ("BDAT 3 LAST\r\nb\r\n", 1)],
    "message after": [("BDAT 3 LAST\r\na\r\n", 1), MAIL, RCPT, "DATA", MESSAGE],
}
# Dialogues about one word, for the list of what is not there yet.
WORDS = {"VRFY": "VRFY", "XCLIENT": "XCLIENT", "XFORWARD": "XFORWARD", "AUTH": "AUTH", "STARTTLS": "STARTTLS",
         "smtpd_authorized_xclient_hosts": "XCLIENT", "XCLIENT and restrictions": "XCLIENT",
         "XCLIENT, everything": "XCLIENT", "smtpd_authorized_xforward_hosts": "XFORWARD",
         "authorized_verp_clients": "XVERP", "smtpd_sasl_auth_enable": "AUTH",
         "smtpd_client_message_rate_limit": "rate limits", "smtpd_client_recipient_rate_limit": "rate limits",
         "hopcount_limit": "cleanup_service_name", "header_checks": "cleanup_service_name", "MAIL AUTH=<> (7)": "AUTH", "MAIL AUTH=user (9)": "AUTH"}
# name, options, steps
SETTINGS = [
    ("smtpd_helo_required", {"smtpd_helo_required": "yes"}, [MAIL, "VRFY user@dest.test", "ETRN relay.test", RCPT, "DATA", "RSET", "NOOP", HELLO, MAIL]),
    ("disable_vrfy_command", {"disable_vrfy_command": "yes"}, ["VRFY user@dest.test", HELLO, "VRFY user@dest.test", "VRFY"]),
    ("smtpd_banner", {"smtpd_banner": "$myhostname says hello"}, ["QUIT"]),
    ("smtpd_discard_ehlo_keywords", {"smtpd_discard_ehlo_keywords": "pipelining, size, etrn, dsn, chunking, vrfy"},
     [HELLO, "MAIL FROM:<user@good.test> SIZE=10", "MAIL FROM:<user@good.test> RET=FULL", MAIL, "RCPT TO:<user@dest.test> NOTIFY=NEVER",
      RCPT, "BDAT 0 LAST", "ETRN relay.test", "VRFY user@dest.test"]),
    ("smtpd_discard_ehlo_keywords all", {"smtpd_discard_ehlo_keywords":
     "silent-discard pipelining size etrn dsn chunking vrfy 8bitmime enhancedstatuscodes smtputf8 auth starttls"},
     [HELLO, "MAIL FROM:<user@good.test> BODY=8BITMIME", "MAIL FROM:<user@good.test> SMTPUTF8"]),
    ("smtpd_discard_ehlo_keyword_address_maps", {"smtpd_discard_ehlo_keyword_address_maps": "inline:{ {10.1.0.1=etrn, size} }"}, [HELLO, "QUIT"]),
    ("message_size_limit", {"message_size_limit": "10000"}, [HELLO, "MAIL FROM:<user@good.test> SIZE=10001", "MAIL FROM:<user@good.test> SIZE=10000",
                                                             RCPT, "DATA", (BODY + "x" * 70 + "\r\n" * 1 + ("y" * 78 + "\r\n") * 150 + ".\r\n", 1), "NOOP"]),
    ("message_size_limit zero", {"message_size_limit": "0"}, [HELLO, "MAIL FROM:<user@good.test> SIZE=99999999"]),
    ("smtpd_recipient_limit", {"smtpd_recipient_limit": "2"}, [HELLO, MAIL, RCPT, RCPT, RCPT, "RCPT TO:<no@dest.test>", "DATA", MESSAGE]),
    ("smtpd_recipient_overshoot_limit", {"smtpd_recipient_limit": "1", "smtpd_recipient_overshoot_limit": "1", "smtpd_hard_error_limit": "2"},
     [HELLO, MAIL, RCPT, RCPT, RCPT, RCPT, RCPT, "NOOP"]),
    ("smtpd_hard_error_limit", {"smtpd_hard_error_limit": "3"}, ["A", "B", "C", "D", "NOOP"]),
    ("smtpd_hard_error_limit, reset by mail", {"smtpd_hard_error_limit": "3"}, ["A", "B", HELLO, MAIL, RCPT, "DATA", MESSAGE, "C", "D", "E", "NOOP"]),
    ("smtpd_hard_error_limit, refusals", {"smtpd_hard_error_limit": "3"}, [HELLO, MAIL, "RCPT TO:<no@dest.test>", "RCPT TO:<no1@dest.test>",
                                                                         "RCPT TO:<no2@dest.test>", "RCPT TO:<no3@dest.test>"]),
    ("smtpd_hard_error_limit of 1", {"smtpd_hard_error_limit": "1"}, ["A", "NOOP"]),
    ("smtpd_junk_command_limit", {"smtpd_junk_command_limit": "2", "smtpd_hard_error_limit": "3"}, ["NOOP", "NOOP", "NOOP", "NOOP", "NOOP", "NOOP", "NOOP"]),
    ("smtpd_junk_command_limit, RSET", {"smtpd_junk_command_limit": "2", "smtpd_hard_error_limit": "3"}, ["RSET"] * 7),
    ("smtpd_junk_command_limit, HELO", {"smtpd_junk_command_limit": "2", "smtpd_hard_error_limit": "3"}, ["HELO a.test"] * 7),
    ("smtpd_junk_command_limit, EHLO", {"smtpd_junk_command_limit": "2", "smtpd_hard_error_limit": "3"}, [HELLO] * 7),
    ("smtpd_junk_command_limit, VRFY", {"smtpd_junk_command_limit": "2", "smtpd_hard_error_limit": "3"}, ["VRFY user@dest.test"] * 7),
    ("smtpd_junk_command_limit, ETRN", {"smtpd_junk_command_limit": "2", "smtpd_hard_error_limit": "3"}, [HELLO] + ["ETRN relay.test"] * 7),
    ("smtpd_junk_command_limit, HELP", {"smtpd_junk_command_limit": "2", "smtpd_hard_error_limit": "3"}, ["HELP"] * 7),
    ("smtpd_junk_command_limit and mail", {"smtpd_junk_command_limit": "2", "smtpd_hard_error_limit": "3"},
     [HELLO, "NOOP", MAIL, RCPT, "DATA", MESSAGE, "NOOP", "NOOP", "NOOP", "NOOP", "NOOP", "NOOP"]),
    ("smtpd_noop_commands", {"smtpd_noop_commands": "xnoop, vrfy"}, ["XNOOP", "XNOOP x", "VRFY user", "NOOP"]),
    ("smtpd_forbidden_commands", {"smtpd_forbidden_commands": "bad, EVIL"}, ["GET /", "NONSENSE", "BAD x"]),
    ("smtpd_forbidden_commands, known", {"smtpd_forbidden_commands": "noop, vrfy"}, ["VRFY user@dest.test", "NOOP", "RSET"]),
    ("smtpd_forbidden_commands, none", {"smtpd_forbidden_commands": ""}, ["GET /", "\x01", "Subject: x", "CONNECT"]),
    ("smtpd_command_filter", {"smtpd_command_filter": "regexp:{{/^NOOP.*/ RSET}}"}, ["NOOP x", "NOOP"]),
    ("smtpd_authorized_xclient_hosts", {"smtpd_authorized_xclient_hosts": "10.1.0.1"},
     [HELLO, "XCLIENT NAME=c.bad.test ADDR=10.8.0.9", HELLO, "XCLIENT ADDR=bogus", "XCLIENT FOO=x", "XCLIENT NAME=[UNAVAILABLE] HELO=h.test", HELLO, MAIL, RCPT]),
    ("XCLIENT and restrictions", {"smtpd_authorized_xclient_hosts": "10.1.0.1", "smtpd_client_restrictions": "check_client_access texthash:{etc}/access"},
     [HELLO, "XCLIENT NAME=c.bad.test ADDR=10.8.0.9", HELLO, MAIL, RCPT]),
    ("XCLIENT, everything", {"smtpd_authorized_xclient_hosts": "10.1.0.1"},
     [HELLO, "XCLIENT NAME=c.good.test ADDR=10.1.0.9 PORT=99 PROTO=SMTP HELO=h.test LOGIN=l DESTADDR=10.0.0.1 DESTPORT=25 REVERSE_NAME=r.test",
      HELLO, "XCLIENT ADDR=IPv6:2001:db8::1", "XCLIENT NAME=[TEMPUNAVAIL]", "XCLIENT PROTO=X", "XCLIENT", "XCLIENT NAME", MAIL, "XCLIENT NAME=x.test"]),
    ("smtpd_authorized_xforward_hosts", {"smtpd_authorized_xforward_hosts": "10.1.0.1"},
     [HELLO, "XFORWARD NAME=c.good.test ADDR=10.1.0.9 PORT=99 PROTO=ESMTP HELO=h.test IDENT=1 SOURCE=REMOTE", "XFORWARD ADDR=bogus", "XFORWARD FOO=x",
      "XFORWARD", "XFORWARD SOURCE=X", MAIL, "XFORWARD NAME=x.test", RCPT, "DATA", MESSAGE]),
    ("authorized_verp_clients", {"authorized_verp_clients": "10.1.0.1"}, [HELLO, "MAIL FROM:<user@good.test> XVERP", "RSET", "MAIL FROM:<user@good.test> XVERP=+=",
                                                                       "RSET", "MAIL FROM:<user@good.test> XVERP=ab", "MAIL FROM:<> XVERP"]),
    ("fast_flush_domains", {"fast_flush_domains": ""}, [HELLO, "ETRN relay.test"]),
    ("smtputf8_enable", {"smtputf8_enable": "no"}, [HELLO, "MAIL FROM:<user@good.test> SMTPUTF8", "MAIL FROM:<us\xc3\xa9r@good.test>"]),
    ("strict_smtputf8", {"strict_smtputf8": "yes"}, [HELLO, "MAIL FROM:<us\xc3\xa9r@good.test>", "MAIL FROM:<us\xc3\xa9r@good.test> SMTPUTF8",
                                                     "RCPT TO:<us\xc3\xa9r@dest.test>"]),
    ("smtpd_sasl_auth_enable", {"smtpd_sasl_auth_enable": "no"}, [HELLO, "AUTH PLAIN x"]),
    ("smtpd_tls_security_level", {"smtpd_tls_security_level": "none"}, [HELLO, "STARTTLS"]),
    ("smtpd_client_connection_rate_limit", {"smtpd_client_connection_rate_limit": "1", "smtpd_client_event_limit_exceptions": ""}, [HELLO, "QUIT"]),
    ("smtpd_client_message_rate_limit", {"smtpd_client_message_rate_limit": "1", "smtpd_client_event_limit_exceptions": ""},
     [HELLO, MAIL, "RSET", MAIL, RCPT]),
    ("smtpd_client_recipient_rate_limit", {"smtpd_client_recipient_rate_limit": "1", "smtpd_client_event_limit_exceptions": ""},
     [HELLO, MAIL, RCPT, RCPT, "DATA", MESSAGE]),
    ("smtpd_forbid_bare_newline normalize", {"smtpd_forbid_bare_newline": "normalize"}, [HELLO, MAIL, RCPT, "DATA", ("a\nb\r\n.\r\n", 1), "NOOP"]),
    ("smtpd_forbid_bare_newline reject", {"smtpd_forbid_bare_newline": "reject"}, [HELLO, MAIL, RCPT, "DATA", ("a\nb\r\n.\r\n", 1), "NOOP"]),
    ("line_length_limit", {"line_length_limit": "600"}, ["NOOP " + "x" * 700, HELLO, MAIL, RCPT, "DATA", (BODY + "x" * 1500 + "\r\n.\r\n", 1)]),
    ("header_size", {}, [HELLO, MAIL, RCPT, "DATA", ("Subject: " + "x" * 900 + "\r\n\r\n.\r\n", 1)]),
    ("hopcount_limit", {"cleanup_service_name": "hops"}, [HELLO, MAIL, RCPT, "DATA", ("Received: by x\r\n" * 5 + "\r\n.\r\n", 1)]),
    ("header_checks", {"cleanup_service_name": "checks"},
     [HELLO, MAIL, RCPT, "DATA", ("Subject: bad\r\n\r\n.\r\n", 1), MAIL, RCPT, "DATA", ("Subject: good\r\n\r\n.\r\n", 1)]),
    ("strict_7bit_headers", {}, [HELLO, MAIL, RCPT, "DATA", ("Subject: \xe9\r\n\r\n.\r\n", 1)]),
    ("smtpd_data_restrictions with two recipients", {"smtpd_data_restrictions": "reject_multi_recipient_bounce"},
     [HELLO, "MAIL FROM:<>", RCPT, "RCPT TO:<postmaster>", "DATA", "NOOP", "DATA"]),
    ("smtpd_data_restrictions then goes on", {"smtpd_data_restrictions": "reject"}, [HELLO, MAIL, RCPT, "DATA", "DATA", RCPT, MAIL]),
    ("smtpd_data_restrictions and BDAT", {"smtpd_data_restrictions": "reject"}, [HELLO, MAIL, RCPT, ("BDAT 3\r\na\r\n", 1), ("BDAT 3 LAST\r\nb\r\n", 1), "NOOP"]),
    ("smtpd_end_of_data_restrictions and BDAT", {"smtpd_end_of_data_restrictions": "reject"},
     [HELLO, MAIL, RCPT, ("BDAT 3\r\na\r\n", 1), ("BDAT 3 LAST\r\nb\r\n", 1), "NOOP"]),
    ("smtpd_end_of_data_restrictions then goes on", {"smtpd_end_of_data_restrictions": "reject"}, [HELLO, MAIL, RCPT, "DATA", MESSAGE, "DATA", MAIL, RCPT]),
    ("client refused at once", {"smtpd_delay_reject": "no", "smtpd_client_restrictions": "reject"}, [HELLO, "HELO x.test", MAIL, "RSET", "NOOP", "VRFY x", "FOO", "QUIT"]),
    ("client refused at once with 521", {"smtpd_delay_reject": "no", "smtpd_client_restrictions": "check_client_access static:{521 no}"}, [HELLO, "QUIT"]),
    ("client refused at once with 421", {"smtpd_delay_reject": "no", "smtpd_client_restrictions": "check_client_access static:{421 no}"}, [HELLO, "QUIT"]),
    ("HELO refused at once", {"smtpd_delay_reject": "no", "smtpd_helo_restrictions": "reject"}, [HELLO, MAIL, "HELO x.test", MAIL, RCPT]),
    ("HELO refused at once and required", {"smtpd_delay_reject": "no", "smtpd_helo_restrictions": "reject", "smtpd_helo_required": "yes"}, [HELLO, MAIL, RCPT]),
    ("sender refused at once", {"smtpd_delay_reject": "no", "smtpd_sender_restrictions": "reject"}, [HELLO, MAIL, RCPT, MAIL, "DATA"]),
]
GROUPS = {      # sent at once: (options, text, replies)
    "a whole message": ({}, "EHLO good.test\r\n", [(MAIL + "\r\n" + RCPT + "\r\nDATA\r\n", 3), MESSAGE]),
    "QUIT behind the dot": ({}, "EHLO good.test\r\n", [(MAIL + "\r\n" + RCPT + "\r\nDATA\r\n", 3), (BODY + ".\r\nQUIT\r\n", 2)]),
    "next MAIL behind the dot": ({}, "EHLO good.test\r\n", [(MAIL + "\r\n" + RCPT + "\r\nDATA\r\n", 3), (BODY + ".\r\n" + MAIL + "\r\n", 2)]),
    "RSET and MAIL": ({}, "EHLO good.test\r\n", [("RSET\r\n" + MAIL + "\r\n" + RCPT + "\r\nNOOP\r\n", 4)]),
    "refused RCPT and DATA": ({}, "EHLO good.test\r\n", [(MAIL + "\r\nRCPT TO:<no@dest.test>\r\nDATA\r\n", 3)]),
    "unknown commands": ({}, "EHLO good.test\r\n", [("A\r\nB\r\nNOOP\r\n", 3)]),
    "behind EHLO": ({}, "EHLO good.test\r\n" + MAIL + "\r\n", []),
    "behind HELO": ({}, "HELO good.test\r\n" + MAIL + "\r\n", []),
    "reject_unauth_pipelining at EHLO": ({"smtpd_data_restrictions": "reject_unauth_pipelining"}, "EHLO good.test\r\n",
                                         [(MAIL + "\r\n" + RCPT + "\r\nDATA\r\nNOOP\r\n", 4)]),
    "reject_unauth_pipelining, proper": ({"smtpd_data_restrictions": "reject_unauth_pipelining"}, "EHLO good.test\r\n",
                                         [(MAIL + "\r\n" + RCPT + "\r\nDATA\r\n", 3)]),
    "reject_unauth_pipelining after HELO": ({"smtpd_recipient_restrictions": "reject_unauth_pipelining"}, "HELO good.test\r\n",
                                            [(MAIL + "\r\n" + RCPT + "\r\nNOOP\r\n", 3)]),
    "reject_unauth_pipelining in the client list": ({"smtpd_client_restrictions": "reject_unauth_pipelining"}, "EHLO good.test\r\n",
                                                    [(MAIL + "\r\n" + RCPT + "\r\nNOOP\r\n", 3)]),
    "reject_unauth_pipelining in the HELO list": ({"smtpd_helo_restrictions": "reject_unauth_pipelining", "smtpd_delay_reject": "no"},
                                                  "EHLO good.test\r\n" + MAIL + "\r\n", []),
}


def replies(text):
    return text.count("\r\n")


def open_service(book, name, **options):
    lists = {"smtpd_relay_restrictions": "permit_auth_destination, check_client_access static:{554 5.7.1 no relay}, reject"}
    lists.update(options)
    return book.service(name, **lists)


def say(book, group, name, service, steps):
    steps = list(steps)
    if steps[-1] != "QUIT":
        steps.append("QUIT")
    book.say(group, name, service, steps, word=WORDS.get(name))


def add(book):
    for strict in ("no", "yes"):
        s = open_service(book, f"strict={strict}", strict_rfc821_envelopes=strict, message_size_limit="10000",
                         smtpd_hard_error_limit="100", smtpd_soft_error_limit="100")
        for path in PATHS:
            say(book, "addresses", f"strict={strict} MAIL FROM:{path}"[:120] + f" ({len(path)})", s,
                [HELLO, f"MAIL FROM:{path}", RCPT])
            say(book, "addresses", f"strict={strict} RCPT TO:{path}"[:120] + f" ({len(path)})", s,
                [HELLO, MAIL, f"RCPT TO:{path.replace('good.test', 'dest.test')}"])
    s = "strict=no"
    for p in PARAMETERS:
        say(book, "MAIL and RCPT parameters", f"MAIL {p[:60]} ({len(p)})", s, [HELLO, f"{MAIL} {p}", RCPT])
    for p in RCPT_PARAMETERS:
        say(book, "MAIL and RCPT parameters", f"RCPT {p[:60]} ({len(p)})", s, [HELLO, MAIL, f"{RCPT} {p}"])
    for h in HELOS:
        for verb in ("HELO", "EHLO"):
            say(book, "HELO", f"{verb} {h[:40]} ({len(h)})", s, [f"{verb} {h}", MAIL, RCPT])
    for name, steps in LINES.items():
        say(book, "commands", name, s, steps)
    for name, steps in CHUNKS.items():
        say(book, "BDAT", name, s, [HELLO, MAIL, RCPT, *steps])
    say(book, "BDAT", "first", s, [HELLO, ("BDAT 3\r\na\r\n", 1), "NOOP"])
    say(book, "BDAT", "without RCPT", s, [HELLO, MAIL, ("BDAT 3 LAST\r\na\r\n", 1), "NOOP"])
    say(book, "BDAT", "after refused RCPT", s, [HELLO, MAIL, "RCPT TO:<no@dest.test>", ("BDAT 3 LAST\r\na\r\n", 1), "NOOP"])
    for name, options, steps in SETTINGS:
        say(book, "settings", name, open_service(book, name, **options), steps)
    for name, (options, first, rest) in GROUPS.items():
        say(book, "pipelining", name, open_service(book, f"group {name}", **options), [(first, replies(first)), *rest])
