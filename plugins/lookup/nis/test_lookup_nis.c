/* test_lookup_nis.c: keys with and without their byte 0, the three answers, no domain.
 *
 * The functions of the library are replaced by the ones below: a domain in memory. */
#include "harness.h"

#include <rpcsvc/ypclnt.h>
#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_nis);

static char *domain_name;
static const char *stored; /* key of the one entry */
static int stored_size;    /* with the byte 0 or not */
static int trouble;        /* YPERR_*, for every question */
static int n_asked;

int
yp_get_default_domain (char **out_domain)
{
    *out_domain = domain_name;
    return domain_name == NULL ? YPERR_NODOM : 0;
}

int
yp_match (const char *domain, const char *map, const char *key, const int size, char **out,
          int *out_size)
{
    n_asked++;
    g_assert_cmpstr (domain, ==, domain_name);
    g_assert_cmpstr (map, ==, "mail.aliases");
    if (trouble != 0)
        return trouble;
    if (size != stored_size || memcmp (key, stored, (size_t) size) != 0)
        return YPERR_KEY;
    *out = strdup ("value");
    *out_size = 6;
    return 0;
}

static void
test_answers (void)
{
    static const int sizes[] = {4, 3};
    for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
        HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_nis));
        domain_name = (char *) "example";
        stored = "joe";
        stored_size = sizes[i];
        void *t = hk_harness_open (h, HK_KIND_LOOKUP, "nis", "mail.aliases");
        g_assert_nonnull (t);
        g_assert_cmpint (hk_harness_get (h, t, "ann"), ==, HK_ABSENT);
        g_assert_cmpint (hk_harness_get (h, t, "joe"), ==, HK_FOUND);
        g_assert_cmpstr (hk_harness_answer (h), ==, "value"); /* without its byte 0 */
        n_asked = 0; /* it is known now how this map is written */
        g_assert_cmpint (hk_harness_get (h, t, "ann"), ==, HK_ABSENT);
        g_assert_cmpint (n_asked, ==, 1);
        hk_harness_close (h, t);
        hk_harness_free (h);
    }
}

static const struct {
    int code;
    HkAnswer answer;
    const char *said;
} troubles[] = {
    {YPERR_KEY, HK_ABSENT, ""},
    {YPERR_YPBIND, HK_LATER, "nis:mail.aliases: NIS domain example: "},
    {YPERR_RPC, HK_LATER, "nis:mail.aliases: NIS domain example: "},
    {YPERR_MAP, HK_BROKEN, "NIS domain example has no such map"},
};

static void
test_troubles (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_nis));
    domain_name = (char *) "example";
    void *t = hk_harness_open (h, HK_KIND_LOOKUP, "nis", "mail.aliases");
    for (size_t i = 0; i < G_N_ELEMENTS (troubles); i++) {
        trouble = troubles[i].code;
        g_assert_cmpint (hk_harness_get (h, t, "joe"), ==, troubles[i].answer);
        g_assert_nonnull (strstr (hk_harness_reason (h), troubles[i].said));
    }
    trouble = 0;
    g_autofree char *longest = g_strnfill (1025, 'x');
    n_asked = 0;
    g_assert_cmpint (hk_harness_get (h, t, longest), ==, HK_ABSENT);
    g_assert_cmpint (n_asked, ==, 0);
    hk_harness_close (h, t);
    hk_harness_free (h);
}

static void
test_refusals (void)
{
    static const char *const unset[] = {NULL, "", "(none)"};
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_nis));
    for (size_t i = 0; i < G_N_ELEMENTS (unset); i++) {
        domain_name = (char *) unset[i];
        g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "nis", "mail.aliases"));
        g_assert_cmpint (hk_harness_opened (h), ==, HK_LATER); /* it may be set yet */
        g_assert_nonnull (strstr (hk_harness_reason (h), "domain name is not set"));
    }
    g_assert_null (hk_harness_open (h, HK_KIND_LOOKUP, "nis", ""));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/lookup_nis/answers", test_answers);
    g_test_add_func ("/lookup_nis/troubles", test_troubles);
    g_test_add_func ("/lookup_nis/refusals", test_refusals);
    return g_test_run ();
}
