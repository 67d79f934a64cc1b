/* test_access.h: what the tests of this room share: lists of one service, a session, and a
 * restriction that answers when the test says so; every run is made both ways. */
#ifndef HK_TEST_ACCESS_H
#define HK_TEST_ACCESS_H

#include "access/access_priv.h"
#include "route/test_rows.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_basic);
extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_client);
extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_helo);
extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_recipient);
extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_sender);

typedef struct {
    HkPlugins *plugins;
    HkSettings *settings;
    HkRouter *router;
    HkAccess *access;
    HkVerdict verdict;
    HkAccessSubject subject;
} Fixture;

/* ---- "later VERDICT": a restriction that answers when the test says so */

typedef struct {
    const HkHost *host;
    char *word; /* "permit", "reject", an action: "act:…"; "now:…": does not wait */
} Later;

static HkCall *later_call; /* a check that is under way */
static unsigned later_states, later_prepared;

static HkAnswer
later_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    (void) call;
    Later *self = g_new0 (Later, 1);
    self->host = host;
    self->word = hk_span_dup (host->conf_word (conf, 0));
    *out_instance = self;
    return HK_OK;
}

static void
later_close (void *instance)
{
    g_free (((Later *) instance)->word);
    g_free (instance);
}

static HkAnswer
later_start (void *instance, HkCall *call, void **out_state)
{
    Later *self = instance;
    if (strcmp (self->word, "now:permit") == 0)
        return HK_PERMIT;
    *out_state = g_strdup (self->word);
    later_states++;
    if (g_str_has_prefix (self->word, "now:"))
        return HK_OK;
    later_call = call;
    if (g_str_has_prefix (self->word, "inside:"))
        self->host->complete (call); /* not as it should be, but harmless */
    return HK_PENDING;
}

static HkAnswer
later_finish (void *instance, HkCall *call, void *state)
{
    const Later *self = instance;
    g_autofree char *word = state;
    const char *action = strrchr (word, ':');
    HkSpan none = {NULL, 0};
    later_states--;
    action = action == NULL ? word : action + 1;
    if (strcmp (action, "permit") == 0)
        return HK_PERMIT;
    if (strcmp (action, "reject") == 0)
        return self->host->reply (call, HK_REJECT, 550, "5.7.1", "told so");
    return self->host->action (call, hk_span_text (action), none);
}

static void
later_cancel (void *instance, HkCall *call, void *state)
{
    (void) instance;
    (void) call;
    g_free (state);
    later_states--;
}

static void
later_prepare (void *instance, HkCall *call)
{
    (void) instance;
    (void) call;
    later_prepared++;
}

static const HkRestrictionClass later_class = {
    .base = {.size = sizeof (HkRestrictionClass),
             .kind = HK_KIND_RESTRICTION,
             .class_minor = HK_RESTRICTION_MINOR,
             .name = "later",
             .flags = HK_THREAD_SAFE,
             .open = later_open,
             .close = later_close},
    .n_words = 1,
    .check_start = later_start,
    .check_finish = later_finish,
    .check_cancel = later_cancel,
    .prepare = later_prepare,
};
static const HkClass *const later_classes[] = {&later_class.base, NULL};
static const HkPlugin later_plugin = {.size = sizeof (HkPlugin),
                                      .magic = HK_PLUGIN_MAGIC,
                                      .abi_major = HK_ABI_MAJOR,
                                      .abi_minor = HK_ABI_MINOR,
                                      .name = "restriction_later",
                                      .version = "1",
                                      .licence = "none",
                                      .summary = "for tests",
                                      .classes = later_classes};

static HkAccess *
open_access (Fixture *f, const char *main_cf, GError **error)
{
    g_autoptr (GError) local = NULL;
    hk_conf_register (hk_access_params);
    f->plugins = test_rows_new (main_cf, &f->settings);
    const HkPlugin *const plugins[] = {
        &HK_PLUGIN_SYMBOL (restriction_basic), &HK_PLUGIN_SYMBOL (restriction_client),
        &HK_PLUGIN_SYMBOL (restriction_helo), &HK_PLUGIN_SYMBOL (restriction_recipient),
        &HK_PLUGIN_SYMBOL (restriction_sender)};
    for (size_t i = 0; i < G_N_ELEMENTS (plugins); i++)
        g_assert_true (hk_plugins_add (f->plugins, plugins[i], &local));
    g_assert_true (hk_plugins_add (f->plugins, &later_plugin, &local));
    f->router = test_router_new (f->plugins, f->settings);
    f->access = hk_access_new (f->plugins, f->settings, f->router, NULL, NULL, error);
    return f->access;
}

static void
setup (Fixture *f, const char *main_cf)
{
    g_autoptr (GError) error = NULL;
    open_access (f, main_cf, &error);
    g_assert_no_error (error);
    hk_verdict_init (&f->verdict);
    f->subject = (HkAccessSubject){
        .client_name = HK_SPAN ("host.client.test"),
        .client_reverse_name = HK_SPAN ("host.client.test"),
        .client_address = HK_SPAN ("198.51.100.7"),
        .helo = HK_SPAN ("helo.client.test"),
        .protocol = HK_SPAN ("ESMTP"),
        .sender = HK_SPAN ("joe@sender.test"),
        .recipient = HK_SPAN ("jane@ours.test"),
        .has_helo = true,
        .has_sender = true,
        .has_recipient = true,
        .is_esmtp = true,
    };
}

static void
teardown (Fixture *f)
{
    hk_verdict_clear (&f->verdict);
    hk_access_free (f->access);
    hk_router_unref (f->router);
    test_host_free (f->plugins, f->settings);
}

static void
now_ready (void *data)
{
    *(bool *) data = true;
}

/* As a task, to the end; what it waits for is answered at once.  Returns how often it
 * waited. */
static unsigned
run_task (Fixture *f, HkStage stage, HkVerdict *out)
{
    g_autoptr (GError) error = NULL;
    HkLoop *loop = hk_loop_new (&error);
    g_assert_no_error (error);
    HkAccessTask *task = hk_access_task_new (f->access, stage, &f->subject, out, loop);
    unsigned n = 0;
    HkTaskState state;
    while ((state = hk_access_task_run (task)) != HK_TASK_DONE) {
        bool is_ready = false;
        if (state == HK_TASK_SLEEPS)
            continue;
        later_call = NULL;
        if (hk_access_task_ask (task, now_ready, &is_ready))
            continue;
        n++;
        hk_access_call_ops.complete (later_call);
        g_assert_false (is_ready); /* never from inside */
        hk_loop_turn (loop, false);
        g_assert_true (is_ready);
    }
    hk_access_task_free (task);
    hk_loop_free (loop);
    return n;
}

/* Both ways; they must come to the same. */
static void
run (Fixture *f, HkStage stage)
{
    HkVerdict other;
    bool is_whole = hk_access_run (f->access, stage, &f->subject, &f->verdict);
    hk_verdict_init (&other);
    run_task (f, stage, &other);
    if (is_whole) {
        g_assert_cmpint (other.what, ==, f->verdict.what);
        g_assert_cmpint (other.code, ==, f->verdict.code);
        g_assert_cmpstr (other.dsn, ==, f->verdict.dsn);
        g_assert_cmpstr (other.text->str, ==, f->verdict.text->str);
        g_assert_cmpstr (other.filter->str, ==, f->verdict.filter->str);
        g_assert_cmpstr (other.redirect->str, ==, f->verdict.redirect->str);
        g_assert_cmpstr (other.postponed->str, ==, f->verdict.postponed->str);
        g_assert_cmpint (other.hold, ==, f->verdict.hold);
        g_assert_cmpuint (other.log->len, ==, f->verdict.log->len);
        g_assert_cmpuint (other.prepend->len, ==, f->verdict.prepend->len);
        g_assert_cmpuint (other.bcc->len, ==, f->verdict.bcc->len);
        for (guint i = 0; i < other.log->len; i++)
            g_assert_cmpstr (g_ptr_array_index (other.log, i), ==,
                             g_ptr_array_index (f->verdict.log, i));
        hk_verdict_clear (&other);
        return;
    }
    hk_verdict_clear (&f->verdict);
    f->verdict = other;
}

static void
expect (Fixture *f, HkStage stage, int what, int code, const char *dsn, const char *text)
{
    run (f, stage);
    g_assert_cmpint (f->verdict.what, ==, what);
    if (what == HK_VERDICT_PASS)
        return;
    g_assert_cmpstr (f->verdict.text->str, ==, text);
    g_assert_cmpint (f->verdict.code, ==, code);
    g_assert_cmpstr (f->verdict.dsn, ==, dsn);
}

/* One row: settings, and what RCPT is answered. */
typedef struct {
    const char *main_cf, *recipient;
    int what, code;
    const char *dsn, *text;
} Case;

#define RELAY "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n"
#define PASS HK_VERDICT_PASS, 0, NULL, NULL
#define NO HK_VERDICT_REJECT

static void
test_cases (const Case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        Fixture f;
        g_test_message ("%s", cases[i].main_cf);
        setup (&f, cases[i].main_cf);
        if (cases[i].recipient != NULL)
            f.subject.recipient = hk_span_text (cases[i].recipient);
        expect (&f, HK_STAGE_RCPT, cases[i].what, cases[i].code, cases[i].dsn,
                cases[i].text);
        teardown (&f);
    }
}

#endif
