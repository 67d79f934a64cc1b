/* test_intake.c: messages through intake into a real lane, read back from the store. */
#include "config.h"

#include "intake/intake.h"
#include "intake/intake_priv.h"
#include "route/test_rows.h"
#include "store/test_store_util.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (filter_header_checks);

typedef struct {
    TestQueue *queue;
    HkPlugins *plugins;
    HkSettings *settings;
    HkRouter *router;
    HkIntake *intake;
    HkWorkers *workers;
    /* what came out of the last message */
    int n_done, code, n_orphans;
    char dsn[12];
    GString *text, *content;
    bool is_discarded;
    HkStoredMessage *stored; /* NULL: not stored */
} Fixture;

static void
count_orphan (const HkIntakeOutcome *outcome, void *data)
{
    Fixture *f = data;
    g_assert_cmpint (outcome->code, ==, 250);
    f->n_orphans++;
}

static void
setup (Fixture *f, const char *main_cf)
{
    g_autoptr (GError) error = NULL;
    *f = (Fixture){.queue = test_queue_new ()};
    f->queue->segment_size = 4u << 20;
    test_open_lane (f->queue);
    test_open_store (f->queue);
    hk_conf_register (hk_intake_params);
    g_autofree char *text =
        g_strdup_printf ("queue_directory = %s\n%s", f->queue->dir, main_cf);
    f->plugins = test_rows_new (text, &f->settings);
    g_assert_true (
        hk_plugins_add (f->plugins, &HK_PLUGIN_SYMBOL (filter_header_checks), &error));
    f->router = test_router_new (f->plugins, f->settings);
    f->workers = hk_workers_new (f->queue->loop, 2);
    HkIntakeOptions options = {.plugins = f->plugins,
                               .view = f->settings,
                               .router = f->router,
                               .loop = f->queue->loop,
                               .orphan = count_orphan,
                               .orphan_data = f};
    f->intake = hk_intake_new (&options, &error);
    g_assert_no_error (error);
    hk_intake_start (f->intake, f->queue->lane, f->workers);
    f->text = g_string_new (NULL);
    f->content = g_string_new (NULL);
}

static void
teardown (Fixture *f)
{
    hk_intake_free (f->intake);
    hk_workers_free (f->workers);
    hk_router_unref (f->router);
    test_host_free (f->plugins, f->settings);
    if (f->stored != NULL)
        hk_stored_message_free (f->stored);
    g_string_free (f->text, TRUE);
    g_string_free (f->content, TRUE);
    test_queue_free (f->queue);
}

/* ---- sending
 * --------------------------------------------------------------------------------- */

static void
load (Fixture *f, const HkIntakeOutcome *outcome)
{
    g_autoptr (GError) error = NULL;
    HkEntry *entry = hk_store_admit (f->queue->store, outcome->id, outcome->where,
                                     outcome->content_size);
    g_assert_nonnull (entry);
    f->stored = hk_store_load (f->queue->store, entry, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (f->stored->content_size, ==, outcome->content_size);
    g_string_set_size (f->content, f->stored->content_size);
    g_assert_cmpint (pread (f->stored->fd, f->content->str, f->content->len,
                            (off_t) f->stored->content_offset),
                     ==, (ssize_t) f->content->len);
}

static void
done (const HkIntakeOutcome *outcome, void *data)
{
    Fixture *f = data;
    f->n_done++;
    f->code = outcome->code;
    f->is_discarded = outcome->is_discarded;
    g_strlcpy (f->dsn, outcome->dsn, sizeof f->dsn);
    g_string_assign (f->text, outcome->text);
    if (f->stored != NULL)
        g_clear_pointer (&f->stored, hk_stored_message_free);
    g_string_truncate (f->content, 0);
    if (outcome->code == 250 && !outcome->is_discarded)
        load (f, outcome);
}

typedef struct {
    const char *sender, *recipients; /* blank-separated */
    HkSpan content;
    bool is_local;
    const char *received;
    const HkEnvelope *like; /* further fields */
} Sending;

static HkIncoming *
begin (Fixture *f, const Sending *s)
{
    g_auto (GStrv) words = g_strsplit (s->recipients, " ", -1);
    HkRecipient recipients[64] = {0};
    HkEnvelope e = {.arrival_us = INT64_C (1700000000) * HK_SECOND};
    if (s->like != NULL)
        e = *s->like;
    e.sender = hk_span_text (s->sender);
    e.recipients = recipients;
    for (char **w = words; *w != NULL && **w != '\0'; w++)
        recipients[e.n_recipients++].address = hk_span_text (*w);
    e.client_protocol = HK_SPAN ("ESMTP");
    HkIncomingOptions options = {.envelope = &e,
                                 .received = hk_span_text (s->received),
                                 .add_missing_headers = s->is_local,
                                 .is_local_rewrite = s->is_local,
                                 .log_client = "host[192.0.2.1]"};
    return hk_incoming_new (f->intake, &options);
}

static void
send_message (Fixture *f, const Sending *s)
{
    HkIncoming *incoming = begin (f, s);
    /* in pieces that cut lines and headers */
    for (size_t at = 0; at < s->content.size; at += 1000)
        hk_incoming_write (incoming, hk_span_sub (s->content, at, 1000));
    f->n_done = 0;
    hk_incoming_finish (incoming, done, f);
    g_assert_cmpint (f->n_done, ==, 0); /* never from inside */
    test_wait (f->queue, &f->n_done, 1);
}

static void
send_text (Fixture *f, const char *sender, const char *recipients, const char *content)
{
    Sending s = {
        .sender = sender, .recipients = recipients, .content = hk_span_text (content)};
    send_message (f, &s);
}

static char *
recipients_of (Fixture *f)
{
    GString *out = g_string_new (NULL);
    for (size_t i = 0; f->stored != NULL && i < f->stored->envelope->n_recipients; i++) {
        const HkRecipient *r = &f->stored->envelope->recipients[i];
        g_string_append_printf (out, "%s%.*s", i > 0 ? " " : "", HK_SPAN_ARG (r->address));
        if (r->original.size > 0)
            g_string_append_printf (out, "(%.*s)", HK_SPAN_ARG (r->original));
    }
    return g_string_free (out, FALSE);
}

static void
expect_recipients (Fixture *f, const char *want)
{
    g_autofree char *got = recipients_of (f);
    g_assert_cmpint (f->code, ==, 250);
    g_assert_cmpstr (got, ==, want);
}

#define PLAIN "Subject: hello\r\nMessage-ID: <a@b>\r\n\r\nbody\r\n"

/* ---- content
 * ------------------------------------------------------------------------------------- */

static void
test_plain (void)
{
    Fixture f;
    setup (&f, "");
    Sending s = {.sender = "a@b.test",
                 .recipients = "joe@ours.test",
                 .content = HK_SPAN (PLAIN),
                 .received = "Received: by us\r\n"};
    send_message (&f, &s);
    g_assert_cmpint (f.code, ==, 250);
    g_assert_true (g_str_has_prefix (f.text->str, "Ok: queued as "));
    g_assert_cmpstr (f.content->str, ==, "Received: by us\r\n" PLAIN);
    expect_recipients (&f, "joe@ours.test");
    g_assert_true (hk_span_is (f.stored->envelope->message_id, "<a@b>"));
    g_assert_cmpuint (f.stored->envelope->content_flags, ==, 0);
    /* the next message uses the same buffers */
    send_text (&f, "", "jane@ours.test", "X: y\r\n\r\n");
    g_assert_cmpstr (f.content->str, ==, "X: y\r\n\r\n");
    expect_recipients (&f, "jane@ours.test");
    g_assert_cmpuint (f.stored->envelope->message_id.size, ==, 0);
    teardown (&f);
}

static void
test_flags (void)
{
    g_autofree char *long_line = g_strnfill (999, 'x'), *fitting = g_strnfill (998, 'x');
    g_autofree char *too_long = g_strconcat ("a: b\r\n\r\n", long_line, "\r\n", NULL);
    g_autofree char *just_fits = g_strconcat ("a: b\r\n\r\n", fitting, "\r\n", NULL);
    const struct {
        const char *content;
        uint32_t flags;
    } cases[] = {
        {"a: b\r\n\r\ncaf\303\251\r\n", HK_CONTENT_8BIT},
        {"a: b\r\n\r\n.dot\r\n", HK_CONTENT_DOT_LINE},
        {"a: b\r\n\r\nno .dot\r\n", 0},
        {too_long, HK_CONTENT_LONG_LINE},
        {just_fits, 0},
    };
    Fixture f;
    setup (&f, "");
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        send_text (&f, "a@b.test", "joe@ours.test", cases[i].content);
        g_assert_cmpuint (f.stored->envelope->content_flags, ==, cases[i].flags);
        g_assert_cmpstr (f.content->str, ==, cases[i].content);
    }
    teardown (&f);
}

static void
test_headers (void)
{
    static const char *const cases[][2] = {
        /* message_drop_headers */
        {"Bcc: x@y\r\nA: b\r\nReturn-Path: <z>\r\n\r\nb\r\n", "A: b\r\n\r\nb\r\n"},
        {"A: b\r\nBcc: x,\r\n y\r\nC: d\r\n\r\nb\r\n", "A: b\r\nC: d\r\n\r\nb\r\n"},
        /* a body without header section gets its empty line */
        {"just text\r\n", "\r\njust text\r\n"},
        {"A: b\r\nno header\r\n", "A: b\r\n\r\nno header\r\n"},
        {"", ""},
        /* header_size_limit: whole lines */
        {"A: 1\r\n 2\r\n 3456789012345678901234567890\r\nB: c\r\n\r\n",
         "A: 1\r\n 2\r\nB: c\r\n\r\n"},
    };
    Fixture f;
    setup (&f, "header_size_limit = 30\nmessage_drop_headers = bcc, return-path\n");
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        send_text (&f, "a@b.test", "joe@ours.test", cases[i][0]);
        g_assert_cmpint (f.code, ==, 250);
        g_assert_cmpstr (f.content->str, ==, cases[i][1]);
    }
    teardown (&f);
}

/* The default of message_drop_headers is for mail from everywhere; only for headers. */
static void
test_dropping (void)
{
    static const char text[] = "Return-Path: <x>\r\nBcc: y\r\nA: b\r\n"
                               "Resent-Bcc: z,\r\n\tu\r\nContent-Length: 5\r\n\r\n"
                               "Bcc: body\r\n";
    HkEnvelope like = {.flags = HK_ENVELOPE_LOCAL, .arrival_us = 1};
    Sending s = {.sender = "a@b.test",
                 .recipients = "joe@ours.test",
                 .content = hk_span_text (text)};
    Fixture f;
    setup (&f, "");
    send_message (&f, &s);
    g_assert_cmpstr (f.content->str, ==, "A: b\r\n\r\nBcc: body\r\n");
    s.like = &like;
    send_message (&f, &s);
    g_assert_cmpstr (f.content->str, ==, "A: b\r\n\r\nBcc: body\r\n");
    teardown (&f);
    setup (&f, "message_drop_headers =\n");
    send_message (&f, &s);
    g_assert_cmpstr (f.content->str, ==, text);
    teardown (&f);
}

static void
test_missing_headers (void)
{
    Fixture f;
    setup (&f, "undisclosed_recipients_header = To: undisclosed-recipients:;\n");
    Sending s = {.sender = "me@ours.test",
                 .recipients = "joe@ours.test",
                 .content = HK_SPAN ("Subject: x\r\n\r\nbody\r\n"),
                 .is_local = true};
    send_message (&f, &s);
    g_assert_nonnull (strstr (f.content->str, "\r\nMessage-Id: <20231114221320."));
    g_assert_nonnull (strstr (f.content->str, "@mx.ours.test>\r\nDate: "));
    g_assert_nonnull (strstr (f.content->str, "\r\nFrom: me@ours.test\r\n"));
    g_assert_nonnull (
        strstr (f.content->str, "\r\nTo: undisclosed-recipients:;\r\n\r\nbody"));
    s.content = HK_SPAN ("From: a@x\r\nDate: b\r\nMessage-ID: <c>\r\nTo: d@x\r\n\r\n");
    send_message (&f, &s);
    g_assert_cmpstr (f.content->str, ==, (const char *) s.content.data);
    s.content = HK_SPAN ("From: a@x\r\nDate: b\r\nMessage-ID: <c>\r\nTo: d@x\r\n"
                         "Resent-From: e@x\r\n\r\n");
    send_message (&f, &s);
    g_assert_nonnull (strstr (f.content->str, "\r\nResent-Message-Id: <"));
    g_assert_nonnull (strstr (f.content->str, "\r\nResent-Date: "));
    s.is_local = false;
    send_message (&f, &s);
    g_assert_cmpstr (f.content->str, ==, (const char *) s.content.data);
    teardown (&f);
}

static void
test_refusals (void)
{
    g_autoptr (GString) loop = g_string_new (NULL);
    g_autofree char *big = g_strnfill (3000, 'x');
    Fixture f;
    setup (&f, "message_size_limit = 2000\nhopcount_limit = 5\n");
    for (int i = 0; i < 4; i++)
        g_string_append (loop, "Received: x\r\n");
    g_string_append (loop, "\r\n");
    send_text (&f, "a@b.test", "joe@ours.test", loop->str);
    g_assert_cmpint (f.code, ==, 250);
    g_string_prepend (loop, "Received: x\r\n");
    send_text (&f, "a@b.test", "joe@ours.test", loop->str);
    g_assert_cmpint (f.code, ==, 554);
    g_assert_cmpstr (f.dsn, ==, "5.4.0");
    g_assert_cmpstr (f.text->str, ==, "Error: too many hops");
    send_text (&f, "a@b.test", "joe@ours.test", big);
    g_assert_cmpint (f.code, ==, 552);
    g_assert_cmpstr (f.dsn, ==, "5.3.4");
    teardown (&f);
}

/* A large message, its header settled before the rest has come. */
static void
check_large (const char *main_cf, bool is_filtered)
{
    Fixture f;
    g_autoptr (GString) content = g_string_new ("Subject: large\r\n\r\n");
    setup (&f, main_cf);
    while (content->len < 1500000)
        g_string_append_printf (content, "line at %zu\r\n", content->len);
    Sending s = {.sender = "a@b.test",
                 .recipients = "joe@ours.test",
                 .content = hk_span_string (content),
                 .received = "Received: us\r\n"};
    send_message (&f, &s);
    g_assert_cmpint (f.code, ==, 250);
    g_autofree char *want =
        g_strconcat ("Received: us\r\nSubject: ", is_filtered ? "LARGE" : "large",
                     strstr (content->str, "large") + 5, NULL);
    g_assert_cmpuint (f.content->len, ==, strlen (want));
    g_assert_true (strcmp (f.content->str, want) == 0);
    teardown (&f);
}

static void
test_large (void)
{
    check_large ("", false);
    check_large ("header_checks = lines:Subject:~x=DUNNO\n", false);
    check_large ("header_checks = lines:Subject:~large=REPLACE~Subject:~LARGE\n", true);
}

static void
test_abandon_and_forget (void)
{
    Fixture f;
    setup (&f, "");
    Sending s = {
        .sender = "a@b.test", .recipients = "joe@ours.test", .content = HK_SPAN (PLAIN)};
    HkIncoming *incoming = begin (&f, &s);
    hk_incoming_write (incoming, s.content);
    hk_incoming_abandon (incoming);
    incoming = begin (&f, &s);
    hk_incoming_write (incoming, s.content);
    hk_incoming_finish (incoming, done, &f);
    hk_incoming_forget (incoming);
    test_wait (f.queue, &f.n_orphans, 1);
    g_assert_cmpint (f.n_done, ==, 0);
    teardown (&f);
}

/* ---- the envelope
 * ---------------------------------------------------------------------------------- */

static void
test_standard_form (void)
{
    Fixture f;
    setup (&f, "");
    send_text (&f, "me", "joe x%y.test joe@ours.test joe@OURS.test", PLAIN);
    /* the third is the first in another spelling: the original tells them apart */
    expect_recipients (&f, "joe@ours.test(joe) x@y.test(x%y.test) joe@ours.test");
    g_assert_true (hk_span_is (f.stored->envelope->sender, "me@ours.test"));
    teardown (&f);
    setup (&f, "enable_original_recipient = no\n");
    send_text (&f, "me", "joe joe@ours.test", PLAIN);
    expect_recipients (&f, "joe@ours.test(joe)");
    teardown (&f);
}

static void
test_duplicates (void)
{
    Fixture f;
    g_autoptr (GString) many = g_string_new ("a0@x.test");
    setup (&f, "");
    for (int i = 1; i < 30; i++)
        g_string_append_printf (many, " a%d@x.test", i % 15);
    send_text (&f, "me@b.test", many->str, PLAIN);
    g_assert_cmpuint (f.stored->envelope->n_recipients, ==, 15);
    teardown (&f);
}

static void
test_aliases (void)
{
    static const char *const cases[][2] = {
        {"plain@ours.test", "plain@ours.test"},
        {"one@ours.test", "box@away.test(one@ours.test)"},
        {"list@ours.test", "a@x.test(list@ours.test) b@ours.test(list@ours.test)"},
        {"deep@ours.test", "box@away.test(deep@ours.test)"},
        {"self@ours.test", "self@ours.test c@x.test(self@ours.test)"},
        {"any@moved.test", "any@new.test(any@moved.test)"},
        {"any@catch.test", "box@away.test(any@catch.test)"},
        {"one+ext@ours.test", "box+ext@away.test(one+ext@ours.test)"},
        {"any+ext@moved.test", "any+ext@new.test(any+ext@moved.test)"},
        {"full+ext@ours.test", "box@away.test(full+ext@ours.test)"},
    };
    Fixture f;
    setup (&f,
           "recipient_delimiter = +\n"
           "virtual_alias_maps = rows:one@ours.test=box@away.test;list=a@x.test|b;"
           "deep=one;self=self|c@x.test;@moved.test=@new.test;@catch.test=box@away.test;"
           "full+ext=box@away.test\n");
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_test_message ("%s", cases[i][0]);
        send_text (&f, "me@b.test", cases[i][0], PLAIN);
        expect_recipients (&f, cases[i][1]);
    }
    teardown (&f);
}

static void
test_alias_failures (void)
{
    Fixture f;
    setup (&f, "virtual_alias_recursion_limit = 10\nvirtual_alias_expansion_limit = 8\n"
               "virtual_alias_maps = rows:a=b;b=a;dead=LATER;many=1|2|3|4|5|6|7|8|9\n");
    static const char *const bad[] = {"a@ours.test", "dead@ours.test", "many@ours.test"};
    for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
        send_text (&f, "me@b.test", bad[i], PLAIN);
        g_assert_cmpint (f.code, ==, 451);
        g_assert_cmpstr (f.dsn, ==, "4.3.0");
    }
    teardown (&f);
}

static void
test_canonical_and_bcc (void)
{
    Fixture f;
    setup (&f, "sender_canonical_maps = rows:me=Me.Myself@ours.test\n"
               "recipient_canonical_maps = rows:joe@ours.test=joe.two@ours.test\n"
               "canonical_maps = rows:joe.two@ours.test=joe.three@ours.test\n"
               "recipient_bcc_maps = rows:joe.three@ours.test=watch@ours.test\n"
               "sender_bcc_maps = rows:Me.Myself@ours.test=x;me.myself@ours.test=sent\n"
               "always_bcc = archive\n"
               "virtual_alias_maps = rows:archive=tape@away.test\n"
               "masquerade_domains = sub.test\n");
    send_text (&f, "me@ours.test", "joe@ours.test", PLAIN);
    expect_recipients (&f,
                       "watch@ours.test joe.three@ours.test(joe@ours.test) sent@ours.test "
                       "tape@away.test(archive@ours.test)");
    g_assert_true (hk_span_is (f.stored->envelope->sender, "Me.Myself@ours.test"));
    g_assert_cmpuint (f.stored->envelope->recipients[0].notify, ==, HK_NOTIFY_NEVER);
    send_text (&f, "x@host.sub.test", "y@away.test", PLAIN);
    g_assert_true (hk_span_is (f.stored->envelope->sender, "x@sub.test"));
    teardown (&f);
    setup (&f, "always_bcc = archive\nvirtual_alias_maps = rows:joe=other\n"
               "receive_override_options = no_address_mappings\n");
    send_text (&f, "me@ours.test", "joe@ours.test", PLAIN);
    expect_recipients (&f, "joe@ours.test");
    teardown (&f);
}

/* Addresses in the headers of our own users. */
static void
test_header_rewriting (void)
{
    static const char *const cases[][2] = {
        {"From: root (Cron Daemon)", "From: root@ours.test (Cron Daemon)"},
        {"To: joe, \"root\" <root>,\r\n jane@away.test",
         "To: joe.two@ours.test, \"root\" <root@ours.test>,\r\n jane@away.test"},
        {"Cc: friends: joe, jane;", "Cc: friends: joe.two@ours.test, jane@ours.test;"},
        {"From: a@x.sub.test", "From: a@sub.test"},
        {"Reply-To: <>", "Reply-To: <>"},
        {"To: odd words here, (comment) joe (x)",
         "To: odd words here, (comment) joe.two@ours.test (x)"},
        {"To: \"a, b\" <joe@ours.test>", "To: \"a, b\" <joe.two@ours.test>"},
        {"X-To: joe", "X-To: joe"},
        {"Resent-To: joe\r\nTo: joe",
         "Resent-To: joe.two@ours.test\r\nTo: joe.two@ours.test"},
        {"To: \"unclosed, joe", "To: \"unclosed, joe"},
        {"To: (unclosed, joe", "To: (unclosed, joe"},
        {"To:", "To:"},
    };
    Fixture f;
    setup (&f,
           "recipient_canonical_maps = rows:joe=joe.two\nmasquerade_domains = sub.test\n");
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree char *content =
            g_strconcat ("A: b\r\n", cases[i][0], "\r\nZ: y\r\n\r\n", NULL);
        g_autofree char *want = g_strconcat ("A: b\r\n", cases[i][1], "\r\nZ: y\r\n", NULL);
        Sending s = {.sender = "a@b.test",
                     .recipients = "x@away.test",
                     .content = hk_span_text (content),
                     .is_local = true};
        send_message (&f, &s);
        g_assert_true (g_str_has_prefix (f.content->str, want));
        s.is_local = false;
        send_message (&f, &s);
        g_assert_cmpstr (f.content->str, ==, content);
    }
    teardown (&f);
}

static void
test_blocking_tables (void)
{
    Fixture f;
    setup (&f, "virtual_alias_maps = slow:joe=jane@away.test\n");
    send_text (&f, "me@ours.test", "joe@ours.test", PLAIN);
    expect_recipients (&f, "jane@away.test(joe@ours.test)");
    teardown (&f);
}

static void
test_redirect_and_filter (void)
{
    Fixture f;
    HkEnvelope like = {.redirect = HK_SPAN ("all@away.test")};
    setup (&f, "content_filter = scan:[::1]:10024\n");
    Sending s = {
        .sender = "a@b.test", .recipients = "joe@ours.test", .content = HK_SPAN (PLAIN)};
    send_message (&f, &s);
    g_assert_true (hk_span_is (f.stored->envelope->content_filter, "scan:[::1]:10024"));
    s.like = &like;
    s.recipients = "joe@ours.test jane@ours.test";
    send_message (&f, &s);
    expect_recipients (&f, "all@away.test(joe@ours.test)");
    g_assert_cmpuint (f.stored->envelope->content_filter.size, ==, 0);
    teardown (&f);
}

/* smtpd_end_of_data_restrictions: the envelope changes when all content is there. */
static void
test_late_actions (void)
{
    HkRecipient recipients[] = {{.address = HK_SPAN ("joe@ours.test")},
                                {.address = HK_SPAN ("spy@ours.test")}};
    HkEnvelope late = {.flags = HK_ENVELOPE_HOLD,
                       .hold_reason = HK_SPAN ("look"),
                       .content_filter = HK_SPAN ("scan:x"),
                       .recipients = recipients,
                       .n_recipients = 2};
    Sending s = {.sender = "a@b.test", .recipients = "joe@ours.test"};
    for (int i = 0; i < 2; i++) {
        Fixture f;
        setup (&f, "");
        late.redirect = i == 0 ? HK_SPAN_NONE : HK_SPAN ("all@away.test");
        HkIncoming *incoming = begin (&f, &s);
        hk_incoming_write (incoming, HK_SPAN (PLAIN));
        hk_incoming_set_actions (incoming, &late);
        hk_incoming_finish (incoming, done, &f);
        test_wait (f.queue, &f.n_done, 1);
        expect_recipients (&f, i == 0 ? "joe@ours.test spy@ours.test"
                                      : "all@away.test(joe@ours.test)");
        g_assert_true (f.stored->envelope->flags & HK_ENVELOPE_HOLD);
        g_assert_true (hk_span_is (f.stored->envelope->hold_reason, "look"));
        if (i == 0)
            g_assert_true (hk_span_is (f.stored->envelope->content_filter, "scan:x"));
        teardown (&f);
    }
}

/* ---- filters
 * -------------------------------------------------------------------------------------------
 */

#define FILTERED                                                                           \
    "header_checks = lines:Subject:~drop=IGNORE;Subject:~swap=REPLACE~Subject:~new;"       \
    "Subject:~front=PREPEND~X-Front:~1;Subject:~bad=REJECT~5.7.1~no~such;"                 \
    "Subject:~away=DISCARD;Subject:~hold=HOLD~look;Subject:~to=REDIRECT~all@away.test;"    \
    "Subject:~scan=FILTER~scan:x;Subject:~copy=BCC~copy@ours.test;Subject:~dead=LATER;"    \
    "Subject:~fold^ed=IGNORE;Subject:~pass=PASS\n"                                         \
    "body_checks = lines:bad~line=REJECT;cut=IGNORE;old=REPLACE~new;mark=PREPEND~before\n"

static void
test_header_checks (void)
{
    static const char *const cases[][2] = {
        {"A: b\r\nSubject: drop\r\nC: d\r\n\r\nx\r\n", "R: u\r\nA: b\r\nC: d\r\n\r\nx\r\n"},
        {"Subject: swap\r\n\r\nx\r\n", "R: u\r\nSubject: new\r\n\r\nx\r\n"},
        {"Subject: front\r\n\r\nx\r\n",
         "R: u\r\nX-Front: 1\r\nSubject: front\r\n\r\nx\r\n"},
        {"Subject: ok\r\n\r\na\r\ncut\r\nb\r\n", "R: u\r\nSubject: ok\r\n\r\na\r\nb\r\n"},
        {"Subject: ok\r\n\r\nold\r\nmark\r\nb\r\n",
         "R: u\r\nSubject: ok\r\n\r\nnew\r\nbefore\r\nmark\r\nb\r\n"},
        {"Subject: fold\r\n\ted\r\nA: b\r\n\r\nx\r\n", "R: u\r\nA: b\r\n\r\nx\r\n"},
        {"Subject: pass\r\n\r\ncut\r\n", "R: u\r\nSubject: pass\r\n\r\ncut\r\n"},
        {"Subject: ok\r\n\r\nx\r\n", "R: u\r\nSubject: ok\r\n\r\nx\r\n"},
    };
    Fixture f;
    setup (&f, FILTERED);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_test_message ("case %zu", i);
        Sending s = {.sender = "a@b.test",
                     .recipients = "joe@ours.test",
                     .content = hk_span_text (cases[i][0]),
                     .received = "R: u\r\n"};
        send_message (&f, &s);
        g_assert_cmpint (f.code, ==, 250);
        g_assert_cmpstr (f.content->str, ==, cases[i][1]);
    }
    teardown (&f);
}

static void
test_check_verdicts (void)
{
    Fixture f;
    setup (&f, FILTERED);
    send_text (&f, "a@b.test", "joe@ours.test", "Subject: bad\r\n\r\n");
    g_assert_cmpint (f.code, ==, 550);
    g_assert_cmpstr (f.dsn, ==, "5.7.1");
    g_assert_cmpstr (f.text->str, ==, "no such");
    send_text (&f, "a@b.test", "joe@ours.test", "Subject: x\r\n\r\nbad line\r\n");
    g_assert_cmpint (f.code, ==, 550);
    g_assert_cmpstr (f.text->str, ==, "message content rejected");
    send_text (&f, "a@b.test", "joe@ours.test", "Subject: dead\r\n\r\n");
    g_assert_cmpint (f.code, ==, 451);
    send_text (&f, "a@b.test", "joe@ours.test", "Subject: away\r\n\r\n");
    g_assert_cmpint (f.code, ==, 250);
    g_assert_true (f.is_discarded);
    send_text (&f, "a@b.test", "joe@ours.test", "Subject: hold\r\n\r\n");
    g_assert_true ((f.stored->envelope->flags & HK_ENVELOPE_HOLD) != 0);
    g_assert_true (hk_span_is (f.stored->envelope->hold_reason, "look"));
    send_text (&f, "a@b.test", "joe@ours.test", "Subject: to\r\n\r\n");
    expect_recipients (&f, "all@away.test(joe@ours.test)");
    send_text (&f, "a@b.test", "joe@ours.test", "Subject: scan\r\n\r\n");
    g_assert_true (hk_span_is (f.stored->envelope->content_filter, "scan:x"));
    send_text (&f, "a@b.test", "joe@ours.test", "Subject: copy\r\n\r\n");
    expect_recipients (&f, "joe@ours.test copy@ours.test");
    teardown (&f);
    setup (&f, FILTERED "receive_override_options = no_header_body_checks\n");
    send_text (&f, "a@b.test", "joe@ours.test", "Subject: bad\r\n\r\n");
    g_assert_cmpint (f.code, ==, 250);
    teardown (&f);
}

static void
test_mime (void)
{
    static const char text[] =
        "Content-Type: multipart/mixed; boundary=\"=b=\"\r\n\r\npreamble\r\n"
        "--=b=\r\nContent-Type: text/evil;\r\n\tnamed\r\n\r\nhead: ignored here\r\n"
        "--=b=\r\nContent-Type: message/rfc822\r\n\r\n"
        "Subject: inner\r\nContent-Type: text/plain\r\n\r\nSubject: body\r\n--=b=--\r\n";
    Fixture f;
    setup (&f, "header_checks =\n"
               "mime_header_checks = lines:Content-Type:~text/evil%^named=IGNORE;"
               "Content-Type:~text/plain=REPLACE~Content-Type:~text/x\n"
               "nested_header_checks = lines:Subject:~inner=PREPEND~X-In:~1;"
               "Subject:~body=IGNORE;head:~ignored~here=IGNORE\n");
    send_text (&f, "a@b.test", "joe@ours.test", text);
    g_assert_cmpint (f.code, ==, 250);
    g_assert_cmpstr (f.content->str, ==,
                     "Content-Type: multipart/mixed; boundary=\"=b=\"\r\n\r\npreamble\r\n"
                     "--=b=\r\n\r\nhead: ignored here\r\n"
                     "--=b=\r\nContent-Type: message/rfc822\r\n\r\n"
                     "X-In: 1\r\nSubject: inner\r\nContent-Type: text/x\r\n\r\n"
                     "Subject: body\r\n--=b=--\r\n");
    teardown (&f);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/intake/plain", test_plain);
    g_test_add_func ("/intake/flags", test_flags);
    g_test_add_func ("/intake/headers", test_headers);
    g_test_add_func ("/intake/dropping", test_dropping);
    g_test_add_func ("/intake/missing_headers", test_missing_headers);
    g_test_add_func ("/intake/refusals", test_refusals);
    g_test_add_func ("/intake/large", test_large);
    g_test_add_func ("/intake/abandon_and_forget", test_abandon_and_forget);
    g_test_add_func ("/intake/standard_form", test_standard_form);
    g_test_add_func ("/intake/duplicates", test_duplicates);
    g_test_add_func ("/intake/aliases", test_aliases);
    g_test_add_func ("/intake/alias_failures", test_alias_failures);
    g_test_add_func ("/intake/canonical_and_bcc", test_canonical_and_bcc);
    g_test_add_func ("/intake/header_rewriting", test_header_rewriting);
    g_test_add_func ("/intake/blocking_tables", test_blocking_tables);
    g_test_add_func ("/intake/redirect_and_filter", test_redirect_and_filter);
    g_test_add_func ("/intake/late_actions", test_late_actions);
    g_test_add_func ("/intake/header_checks", test_header_checks);
    g_test_add_func ("/intake/check_verdicts", test_check_verdicts);
    g_test_add_func ("/intake/mime", test_mime);
    return g_test_run ();
}
