/* test_restriction_sasl.c: who may use which sender. */
#include "harness.h"

#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (restriction_sasl);

typedef struct {
    const char *word, *sender, *user;
    HkAnswer verdict;
    const char *text; /* what the reply ends with */
} Case;

#define BOTH "reject_sender_login_mismatch"
#define IN "reject_authenticated_sender_login_mismatch"
#define OUT "reject_unauthenticated_sender_login_mismatch"
#define KNOWN "reject_known_sender_login_mismatch"

static const Case cases[] = {
    {BOTH, "joe@a.test", "joe", HK_DUNNO, NULL},
    {BOTH, "joe@a.test", "JOE", HK_DUNNO, NULL},
    {BOTH, "joe@a.test", "ann", HK_REJECT, "not owned by user ann"},
    {BOTH, "sales@a.test", "ann", HK_DUNNO, NULL}, /* the second of two owners */
    {BOTH, "free@c.test", "ann", HK_REJECT, "not owned by user ann"},
    {BOTH, "joe@a.test", NULL, HK_REJECT, "not logged in"},
    {BOTH, "free@c.test", NULL, HK_DUNNO, NULL},
    {BOTH, "", "ann", HK_DUNNO, NULL},
    {BOTH, "dead@a.test", "ann", HK_LATER, NULL},
    {BOTH, "dead@a.test", NULL, HK_LATER, NULL},
    {IN, "joe@a.test", "ann", HK_REJECT, "not owned by user ann"},
    {IN, "joe@a.test", NULL, HK_DUNNO, NULL},
    {IN, "free@c.test", "ann", HK_REJECT, "not owned by user ann"},
    {OUT, "joe@a.test", "ann", HK_DUNNO, NULL},
    {OUT, "joe@a.test", NULL, HK_REJECT, "not logged in"},
    {OUT, "free@c.test", NULL, HK_DUNNO, NULL},
    {KNOWN, "joe@a.test", "ann", HK_REJECT, "not owned by user ann"},
    {KNOWN, "joe@a.test", "joe", HK_DUNNO, NULL},
    {KNOWN, "free@c.test", "ann", HK_DUNNO, NULL},
    {KNOWN, "joe@a.test", NULL, HK_REJECT, "not logged in"},
};

static HkHarness *
new_harness (void)
{
    static const char *const rows[][2] = {{"joe@a.test", "joe"},
                                          {"sales@a.test", "joe, ann"},
                                          {"dead@a.test", NULL}};
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (restriction_sasl));
    hk_harness_set (h, "smtpd_sasl_auth_enable", "yes");
    hk_harness_set (h, "smtpd_sender_login_maps", "hash:/t");
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
        hk_harness_table (h, "hash:/t", rows[i][0], rows[i][1]);
    return h;
}

static void
test_words (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        const Case *c = &cases[i];
        HkHarness *h = new_harness ();
        g_test_message ("%s <%s> %s", c->word, c->sender, c->user == NULL ? "-" : c->user);
        hk_harness_prop (h, HK_PROP_SENDER, c->sender);
        if (c->user != NULL)
            hk_harness_prop (h, HK_PROP_SASL_USERNAME, c->user);
        void *instance = hk_harness_open (h, HK_KIND_RESTRICTION, c->word, "");
        g_assert_nonnull (instance);
        const HkRestrictionClass *class =
            (const HkRestrictionClass *) (const void *) hk_harness_class (
                h, HK_KIND_RESTRICTION, c->word);
        g_assert_cmpint (class->check (instance, hk_harness_call (h)), ==, c->verdict);
        if (c->text != NULL) {
            g_autofree char *want =
                g_strdup_printf ("<%s>: Sender address rejected: %s", c->sender, c->text);
            g_assert_cmpint (hk_harness_reply_code (h), ==, 553);
            g_assert_cmpstr (hk_harness_reply_dsn (h), ==, "5.7.1");
            g_assert_cmpstr (hk_harness_reply_text (h), ==, want);
        }
        hk_harness_close (h, instance);
        hk_harness_free (h);
    }
}

static HkAnswer
ask (HkHarness *h, const char *word)
{
    void *instance = hk_harness_open (h, HK_KIND_RESTRICTION, word, "");
    g_assert_nonnull (instance);
    const HkRestrictionClass *class =
        (const HkRestrictionClass *) (const void *) hk_harness_class (
            h, HK_KIND_RESTRICTION, word);
    HkAnswer answer = class->check (instance, hk_harness_call (h));
    hk_harness_close (h, instance);
    return answer;
}

/* Where nobody can log in nobody is refused for it, as in Postfix. */
static void
test_off (void)
{
    static const char *const words[] = {BOTH, IN, OUT, KNOWN};
    for (size_t i = 0; i < G_N_ELEMENTS (words); i++) {
        HkHarness *h = new_harness ();
        hk_harness_set (h, "smtpd_sasl_auth_enable", "no");
        hk_harness_prop (h, HK_PROP_SENDER, "joe@a.test");
        g_assert_cmpint (ask (h, words[i]), ==, HK_DUNNO);
        hk_harness_free (h);
    }
}

/* "joe" is joe@$myorigin, and that is who has an owner. */
static void
test_standard_form (void)
{
    HkHarness *h = new_harness ();
    hk_harness_prop (h, HK_PROP_SENDER, "joe");
    g_assert_cmpint (ask (h, BOTH), ==, HK_DUNNO);
    hk_harness_prop (h, HK_PROP_SENDER_STANDARD, "joe@a.test");
    g_assert_cmpint (ask (h, BOTH), ==, HK_REJECT);
    g_assert_cmpstr (hk_harness_reply_text (h), ==,
                     "<joe>: Sender address rejected: not logged in");
    hk_harness_free (h);
}

static void
test_access (void)
{
    static const struct {
        const char *user; /* NULL: not logged in */
        HkAnswer verdict;
    } logins[] = {{"joe", HK_REJECT}, {"ann", HK_DUNNO}, {NULL, HK_DUNNO}};
    for (size_t i = 0; i < G_N_ELEMENTS (logins); i++) {
        HkHarness *h = new_harness ();
        hk_harness_table (h, "hash:/a", "joe", "REJECT");
        hk_harness_action (h, "REJECT", HK_REJECT);
        if (logins[i].user != NULL)
            hk_harness_prop (h, HK_PROP_SASL_USERNAME, logins[i].user);
        void *instance =
            hk_harness_open (h, HK_KIND_RESTRICTION, "check_sasl_access", "hash:/a");
        g_assert_nonnull (instance);
        const HkRestrictionClass *class =
            (const HkRestrictionClass *) (const void *) hk_harness_class (
                h, HK_KIND_RESTRICTION, "check_sasl_access");
        g_assert_cmpint (class->check (instance, hk_harness_call (h)), ==,
                         logins[i].verdict);
        hk_harness_close (h, instance);
        hk_harness_free (h);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/restriction_sasl/words", test_words);
    g_test_add_func ("/restriction_sasl/off", test_off);
    g_test_add_func ("/restriction_sasl/standard_form", test_standard_form);
    g_test_add_func ("/restriction_sasl/access", test_access);
    return g_test_run ();
}
