/* test_restriction_verify.c: every answer about an address, and what becomes of it. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_verify);

static HkAnswer
ask (HkHarness *h, const char *word)
{
    void *instance = hk_harness_open (h, HK_KIND_RESTRICTION, word, "");
    g_assert_nonnull (instance);
    HkAnswer answer = hk_harness_check (h, instance);
    hk_harness_close (h, instance);
    return answer;
}

static HkHarness *
harness (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (restriction_verify));
    hk_harness_verify (h, "yes@x.test", HK_VERIFY_DELIVERABLE, "250 ok");
    hk_harness_verify (h, "no@x.test", HK_VERIFY_UNDELIVERABLE, "host mx said: 550 no");
    hk_harness_verify (h, "later@x.test", HK_VERIFY_DEFERRED, "connect to mx: refused");
    hk_harness_verify (h, "wait@x.test", HK_VERIFY_PENDING,
                       "Address verification in progress");
    hk_harness_verify (h, "lost@x.test", HK_VERIFY_FAILED, "nobody there");
    hk_harness_prop_int (h, HK_PROP_VERIFY_WAIT_US, 6000000);
    return h;
}

typedef struct {
    const char *parameter, *value; /* one that is set; NULL: none */
    const char *address;
    HkAnswer verdict;
    int code;
    const char *text; /* behind "<address>: CLASS rejected: " */
} Row;

/* "S" in a parameter: sender or recipient. */
static const Row rows[] = {
    {NULL, NULL, "yes@x.test", HK_DUNNO, 0, NULL},
    {NULL, NULL, "", HK_DUNNO, 0, NULL}, /* the null sender */
    {NULL, NULL, "no@x.test", HK_DEFER_IF_PERMIT, 450,
     "unverified address: host mx said: 550 no"},
    {NULL, NULL, "later@x.test", HK_DEFER_IF_PERMIT, 450,
     "unverified address: connect to mx: refused"},
    {NULL, NULL, "wait@x.test", HK_DEFER_IF_PERMIT, 450,
     "unverified address: Address verification in progress"},
    {NULL, NULL, "lost@x.test", HK_DEFER_IF_PERMIT, 450, "address verification problem"},
    {NULL, NULL, "unknown@x.test", HK_DEFER_IF_PERMIT, 450,
     "address verification problem"}, /* this process cannot ask */
    {"unverified_S_reject_code", "550", "no@x.test", HK_REJECT, 550,
     "undeliverable address: host mx said: 550 no"},
    {"unverified_S_reject_code", "550", "later@x.test", HK_DEFER_IF_PERMIT, 450,
     "unverified address: connect to mx: refused"},
    {"unverified_S_reject_code", "250", "no@x.test", HK_DUNNO, 0, NULL},
    {"unverified_S_defer_code", "250", "later@x.test", HK_DUNNO, 0, NULL},
    {"unverified_S_defer_code", "250", "wait@x.test", HK_DUNNO, 0, NULL},
    {"unverified_S_defer_code", "451", "later@x.test", HK_DEFER_IF_PERMIT, 451,
     "unverified address: connect to mx: refused"},
    {"unverified_S_reject_reason", "not here", "no@x.test", HK_DEFER_IF_PERMIT, 450,
     "unverified address: not here"},
    {"unverified_S_tempfail_action", "defer", "later@x.test", HK_REJECT, 450,
     "unverified address: connect to mx: refused"},
    {"unverified_S_tempfail_action", "defer", "lost@x.test", HK_REJECT, 450,
     "address verification problem"},
};

typedef struct {
    const char *word, *name, *class, *dsn;
    uint32_t prop;
} Side;

static const Side sides[] = {
    {"reject_unverified_sender", "sender", "Sender address", "4.1.7", HK_PROP_SENDER},
    {"reject_unverified_recipient", "recipient", "Recipient address", "4.1.1",
     HK_PROP_RECIPIENT},
};

static void
check_row (const Side *side, const Row *row)
{
    HkHarness *h = harness ();
    hk_harness_set (h, "unverified_sender_tempfail_action", "defer_if_permit");
    hk_harness_set (h, "unverified_recipient_tempfail_action", "defer_if_permit");
    if (row->parameter != NULL) {
        g_auto (GStrv) parts = g_strsplit (row->parameter, "S", 2);
        g_autofree char *parameter = g_strjoin (side->name, parts[0], parts[1], NULL);
        hk_harness_set (h, parameter, row->value);
    }
    hk_harness_prop (h, side->prop, row->address);
    g_assert_cmpint (ask (h, side->word), ==, row->verdict);
    if (row->text != NULL) {
        g_autofree char *text =
            g_strdup_printf ("<%s>: %s rejected: %s", row->address, side->class, row->text);
        g_assert_cmpstr (hk_harness_reply_text (h), ==, text);
        g_assert_cmpint (hk_harness_reply_code (h), ==, row->code);
        g_assert_cmpstr (hk_harness_reply_dsn (h), ==, side->dsn);
    }
    hk_harness_free (h);
}

static void
test_answers (void)
{
    for (size_t s = 0; s < G_N_ELEMENTS (sides); s++)
        for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
            check_row (&sides[s], &rows[i]);
}

static void
test_waits (void)
{
    HkHarness *h = harness ();
    hk_harness_prop (h, HK_PROP_RECIPIENT, "yes@x.test");
    ask (h, "reject_unverified_recipient");
    g_assert_cmpint (hk_harness_verify_wait (h), ==, 6000000);
    hk_harness_free (h);
}

/* The session is gone while the probe is under way. */
static void
test_cancel (void)
{
    HkHarness *h = harness ();
    const HkRestrictionClass *class =
        (const HkRestrictionClass *) (const void *) hk_harness_class (
            h, HK_KIND_RESTRICTION, "reject_unverified_recipient");
    hk_harness_prop (h, HK_PROP_RECIPIENT, "wait@x.test");
    void *instance =
        hk_harness_open (h, HK_KIND_RESTRICTION, "reject_unverified_recipient", "");
    HkCall *call = hk_harness_call (h);
    void *state = NULL;
    g_assert_cmpint (class->check_start (instance, call, &state), ==, HK_PENDING);
    g_assert_cmpuint (hk_harness_verifying (h), ==, 1);
    class->check_cancel (instance, call, state);
    g_assert_cmpuint (hk_harness_verifying (h), ==, 0);
    hk_harness_close (h, instance);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/verify/answers", test_answers);
    g_test_add_func ("/verify/waits", test_waits);
    g_test_add_func ("/verify/cancel", test_cancel);
    return g_test_run ();
}
