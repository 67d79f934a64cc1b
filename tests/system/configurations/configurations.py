"""The configurations of the test: shapes that real installations have, made up.

Each is (name, main.cf, master.cf, what `hikyaku check` must say)."""
import itertools

# The stock services of Debian's master.cf, columns by blanks or by tabs.
STOCK = """\
smtp inet n - y - - smtpd
pickup unix n - y 60 1 pickup
cleanup unix n - y - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - y 1000? 1 tlsmgr
rewrite unix - - y - - trivial-rewrite
bounce unix - - y - 0 bounce
defer unix - - y - 0 bounce
trace unix - - y - 0 bounce
verify unix - - y - 1 verify
flush unix n - y 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - y - - smtp
relay unix - - y - - smtp
        -o syslog_name=postfix/$service_name
showq unix n - y - - showq
error unix - - y - - error
retry unix - - y - - error
discard unix - - y - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - y - - lmtp
anvil unix - - y - 1 anvil
scache unix - - y - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
PIPES = """\
# external delivery
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}
uucp      unix  -       n       n       -       -       pipe
  flags=Fqhu user=uucp argv=uux -r -n -z -a$sender - $nexthop!rmail ($recipient)
ifmail    unix  -       n       n       -       -       pipe
  flags=F user=ftn argv=/usr/lib/ifmail/ifmail -r $nexthop ($recipient)
bsmtp     unix  -       n       n       -       -       pipe
  flags=Fq. user=bsmtp argv=/usr/lib/bsmtp/bsmtp -t$nexthop -f$sender $recipient
scalemail-backend unix -       n       n       -       2       pipe
  flags=R user=scalemail argv=/usr/lib/scalemail/bin/scalemail-store ${nexthop} ${user} ${extension}
mailman   unix  -       n       n       -       -       pipe
  flags=FRX user=list argv=/usr/lib/mailman/bin/postfix-to-mailman.py ${nexthop} ${user}
dovecot   unix  -       n       n       -       -       pipe
  flags=DRhu user=vmail:vmail argv=/usr/lib/dovecot/deliver -f ${sender} -d ${recipient}
"""
SUBMISSION = """\
submission inet n - y - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
#  -o smtpd_reject_unlisted_recipient=no
  -o smtpd_client_restrictions=$mua_client_restrictions
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o milter_macro_daemon_name=ORIGINATING
smtps     inet  n       -       y       -       -       smtpd
  -o smtpd_tls_wrappermode=yes
  -o mynetworks=127.0.0.0/8,[::1]/128
"""
AMAVIS = """\
smtp-amavis unix - - n - 2 smtp
    -o smtp_data_done_timeout=1200
    -o smtp_send_xforward_command=yes
127.0.0.1:10025 inet n - n - - smtpd
    -o content_filter=
    -o smtpd_recipient_restrictions=permit_mynetworks,reject
    -o receive_override_options=no_header_body_checks,no_unknown_recipient_checks
"""
DEBIAN = """\
# See /usr/share/postfix/main.cf.dist for a commented, more complete version
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no
append_dot_mydomain = no
readme_directory = no
compatibility_level = {level}
smtpd_tls_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem
smtpd_tls_key_file=/etc/ssl/private/ssl-cert-snakeoil.key
smtpd_tls_security_level=may
smtp_tls_CApath=/etc/ssl/certs
smtp_tls_security_level=may
smtp_tls_session_cache_database = btree:${{data_directory}}/smtp_scache
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = mail.example.com
alias_maps =
myorigin = $mydomain
mydestination = $myhostname, localhost.$mydomain, localhost
relayhost =
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = all
inet_protocols = all
"""
SMALL = "compatibility_level = 3.6\nmyhostname = mx.example.com\nalias_maps =\n"


def archetypes():
    for level in ("0", "1", "2", "3", "3.6", "3.7"):
        yield f"debian at level {level}", DEBIAN.format(level=level), STOCK
    yield "null client", SMALL + ("mydestination =\nrelayhost = [smtp.example.net]:587\nlocal_transport = "
                                  "error:local delivery disabled\ninet_interfaces = loopback-only\n"), STOCK
    yield "virtual mailboxes, dovecot by pipe", SMALL + """\
virtual_mailbox_domains = static:example.org
virtual_mailbox_maps = inline:{ u@example.org=u/ }
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
virtual_transport = dovecot
dovecot_destination_recipient_limit = 1
""", STOCK + PIPES
    yield "submission", SMALL + "mua_client_restrictions = permit_sasl_authenticated, reject\n", STOCK + SUBMISSION
    yield "amavis", SMALL + ("content_filter = smtp-amavis:[127.0.0.1]:10024\n"
                             "smtp-amavis_destination_recipient_limit = 20\n"), STOCK + AMAVIS
    yield "everything at once", DEBIAN.format(level="2") + "mua_client_restrictions = permit\n", \
        STOCK + SUBMISSION + AMAVIS + PIPES
    yield "policy service", SMALL + """\
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination,
    check_policy_service unix:private/policyd-spf
policyd-spf_time_limit = 3600
""", STOCK + "policyd-spf unix - n n - 0 spawn user=nobody argv=/usr/bin/policyd-spf\n"
    yield "milters", SMALL + """\
milter_default_action = accept
milter_protocol = 6
smtpd_milters = unix:/var/run/opendkim/opendkim.sock, inet:127.0.0.1:8891
non_smtpd_milters = $smtpd_milters
milter_mail_macros = i {mail_addr} {client_addr} {client_name} {auth_authen}
""", STOCK
    yield "restriction classes", SMALL + """\
smtpd_restriction_classes = strict, loose
strict = reject_unknown_sender_domain, reject
loose = permit
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, strict
""", STOCK
    yield "sasl and relay", SMALL + """\
relayhost = [smtp.gmail.com]:587
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = static:u:p
smtp_sasl_security_options = noanonymous
smtp_tls_security_level = encrypt
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_auth_enable = yes
broken_sasl_auth_clients = yes
""", STOCK
    yield "old tls words", SMALL + """\
smtpd_use_tls = yes
smtp_use_tls = yes
smtpd_tls_mandatory_protocols = !SSLv2,!SSLv3
smtpd_tls_protocols = !SSLv2 !SSLv3
smtp_tls_protocols = >=TLSv1.2
smtpd_tls_dh1024_param_file = ${config_directory}/dh2048.pem
tls_random_source = dev:/dev/urandom
tls_preempt_cipherlist = yes
smtpd_tls_exclude_ciphers = aNULL, eNULL, EXPORT, DES, RC4, MD5
""", STOCK
    yield "postscreen", SMALL + """\
postscreen_greet_action = enforce
postscreen_dnsbl_sites = zen.example.org*3 bl.example.net=127.0.0.[2..9]*2
postscreen_dnsbl_threshold = 3
postscreen_blacklist_action = drop
""", STOCK.replace("smtp inet n - y - - smtpd", "smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\n"
                   "dnsblog unix - - y - 0 dnsblog\ntlsproxy unix - - y - 0 tlsproxy")
    yield "relay", SMALL + "relay_domains = $mydestination\ntransport_maps = inline:{ example.net=relay:[10.0.0.1] }\n" \
        "maximal_queue_lifetime = 1d\nbounce_queue_lifetime = 1d\ndelay_warning_time = 4h\n", STOCK
    yield "tables in main.cf", SMALL + """\
virtual_alias_maps = ldap:people, proxy:mysql:accounts
people_server_host = ldap.example.com
people_search_base = dc=example, dc=com
accounts_hosts = 127.0.0.1
accounts_query = SELECT goto FROM alias WHERE address='%s'
""", STOCK
    yield "nested tables", SMALL + "virtual_alias_maps = unionmap:{static:a, pipemap:{inline:{a=b}, mysql:acc}}\n" \
        "acc_user = u\nacc_dbname = d\n", STOCK
    yield "old names with a default", SMALL + "virtual_maps = static:x\n" \
        "smtpd_client_connection_limit_exceptions = 10.0.0.1\n", STOCK
    yield "fifo services", SMALL, STOCK.replace("pickup unix", "pickup fifo").replace("qmgr unix", "qmgr fifo")
    yield "dashes for chroot", "myhostname = a.example\nalias_maps =\n", STOCK.replace(" y ", " - ")
    yield "no services", SMALL, ""
    yield "empty", "", STOCK


def syntax():
    for name, text in {
        "no blanks round =": "biff=no\nmyorigin=$mydomain\nrelayhost= [a.example]\nmydomain =a.example\n",
        "trailing blanks": "biff = no   \nmyorigin = $mydomain\t \n",
        "crlf": "biff = no\r\nrelay_domains = a.example,\r\n   b.example\r\n\r\nmyorigin = x.example\r\n",
        "no newline at the end": "biff = no\nmyorigin = a.example",
        "continuation by tab": "relay_domains = a.example,\n\tb.example\n\tc.example\n",
        "comments inside a value": "smtpd_client_restrictions = permit_mynetworks\n# the office\n"
                                   "   check_client_access static:OK\n      # indented\n\n   reject\n",
        "indented comment": "biff = no\n   # not a continuation\nmyorigin = a.example\n",
        "empty elements": "relay_domains = a.example, , b.example,\n",
        "commas and blanks": "smtpd_helo_restrictions = permit_mynetworks reject_invalid_helo_hostname, permit\n",
        "quotes are kept": "smtpd_reject_footer = \"call us\"\nmail_name = 'x y'\n",
        "quoted origin": "myorigin = \"relay.example\"\n",
        "hash in a value": "relay_domains = a.example # mine\n",
        "equal sign in a value": "debug_peer_list = a=b\nimport_environment = LANG=C TZ MAIL_CONFIG\n",
        "dollar": "mail_name = a$$b\nsmtpd_banner = $myhostname ESMTP $$\n",
        "parentheses": "myorigin = $(mydomain)\nrelay_domains = ${mydomain} $(myhostname)\n",
        "conditions": "smtpd_timeout = ${stress?10}${stress:300}s\nsmtpd_hard_error_limit = ${stress?{1}:{20}}\n"
                      "mail_name = ${{$compatibility_level} >=level {3} ? {new} : {old}}\n",
        "equality": "mail_name = ${{$myhostname} == {mx.example.com} ? {same} : {other}}\n",
        "undefined": "myorigin = ${FQDN}\nrelay_domains = $nothing, a.example\n",
        "undefined in a branch": "relay_domains = ${nobody?a}${nobody:b.example}\n",
        "groups": "virtual_alias_maps = inline:{ {a = b c}, d=e }\n"
                  "smtpd_forbidden_commands = CONNECT GET regexp:{{/^[^A-Z]/ Bogus}}\n",
        "utf-8": "# Büro\nmail_name = Büro\n",
        "long line": "relay_domains = " + ", ".join(f"host{i}.example" for i in range(120)) + "\n",
        "many lines": "relay_domains = a.example\n" + "".join(f"   host{i}.example\n" for i in range(60)),
        "empty values": "mydestination =\nrelay_domains =\nalias_database =\nvirtual_alias_domains = \n",
        "text before the first name": "   biff = no\nmyorigin = a.example\n",
        "user-defined chain": "mine = $yours\nyours = $theirs\ntheirs = a.example\nrelay_domains = $mine\n",
        "user-defined for nobody": "mine = $mydomain\nyours = 1\n",
        "loop": "mine = $yours\nyours = $mine\n",
        "numbers": "message_size_limit = 51200000\nsmtpd_recipient_limit = 16\nqueue_run_delay = 5m\n"
                   "minimal_backoff_time = 1000s\nmaximal_queue_lifetime = 7d\n",
        "names by service": "smtp_destination_concurrency_limit = 2\nlocal_destination_recipient_limit = 1\n"
                            "nosuch_destination_recipient_limit = 1\nrelay_initial_destination_concurrency = 2\n",
        "level above ours": "compatibility_level = 3.11\n",
        "level 9999": "compatibility_level = 9999\n",
        "vendor's and removed names": "program_directory = /usr/libexec\nenable_server_options = yes\n"
                                      "virtual_mailbox_limit_maps = static:1\nsmtp_skip_4xx_greeting = yes\n"
                                      "smtp_tls_enable_rpk = no\n",
        "many references": "".join(f"v{i} = $v{i + 1}\n" for i in range(30)) + "v30 = x\nrelay_domains = $v0\n",
        "missing brace": "relay_domains = ${mydomain\n",
        "lone dollar": "relay_domains = a$ b\n",
        "a line without =": "biff = no\nrelay_domains\n",
        "a name with a blank": "my origin = a.example\n",
        "no name": "= a\n",
    }.items():
        yield name, SMALL + text, STOCK


def said():
    """What `hikyaku check` must say about it."""
    yield "set twice", SMALL + "relay_domains = a.example\nbiff = no\nrelay_domains = b.example\n", STOCK, \
        ["main.cf: line 6: relay_domains: overrides the earlier entry in line 4"]
    yield "set often", SMALL + "".join(f"relay_domains = a{i}.example\n" for i in range(30)), STOCK, \
        ["main.cf: line 33: relay_domains: overrides the earlier entry in line 32"]
    for wrong, right in {"mydistination": "mydestination", "append_at_my_origin": "append_at_myorigin",
                         "append_dot_my_domain": "append_dot_mydomain", "smtpd_client_restriction":
                         "smtpd_client_restrictions", "smtp_tls_security_levl": "smtp_tls_security_level"}.items():
        yield f"misspelt {wrong}", SMALL + f"biff = no\n{wrong} = x\n", STOCK, \
            [f'main.cf: line 5: {wrong}: unknown parameter, ignored; was "{right}" meant?']
    yield "misspelt -o", SMALL, STOCK + "2525 inet n - n - - smtpd\n  -o smtpd_helo_restricctions=permit\n", \
        ['smtpd_helo_restricctions: unknown parameter, ignored; was "smtpd_helo_restrictions" meant?']
    yield "no such service", SMALL + "gone_destination_recipient_limit = 1\n", STOCK, \
        ['main.cf: line 4: gone_destination_recipient_limit: ignored: master.cf has no service "gone"']
    yield "nothing defines it", SMALL + "relay_domains = $nothing\n", STOCK, \
        ["main.cf: line 4: relay_domains: refers to $nothing, which nothing defines"]
    yield "comment in a number", SMALL + "relay_domains = a.example # small\n", STOCK, \
        ["main.cf: line 4: relay_domains: \"# small\" is part of the value"]


def services():
    one = "2525 inet n - n - - smtpd"
    for name, text in {
        "braces": one + " -o { smtpd_banner = a b } -o {mynetworks = 127.0.0.0/8}\n",
        "braces on lines": one + "\n  -o { smtpd_banner =\n     a   b }\n",
        "commas": one + "\n  -o mynetworks=127.0.0.0/8,[::1]/128\n",
        "references": one + "\n  -o syslog_name=mta/$service_name -o smtpd_banner=${myhostname}\n",
        "verbose": one + " -v -v\n2526 inet n - n - - smtpd -vv -o content_filter=\n",
        "joined switches": "a unix - - n - - smtp -vo syslog_name=x\nb unix - - n - - smtp -v -o smtp_helo_name=h\n",
        "an option twice": one + " -o mynetworks=10.0.0.0/8 -o mynetworks=127.0.0.0/8\n",
        "unknown option": one + " -o no_such_thing=1\n",
        "user-defined in -o": one + " -o smtpd_banner=$mine -o mine=x\n",
        "tabs": one.replace(" ", "\t") + "\n\t-o content_filter=\n",
        "crlf": one + "\r\n  -o content_filter=\r\n  -o mynetworks=127.0.0.0/8\r\n",
        "no newline": one,
        "comments inside": one + "\n  -o content_filter=\n#  -o syslog_name=x\n\n  -o mynetworks=127.0.0.0/8\n",
        "addresses": "[::1]:2525 inet n - n - - smtpd\n127.0.0.1:2526 inet n - n - 5 smtpd\n*:2527 inet n - n - - smtpd\n",
        "wakeup": "a unix - - n 60? 1 smtp\nb unix - - n 0 0 smtp\n",
        "end of switches": "a unix - n n - - pipe user=nobody argv=/bin/x -o a=b -v\n",
        "braces in argv": "a unix - n n - - pipe user=nobody argv=/bin/x { a b } {c d}\n",
        "nexthop in parentheses": "a unix - n n - - pipe user=nobody argv=/bin/x $(recipient) ${extension} !x\n",
        "long argv": "a unix - n n - - pipe user=nobody argv=/bin/x " + " ".join(f"word{i}" for i in range(40)) + "\n",
        "long name": "a-service-with-a-long-name unix - n n - - pipe user=nobody argv=/bin/x\n",
        "unknown program": "a unix - n n - - /usr/local/bin/program -o x\n",
        "too few columns": "a unix - n n - -\n",
        "bad flag": "a unix - n z - - smtp\n",
        "bad type": "a tcp - n n - - smtp\n",
        "bad wakeup": "a unix - n n 1h - smtp\n",
        "bad limit": "a unix - n n - 0x1 smtp\n",
    }.items():
        yield "service: " + name, SMALL, STOCK + text


def every():
    seen = itertools.chain(archetypes(), syntax(), said(), services())
    return [(c[0], c[1], c[2], c[3] if len(c) > 3 else []) for c in seen]
