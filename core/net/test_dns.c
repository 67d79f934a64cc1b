/* test_dns.c: the resolver against a small name server in this process (127.0.0.1, a port
 * that the kernel chooses). */
#include "config.h"
#include "net/address.h"
#include "net/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

/* ---- the server -------------------------------------------------------------------------
 */

typedef struct {
    const char *name; /* lower case */
    uint16_t type;
    int rcode;         /* 0: with or without data; -1: silence */
    const char *rdata; /* as the tables below say; NULL: none */
    size_t size;
} Zone;

#define NAME(n) n, sizeof (n) /* the literal's NUL is the root label */
#define BYTES(b) b, sizeof (b) - 1

static const Zone zone[] = {
    {"a.test", 1, 0, BYTES ("\300\0\2\1")},
    {"a.test", 28, 0, BYTES ("\040\001\015\270\0\0\0\0\0\0\0\0\0\0\0\1")},
    {"mx.test", 15, 0, NAME ("\0\012\4mail\4test")},
    {"null.test", 15, 0, NAME ("\0\0")},
    {"bad.test", 15, 0, NAME ("\0\012\4m\nil\4test")},
    {"txt.test", 16, 0, BYTES ("\3abc\2de")},
    {"nodata.test", 1, 0, NULL, 0},
    {"fail.test", 1, 2, NULL, 0},
    {"silent.test", 1, -1, NULL, 0},
    {"xn--bcher-kva.test", 1, 0, BYTES ("\300\0\2\2")},
    /* clients */
    {"1.2.0.192.in-addr.arpa", 12, 0, NAME ("\1a\4test")},
    {"2.2.0.192.in-addr.arpa", 12, 0, NAME ("\1a\4test")}, /* a.test is not 192.0.2.2 */
    {"3.2.0.192.in-addr.arpa", 12, 2, NULL, 0},
    {"4.2.0.192.in-addr.arpa", 12, 0, NAME ("\003127\0010\0010\0011")},
    {"5.2.0.192.in-addr.arpa", 12, 0, NAME ("\4fail\4test")},
    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", 12, 0,
     NAME ("\1a\4test")},
};

typedef struct {
    HkLoop *loop;
    HkFdWatch watch;
    HkLoopTimer deadline;
    int fd;
    unsigned port, n_questions;
    HkResolver *resolver;
    /* what the last answer was */
    int outcome;
    unsigned n_answers;
    GString *text;
    unsigned expected;
} Fixture;

static const Zone *
zone_find (const char *name, uint16_t type, bool *name_exists)
{
    *name_exists = false;
    for (size_t i = 0; i < G_N_ELEMENTS (zone); i++) {
        if (strcmp (zone[i].name, name) != 0)
            continue;
        *name_exists = true;
        if (zone[i].type == type)
            return &zone[i];
    }
    return NULL;
}

/* Name at byte 12 of the question as text; gives where it ends, 0 when malformed. */
static size_t
read_question (const uint8_t *in, size_t size, GString *name)
{
    size_t at = 12;
    while (at < size && in[at] != 0) {
        size_t label = in[at];
        if (label > 63 || at + 1 + label >= size)
            return 0;
        if (name->len > 0)
            g_string_append_c (name, '.');
        for (size_t i = 0; i < label; i++)
            g_string_append_c (name, g_ascii_tolower (in[at + 1 + i]));
        at += 1 + label;
    }
    return at + 5 <= size ? at + 1 : 0;
}

static void
on_question (HkFdWatch *watch, unsigned events)
{
    Fixture *f = watch->data;
    uint8_t in[1500], out[2048];
    struct sockaddr_in from;
    socklen_t from_size = sizeof from;
    (void) events;
    ssize_t n = recvfrom (f->fd, in, sizeof in, 0, (struct sockaddr *) &from, &from_size);
    if (n < 12)
        return;
    g_autoptr (GString) name = g_string_new (NULL);
    size_t end = read_question (in, (size_t) n, name);
    g_assert_cmpuint (end, >, 0);
    f->n_questions++;
    bool exists;
    const Zone *z = zone_find (name->str, (uint16_t) (in[end] << 8 | in[end + 1]), &exists);
    if (z != NULL && z->rcode < 0)
        return;
    size_t size = end + 4;
    memcpy (out, in, size);
    out[2] = 0x84 | (in[2] & 1); /* answer, authoritative, RD as asked */
    out[3] = (uint8_t) (0x80 | (z != NULL ? z->rcode : exists ? 0 : 3));
    memset (out + 6, 0, 6);
    if (z != NULL && z->rdata != NULL) {
        out[7] = 1;
        memcpy (out + size, "\300\014", 2); /* the name of the question */
        memcpy (out + size + 2, in + end, 4);
        memcpy (out + size + 6, "\0\0\0\74", 4);
        out[size + 10] = (uint8_t) (z->size >> 8);
        out[size + 11] = (uint8_t) z->size;
        memcpy (out + size + 12, z->rdata, z->size);
        size += 12 + z->size;
    }
    g_assert_cmpint (sendto (f->fd, out, size, 0, (struct sockaddr *) &from, from_size), ==,
                     (ssize_t) size);
}

static void
on_deadline (HkLoopTimer *timer)
{
    (void) timer;
    g_error ("no answer within 20 seconds");
}

static void
set_up (Fixture *f, gconstpointer hosts_file)
{
    g_autoptr (GError) error = NULL;
    struct sockaddr_in local = {.sin_family = AF_INET,
                                .sin_addr = {htonl (INADDR_LOOPBACK)}};
    socklen_t size = sizeof local;
    f->loop = hk_loop_new (&error);
    g_assert_no_error (error);
    f->fd = socket (AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    g_assert_cmpint (bind (f->fd, (struct sockaddr *) &local, size), ==, 0);
    getsockname (f->fd, (struct sockaddr *) &local, &size);
    f->port = ntohs (local.sin_port);
    hk_loop_attach (f->loop, &f->watch, f->fd, HK_LOOP_READ, on_question, f, &error);
    g_assert_no_error (error);
    g_autofree char *server = g_strdup_printf ("127.0.0.1@%u", f->port);
    const char *const servers[] = {server, NULL};
    HkResolverOptions options = {
        .servers = servers, .hosts_file = hosts_file, .timeout_us = 15 * HK_SECOND};
    f->resolver = hk_resolver_new (f->loop, &options, &error);
    g_assert_no_error (error);
    f->text = g_string_new (NULL);
    hk_timer_init (&f->deadline, f->loop, on_deadline, f);
    hk_timer_arm (&f->deadline, 20 * HK_SECOND);
}

static void
tear_down (Fixture *f, gconstpointer ignored)
{
    (void) ignored;
    hk_resolver_free (f->resolver);
    hk_timer_disarm (&f->deadline);
    hk_fd_watch_detach (&f->watch);
    close (f->fd);
    hk_loop_free (f->loop);
    g_string_free (f->text, TRUE);
}

/* ---- asking -----------------------------------------------------------------------------
 */

static void
count_answer (Fixture *f)
{
    if (++f->n_answers == f->expected)
        hk_loop_quit (f->loop);
}

static void
on_answer (void *data, int32_t outcome, const HkDnsRecord *records, size_t n_records,
           const char *reason)
{
    Fixture *f = data;
    g_assert_cmpint (reason == NULL, ==, outcome == HK_DNS_FOUND);
    f->outcome = outcome;
    g_string_truncate (f->text, 0);
    for (size_t i = 0; i < n_records; i++) {
        HkSpan bytes = records[i].data;
        char ip[64] = "";
        if (records[i].type == 1 || records[i].type == 28)
            inet_ntop (records[i].type == 1 ? AF_INET : AF_INET6, bytes.data, ip,
                       sizeof ip);
        g_string_append_printf (f->text, "%s%u:%.*s", i == 0 ? "" : " ",
                                records[i].preference, (int) (*ip != '\0' ? 0 : bytes.size),
                                (const char *) bytes.data);
        g_string_append (f->text, ip);
    }
    count_answer (f);
}

static void
ask (Fixture *f, const char *name, uint16_t type)
{
    f->n_answers = 0;
    f->expected = 1;
    hk_resolver_ask (f->resolver, name, type, on_answer, f);
    g_assert_cmpuint (f->n_answers, ==, 0); /* never from inside */
    hk_loop_run (f->loop);
    g_assert_cmpuint (f->n_answers, ==, 1);
}

static void
test_ask (Fixture *f, gconstpointer ignored)
{
    static const struct {
        const char *name;
        uint16_t type;
        int outcome;
        const char *text;
    } cases[] = {
        {"a.test", 1, HK_DNS_FOUND, "0:192.0.2.1"},
        {"A.Test.", 1, HK_DNS_FOUND, "0:192.0.2.1"},
        {"a.test", 28, HK_DNS_FOUND, "0:2001:db8::1"},
        {"mx.test", 15, HK_DNS_FOUND, "10:mail.test"},
        {"null.test", 15, HK_DNS_FOUND, "0:"},
        {"bad.test", 15, HK_DNS_NO_DATA, ""},
        {"txt.test", 16, HK_DNS_FOUND, "0:abcde"},
        {"nodata.test", 1, HK_DNS_NO_DATA, ""},
        {"a.test", 15, HK_DNS_NO_DATA, ""},
        {"none.test", 1, HK_DNS_NO_NAME, ""},
        {"fail.test", 1, HK_DNS_LATER, ""},
        {"b\303\274cher.test", 1, HK_DNS_FOUND, "0:192.0.2.2"},
        {"", 1, HK_DNS_NO_NAME, ""},
        {"a..test", 1, HK_DNS_NO_NAME, ""},
        {"a\\000.test", 1, HK_DNS_NO_NAME, ""},
        {"a b.test", 1, HK_DNS_NO_NAME, ""},
        {"\377.test", 1, HK_DNS_NO_NAME, ""},
    };
    (void) ignored;
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        ask (f, cases[i].name, cases[i].type);
        if (f->outcome != cases[i].outcome || strcmp (f->text->str, cases[i].text) != 0)
            g_error ("%s %u: %d, %s", cases[i].name, cases[i].type, f->outcome,
                     f->text->str);
    }
    g_autofree char *label = g_strnfill (64, 'x');
    ask (f, label, 1);
    g_assert_cmpint (f->outcome, ==, HK_DNS_NO_NAME);
}

static void
test_timeout (Fixture *f, gconstpointer ignored)
{
    g_autofree char *server = g_strdup_printf ("127.0.0.1@%u", f->port);
    const char *const servers[] = {server, NULL};
    HkResolverOptions options = {.servers = servers, .timeout_us = HK_SECOND / 20};
    g_autoptr (GError) error = NULL;
    (void) ignored;
    hk_resolver_free (f->resolver);
    f->resolver = hk_resolver_new (f->loop, &options, &error);
    g_assert_no_error (error);
    ask (f, "silent.test", 1);
    g_assert_cmpint (f->outcome, ==, HK_DNS_LATER);
    g_assert_cmpuint (f->n_questions, >, 0);
}

static void
must_not_answer (void *data, int32_t outcome, const HkDnsRecord *records, size_t n_records,
                 const char *reason)
{
    (void) data, (void) outcome, (void) records, (void) n_records, (void) reason;
    g_error ("a question that was dropped was answered");
}

static void
must_not_name (void *data, const char *name, const char *reverse_name, HkPeerFailure failure)
{
    (void) data, (void) name, (void) reverse_name, (void) failure;
    g_error ("a client name that was dropped was told");
}

static HkAddress
address_of (const char *ip)
{
    HkAddress address;
    g_assert_true (hk_address_parse_ip (hk_span_text (ip), 4711, &address));
    return address;
}

static void
test_cancel (Fixture *f, gconstpointer ignored)
{
    int other = 0;
    HkAddress peer = address_of ("192.0.2.1");
    (void) ignored;
    hk_resolver_ask (f->resolver, "a.test", 1, must_not_answer, &other);
    hk_resolver_ask (f->resolver, "", 1, must_not_answer, &other); /* known at once */
    hk_resolver_ask (f->resolver, "silent.test", 1, must_not_answer, &other);
    hk_resolver_peer_name (f->resolver, (struct sockaddr *) &peer.storage, must_not_name,
                           &other);
    hk_resolver_cancel (f->resolver, &other);
    hk_resolver_cancel (f->resolver, &other);
    ask (f, "a.test", 1);
    ask (f, "mx.test", 15);
    /* what is open at the end is dropped by free */
    hk_resolver_ask (f->resolver, "silent.test", 1, must_not_answer, &other);
    hk_resolver_peer_name (f->resolver, (struct sockaddr *) &peer.storage, must_not_name,
                           &other);
}

static void
on_answer_cancel_rest (void *data, int32_t outcome, const HkDnsRecord *records,
                       size_t n_records, const char *reason)
{
    Fixture *f = data;
    (void) outcome, (void) records, (void) n_records, (void) reason;
    hk_resolver_cancel (f->resolver, f);
    count_answer (f);
}

/* Of many answers that come together the first drops the others. */
static void
test_cancel_inside (Fixture *f, gconstpointer ignored)
{
    (void) ignored;
    ask (f, "a.test", 1); /* now it is in the cache */
    f->n_answers = 0;
    f->expected = 1;
    for (int i = 0; i < 20; i++)
        hk_resolver_ask (f->resolver, "a.test", 1, on_answer_cancel_rest, f);
    hk_loop_run (f->loop);
    ask (f, "mx.test", 15);
    g_assert_cmpuint (f->n_answers, ==, 1);
}

static void
test_many (Fixture *f, gconstpointer ignored)
{
    (void) ignored;
    f->n_answers = 0;
    f->expected = 3000;
    for (unsigned i = 0; i < f->expected; i++)
        hk_resolver_ask (f->resolver, i % 2 == 0 ? "a.test" : "none.test", 1, on_answer, f);
    hk_loop_run (f->loop);
    g_assert_cmpuint (f->n_answers, ==, f->expected);
}

static void
on_answer_free (void *data, int32_t outcome, const HkDnsRecord *records, size_t n_records,
                const char *reason)
{
    Fixture *f = data;
    (void) outcome, (void) records, (void) n_records, (void) reason;
    hk_resolver_free (f->resolver);
    f->resolver = NULL;
    count_answer (f);
}

static void
test_free_inside (Fixture *f, gconstpointer ignored)
{
    (void) ignored;
    f->expected = 1;
    hk_resolver_ask (f->resolver, "a.test", 1, on_answer_free, f);
    hk_resolver_ask (f->resolver, "a.test", 1, on_answer_free, f);
    hk_loop_run (f->loop);
    g_assert_cmpuint (f->n_answers, ==, 1);
}

/* ---- client names -----------------------------------------------------------------------
 */

static void
on_name (void *data, const char *name, const char *reverse_name, HkPeerFailure failure)
{
    Fixture *f = data;
    g_string_printf (f->text, "%s %s %d", name != NULL ? name : "-",
                     reverse_name != NULL ? reverse_name : "-", failure);
    count_answer (f);
}

static void
name_client (Fixture *f, const char *ip)
{
    HkAddress peer = address_of (ip);
    f->n_answers = 0;
    f->expected = 1;
    hk_resolver_peer_name (f->resolver, (struct sockaddr *) &peer.storage, on_name, f);
    g_assert_cmpuint (f->n_answers, ==, 0);
    hk_loop_run (f->loop);
}

static void
test_peer_name (Fixture *f, gconstpointer ignored)
{
    static const char *const cases[][2] = {
        {"192.0.2.1", "a.test a.test 0"},
        {"192.0.2.2", "- a.test 0"},
        {"192.0.2.3", "- - 1"},
        {"192.0.2.4", "- - 0"},
        {"192.0.2.5", "- fail.test 1"},
        {"192.0.2.6", "- - 0"},
        {"::ffff:192.0.2.1", "a.test a.test 0"},
        {"2001:db8::1", "a.test a.test 0"},
    };
    (void) ignored;
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        name_client (f, cases[i][0]);
        g_assert_cmpstr (f->text->str, ==, cases[i][1]);
    }
    /* all of it again comes from the cache */
    unsigned before = f->n_questions;
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        name_client (f, cases[i][0]);
        g_assert_cmpstr (f->text->str, ==, cases[i][1]);
    }
    g_assert_cmpuint (f->n_questions, ==, before);
    struct sockaddr local = {.sa_family = AF_UNIX};
    f->n_answers = 0;
    hk_resolver_peer_name (f->resolver, &local, on_name, f);
    hk_loop_run (f->loop);
    g_assert_cmpstr (f->text->str, ==, "localhost localhost 0");
}

/* More clients than the cache holds. */
static void
test_peer_cache_is_bounded (Fixture *f, gconstpointer ignored)
{
    (void) ignored;
    f->n_answers = 0;
    f->expected = 1000;
    for (unsigned round = 0; round < 6; round++) {
        f->n_answers = 0;
        for (unsigned i = 0; i < f->expected; i++) {
            g_autofree char *ip = g_strdup_printf ("10.%u.%u.%u", round, i / 250, i % 250);
            HkAddress peer = address_of (ip);
            hk_resolver_peer_name (f->resolver, (struct sockaddr *) &peer.storage, on_name,
                                   f);
        }
        hk_loop_run (f->loop);
        g_assert_cmpuint (f->n_answers, ==, f->expected);
    }
}

static void
test_hosts_file (Fixture *f, gconstpointer ignored)
{
    (void) ignored;
    ask (f, "known.example", 1);
    g_assert_cmpstr (f->text->str, ==, "0:192.0.2.77");
    name_client (f, "192.0.2.77");
    g_assert_cmpstr (f->text->str, ==, "known.example known.example 0");
    g_assert_cmpuint (f->n_questions, ==, 0);
    ask (f, "a.test", 1);
    g_assert_cmpint (f->outcome, ==, HK_DNS_FOUND);
}

static void
test_servers (void)
{
    static const struct {
        const char *server;
        bool good;
    } cases[] = {{"127.0.0.1", true},
                 {"127.0.0.1@5353", true},
                 {"127.0.0.1:5353", true},
                 {"[::1]:5353", true},
                 {"::1@53", true},
                 {"::1", true},
                 {"[::1]", true},
                 {"name", false},
                 {"127.0.0.1@", false},
                 {"127.0.0.1@0", false},
                 {"127.0.0.1@99999", false},
                 {"[::1]x", false},
                 {"", false},
                 {"127.0.0.1@5x", false}};
    g_autoptr (GError) error = NULL;
    HkLoop *loop = hk_loop_new (&error);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        const char *const servers[] = {cases[i].server, NULL};
        HkResolverOptions options = {.servers = servers};
        HkResolver *resolver = hk_resolver_new (loop, &options, &error);
        if ((resolver != NULL) != cases[i].good)
            g_error ("%s: %d", cases[i].server, resolver != NULL);
        g_assert_cmpint (error == NULL, ==, cases[i].good);
        g_clear_error (&error);
        hk_resolver_free (resolver);
    }
    hk_loop_free (loop);
}

static void
test_settings (void)
{
    static const struct {
        const char *main_cf;
        bool good;
    } cases[] = {{"", true},
                 {"dns_servers = 127.0.0.1@5353, [::1]:53\ndns_timeout = 5\n", true},
                 {"dns_servers = name\n", false}};
    g_autoptr (GError) error = NULL;
    HkLoop *loop = hk_loop_new (&error);
    hk_conf_register (hk_dns_params);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (HkSettings) settings =
            hk_settings_from_text (cases[i].main_cf, "", &error);
        g_assert_no_error (error);
        HkResolver *resolver = hk_resolver_new_from_settings (loop, settings, &error);
        g_assert_cmpint (resolver != NULL, ==, cases[i].good);
        g_assert_cmpint (error == NULL, ==, cases[i].good);
        g_clear_error (&error);
        hk_resolver_free (resolver);
    }
    hk_loop_free (loop);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_autofree char *hosts = NULL;
    int fd = g_file_open_tmp ("hk-hosts-XXXXXX", &hosts, NULL);
    g_assert_cmpint (fd, >=, 0);
    g_assert_true (g_file_set_contents (hosts, "192.0.2.77 known.example\n", -1, NULL));
    close (fd);
#define ADD(name, fn, data)                                                                \
    g_test_add ("/net/dns/" name, Fixture, data, set_up, fn, tear_down)
    ADD ("ask", test_ask, NULL);
    ADD ("timeout", test_timeout, NULL);
    ADD ("cancel", test_cancel, NULL);
    ADD ("cancel-inside", test_cancel_inside, NULL);
    ADD ("free-inside", test_free_inside, NULL);
    ADD ("many", test_many, NULL);
    ADD ("peer-name", test_peer_name, NULL);
    ADD ("peer-cache-is-bounded", test_peer_cache_is_bounded, NULL);
    ADD ("hosts-file", test_hosts_file, hosts);
#undef ADD
    g_test_add_func ("/net/dns/servers", test_servers);
    g_test_add_func ("/net/dns/settings", test_settings);
    int result = g_test_run ();
    unlink (hosts);
    return result;
}
