/* test_restriction_dns.c: the words against a name server of our own. */
#include "harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
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
        packet[7] = 1;
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

typedef struct {
    const char *word;
    uint32_t prop;
    const char *value;
    HkAnswer verdict;
    int code;
    const char *dsn, *text;
} Case;

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
    {"reject_unknown_helo_hostname", HK_PROP_HELO_NAME, "gone.test", HK_REJECT, 450,
     "4.7.1", "<gone.test>: Helo command rejected: Host not found"},
};

static void
test_words (void)
{
    Server server = server_new ();
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        const Case *c = &cases[i];
        HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (restriction_dns));
        g_test_message ("%s %s", c->word, c->value);
        hk_harness_set (h, "dns_servers", server.text);
        hk_harness_prop (h, c->prop, c->value);
        hk_harness_destination (h, "a@ours.test", HK_DEST_LOCAL);
        void *instance = hk_harness_open (h, HK_KIND_RESTRICTION, c->word, "");
        g_assert_nonnull (instance);
        const HkRestrictionClass *class =
            (const HkRestrictionClass *) (const void *) hk_harness_class (
                h, HK_KIND_RESTRICTION, c->word);
        g_assert_cmpint (class->check (instance, hk_harness_call (h)), ==, c->verdict);
        if (c->text != NULL) {
            g_assert_cmpstr (hk_harness_reply_text (h), ==, c->text);
            g_assert_cmpint (hk_harness_reply_code (h), ==, c->code);
            g_assert_cmpstr (hk_harness_reply_dsn (h), ==, c->dsn);
        }
        hk_harness_close (h, instance);
        hk_harness_free (h);
    }
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
    return g_test_run ();
}
