/* test_edit.c: changing main.cf in place. */
#include "config.h"

#include <glib/gstdio.h>

#include "conf/conf.h"

static const char old[] = "a = 1\n# about myorigin\nmyorigin = x\n  # inside\n  y\n# end\n"
                          "\nmydomain=q\nmyorigin = z\n# last\n";

static const struct {
    const char *before, *name, *value;
    bool comment_out;
    const char *after;
} cases[] = {
    {old, "myorigin", " new  w ", false,
     "a = 1\n# about myorigin\n  # inside\n# end\n\nmydomain=q\nmyorigin = new  w\n# "
     "last\n"},
    {old, "myorigin", NULL, true,
     "a = 1\n# about myorigin\n#myorigin = x\n  # inside\n#  y\n# end\n\nmydomain=q\n"
     "#myorigin = z\n# last\n"},
    {old, "myorigin", NULL, false,
     "a = 1\n# about myorigin\n  # inside\n# end\n\nmydomain=q\n# last\n"},
    {old, "nosuch", NULL, false, old},
    {"a = 1", "b", "2", false, "a = 1\nb = 2\n"}, /* the last line has no end */
    {"", "b", "", false, "b =\n"},
    {"b = 1\n\n", "b", "2", false, "b = 2\n\n"},
    {"b = 1\n c\n\td\nx = y\n", "b", "2", false, "b = 2\nx = y\n"},
    {"#b = 1\nb=2", "b", "3", false, "#b = 1\nb = 3\n"},
    {"bb = 1\n", "b", "3", false, "bb = 1\nb = 3\n"},
};

static void
test_cases (void)
{
    g_autofree char *dir = g_dir_make_tmp ("hk-edit-XXXXXX", NULL);
    g_autofree char *path = g_build_filename (dir, "main.cf", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GError) error = NULL;
        g_autofree char *after = NULL;
        GStatBuf st;
        g_assert_true (g_file_set_contents (path, cases[i].before, -1, NULL));
        g_assert_cmpint (g_chmod (path, 0640), ==, 0);
        hk_conf_edit (dir, "main.cf", cases[i].name, cases[i].value, cases[i].comment_out,
                      &error);
        g_assert_no_error (error);
        g_assert_true (g_file_get_contents (path, &after, NULL, NULL));
        g_assert_cmpstr (after, ==, cases[i].after);
        g_assert_cmpint (g_stat (path, &st), ==, 0);
        g_assert_cmpuint (st.st_mode & 07777, ==, 0640);
    }
    g_assert_cmpint (g_remove (path), ==, 0);
    g_assert_cmpint (g_remove (dir), ==, 0); /* no temporary file stays behind */
}

static void
test_refused (void)
{
    static const char *const names[] = {"", "a b", "a=b", "#a", "a\nb"};
    g_autofree char *dir = g_dir_make_tmp ("hk-edit-XXXXXX", NULL);
    g_autofree char *path = g_build_filename (dir, "main.cf", NULL);
    g_autofree char *text = NULL;
    g_autoptr (GError) error = NULL;
    g_assert_false (hk_conf_edit (dir, "main.cf", "a", "b", false, &error));
    g_assert_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO);
    g_clear_error (&error);
    g_assert_true (g_file_set_contents (path, "x = y\n", -1, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
        g_assert_false (hk_conf_edit (dir, "main.cf", names[i], "b", false, &error));
        g_assert_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE);
        g_clear_error (&error);
    }
    HkConfChange changes[] = {{.name = "good", .value = "1"},
                              {.name = "bad", .value = "1\n2"}};
    g_assert_false (hk_conf_edit_all (dir, "main.cf", changes, 2, &error));
    g_assert_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE);
    g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
    g_assert_cmpstr (text, ==, "x = y\n"); /* all or nothing */
    g_assert_cmpint (g_remove (path), ==, 0);
    g_assert_cmpint (g_remove (dir), ==, 0);
}

static void *
edit_much (void *data)
{
    const char *const *job = data;
    for (int i = 0; i < 20; i++) {
        g_autofree char *value = g_strdup_printf ("%d", i);
        g_autoptr (GError) error = NULL;
        hk_conf_edit (job[0], "main.cf", job[1], value, false, &error);
        g_assert_no_error (error);
    }
    return NULL;
}

/* Editors at the same time lose no change of each other. */
static void
test_together (void)
{
    g_autofree char *dir = g_dir_make_tmp ("hk-edit-XXXXXX", NULL);
    g_autofree char *path = g_build_filename (dir, "main.cf", NULL);
    g_autofree char *text = NULL;
    const char *jobs[3][2] = {{dir, "p"}, {dir, "q"}, {dir, "r"}};
    GThread *threads[3];
    g_assert_true (g_file_set_contents (path, "# head\n", -1, NULL));
    for (size_t i = 0; i < 3; i++)
        threads[i] = g_thread_new ("editor", edit_much, jobs[i]);
    for (size_t i = 0; i < 3; i++)
        g_thread_join (threads[i]);
    g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
    g_assert_nonnull (strstr (text, "p = 19\n"));
    g_assert_nonnull (strstr (text, "q = 19\n"));
    g_assert_nonnull (strstr (text, "r = 19\n"));
    g_assert_cmpint (g_remove (path), ==, 0);
    g_assert_cmpint (g_remove (dir), ==, 0);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/conf/edit/cases", test_cases);
    g_test_add_func ("/conf/edit/refused", test_refused);
    g_test_add_func ("/conf/edit/together", test_together);
    return g_test_run ();
}
