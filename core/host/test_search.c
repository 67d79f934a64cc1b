/* test_search.c: the keys of every search order, in order; ',' parts them, '~' marks
 * partial. */
#include "config.h"

#include "host/host_priv.h"

static bool
ours (HkSpan domain, void *data)
{
    (void) data;
    return hk_span_is_ci (domain, "our.org");
}

static bool
note (HkSpan key, bool is_partial, void *data)
{
    GString *out = data;
    if (out->len > 0)
        g_string_append_c (out, ',');
    if (is_partial)
        g_string_append_c (out, '~');
    hk_string_append (out, key);
    return true;
}

enum {
    EXACT = HK_SEARCH_EXACT,
    ADDR = HK_SEARCH_ACCESS_ADDRESS,
    HOST = HK_SEARCH_ACCESS_HOST,
    NET = HK_SEARCH_ACCESS_NETWORK,
    VIRT = HK_SEARCH_VIRTUAL,
    TRANS = HK_SEARCH_TRANSPORT,
    BOX = HK_SEARCH_MAILBOX
};

static const struct {
    int order;
    const char *subject, *delimiters;
    bool parent;
    const char *keys;
} cases[] = {
    {EXACT, "a@b.c", "+", false, "a@b.c"},
    {EXACT, "", "+", false, ""},
    /* access(5), EMAIL ADDRESS PATTERNS */
    {ADDR, "u@a.b.org", "", false, "u@a.b.org,~a.b.org,~.b.org,~.org,~u@"},
    {ADDR, "u@a.b.org", "", true, "u@a.b.org,~a.b.org,~b.org,~org,~u@"},
    {ADDR, "u+x@b.org", "+", true, "u+x@b.org,~u@b.org,~b.org,~org,~u+x@,~u@"},
    {ADDR, "u+x@b.org", "", true, "u+x@b.org,~b.org,~org,~u+x@"},
    {ADDR, "u", "+", true, "u,~u@"},
    {ADDR, "<>", "+", true, "<>,~<>@"},
    {ADDR, "\"a@b\"@c", "", true, "\"a@b\"@c,~c,~\"a@b\"@"},
    /* access(5), HOST NAME/ADDRESS PATTERNS */
    {HOST, "mail.b.org", "", false, "mail.b.org,~.b.org,~.org"},
    {HOST, "mail.b.org", "", true, "mail.b.org,~b.org,~org"},
    {HOST, "unknown", "", true, "unknown"},
    {HOST, "192.0.2.1", "", true, "192.0.2.1"}, /* an address has no parents */
    {NET, "192.0.2.1", "", true, "192.0.2.1,~192.0.2,~192.0,~192"},
    {NET, "2001:db8::1", "", true, "2001:db8::1,~2001:db8:,~2001:db8,~2001"},
    /* virtual(5), canonical(5) */
    {VIRT, "u@b.org", "+", false, "u@b.org,~@b.org"},
    {VIRT, "u@our.org", "+", false, "u@our.org,~u,~@our.org"},
    {VIRT, "u+x@our.org", "+", false, "u+x@our.org,~u@our.org,~u+x,~u,~@our.org"},
    {VIRT, "u-x@our.org", "+-", false, "u-x@our.org,~u@our.org,~u-x,~u,~@our.org"},
    {VIRT, "u+x", "+", false, "u+x,~u"},
    {VIRT, "+x@our.org", "+", false, "+x@our.org,~+x,~@our.org"},
    /* transport(5) */
    {TRANS, "u+x@a.b.org", "+", false, "u+x@a.b.org,~u@a.b.org,~a.b.org,~.b.org,~.org,~*"},
    {TRANS, "u@a.b.org", "", true, "u@a.b.org,~a.b.org,~b.org,~org,~*"},
    {TRANS, "u@[192.0.2.1]", "", false,
     "u@[192.0.2.1],~[192.0.2.1],~.0.2.1],~.2.1],~.1],~*"},
    /* virtual(8) */
    {BOX, "u+x@b.org", "+", false, "u+x@b.org,~u@b.org,~@b.org"},
    {BOX, "u@our.org", "+", false, "u@our.org,~@our.org"},
};

static void
test_orders (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        HkSearch search = {cases[i].delimiters, cases[i].parent, ours, NULL};
        g_autoptr (GString) keys = g_string_new (NULL);
        hk_search_keys (cases[i].order, hk_span_text (cases[i].subject), &search, note,
                        keys);
        g_test_message ("order %d of %s", cases[i].order, cases[i].subject);
        g_assert_cmpstr (keys->str, ==, cases[i].keys);
    }
}

static bool
stop_at_second (HkSpan key, bool is_partial, void *data)
{
    note (key, is_partial, data);
    return strchr (((GString *) data)->str, ',') == NULL;
}

static void
test_stop (void)
{
    static const int orders[] = {ADDR, HOST, NET, VIRT, TRANS};
    for (size_t i = 0; i < G_N_ELEMENTS (orders); i++) {
        HkSearch search = {"+", true, ours, NULL};
        g_autoptr (GString) keys = g_string_new (NULL);
        hk_search_keys (orders[i], HK_SPAN ("u+x@our.org"), &search, stop_at_second, keys);
        g_assert_cmpint (strchr (keys->str, ',') - strrchr (keys->str, ','), ==, 0);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/host/search/orders", test_orders);
    g_test_add_func ("/host/search/stop", test_stop);
    return g_test_run ();
}
