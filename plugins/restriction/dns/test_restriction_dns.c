/* test_restriction_dns.c: the words against a name server of our own. */
#include "../test_words.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_dns);

/* ---- a name server: one thread, one socket
 * --------------------------------------------------- */

typedef struct {
    const char *name;
    uint16_t type;
    const char *data; /* its bytes; NULL: server failure */
    size_t size;
} Row;

static const Row rows[] = {
    {"mx.test", 15, "\0\12\4mail\2mx\4test", 16},
    {"addr.test", 1, "\300\0\2\1", 4},
    {"null.test", 15, "\0\0", 3},
    {"fail.test", 0, NULL, 0},
    {"mail.mx.test", 1, "\300\0\2\120", 4},      /* 192.0.2.80 */
    {"ns.test", 2, "\3ns1\3bad\4test", 14},
    {"in.ns.test", 1, "\300\0\2\3", 4},
    {"ns1.bad.test", 1, "\300\0\2\4", 4},
    {"open.test", 15, "\0\12\1a\4good\4test", 15},
    {"bad.test", 15, "\0\12\4mail\2mx\4test", 16},
    {"lost.test", 15, "\0\12\4fail\4test", 13}, /* its server cannot be looked up */
    {"slow.test", 15, "\0\12\4slow\2mx\4test", 16},
    {"slow.mx.test", 1, "\300\0\2\102", 4}, /* 192.0.2.66: the table is dead */
    {"backup.test", 15, "\0\5\5first\4test", 14},
    {"backup.test", 15, "\0\12\2me\4test", 11},
    {"primary.test", 15, "\0\5\2me\4test", 11},
    {"first.test", 1, "\300\0\2\5", 4},
    {"me.test", 1, "\300\0\2\2", 4}, /* inet_interfaces of the harness */
    {"broken.test", 15, "\0\12\4fail\4test", 13},
};

/* The question's name as text; the size of the question section. */
static size_t
read_question (const uint8_t *packet, size_t size, GString *name, uint16_t *out_type)
{
    size_t at = 12;
    while (at < size && packet[at] != 0) {
        if (name->len > 0)
            g_string_append_c (name, '.');
        g_string_append_len (name, (const char *) packet + at + 1, packet[at]);
        at += packet[at] + 1u;
    }
    g_assert_cmpuint (at + 5, <=, size);
    g_string_ascii_down (name);
    *out_type = (uint16_t) (packet[at + 1] << 8 | packet[at + 2]);
    return at + 5 - 12;
}

static size_t
answer_question (uint8_t *packet, size_t size)
{
    g_autoptr (GString) name = g_string_new (NULL);
    uint16_t type;
    size_t end = 12 + read_question (packet, size, name, &type);
    int code = 3;
    packet[2] |= 0x80;
    packet[7] = 0; /* no answer so far; no authority, no additional records */
    memset (packet + 8, 0, 4);
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        if (strcmp (name->str, rows[i].name) != 0)
            continue;
        code = rows[i].data == NULL ? 2 : 0;
        if (code != 0 || type != rows[i].type)
            continue;
        const uint8_t head[] = {0xc0, 12, 0, (uint8_t) type,          0, 1, 0, 0,
                                0,    60, 0, (uint8_t) (rows[i].size)};
        memcpy (packet + end, head, sizeof head);
        memcpy (packet + end + sizeof head, rows[i].data, rows[i].size);
        end += sizeof head + rows[i].size;
        packet[7]++;
    }
    packet[3] = (uint8_t) (0x80 | code);
    return end;
}

static gpointer
serve (gpointer data)
{
    int fd = GPOINTER_TO_INT (data);
    uint8_t packet[1024];
    struct sockaddr_in from;
    for (;;) {
        socklen_t size = sizeof from;
        ssize_t n = recvfrom (fd, packet, 512, 0, (struct sockaddr *) &from, &size);
        if (n < 17)
            break; /* the test has ended */
        size_t end = answer_question (packet, (size_t) n);
        sendto (fd, packet, end, 0, (struct sockaddr *) &from, size);
    }
    return NULL;
}

typedef struct {
    int fd;
    GThread *thread;
    struct sockaddr_in address;
    char *text;
} Server;

static Server
server_new (void)
{
    Server s = {.fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    socklen_t size = sizeof s.address;
    s.address = (struct sockaddr_in){.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    g_assert_cmpint (bind (s.fd, (struct sockaddr *) &s.address, size), ==, 0);
    g_assert_cmpint (getsockname (s.fd, (struct sockaddr *) &s.address, &size), ==, 0);
    s.text = g_strdup_printf ("127.0.0.1@%u", ntohs (s.address.sin_port));
    s.thread = g_thread_new ("dns", serve, GINT_TO_POINTER (s.fd));
    return s;
}

static void
server_free (Server *s)
{
    g_assert_cmpint (
        sendto (s->fd, "", 0, 0, (struct sockaddr *) &s->address, sizeof s->address), ==,
        0);
    g_thread_join (s->thread);
    close (s->fd);
    g_free (s->text);
}

/* ---- the words
 * ----------------------------------------------------------------------------------- */

static const Case cases[] = {
    {"reject_unknown_sender_domain", HK_PROP_SENDER, "a@mx.test", HK_DUNNO, 0, NULL, NULL},
    {"reject_unknown_sender_domain", HK_PROP_SENDER, "a@addr.test", HK_DUNNO, 0, NULL,
     NULL},
    {"reject_unknown_sender_domain", HK_PROP_SENDER, "", HK_DUNNO, 0, NULL, NULL},
    {"reject_unknown_sender_domain", HK_PROP_SENDER, "a@[192.0.2.1]", HK_DUNNO, 0, NULL,
     NULL},
    {"reject_unknown_sender_domain", HK_PROP_SENDER, "a@ours.test", HK_DUNNO, 0, NULL,
     NULL},
    {"reject_unknown_sender_domain", HK_PROP_SENDER, "a@gone.test", HK_REJECT, 450, "4.1.8",
     "<a@gone.test>: Sender address rejected: Domain not found"},
    {"reject_unknown_sender_domain", HK_PROP_SENDER, "a@null.test", HK_REJECT, 550,
     "5.7.27",
     "<a@null.test>: Sender address rejected: Domain null.test does not accept mail "
     "(nullMX)"},
    {"reject_unknown_recipient_domain", HK_PROP_RECIPIENT, "a@gone.test", HK_REJECT, 450,
     "4.1.2", "<a@gone.test>: Recipient address rejected: Domain not found"},
    {"reject_unknown_recipient_domain", HK_PROP_RECIPIENT, "a@null.test", HK_REJECT, 556,
     "5.1.10",
     "<a@null.test>: Recipient address rejected: Domain null.test does not accept mail "
     "(nullMX)"},
    {"reject_unknown_helo_hostname", HK_PROP_HELO_NAME, "addr.test", HK_DUNNO, 0, NULL,
     NULL},
    {"reject_unknown_helo_hostname", HK_PROP_HELO_NAME, "[192.0.2.1]", HK_DUNNO, 0, NULL,
     NULL},
    {"reject_unknown_helo_hostname", HK_PROP_HELO_NAME, "[bogus]", HK_REJECT, 501, "5.5.2",
     "<[bogus]>: Helo command rejected: invalid ip address"},
    {"reject_unknown_helo_hostname", HK_PROP_HELO_NAME, "addr.test.", HK_REJECT, 450,
     "4.7.1", "<addr.test.>: Helo command rejected: Host not found"},
    {"reject_unknown_helo_hostname", HK_PROP_HELO_NAME, "gone.test", HK_REJECT, 450,
     "4.7.1", "<gone.test>: Helo command rejected: Host not found"},
};

static HkHarness *
new_harness (const Server *server)
{
    HkHarness *h = test_harness (&HK_PLUGIN_SYMBOL (restriction_dns));
    hk_harness_set (h, "dns_servers", server->text);
    hk_harness_set (h, "permit_mx_backup_networks", "");
    hk_harness_table (h, "hash:/t", "192.0.2.80", "REJECT");
    hk_harness_table (h, "hash:/t", "ns1.bad.test", "REJECT");
    hk_harness_table (h, "hash:/t", "a.good.test", "OK");
    return h;
}

static void
run_cases (const Case *list, size_t n)
{
    Server server = server_new ();
    for (size_t i = 0; i < n; i++) {
        HkHarness *h = new_harness (&server);
        test_case (h, &list[i]);
        hk_harness_free (h);
    }
    server_free (&server);
}

static void
test_words (void)
{
    run_cases (cases, G_N_ELEMENTS (cases));
}

/* ---- the servers of a name */

#define S HK_PROP_SENDER
#define R HK_PROP_RECIPIENT
#define C HK_PROP_CLIENT_NAME
#define V HK_PROP_CLIENT_REVERSE_NAME
#define H HK_PROP_HELO_NAME

static const Case server_cases[] = {
    {"check_sender_mx_access", S, "a@mx.test", HK_REJECT, 0, NULL, NULL},
    {"check_sender_mx_access", S, "a@in.ns.test", HK_DUNNO, 0, NULL, NULL},
    {"check_sender_mx_access", S, "a@null.test", HK_DUNNO, 0, NULL, NULL},
    {"check_sender_mx_access", S, "a@fail.test", HK_DUNNO, 0, NULL, NULL},
    {"check_sender_mx_access", S, "a@lost.test", HK_DUNNO, 0, NULL, NULL},
    {"check_sender_mx_access", S, "a@slow.test", HK_LATER, 0, NULL, NULL},
    {"check_sender_mx_access", S, "a@[192.0.2.80]", HK_REJECT, 0, NULL, NULL},
    {"check_sender_mx_access", S, "a@[192.0.2.81]", HK_DUNNO, 0, NULL, NULL},
    {"check_sender_mx_access", S, "", HK_DUNNO, 0, NULL, NULL},
    {"check_sender_mx_access", S, "a", HK_DUNNO, 0, NULL, NULL},
    /* a name of the client's choice must not open a door */
    {"check_sender_mx_access", S, "a@open.test", HK_BROKEN, 0, NULL, NULL},
    {"check_sender_mx_access", S, "a@addr.test", HK_BROKEN, 0, NULL, NULL},
    {"check_sender_ns_access", S, "a@ns.test", HK_REJECT, 0, NULL, NULL},
    {"check_sender_ns_access", S, "a@in.ns.test", HK_REJECT, 0, NULL, NULL},
    {"check_sender_ns_access", S, "a@mx.test", HK_DUNNO, 0, NULL, NULL},
    {"check_sender_ns_access", S, "a@fail.test", HK_DUNNO, 0, NULL, NULL},
    {"check_sender_ns_access", S, "a@[192.0.2.80]", HK_DUNNO, 0, NULL, NULL},
    {"check_sender_a_access", S, "a@mail.mx.test", HK_REJECT, 0, NULL, NULL},
    {"check_sender_a_access", S, "a@mx.test", HK_DUNNO, 0, NULL, NULL},
    {"check_sender_a_access", S, "a@fail.test", HK_DUNNO, 0, NULL, NULL},
    {"check_recipient_mx_access", R, "a@mx.test", HK_REJECT, 0, NULL, NULL},
    {"check_recipient_mx_access", R, "a@in.ns.test", HK_DUNNO, 0, NULL, NULL},
    {"check_recipient_mx_access", R, "a@fail.test", HK_DUNNO, 0, NULL, NULL},
    {"check_recipient_ns_access", R, "a@ns.test", HK_REJECT, 0, NULL, NULL},
    {"check_recipient_ns_access", R, "a@mx.test", HK_DUNNO, 0, NULL, NULL},
    {"check_recipient_a_access", R, "a@mail.mx.test", HK_REJECT, 0, NULL, NULL},
    {"check_recipient_a_access", R, "a@in.ns.test", HK_DUNNO, 0, NULL, NULL},
    {"check_helo_mx_access", H, "mx.test", HK_REJECT, 0, NULL, NULL},
    {"check_helo_mx_access", H, "[192.0.2.80]", HK_REJECT, 0, NULL, NULL},
    {"check_helo_mx_access", H, "in.ns.test", HK_DUNNO, 0, NULL, NULL},
    {"check_helo_mx_access", H, "fail.test", HK_DUNNO, 0, NULL, NULL},
    {"check_helo_ns_access", H, "ns.test", HK_REJECT, 0, NULL, NULL},
    {"check_helo_ns_access", H, "mx.test", HK_DUNNO, 0, NULL, NULL},
    {"check_helo_ns_access", H, "ns.test.", HK_DUNNO, 0, NULL, NULL}, /* no such name */
    {"check_helo_a_access", H, "mail.mx.test", HK_REJECT, 0, NULL, NULL},
    {"check_helo_a_access", H, "in.ns.test", HK_DUNNO, 0, NULL, NULL},
    {"check_client_mx_access", C, "mx.test", HK_REJECT, 0, NULL, NULL},
    {"check_client_mx_access", C, "unknown", HK_DUNNO, 0, NULL, NULL},
    {"check_client_mx_access", C, "fail.test", HK_DUNNO, 0, NULL, NULL},
    {"check_client_ns_access", C, "ns.test", HK_REJECT, 0, NULL, NULL},
    {"check_client_ns_access", C, "mx.test", HK_DUNNO, 0, NULL, NULL},
    {"check_client_a_access", C, "mail.mx.test", HK_REJECT, 0, NULL, NULL},
    {"check_client_a_access", C, "in.ns.test", HK_DUNNO, 0, NULL, NULL},
    {"check_reverse_client_hostname_mx_access", V, "mx.test", HK_REJECT, 0, NULL, NULL},
    {"check_reverse_client_hostname_mx_access", V, "unknown", HK_DUNNO, 0, NULL, NULL},
    {"check_reverse_client_hostname_ns_access", V, "ns.test", HK_REJECT, 0, NULL, NULL},
    {"check_reverse_client_hostname_ns_access", V, "mx.test", HK_DUNNO, 0, NULL, NULL},
    {"check_reverse_client_hostname_a_access", V, "mail.mx.test", HK_REJECT, 0, NULL, NULL},
    {"check_reverse_client_hostname_a_access", V, "in.ns.test", HK_DUNNO, 0, NULL, NULL},
};

static void
test_servers (void)
{
    run_cases (server_cases, G_N_ELEMENTS (server_cases));
}

/* What cannot be looked up is no reason to refuse, but it is said. */
static void
test_servers_log (void)
{
    Server server = server_new ();
    HkHarness *h = new_harness (&server);
    hk_harness_prop (h, S, "a@fail.test");
    g_assert_cmpint (test_ask (h, "check_sender_mx_access"), ==, HK_DUNNO);
    g_assert_nonnull (strstr (hk_harness_log (h),
                              "Unable to look up MX host for fail.test: Host not found, "
                              "try again"));
    hk_harness_prop (h, S, "a@lost.test");
    g_assert_cmpint (test_ask (h, "check_sender_mx_access"), ==, HK_DUNNO);
    g_assert_nonnull (strstr (hk_harness_log (h),
                              "Unable to look up MX host fail.test for Sender address "
                              "a@lost.test: Temporary failure in name resolution"));
    hk_harness_free (h);
    server_free (&server);
}

/* ---- permit_mx_backup */

#define BACKUP "permit_mx_backup"

static const Case backup_cases[] = {
    {BACKUP, R, "a@ours.test", HK_PERMIT, 0, NULL, NULL},
    {BACKUP, R, "a@relay.test", HK_PERMIT, 0, NULL, NULL},
    {BACKUP, R, "a@backup.test", HK_PERMIT, 0, NULL, NULL},
    {BACKUP, R, "a@primary.test", HK_DUNNO, 0, NULL, NULL}, /* we are the first */
    {BACKUP, R, "a@mx.test", HK_DUNNO, 0, NULL, NULL},
    {BACKUP, R, "a@addr.test", HK_DUNNO, 0, NULL, NULL},
    {BACKUP, R, "a@null.test", HK_DUNNO, 0, NULL, NULL},
    {BACKUP, R, "a@[192.0.2.2]", HK_DUNNO, 0, NULL, NULL},
    {BACKUP, R, "a%b@backup.test", HK_DUNNO, 0, NULL, NULL}, /* a route of the sender's */
    {BACKUP, R, "a@dead.test", HK_LATER, 0, NULL, NULL},
    {BACKUP, R, "a@fail.test", HK_DEFER_IF_REJECT, 450, "4.4.4",
     "<a@fail.test>: Recipient address rejected: Unable to look up mail exchanger "
     "information: Host not found, try again"},
    {BACKUP, R, "a@broken.test", HK_DEFER_IF_REJECT, 450, "4.4.4",
     "<a@broken.test>: Recipient address rejected: Unable to look up mail exchanger host "
     "fail.test: Temporary failure in name resolution"},
};

static void
test_backup (void)
{
    run_cases (backup_cases, G_N_ELEMENTS (backup_cases));
}

static void
test_backup_networks (void)
{
    Server server = server_new ();
    HkHarness *h = new_harness (&server);
    hk_harness_set (h, "permit_mx_backup_networks", "192.0.2.0/24");
    hk_harness_prop (h, R, "a@backup.test");
    g_assert_cmpint (test_ask (h, BACKUP), ==, HK_DUNNO);
    hk_harness_match (h, "permit_mx_backup_networks", "192.0.2.5");
    g_assert_cmpint (test_ask (h, BACKUP), ==, HK_PERMIT);
    hk_harness_free (h);
    server_free (&server);
}

/* No answer: the rest of the lists may still say no. */
static void
test_later (void)
{
    static const struct {
        const char *action;
        HkAnswer verdict;
    } actions[] = {{"defer_if_permit", HK_DEFER_IF_PERMIT}, {"defer", HK_REJECT}};
    Server server = server_new ();
    for (size_t i = 0; i < G_N_ELEMENTS (actions); i++) {
        HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (restriction_dns));
        hk_harness_set (h, "dns_servers", server.text);
        hk_harness_set (h, "unknown_address_tempfail_action", actions[i].action);
        hk_harness_prop (h, HK_PROP_SENDER, "a@fail.test");
        void *instance =
            hk_harness_open (h, HK_KIND_RESTRICTION, "reject_unknown_sender_domain", "");
        const HkRestrictionClass *class =
            (const HkRestrictionClass *) (const void *) hk_harness_class (
                h, HK_KIND_RESTRICTION, "reject_unknown_sender_domain");
        g_assert_cmpint (class->check (instance, hk_harness_call (h)), ==,
                         actions[i].verdict);
        g_assert_cmpint (hk_harness_reply_code (h), ==, 450);
        hk_harness_close (h, instance);
        hk_harness_free (h);
    }
    server_free (&server);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/restriction_dns/words", test_words);
    g_test_add_func ("/restriction_dns/later", test_later);
    g_test_add_func ("/restriction_dns/servers", test_servers);
    g_test_add_func ("/restriction_dns/servers_log", test_servers_log);
    g_test_add_func ("/restriction_dns/backup", test_backup);
    g_test_add_func ("/restriction_dns/backup_networks", test_backup_networks);
    return g_test_run ();
}
