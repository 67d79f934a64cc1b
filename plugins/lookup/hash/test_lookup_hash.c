/* test_lookup_hash.c: the three types; that they do not touch each other; btree's order. */
#include "../test_indexed.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_hash);

static const TestType types[] = {
    {&HK_PLUGIN_SYMBOL (lookup_hash), "hash", ".gdbm"},
    {&HK_PLUGIN_SYMBOL (lookup_hash), "btree", ".gdbm-btree"},
    {&HK_PLUGIN_SYMBOL (lookup_hash), "dbm", ".gdbm-dbm"},
};

static void
test_beside (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_hash));
    static const char *const postfix[] = {".db", ".dir", ".pag"};
    for (size_t i = 0; i < G_N_ELEMENTS (postfix); i++) {
        g_autofree char *path = g_strconcat (source, postfix[i], NULL);
        g_assert_true (g_file_set_contents (path, "Postfix's", -1, NULL));
    }
    for (size_t i = 0; i < G_N_ELEMENTS (types); i++) {
        g_autofree char *pair = g_strdup_printf ("type=%s", types[i].type);
        g_assert_cmpint (build (h, &types[i], pair, 1), ==, HK_OK);
    }
    for (size_t i = 0; i < G_N_ELEMENTS (types); i++) {
        void *table = hk_harness_open (h, HK_KIND_LOOKUP, types[i].type, source);
        assert_value (h, table, "type", types[i].type);
        hk_harness_close (h, table);
    }
    for (size_t i = 0; i < G_N_ELEMENTS (postfix); i++) {
        g_autofree char *path = g_strconcat (source, postfix[i], NULL), *text = NULL;
        g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
        g_assert_cmpstr (text, ==, "Postfix's");
        g_unlink (path);
    }
    hk_harness_free (h);
}

static void
test_sorted (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_hash));
    const TestType *btree = &types[1];
    g_autoptr (GString) seen = g_string_new (NULL);
    void *cursor = NULL;
    g_assert_cmpint (build (h, btree, "m=1 b=2 ba=3 z=4 a=5 B=6 \xc3\xa4=7 bb=8", 1), ==,
                     HK_OK);
    void *table = hk_harness_open (h, HK_KIND_LOOKUP, "btree", source);
    while (class_of (h, btree)->each (table, hk_harness_call (h), &cursor, 1) == HK_FOUND)
        g_string_append (seen, hk_harness_answer2 (h));
    g_assert_cmpstr (seen->str, ==, "65238147");
    hk_harness_close (h, table);
    hk_harness_free (h);
}

static void
add_more (void)
{
    g_test_add_func ("/lookup_hash/beside", test_beside);
    g_test_add_func ("/lookup_btree/sorted", test_sorted);
}

int
main (int argc, char **argv)
{
    return test_indexed_main (&argc, &argv, types, G_N_ELEMENTS (types), add_more);
}
