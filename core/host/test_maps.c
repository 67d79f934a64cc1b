/* test_maps.c: lists of tables, three answers, folding, match lists. */
#include "config.h"

#include "test_table.h"
#include <glib/gstdio.h>

static HkPlugins *plugins;
static HkSettings *settings;

static HkMaps *
open_maps (const char *specs)
{
    g_autoptr (GError) error = NULL;
    HkMaps *maps = hk_maps_open (plugins, settings, "some_maps", specs, &error);
    g_assert_no_error (error);
    return maps;
}

static const struct {
    const char *specs, *key, *value; /* value NULL: absent; "?": later; "!": broken */
} gets[] = {
    {"", "a", NULL},
    {"mem:a=1;b=2", "a", "1"},
    {"mem:a=1, mem:a=2;c=3", "a", "1"},
    {"mem:a=1 mem:a=2;c=3", "c", "3"},
    {"mem:a=1", "A", "1"}, /* keys are folded */
    {"proxy:mem:a=1", "a", "1"},
    {"mem:\xc3\xa4=1", "\xc3\x84", "1"},
    {"mem:a=LATER, mem:a=2", "a", "?"}, /* a dead table is not an absent key */
    {"mem:a=BROKEN", "a", "!"},
    {"mem:a=ODD", "a", "!"},
    {"mem:a=", "a", "!"},       /* an empty result is not allowed */
    {"pat:Xy", "aXyb", "aXyb"}, /* patterns see the key as it is */
    {"pat:Xy", "axyb", NULL},
    {"wrap:mem:a=1", "A", "1"}, /* what is inside gets what it would get by itself */
    {"wrap:wrap:pat:Xy", "aXyb", "aXyb"},
    {"wrap:pat:Xy", "axyb", NULL},
    {"wrap:mem:a=LATER, mem:a=2", "a", "?"},
    {"mem:{a b}=1", "a", NULL}, /* braces keep a name together */
    {"mem:{a,b}=1", "{a,b}", "1"},
};

static void
test_get (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (gets); i++) {
        g_autoptr (HkMaps) maps = open_maps (gets[i].specs);
        g_autoptr (GString) value = g_string_new (NULL);
        g_autofree char *reason = NULL;
        HkAnswer answer = hk_maps_get (maps, hk_span_text (gets[i].key), value, &reason);
        g_test_message ("%s, key %s", gets[i].specs, gets[i].key);
        if (gets[i].value == NULL) {
            g_assert_cmpint (answer, ==, HK_ABSENT);
        } else if (*gets[i].value == '?' || *gets[i].value == '!') {
            g_assert_cmpint (answer, ==, *gets[i].value == '?' ? HK_LATER : HK_BROKEN);
            g_assert_nonnull (reason);
        } else {
            g_assert_cmpint (answer, ==, HK_FOUND);
            g_assert_cmpstr (value->str, ==, gets[i].value);
        }
    }
}

static void
test_keys_from_outside (void)
{
    g_autoptr (HkMaps) maps = open_maps ("mem:a=1;=2");
    g_assert_cmpint (hk_maps_get (maps, hk_span ("a\nb", 3), NULL, NULL), ==, HK_ABSENT);
    g_assert_cmpint (hk_maps_get (maps, hk_span ("a\0b", 3), NULL, NULL), ==, HK_ABSENT);
    int asked = mem_asked;
    g_assert_cmpint (hk_maps_get (maps, HK_SPAN (""), NULL, NULL), ==, HK_ABSENT);
    g_assert_cmpint (mem_asked, ==, asked);
    g_autoptr (HkMaps) binary = open_maps ("pat:b");
    g_assert_cmpint (hk_maps_get (binary, hk_span ("a\nb", 3), NULL, NULL), ==, HK_FOUND);
    g_assert_cmpint (hk_maps_get_exact_case (maps, HK_SPAN ("A"), NULL, NULL), ==,
                     HK_ABSENT);
    g_assert_cmpint (hk_maps_get_exact_case (maps, HK_SPAN ("a"), NULL, NULL), ==,
                     HK_FOUND);
}

/* Each key goes to every table before the next key; patterns see whole keys only. */
static void
test_search (void)
{
    HkSearch search = {"+", true, NULL, NULL};
    g_autoptr (HkMaps) maps = open_maps ("mem:@b.org=two, mem:u@b.org=one, pat:b.org");
    g_autoptr (GString) value = g_string_new (NULL);
    g_assert_cmpint (
        hk_maps_search (maps, HK_SEARCH_VIRTUAL, HK_SPAN ("u@b.org"), &search, value, NULL),
        ==, HK_FOUND);
    g_assert_cmpstr (value->str, ==, "one");
    g_string_truncate (value, 0);
    g_assert_cmpint (
        hk_maps_search (maps, HK_SEARCH_VIRTUAL, HK_SPAN ("v@b.org"), &search, value, NULL),
        ==, HK_FOUND);
    g_assert_cmpstr (value->str, ==, "v@b.org"); /* the pattern got the whole key first */
    g_autoptr (HkMaps) partial = open_maps ("pat:@b.org");
    g_assert_cmpint (hk_maps_search (partial, HK_SEARCH_VIRTUAL, HK_SPAN ("v@c.org"),
                                     &search, NULL, NULL),
                     ==, HK_ABSENT);
    g_autoptr (HkMaps) later = open_maps ("mem:@b.org=LATER");
    g_assert_cmpint (
        hk_maps_search (later, HK_SEARCH_VIRTUAL, HK_SPAN ("v@b.org"), &search, NULL, NULL),
        ==, HK_LATER);
}

static const struct {
    const char *specs, *said;
} wrong[] = {
    {"nothere:x", "unsupported table type: nothere"},
    {"men:x", "did you mean \"mem\""},
    {"mem", "expecting \"type:name\" form"},
    {"mem:", "expecting \"type:name\" form"},
    {"mem:a=1, mem:refuse", "it is not right"},
};

static void
test_refused (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
        g_autoptr (GError) error = NULL;
        g_assert_null (
            hk_maps_open (plugins, settings, "some_maps", wrong[i].specs, &error));
        g_assert_nonnull (error);
        g_test_message ("%s", error->message);
        g_assert_nonnull (strstr (error->message, "some_maps"));
        g_assert_nonnull (strstr (error->message, wrong[i].said));
    }
}

/* A table that is away when the list is opened does not fail it: lookups say "later". */
static void
test_away (void)
{
    mem_is_down = true;
    g_autoptr (HkMaps) maps = open_maps ("mem:k=v, mem:a=b");
    g_autofree char *reason = NULL;
    g_autofree char *trouble = hk_maps_trouble (maps);
    g_assert_cmpstr (trouble, ==, "mem:k=v: the server is away");
    g_assert_cmpint (hk_maps_get (maps, HK_SPAN ("k"), NULL, &reason), ==, HK_LATER);
    g_assert_cmpstr (reason, ==, "mem:k=v: the server is away");
    mem_is_down = false;
}

static void
test_shared (void)
{
    int opened = mem_opened, closed = mem_closed;
    HkMaps *one = open_maps ("mem:k=v"), *two = open_maps ("mem:k=v, slow:x=y");
    g_assert_cmpint (mem_opened - opened, ==, 2); /* mem:k=v once, slow:x=y once */
    g_assert_false (hk_maps_may_block (one));
    g_assert_true (hk_maps_may_block (two));
    hk_maps_unref (one);
    g_assert_cmpint (mem_closed - closed, ==, 0);
    hk_maps_unref (two);
    g_assert_cmpint (mem_closed - closed, ==, 2);
}

/* ---- match lists ---- */

static const struct {
    const char *parameter; /* relay_domains and mynetworks cover subdomains by default */
    HkMatchKind kind;
    const char *text, *name, *ip;
    HkAnswer answer;
} matches[] = {
    {"mydestination", HK_MATCH_DOMAINS, "a.org, b.org", "b.org", "", HK_FOUND},
    {"mydestination", HK_MATCH_DOMAINS, "a.org b.org", "B.ORG", "", HK_FOUND},
    {"mydestination", HK_MATCH_DOMAINS, "a.org", "x.a.org", "", HK_ABSENT},
    {"mydestination", HK_MATCH_DOMAINS, ".a.org", "x.a.org", "", HK_FOUND},
    {"mydestination", HK_MATCH_DOMAINS, ".a.org", "a.org", "", HK_ABSENT},
    {"relay_domains", HK_MATCH_DOMAINS, "a.org", "x.a.org", "", HK_FOUND},
    {"relay_domains", HK_MATCH_DOMAINS, "a.org", "xa.org", "", HK_ABSENT},
    {"relay_domains", HK_MATCH_DOMAINS, ".a.org", "x.a.org", "", HK_ABSENT},
    {"relay_domains", HK_MATCH_DOMAINS, "!no.a.org, a.org", "no.a.org", "", HK_ABSENT},
    {"relay_domains", HK_MATCH_DOMAINS, "!no.a.org, a.org", "yes.a.org", "", HK_FOUND},
    {"relay_domains", HK_MATCH_DOMAINS, "mem:a.org=x", "y.a.org", "", HK_FOUND},
    {"mydestination", HK_MATCH_DOMAINS, "mem:a.org=x", "y.a.org", "", HK_ABSENT},
    {"mydestination", HK_MATCH_DOMAINS, "mem:.a.org=x", "y.a.org", "", HK_FOUND},
    {"mydestination", HK_MATCH_DOMAINS, "mem:a.org=LATER", "a.org", "", HK_LATER},
    {"mydestination", HK_MATCH_DOMAINS, "b.org, !mem:a.org=x, a.org", "a.org", "",
     HK_ABSENT},
    {"mydestination", HK_MATCH_DOMAINS, "", "a.org", "", HK_ABSENT},
    {"mynetworks", HK_MATCH_ADDRESSES, "127.0.0.0/8 [::1]/128", "", "127.1.2.3", HK_FOUND},
    {"mynetworks", HK_MATCH_ADDRESSES, "127.0.0.0/8 [::1]/128", "", "::1", HK_FOUND},
    {"mynetworks", HK_MATCH_ADDRESSES, "127.0.0.0/8 [::1]/128", "", "::2", HK_ABSENT},
    {"mynetworks", HK_MATCH_ADDRESSES, "!10.0.0.1 10.0.0.0/8", "", "10.0.0.1", HK_ABSENT},
    {"mynetworks", HK_MATCH_ADDRESSES, "!10.0.0.1 10.0.0.0/8", "", "10.0.0.2", HK_FOUND},
    {"mynetworks", HK_MATCH_ADDRESSES, "b.org", "a.b.org", "192.0.2.1", HK_FOUND},
    {"mynetworks", HK_MATCH_ADDRESSES, "mem:192.0.2.1=x", "", "192.0.2.1", HK_FOUND},
    {"mynetworks", HK_MATCH_ADDRESSES, "mem:192.0.2=x", "", "192.0.2.1", HK_ABSENT},
    {"debug_list", HK_MATCH_STRINGS, "One, two", "one", "", HK_FOUND},
    {"debug_list", HK_MATCH_STRINGS, "b.org", "a.b.org", "", HK_ABSENT},
};

static void
test_match (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (matches); i++) {
        g_autoptr (GError) error = NULL;
        g_autofree char *reason = NULL;
        g_test_message ("%s = %s: %s %s", matches[i].parameter, matches[i].text,
                        matches[i].name, matches[i].ip);
        g_autoptr (HkMatchList) list =
            hk_match_list_open (plugins, settings, matches[i].parameter, matches[i].text,
                                matches[i].kind, &error);
        g_assert_no_error (error);
        HkAnswer answer = hk_match_list_find (list, hk_span_text (matches[i].name),
                                              hk_span_text (matches[i].ip), &reason);
        g_assert_cmpint (answer, ==, matches[i].answer);
        g_assert_true ((reason != NULL) == (answer == HK_LATER));
    }
}

static void
test_match_file (void)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp ("hk-match-XXXXXX", NULL);
    g_autofree char *inner = g_build_filename (dir, "inner", NULL);
    g_autofree char *outer = g_build_filename (dir, "outer", NULL);
    g_autofree char *text = g_strdup_printf ("# c\na.org,\n  !b.org\n%s\n", inner);
    g_assert_true (g_file_set_contents (inner, "c.org\n", -1, NULL));
    g_assert_true (g_file_set_contents (outer, text, -1, NULL));
    g_autoptr (HkMatchList) list = hk_match_list_open (plugins, settings, "mydestination",
                                                       outer, HK_MATCH_DOMAINS, &error);
    g_assert_no_error (error);
    g_assert_cmpint (hk_match_list_find (list, HK_SPAN ("a.org"), HK_SPAN_NONE, NULL), ==,
                     HK_FOUND);
    g_assert_cmpint (hk_match_list_find (list, HK_SPAN ("b.org"), HK_SPAN_NONE, NULL), ==,
                     HK_ABSENT);
    g_assert_cmpint (hk_match_list_find (list, HK_SPAN ("c.org"), HK_SPAN_NONE, NULL), ==,
                     HK_FOUND);
    g_assert_true (g_file_set_contents (inner, outer, -1, NULL)); /* in a circle */
    g_assert_null (hk_match_list_open (plugins, settings, "mydestination", outer,
                                       HK_MATCH_DOMAINS, &error));
    g_assert_nonnull (strstr (error->message, "too deeply"));
    g_unlink (inner);
    g_unlink (outer);
    g_rmdir (dir);
}

static const struct {
    const char *text, *said;
} wrong_lists[] = {
    {"10.0.0.1/8", "10.0.0.1/8"},
    {"1.2.3.4/33", "1.2.3.4/33"},
    {"/nonexistent/file", "/nonexistent/file"},
    {"nothere:x", "nothere"},
    {"!", "no pattern after"},
};

static void
test_match_refused (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (wrong_lists); i++) {
        g_autoptr (GError) error = NULL;
        g_assert_null (hk_match_list_open (plugins, settings, "mynetworks",
                                           wrong_lists[i].text, HK_MATCH_ADDRESSES,
                                           &error));
        g_assert_nonnull (error);
        g_test_message ("%s", error->message);
        g_assert_nonnull (strstr (error->message, "mynetworks"));
        g_assert_nonnull (strstr (error->message, wrong_lists[i].said));
    }
}

static HkAnswer
search_found (const char *specs, const char *subject)
{
    g_autoptr (HkMaps) maps = open_maps (specs);
    HkSearch search;
    hk_maps_search_defaults (maps, "smtpd_access_maps", &search);
    return hk_maps_search (maps, HK_SEARCH_ACCESS_ADDRESS, hk_span_text (subject), &search,
                           NULL, NULL);
}

/* A pattern table in another one is not asked for parts of a key either; and what blocks
 * inside blocks outside. */
static void
test_nested (void)
{
    g_assert_cmpint (search_found ("wrap:wrap:pat:@b.org", "a@b.org"), ==, HK_FOUND);
    g_assert_cmpint (search_found ("wrap:mem:b.org=1", "a@b.org"), ==, HK_FOUND);
    g_assert_cmpint (search_found ("wrap:pat:zz", "a@b.org"), ==, HK_ABSENT);
    static const HkKey part = {{(const uint8_t *) "b.org", 5}, true, false};
    g_autoptr (HkMaps) inner = open_maps ("wrap:pat:b.org");
    g_assert_cmpint (hk_maps_get_key (inner, part, NULL, NULL), ==, HK_ABSENT);
    g_autoptr (HkMaps) slow = open_maps ("wrap:wrap:slow:a=1");
    g_assert_true (hk_maps_may_block (slow));
    g_assert_false (hk_maps_may_block (inner));
    g_autoptr (HkMaps) exact = open_maps ("wrap:mem:a=1");
    g_assert_cmpint (hk_maps_get_exact_case (exact, HK_SPAN ("A"), NULL, NULL), ==,
                     HK_ABSENT);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    plugins = test_host_new ("recipient_delimiter = +\n", &settings);
    g_test_add_func ("/host/maps/get", test_get);
    g_test_add_func ("/host/maps/keys_from_outside", test_keys_from_outside);
    g_test_add_func ("/host/maps/search", test_search);
    g_test_add_func ("/host/maps/refused", test_refused);
    g_test_add_func ("/host/maps/away", test_away);
    g_test_add_func ("/host/maps/shared", test_shared);
    g_test_add_func ("/host/maps/nested", test_nested);
    g_test_add_func ("/host/match/match", test_match);
    g_test_add_func ("/host/match/file", test_match_file);
    g_test_add_func ("/host/match/refused", test_match_refused);
    int rc = g_test_run ();
    test_host_free (plugins, settings);
    return rc;
}
