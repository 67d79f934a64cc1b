"""The whole book and the configuration files that both mail systems read."""
import actions
import parameters
import protocol
import restrictions
from book import Book

MAIN = """\
compatibility_level = 3.6
queue_directory = {run}/spool
data_directory = {run}/data
command_directory = {run}/sbin
daemon_directory = {run}/daemons
shlib_directory = {run}/lib
meta_directory = {run}/etc
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
mydomain = mx.test
myorigin = mx.test
mydestination = mx.test
local_recipient_maps = inline:{ user=x postmaster=x root=x }
alias_maps =
alias_database =
mynetworks = 10.7.0.0/16
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relay_domains = relay.test
virtual_mailbox_domains = dest.test
virtual_mailbox_maps = inline:{ user@dest.test=x postmaster@dest.test=x listed@dest.test=x owned@dest.test=x
    user%else.test@dest.test=x } regexp:{etc}/boxes
virtual_alias_domains = alias.dest.test
virtual_alias_maps = inline:{ user@alias.dest.test=user@dest.test }
relocated_maps = inline:{ moved@dest.test=new@else.test }
smtpd_sender_login_maps = inline:{ owned@dest.test=owner user@good.test=other }
local_transport = discard:
virtual_transport = discard:
relay_transport = discard:
default_transport = discard:
biff = no
default_process_limit = 60
max_use = 10000
max_idle = 20s
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_policy_service_retry_delay = 1s
smtpd_policy_service_try_limit = 1
address_verify_poll_delay = 1s
in_flow_delay = 0
smtpd_forbid_bare_newline = no
smtpd_forbid_unauth_pipelining = no
smtputf8_enable = yes
smtpd_peername_lookup = yes
anybody = check_client_access static:OK, reject
smtpd_relay_restrictions = $anybody
"""
MASTER = """\
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
hops unix n - n - 0 cleanup
  -o hopcount_limit=3
checks unix n - n - 0 cleanup
  -o { header_checks = regexp:{{/^Subject: bad/ REJECT no such subject}} }
"""


def compose():
    book = Book()
    restrictions.add(book)
    actions.add(book)
    parameters.add(book)
    protocol.add(book)
    return book


def placed(text, run):
    return text.replace("{run}", str(run)).replace("{etc}", f"{run}/etc")


def write(directory):
    """DIRECTORY/etc and DIRECTORY/dialogues.json; DIRECTORY/run is where a play mounts its own."""
    book, run = compose(), directory / "run"
    etc = directory / "etc"
    (etc / "conf.d").mkdir(parents=True)
    run.mkdir()
    (etc / "main.cf").write_text(placed(MAIN + "".join(x + "\n" for x in book.main), run))
    (etc / "master.cf").write_text(placed(book.master() + MASTER, run))
    (etc / "dynamicmaps.cf").write_text("")
    for name, text in book.files.items():
        (etc / name).write_text(placed(text, run))
    (etc / "boxes").write_text("/^a[0-9]+@dest\\.test$/ x\n")
    book.write(directory / "dialogues.json")
