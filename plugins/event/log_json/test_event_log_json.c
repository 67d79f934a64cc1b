/* test_event_log_json.c: lines are whole JSON objects, whatever the values hold. */
#include "harness.h"

#include <glib/gstdio.h>
#include <string.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (event_log_json);

static void
test_line (void)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp ("hk-json-XXXXXX", &error);
    g_autofree char *path = g_build_filename (dir, "log", NULL);
    g_autofree char *text = NULL;
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (event_log_json));
    hk_harness_set (h, "json_log_file", path);
    void *instance = hk_harness_open (h, HK_KIND_EVENT, "log_json", "");
    g_assert_nonnull (instance);
    hk_harness_prop_int (h, HK_PROP_EVENT, HK_EVENT_DELIVERY);
    hk_harness_prop (h, HK_PROP_QUEUE_ID, "4F00");
    hk_harness_prop (h, HK_PROP_RECIPIENT, "a\"b\\c\x01\xff\xc3\xa9@x");
    hk_harness_prop_int (h, HK_PROP_SIZE, 12);
    hk_harness_event (h, instance);
    hk_harness_close (h, instance);
    hk_harness_free (h);
    g_assert_true (g_file_get_contents (path, &text, NULL, &error));
    g_assert_true (g_str_has_prefix (text, "{\"time\": "));
    g_assert_nonnull (strstr (text, "\"event\": \"delivery\", \"queue_id\": \"4F00\", "
                                    "\"recipient\": \"a\\\"b\\\\c\\u0001\xef\xbf\xbd\xc3\xa9@x\", "
                                    "\"size\": 12}\n"));
    g_unlink (path);
    g_rmdir (dir);
}

/* Without a file nothing happens; one that cannot be written is one clear refusal. */
static void
test_refused (void)
{
    HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (event_log_json));
    void *idle = hk_harness_open (h, HK_KIND_EVENT, "log_json", "");
    g_assert_nonnull (idle);
    hk_harness_prop_int (h, HK_PROP_EVENT, HK_EVENT_REMOVED);
    hk_harness_event (h, idle);
    hk_harness_close (h, idle);
    hk_harness_set (h, "json_log_file", "/nonexistent/x");
    g_assert_null (hk_harness_open (h, HK_KIND_EVENT, "log_json", ""));
    g_assert_cmpint (hk_harness_opened (h), ==, HK_BROKEN);
    g_assert_nonnull (strstr (hk_harness_reason (h), "/nonexistent/x"));
    hk_harness_free (h);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/event/log_json/line", test_line);
    g_test_add_func ("/event/log_json/refused", test_refused);
    return g_test_run ();
}
