/* test_transport_smtp.c: replies, content and next hops by tables; dialogues with a
 * scripted LMTP server on a Unix socket.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_smtp_priv.h"

#include <glib/gstdio.h>
#include <harness.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (transport_smtp);

/* ---- replies */

static void
test_replies (void)
{
    static const struct {
        const char *input;
        SmtpProgress progress;
        int code;
        const char *text, *dsn;
    } cases[] = {
        {"250 2.1.5 Ok\r\n", SMTP_REPLY_DONE, 250, "250 2.1.5 Ok", "2.1.5"},
        {"250-a\r\n250 b\r\n", SMTP_REPLY_DONE, 250, "250-a 250 b", "2.0.0"},
        {"550 4.1.1 wrong class\r\n", SMTP_REPLY_DONE, 550, "550 4.1.1 wrong class",
         "5.0.0"},
        {"450\r\n", SMTP_REPLY_DONE, 450, "450", "4.0.0"},
        {"451 4.7.1000 too long\r\n", SMTP_REPLY_DONE, 451, "451 4.7.1000 too long",
         "4.0.0"},
        {"250 bell \a here\n", SMTP_REPLY_DONE, 250, "250 bell ? here", "2.0.0"},
        {"250-a\r\n", SMTP_REPLY_MORE, 250, "250-a", "2.0.0"},
        {"hello\r\n", SMTP_REPLY_BAD, 0, "", ""},
        {"999 no\r\n", SMTP_REPLY_BAD, 0, "", ""},
        {"2500 no\r\n", SMTP_REPLY_BAD, 0, "", ""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        SmtpReply reply;
        SmtpProgress progress = SMTP_REPLY_MORE;
        transport_smtp_reply_init (&reply);
        /* Byte by byte: no boundary may matter. */
        for (const char *p = cases[i].input; *p != '\0'; p++) {
            const char *at = p;
            progress = transport_smtp_reply_feed (&reply, &at, p + 1);
        }
        g_assert_cmpint (progress, ==, cases[i].progress);
        if (progress != SMTP_REPLY_BAD) {
            char text[200], dsn[12];
            transport_smtp_reply_print (&reply, text, sizeof text);
            transport_smtp_reply_dsn (&reply, dsn);
            g_assert_cmpint (reply.code, ==, cases[i].code);
            g_assert_cmpstr (text, ==, cases[i].text);
            g_assert_cmpstr (dsn, ==, cases[i].dsn);
        }
        transport_smtp_reply_clear (&reply);
    }
}

static void
test_reply_bounds (void)
{
    SmtpReply reply;
    SmtpProgress progress = SMTP_REPLY_MORE;
    transport_smtp_reply_init (&reply);
    for (int i = 0; i < 100000 && progress == SMTP_REPLY_MORE; i++) {
        const char *at = "250-still talking\r\n";
        progress = transport_smtp_reply_feed (&reply, &at, at + strlen (at));
        g_assert_cmpuint (reply.text->len, <=, 20000);
    }
    g_assert_cmpint (progress, ==, SMTP_REPLY_BAD);
    transport_smtp_reply_clear (&reply);
}

/* ---- content */

static void
test_content (void)
{
    static const struct {
        const char *input, *output;
        bool is_plain;
    } cases[] = {
        {"a\r\nb\r\n", "a\r\nb\r\n.\r\n", true},
        {"", ".\r\n", true},
        {".a\r\n", "..a\r\n.\r\n", false},
        {"a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n", false},
        {"no end", "no end\r\n.\r\n", false},
        {"a\nb\r\n", "a\r\nb\r\n.\r\n", false},
        {"a\n.\r\nMAIL\r\n", "a\r\n..\r\nMAIL\r\n.\r\n", false}, /* smuggling */
        {"a\r.\r\nb\r\n", "a .\r\nb\r\n.\r\n", false},           /* lone CR */
        {"a\r\r\n.\r\r\n", "a \r\n.. \r\n.\r\n", false},         /* CR CR LF */
        {"a\n.\n", "a\r\n..\r\n.\r\n", false},
        {"0123456789ABCDEF\r\n", "0123456789\r\n ABCDEF\r\n.\r\n", false}, /* limit 10 */
        {"0123456789\r\n", "0123456789\r\n.\r\n", true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkSpan s = transport_smtp_span (cases[i].input);
        g_assert_cmpint (transport_smtp_content_is_plain (s, 10), ==, cases[i].is_plain);
        for (size_t max = 1; max < 20; max += 6) { /* parts of every size give the same */
            SmtpEncoder encoder = {.rest = s, .line_limit = 10};
            g_autoptr (GString) all = g_string_new (NULL);
            while (!encoder.is_done) {
                g_autoptr (GString) part = g_string_new (NULL);
                transport_smtp_content_encode (&encoder, part, max);
                g_string_append_len (all, part->str, (gssize) part->len);
            }
            g_assert_cmpstr (all->str, ==, cases[i].output);
        }
    }
}

/* ---- next hops */

static void
test_sites (void)
{
    static const struct {
        bool is_lmtp, is_good;
        const char *text, *name, *path;
        unsigned port;
        bool is_literal;
    } cases[] = {
        {false, true, "example.org", "example.org", NULL, 25, false},
        {false, true, "example.org:2525", "example.org", NULL, 2525, false},
        {false, true, "[mx.example.org]", "mx.example.org", NULL, 25, true},
        {false, true, "[192.0.2.1]:26", "192.0.2.1", NULL, 26, true},
        {false, true, "[ipv6:2001:db8::1]:26", "2001:db8::1", NULL, 26, true},
        {false, true, "[2001:db8::1]", "2001:db8::1", NULL, 25, true},
        {false, false, "[192.0.2.1", NULL, NULL, 0, false},
        {false, false, "[]:25", NULL, NULL, 0, false},
        {false, false, "[a]:70000", NULL, NULL, 0, false},
        {false, false, "a:0", NULL, NULL, 0, false},
        {false, false, "[a]x", NULL, NULL, 0, false},
        {true, true, "unix:/run/lmtp", "me", "/run/lmtp", 25, false},
        {true, true, "inet:host:24", "host", NULL, 24, true},
        {true, true, "host", "host", NULL, 25, true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        SmtpConf conf = {.is_lmtp = cases[i].is_lmtp, .port = 25, .my_name = (char *) "me"};
        SmtpSite site;
        g_assert_cmpint (transport_smtp_site_parse (&conf, cases[i].text, &site), ==,
                         cases[i].is_good);
        if (!cases[i].is_good)
            continue;
        g_assert_cmpstr (site.name, ==, cases[i].name);
        g_assert_cmpstr (site.path, ==, cases[i].path);
        g_assert_cmpuint (site.port, ==, cases[i].port);
        if (site.path == NULL)
            g_assert_cmpint (site.is_literal, ==, cases[i].is_literal);
        transport_smtp_site_clear (&site);
    }
}

/* ---- dialogues */

/* What the server answers. */
typedef struct {
    const char *greeting, *hello, *mail, *rcpt[3], *data, *final[3];
} Script;

typedef struct {
    Script says;
    unsigned hang_up_at; /* connection on which the second MAIL is not answered; 0: none */
    char *path;
    int listener;
    GString *heard; /* commands; content in <> */
    unsigned n_connections;
    GThread *thread;
} Server;

/* True: a line without its end is in OUT. */
static bool
hear (GIOChannel *in, GString *out)
{
    gsize end;
    if (g_io_channel_read_line_string (in, out, &end, NULL) != G_IO_STATUS_NORMAL)
        return false;
    g_string_truncate (out, end);
    return true;
}

static void
say (int fd, const char *text)
{
    if (text != NULL)
        g_assert_cmpint (send (fd, text, strlen (text), MSG_NOSIGNAL), >=, 0);
}

static void
take_content (Server *self, int fd, GIOChannel *in, unsigned n_accepted)
{
    g_autoptr (GString) line = g_string_new (NULL);
    g_string_append_c (self->heard, '<');
    while (hear (in, line) && strcmp (line->str, ".") != 0)
        g_string_append_printf (self->heard, "%s/", line->str);
    g_string_append (self->heard, ">\n");
    for (unsigned i = 0; i < n_accepted; i++)
        say (fd, self->says.final[i]);
}

/* "BDAT n LAST": the bytes as they are. */
static void
take_chunk (Server *self, int fd, GIOChannel *in, const char *argument, unsigned n_accepted)
{
    gsize size = (gsize) g_ascii_strtoull (argument, NULL, 10), done = 0, n;
    g_autofree char *bytes = g_malloc0 (size + 1);
    while (done < size && g_io_channel_read_chars (in, bytes + done, size - done, &n, NULL) ==
                              G_IO_STATUS_NORMAL)
        done += n;
    g_autofree char *shown = g_strescape (bytes, NULL);
    g_string_append_printf (self->heard, "<%s>\n", shown);
    for (unsigned i = 0; i < n_accepted; i++)
        say (fd, self->says.final[i]);
}

static void
serve (Server *self, int fd)
{
    GIOChannel *in = g_io_channel_unix_new (fd);
    g_autoptr (GString) line = g_string_new (NULL);
    unsigned n_rcpt = 0, n_accepted = 0;
    g_io_channel_set_encoding (in, NULL, NULL);
    g_io_channel_set_line_term (in, "\r\n", 2);
    say (fd, self->says.greeting);
    while (hear (in, line)) {
        g_string_append_printf (self->heard, "%s\n", line->str);
        if (g_str_has_prefix (line->str, "LHLO"))
            say (fd, self->says.hello);
        else if (g_str_has_prefix (line->str, "MAIL")) {
            n_rcpt = n_accepted = 0;
            if (self->n_connections == self->hang_up_at &&
                strstr (self->heard->str, "<a/>"))
                break;
            say (fd, self->says.mail);
        } else if (g_str_has_prefix (line->str, "RCPT")) {
            n_accepted += self->says.rcpt[n_rcpt][0] == '2';
            say (fd, self->says.rcpt[n_rcpt++]);
        } else if (strcmp (line->str, "DATA") == 0) {
            say (fd, self->says.data);
            if (self->says.data[0] == '3')
                take_content (self, fd, in, n_accepted);
        } else if (g_str_has_prefix (line->str, "BDAT "))
            take_chunk (self, fd, in, line->str + 5, n_accepted);
        else if (strcmp (line->str, "RSET") == 0)
            say (fd, "250 ok\r\n");
        else if (strcmp (line->str, "QUIT") == 0)
            break;
    }
    g_io_channel_unref (in);
    close (fd);
}

static gpointer
server_thread (gpointer data)
{
    Server *self = data;
    int fd;
    while ((fd = accept (self->listener, NULL, NULL)) >= 0) {
        self->n_connections++;
        serve (self, fd);
    }
    return NULL;
}

static void
server_start (Server *self)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_autofree char *dir = g_dir_make_tmp ("smtp-XXXXXX", NULL);
    self->path = g_build_filename (dir, "lmtp", NULL);
    self->heard = g_string_new (NULL);
    self->listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_strlcpy (address.sun_path, self->path, sizeof address.sun_path);
    g_assert_cmpint (bind (self->listener, (struct sockaddr *) &address, sizeof address),
                     ==, 0);
    g_assert_cmpint (listen (self->listener, 8), ==, 0);
    self->thread = g_thread_new ("server", server_thread, self);
}

static void
server_stop (Server *self)
{
    g_autofree char *dir = g_path_get_dirname (self->path);
    shutdown (self->listener, SHUT_RDWR);
    g_thread_join (self->thread);
    close (self->listener);
    g_unlink (self->path);
    g_rmdir (dir);
    g_free (self->path);
    g_string_free (self->heard, TRUE);
}

static char *
text_of (HkSpan s)
{
    return g_strndup ((const char *) s.data, s.size);
}

#define FULL "250-host\r\n250-PIPELINING\r\n250-DSN\r\n250-8BITMIME\r\n250 SIZE 1000\r\n"
#define PLAIN "250 host\r\n"

typedef struct {
    const char *name;
    Script server;
    const char *content;
    struct {
        int status;
        const char *dsn, *text; /* '@' stands for host[path] */
    } expect[2];
    const char *heard; /* without LHLO and QUIT; NULL: not checked */
} Dialogue;

static const Dialogue dialogues[] = {
    {"pipelined",
     {"220 hi\r\n",
      FULL,
      "250 ok\r\n",
      {"250 ok\r\n", "250 ok\r\n"},
      "354 go\r\n",
      {"250 2.0.0 one\r\n", "250 two\r\n"}},
     "a\r\n",
     {{HK_STATUS_SENT, "2.0.0", "250 2.0.0 one"}, {HK_STATUS_SENT, "2.0.0", "250 two"}},
     "MAIL FROM:<s@x> SIZE=3\nRCPT TO:<r0@x> ORCPT=rfc822;o0@x\n"
     "RCPT TO:<r1@x> ORCPT=rfc822;o1@x\nDATA\n<a/>\n"},
    {"step by step",
     {"220 hi\r\n",
      PLAIN,
      "250 ok\r\n",
      {"250 ok\r\n", "250 ok\r\n"},
      "354 go\r\n",
      {"250 2.0.0 one\r\n", "452 4.2.2 full\r\n"}},
     ".a\r\n",
     {{HK_STATUS_SENT, "2.0.0", "250 2.0.0 one"},
      {HK_STATUS_DEFERRED, "4.2.2",
       "host @ said: 452 4.2.2 full (in reply to end of DATA command)"}},
     "MAIL FROM:<s@x>\nRCPT TO:<r0@x>\nRCPT TO:<r1@x>\nDATA\n<..a/>\n"},
    {"one recipient refused",
     {"220 hi\r\n",
      FULL,
      "250 ok\r\n",
      {"550 5.1.1 no\r\n", "250 ok\r\n"},
      "354 go\r\n",
      {"250 ok\r\n"}},
     "a\r\n",
     {{HK_STATUS_BOUNCED, "5.1.1",
       "host @ said: 550 5.1.1 no (in reply to RCPT TO command)"},
      {HK_STATUS_SENT, "2.0.0", "250 ok"}},
     NULL},
    {"all refused, DATA accepted",
     {"220 hi\r\n",
      FULL,
      "250 ok\r\n",
      {"550 5.1.1 no\r\n", "552 5.2.2 full\r\n"},
      "354 go\r\n",
      {""}},
     "a\r\n",
     {{HK_STATUS_BOUNCED, "5.1.1",
       "host @ said: 550 5.1.1 no (in reply to RCPT TO command)"},
      {HK_STATUS_DEFERRED, "4.2.2", /* 552 is too many recipients */
       "host @ said: 552 5.2.2 full (in reply to RCPT TO command)"}},
     NULL},
    {"sender refused",
     {"220 hi\r\n",
      FULL,
      "550 5.7.1 you\r\n",
      {"503 no\r\n", "503 no\r\n"},
      "503 no\r\n",
      {""}},
     "a\r\n",
     {{HK_STATUS_BOUNCED, "5.7.1",
       "host @ said: 550 5.7.1 you (in reply to MAIL FROM command)"},
      {HK_STATUS_BOUNCED, "5.7.1",
       "host @ said: 550 5.7.1 you (in reply to MAIL FROM command)"}},
     NULL},
    {"refused at the door",
     {"554 5.3.2 closed\r\n", FULL, "", {""}, "", {""}},
     "a\r\n",
     {{HK_STATUS_DEFERRED, "4.3.2", "host @ refused to talk to me: 554 5.3.2 closed"},
      {HK_STATUS_DEFERRED, "4.3.2", "host @ refused to talk to me: 554 5.3.2 closed"}},
     NULL},
    {"garbage",
     {"what?\r\n", FULL, "", {""}, "", {""}},
     "a\r\n",
     {{HK_STATUS_DEFERRED, "4.4.2",
       "lost connection with @ while receiving the initial server greeting"},
      {HK_STATUS_DEFERRED, "4.4.2",
       "lost connection with @ while receiving the initial server greeting"}},
     NULL},
    {"too large",
     {"220 hi\r\n", "250-host\r\n250 SIZE 2\r\n", "", {""}, "", {""}},
     "a\r\n",
     {{HK_STATUS_BOUNCED, "5.3.4", "message size 3 exceeds size limit 2 of server @"},
      {HK_STATUS_BOUNCED, "5.3.4", "message size 3 exceeds size limit 2 of server @"}},
     NULL},
};

/* Address probes, and lmtp_address_verify_target. */
typedef struct {
    Dialogue dialogue;
    const char *target;
} ProbeDialogue;

static const ProbeDialogue probes[] = {
    {{"probe",
      {"220 hi\r\n",
       FULL,
       "250 ok\r\n",
       {"250 2.1.5 here\r\n", "550 5.1.1 no\r\n"},
       "",
       {""}},
      "",
      {{HK_STATUS_SENT, "2.1.5", "250 2.1.5 here"},
       {HK_STATUS_BOUNCED, "5.1.1",
        "host @ said: 550 5.1.1 no (in reply to RCPT TO command)"}},
      "MAIL FROM:<s@x>\nRCPT TO:<r0@x>\nRCPT TO:<r1@x>\n"},
     "rcpt"},
    {{"probe up to DATA",
      {"220 hi\r\n",
       FULL,
       "250 ok\r\n",
       {"250 ok\r\n", "550 5.1.1 no\r\n"},
       "354 go\r\n",
       {NULL}},
      "",
      {{HK_STATUS_SENT, "2.0.0", "354 go"},
       {HK_STATUS_BOUNCED, "5.1.1",
        "host @ said: 550 5.1.1 no (in reply to RCPT TO command)"}},
      "MAIL FROM:<s@x>\nRCPT TO:<r0@x>\nRCPT TO:<r1@x>\nDATA\n"},
     "data"},
    {{"probe refused at DATA",
      {"220 hi\r\n",
       PLAIN,
       "250 ok\r\n",
       {"250 ok\r\n", "250 ok\r\n"},
       "550 5.7.1 nobody\r\n",
       {""}},
      "",
      {{HK_STATUS_BOUNCED, "5.7.1",
        "host @ said: 550 5.7.1 nobody (in reply to DATA command)"},
       {HK_STATUS_BOUNCED, "5.7.1",
        "host @ said: 550 5.7.1 nobody (in reply to DATA command)"}},
      NULL},
     "data"},
};

static HkHarness *
new_host (const char *path, const char *content)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (transport_smtp));
    g_autofree char *nexthop = g_strconcat ("unix:", path, NULL);
    hk_harness_set (h, "myhostname", "me.test");
    hk_harness_set (h, "inet_interfaces", "all");
    hk_harness_set (h, "proxy_interfaces", "");
    hk_harness_set (h, "inet_protocols", "all");
    hk_harness_set (h, "lmtp_lhlo_name", "me.test");
    hk_harness_prop (h, HK_PROP_NEXTHOP, nexthop);
    hk_harness_prop (h, HK_PROP_SENDER, "s@x");
    hk_harness_content (h, content, strlen (content));
    hk_harness_recipient (h, "r0@x", "o0@x");
    hk_harness_recipient (h, "r1@x", "o1@x");
    return h;
}

static void
expect_results (HkHarness *h, const Dialogue *d, const char *path)
{
    g_autofree char *name = g_strdup_printf ("me.test[%s]", path);
    for (size_t i = 0; i < 2; i++) {
        HkResult result;
        g_assert_true (hk_harness_result (h, i, &result));
        g_auto (GStrv) parts = g_strsplit (d->expect[i].text, "@", -1);
        g_autofree char *text = g_strjoinv (name, parts);
        g_autofree char *got = text_of (result.text), *dsn = text_of (result.dsn);
        g_assert_cmpstr (got, ==, text);
        g_assert_cmpstr (dsn, ==, d->expect[i].dsn);
        g_assert_cmpint (result.status, ==, d->expect[i].status);
    }
}

static void
play (const Dialogue *d, const char *target)
{
    Server server = {.says = d->server};
    server_start (&server);
    HkHarness *h = new_host (server.path, d->content);
    if (target != NULL) {
        hk_harness_prop_int (h, HK_PROP_PROBE, 1);
        hk_harness_set (h, "lmtp_address_verify_target", target);
    }
    void *t = hk_harness_open (h, HK_KIND_TRANSPORT, "lmtp", "");
    g_assert_nonnull (t);
    g_assert_cmpint (hk_harness_deliver (h, t, 5000), ==, HK_OK);
    expect_results (h, d, server.path);
    if (g_strcmp0 (target, "rcpt") == 0)
        g_assert_null (strstr (server.heard->str, "DATA"));
    hk_harness_close (h, t);
    if (d->heard != NULL) {
        /* The server hears QUIT only when the instance is closed. */
        g_autofree char *all = g_strdup_printf ("LHLO me.test\n%s", d->heard);
        g_assert_true (g_str_has_prefix (server.heard->str, all));
    }
    hk_harness_free (h);
    server_stop (&server);
}

static void
test_dialogue (gconstpointer data)
{
    play (data, NULL);
}

static void
test_probe (gconstpointer data)
{
    const ProbeDialogue *probe = data;
    play (&probe->dialogue, probe->target);
}

static const Script friendly = {"220 hi\r\n", FULL,
                                "250 ok\r\n", {"250 ok\r\n", "250 ok\r\n"},
                                "354 go\r\n", {"250 1\r\n", "250 2\r\n"}};

/* What extensions say of a message, and what becomes of it where they are not offered. */
static void
test_extensions (void)
{
    enum { NO_BY = INT32_MIN };
    static const struct {
        const char *offered; /* lines of the reply to LHLO */
        int by_s;
        const char *mode;
        int priority;
        bool requires_tls, is_binary;
        const char *mail; /* begins the MAIL command; NULL: it is returned with DSN */
        const char *dsn;
        const char *content; /* and how the content goes */
    } cases[] = {
        {"250-DELIVERBY\r\n", 100, "R", 0, false, false, "MAIL FROM:<s@x> BY=*;R\n", NULL,
         "DATA\n<a/>\n"},
        {"250-DELIVERBY 50\r\n", 100, "RT", 0, false, false, "MAIL FROM:<s@x> BY=*;RT\n", NULL,
         NULL},
        {"250-DELIVERBY\r\n", -5, "N", 0, false, false, "MAIL FROM:<s@x> BY=-*;N\n", NULL, NULL},
        {"250-DELIVERBY\r\n", 0, "R", 0, false, false, NULL, "5.4.7", NULL},
        {"", -1, "R", 0, false, false, NULL, "5.4.7", NULL},
        {"", 100, "R", 0, false, false, "MAIL FROM:<s@x>\n", NULL, NULL}, /* LMTP delivers */
        {"250-MT-PRIORITY MIXER\r\n", NO_BY, NULL, -9, false, false,
         "MAIL FROM:<s@x> MT-PRIORITY=-9\n", NULL, NULL},
        {"", NO_BY, NULL, 4, false, false, "MAIL FROM:<s@x>\n", NULL, NULL},
        {"250-REQUIRETLS\r\n", NO_BY, NULL, 0, true, false, "MAIL FROM:<s@x> REQUIRETLS\n",
         NULL, NULL},
        {"", NO_BY, NULL, 0, true, false, "MAIL FROM:<s@x>\n", NULL, NULL}, /* a Unix socket */
        {"250-CHUNKING\r\n250-BINARYMIME\r\n", NO_BY, NULL, 0, false, true,
         "MAIL FROM:<s@x> BODY=BINARYMIME\n", NULL, "BDAT 3 LAST\n<a\\r\\n>\n"},
        {"250-CHUNKING\r\n250-BINARYMIME\r\n250-PIPELINING\r\n", NO_BY, NULL, 0, false, true,
         "MAIL FROM:<s@x> BODY=BINARYMIME\n", NULL, "BDAT 3 LAST\n<a\\r\\n>\n"},
        {"250-BINARYMIME\r\n", NO_BY, NULL, 0, false, true, NULL, "5.6.3", NULL},
        {"250-CHUNKING\r\n250-8BITMIME\r\n", NO_BY, NULL, 0, false, true, NULL, "5.6.3", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree char *hello = g_strconcat ("250-host\r\n", cases[i].offered, "250 OK\r\n",
                                              NULL);
        Server server = {.says = friendly};
        HkResult result;
        server.says.hello = hello;
        server_start (&server);
        g_test_message ("%zu", i);
        HkHarness *h = new_host (server.path, "a\r\n");
        if (cases[i].by_s != NO_BY) {
            hk_harness_prop_int (h, HK_PROP_DELIVER_BY_US,
                                 g_get_real_time () + cases[i].by_s * G_USEC_PER_SEC);
            hk_harness_prop (h, HK_PROP_DELIVER_BY_MODE, cases[i].mode);
        }
        if (cases[i].priority != 0)
            hk_harness_prop_int (h, HK_PROP_MT_PRIORITY, cases[i].priority);
        hk_harness_prop_int (h, HK_PROP_REQUIRE_TLS, cases[i].requires_tls);
        hk_harness_prop (h, HK_PROP_ENCODING, cases[i].is_binary ? "binary" : "7bit");
        void *t = hk_harness_open (h, HK_KIND_TRANSPORT, "lmtp", "");
        g_assert_cmpint (hk_harness_deliver (h, t, 5000), ==, HK_OK);
        g_assert_true (hk_harness_result (h, 0, &result));
        g_autofree char *dsn = text_of (result.dsn);
        hk_harness_close (h, t);
        if (cases[i].mail == NULL) {
            g_assert_cmpint (result.status, ==, HK_STATUS_BOUNCED);
            g_assert_cmpstr (dsn, ==, cases[i].dsn);
            g_assert_null (strstr (server.heard->str, "MAIL"));
        } else {
            g_assert_cmpint (result.status, ==, HK_STATUS_SENT);
            g_autofree char *pattern = g_strconcat ("*\n", cases[i].mail, "*", NULL);
            g_assert_true (g_pattern_match_simple (pattern, server.heard->str));
        }
        if (cases[i].content != NULL)
            g_assert_nonnull (strstr (server.heard->str, cases[i].content));
        hk_harness_free (h);
        server_stop (&server);
    }
}

static void
test_reuse (void)
{
    Server server = {.says = friendly};
    HkResult result;
    server_start (&server);
    HkHarness *h = new_host (server.path, "a\r\n");
    void *t = hk_harness_open (h, HK_KIND_TRANSPORT, "lmtp", "");
    for (unsigned i = 1; i <= 3; i++) {
        g_assert_cmpint (hk_harness_deliver (h, t, 5000), ==, HK_OK);
        g_assert_true (hk_harness_result (h, 1, &result));
        g_assert_cmpint (result.status, ==, HK_STATUS_SENT);
        g_assert_cmpuint (result.conn_use, ==, i);
    }
    g_assert_cmpuint (server.n_connections, ==, 1);
    hk_harness_close (h, t);
    hk_harness_free (h);
    server_stop (&server);
}

/* The server gives a waiting connection up just when it is used: nobody shall notice. */
static void
test_stale (void)
{
    Server server = {.says = friendly, .hang_up_at = 1};
    HkResult result;
    server_start (&server);
    HkHarness *h = new_host (server.path, "a\r\n");
    void *t = hk_harness_open (h, HK_KIND_TRANSPORT, "lmtp", "");
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpint (hk_harness_deliver (h, t, 5000), ==, HK_OK);
        g_assert_true (hk_harness_result (h, 0, &result));
        g_assert_cmpint (result.status, ==, HK_STATUS_SENT);
        g_assert_cmpuint (result.conn_use, ==, 1);
    }
    g_assert_cmpuint (server.n_connections, ==, 2);
    hk_harness_close (h, t);
    hk_harness_free (h);
    server_stop (&server);
}

/* ---- names */

static void
test_dns (void)
{
    static const struct {
        const char *name;
        int status;
        const char *dsn, *text;
    } cases[] = {
        {"null.test", HK_STATUS_BOUNCED, "5.1.10",
         "Domain null.test does not accept mail (nullMX)"},
        {"self.test", HK_STATUS_BOUNCED, "5.4.6",
         "mail for self.test loops back to myself"},
        {"gone.test", HK_STATUS_BOUNCED, "5.4.4",
         "Host or domain name not found. Name service error for name=gone.test type=A: "
         "Host "
         "not found"},
        {"slow.test", HK_STATUS_DEFERRED, "4.4.3",
         "Host or domain name not found. Name service error for name=slow.test type=MX: "
         "Host "
         "not found, try again"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkResult result;
        HkHarness *h = new_host ("/nowhere", "a\r\n");
        hk_harness_prop (h, HK_PROP_NEXTHOP, cases[i].name);
        hk_harness_set (h, "inet_protocols", "ipv4");
        hk_harness_set (h, "smtp_helo_name", "me.test");
        hk_harness_set (h, "smtp_fallback_relay", "");
        hk_harness_dns (h, "null.test", 15, 0, "");
        hk_harness_dns (h, "self.test", 15, 10, "mx.self.test");
        hk_harness_dns (h, "mx.self.test", 1, 0, "127.0.0.1");
        hk_harness_dns_outcome (h, "gone.test", 15, HK_DNS_NO_NAME);
        hk_harness_dns_outcome (h, "gone.test", 1, HK_DNS_NO_NAME);
        hk_harness_dns_outcome (h, "slow.test", 15, HK_DNS_LATER);
        void *t = hk_harness_open (h, HK_KIND_TRANSPORT, "smtp", "");
        g_assert_nonnull (t);
        g_assert_cmpint (hk_harness_deliver (h, t, 5000), ==, HK_OK);
        g_assert_true (hk_harness_result (h, 0, &result));
        g_autofree char *text = text_of (result.text), *dsn = text_of (result.dsn);
        g_assert_cmpstr (text, ==, cases[i].text);
        g_assert_cmpstr (dsn, ==, cases[i].dsn);
        g_assert_cmpint (result.status, ==, cases[i].status);
        hk_harness_close (h, t);
        hk_harness_free (h);
    }
}

/* What asks for encryption must not leave in clear. */
static void
test_security (void)
{
    HkResult result;
    HkHarness *h = new_host ("/nowhere", "a\r\n");
    hk_harness_set (h, "lmtp_tls_security_level", "encrypt");
    void *t = hk_harness_open (h, HK_KIND_TRANSPORT, "lmtp", "");
    g_assert_cmpint (hk_harness_deliver (h, t, 5000), ==, HK_OK);
    g_assert_true (hk_harness_result (h, 0, &result));
    g_assert_cmpint (result.status, ==, HK_STATUS_DEFERRED);
    g_autofree char *dsn = text_of (result.dsn);
    g_assert_cmpstr (dsn, ==, "4.7.5");
    hk_harness_close (h, t);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/smtp/replies", test_replies);
    g_test_add_func ("/smtp/reply-bounds", test_reply_bounds);
    g_test_add_func ("/smtp/content", test_content);
    g_test_add_func ("/smtp/sites", test_sites);
    g_test_add_func ("/smtp/dns", test_dns);
    g_test_add_func ("/smtp/security", test_security);
    g_test_add_func ("/smtp/extensions", test_extensions);
    g_test_add_func ("/smtp/reuse", test_reuse);
    g_test_add_func ("/smtp/stale", test_stale);
    for (size_t i = 0; i < G_N_ELEMENTS (dialogues); i++) {
        g_autofree char *path = g_strdup_printf ("/smtp/dialogue/%s", dialogues[i].name);
        g_test_add_data_func (path, &dialogues[i], test_dialogue);
    }
    for (size_t i = 0; i < G_N_ELEMENTS (probes); i++) {
        g_autofree char *path = g_strdup_printf ("/smtp/%s", probes[i].dialogue.name);
        g_test_add_data_func (path, &probes[i], test_probe);
    }
    return g_test_run ();
}
