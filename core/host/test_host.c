/* test_host.c: what a descriptor must be, what services do, events, instances. */
#include "config.h"

#include "base/log.h"
#include "host/events.h"
#include "test_table.h"

#include <glib/gstdio.h>
#include <unistd.h>

/* ---- descriptors ---- */

static HkLookupClass class_copy;
static const HkClass *copy_classes[] = {&class_copy.base, NULL};
static HkPlugin plugin_copy;

static void
fresh_copy (void)
{
    class_copy = mem_class;
    class_copy.base.name = "copy";
    plugin_copy = mem_plugin;
    plugin_copy.name = "lookup_copy";
    plugin_copy.classes = copy_classes;
}

static const HkParam bad_type[] = {{"p", 9, 0, "", 0, 0, NULL, "h"}, {0}};
static const HkParam no_choices[] = {{"p", HK_PARAM_ENUM, 0, "", 0, 0, NULL, "h"}, {0}};
static const HkClass *const no_classes[] = {NULL};

#define BREAK(name, statement)                                                             \
    static void name (void)                                                                \
    {                                                                                      \
        statement;                                                                         \
    }
BREAK (nothing, )
BREAK (magic, plugin_copy.magic = 1)
BREAK (major, plugin_copy.abi_major = HK_ABI_MAJOR + 1)
BREAK (minor, plugin_copy.abi_minor = HK_ABI_MINOR + 1)
BREAK (size, plugin_copy.size = 8)
BREAK (no_init_yet, plugin_copy.size = offsetof (HkPlugin, init))
BREAK (other_name, plugin_copy.name = "lookup_other")
BREAK (no_version, plugin_copy.version = NULL)
BREAK (without_classes, plugin_copy.classes = no_classes)
BREAK (class_size, class_copy.base.size = sizeof (HkClass))
BREAK (kind, class_copy.base.kind = 77)
BREAK (class_minor, class_copy.base.class_minor = 99)
BREAK (class_name, class_copy.base.name = "Not-Good")
BREAK (low_flag, class_copy.base.flags = 1 << 12)
BREAK (high_flag, class_copy.base.flags = 1 << 20)
BREAK (slot_get, class_copy.get = NULL)
BREAK (slot_open, class_copy.base.open = NULL)
BREAK (param_type, class_copy.base.params = bad_type)
BREAK (param_choices, class_copy.base.params = no_choices)
BREAK (short_tail, class_copy.base.size = offsetof (HkLookupClass, put))

static const struct {
    void (*change) (void);
    const char *said; /* NULL: loads */
} descriptors[] = {
    {nothing, NULL},
    {no_init_yet, NULL}, /* an older minor */
    {high_flag, NULL},   /* may be ignored */
    {short_tail, NULL},
    {magic, "expected magic 0x686b5049, found 0x00000001"},
    {major, "expected ABI major 0, found 1"},
    {minor, "expected ABI minor at most " G_STRINGIFY (HK_ABI_MINOR) ", found "},
    {size, "expected a descriptor size of at least"},
    {other_name, "found lookup_other"},
    {no_version, "version"},
    {without_classes, "at least one class"},
    {class_size, "lookup class copy: expected a size"},
    {kind, "class copy: expected a kind from 1 to 6, found 77"},
    {class_minor, "found 99"},
    {class_name, "found \"Not-Good\""},
    {low_flag, "0x1000"},
    {slot_get, "expected a function get"},
    {slot_open, "expected a function open"},
    {param_type, "parameter p: expected a type"},
    {param_choices, "parameter p: expected choices"},
};

static void
test_verify (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (descriptors); i++) {
        g_autoptr (GError) error = NULL;
        fresh_copy ();
        descriptors[i].change ();
        bool is_good =
            hk_plugin_verify (&plugin_copy, "lookup_copy", "/dir/lookup_copy.so", &error);
        if (descriptors[i].said == NULL) {
            g_assert_no_error (error);
            g_assert_true (is_good);
            continue;
        }
        g_assert_false (is_good);
        g_assert_error (error, HK_HOST_ERROR, HK_HOST_ERROR_REFUSED);
        g_test_message ("%s", error->message);
        g_assert_nonnull (strstr (error->message, "/dir/lookup_copy.so"));
        g_assert_nonnull (strstr (error->message, descriptors[i].said));
    }
}

/* ---- registry ---- */

static void
test_registry (void)
{
    g_autoptr (GError) error = NULL;
    HkSettings *settings;
    HkPlugins *plugins = test_host_new ("", &settings);
    g_assert_true (hk_plugins_class (plugins, HK_KIND_LOOKUP, "mem") == &mem_class.base);
    g_assert_null (hk_plugins_class (plugins, HK_KIND_FILTER, "mem"));
    g_assert_true (hk_plugins_add (plugins, &mem_plugin, &error)); /* twice is nothing */
    g_assert_false (hk_plugins_load (plugins, "no/slash", &error));
    g_assert_error (error, HK_HOST_ERROR, HK_HOST_ERROR_BROKEN);
    g_clear_error (&error);
    g_assert_false (hk_plugins_load (plugins, "lookup_none", &error));
    g_assert_error (error, HK_HOST_ERROR, HK_HOST_ERROR_ABSENT);
    g_assert_nonnull (strstr (error->message, "/nonexistent/lookup_none.so"));
    g_clear_error (&error);
    /* A second module with a class of the same name: the first one keeps it. */
    fresh_copy ();
    class_copy.base.name = "mem";
    g_assert_true (hk_plugins_add (plugins, &plugin_copy, &error));
    g_assert_true (hk_plugins_class (plugins, HK_KIND_LOOKUP, "mem") == &mem_class.base);
    test_host_free (plugins, settings);
}

/* ---- services, through a plugin that uses them ---- */

typedef struct {
    HkModule *module;
    HkPlugins *plugins;
    HkSettings *settings;
    const HkHost *host;
} Services;

static void
services_open (Services *self, const char *main_cf)
{
    self->plugins = test_host_new (main_cf, &self->settings);
    self->module = g_ptr_array_index (self->plugins->modules, 0);
    self->host = &self->module->host;
}

static HkAnswer
prop_seven (HkCall *call, uint32_t id, HkSpan *out)
{
    (void) call;
    if (id != 7)
        return HK_ABSENT;
    *out = HK_SPAN ("seven");
    return HK_FOUND;
}

static void
test_call_services (void)
{
    static const HkCallOps ops = {.prop = prop_seven};
    Services s;
    HkCall call;
    HkSpan out;
    int64_t number;
    services_open (&s, "");
    hk_call_init (&call, &ops, NULL);
    s.host->answer (&call, "k\0ey", 4);
    s.host->answer (&call, "value", 5);
    g_assert_cmpuint (call.value->len, ==, 4);
    g_assert_cmpstr (call.value2->str, ==, "value");
    g_assert_cmpint (s.host->later (&call, "try %d", 5), ==, HK_LATER);
    g_assert_cmpstr (call.reason->str, ==, "try 5");
    g_assert_cmpint (s.host->reply (&call, HK_REJECT, 554, "5.7.1", "no %s", "way"), ==,
                     HK_REJECT);
    g_assert_cmpstr (call.reply_text->str, ==, "no way");
    g_assert_cmpstr (call.reply_dsn, ==, "5.7.1");
    g_assert_cmpint (s.host->prop (&call, 7, &out), ==, HK_FOUND);
    g_assert_true (hk_span_is (out, "seven"));
    g_assert_cmpint (s.host->prop_int (&call, 7, &number), ==, HK_ABSENT); /* not lent */
    g_assert_cmpint (number, ==, 0);
    g_assert_cmpint (s.host->prop (&call, 8, &out), ==, HK_ABSENT);
    g_assert_cmpuint (out.size, ==, 0); /* not what an earlier question left */
    g_assert_cmpint (s.host->edit_body (&call, out), ==, HK_BROKEN);
    g_assert_cmpint (s.host->deadline_us (&call), ==, INT64_MAX);
    hk_call_reset (&call);
    g_assert_cmpuint (call.n_answers, ==, 0);
    g_assert_cmpint (call.reply_code, ==, 0);
    g_assert_cmpuint (call.value->len, ==, 0);
    hk_call_clear (&call);
    test_host_free (s.plugins, s.settings);
}

static void
test_table_services (void)
{
    Services s;
    HkCall call;
    HkTable *table = NULL;
    HkSpan one, two;
    services_open (&s, "recipient_delimiter = +\n");
    hk_call_init (&call, NULL, NULL);
    g_assert_cmpint (s.host->table_open (s.host, &call, HK_SPAN ("none:x"), &table), ==,
                     HK_BROKEN);
    g_assert_nonnull (strstr (call.reason->str, "none"));
    g_assert_cmpint (
        s.host->table_open (s.host, &call, HK_SPAN ("mem:a=1;u@b.org=2;x=LATER"), &table),
        ==, HK_OK);
    g_assert_cmpint (s.host->table_get (table, &call, HK_SPAN ("a"), &one), ==, HK_FOUND);
    g_assert_cmpint (s.host->table_search (table, &call, HK_SEARCH_ACCESS_ADDRESS,
                                           HK_SPAN ("u+x@b.org"), &two),
                     ==, HK_FOUND);
    g_assert_true (hk_span_is (one, "1")); /* still lent */
    g_assert_true (hk_span_is (two, "2"));
    g_assert_cmpint (s.host->table_get (table, &call, HK_SPAN ("zz"), &one), ==, HK_ABSENT);
    g_assert_cmpint (s.host->table_get (table, &call, HK_SPAN ("x"), &one), ==, HK_LATER);
    s.host->table_close (table);
    hk_call_clear (&call);
    test_host_free (s.plugins, s.settings);
}

static void
test_counters (void)
{
    HkSettings *settings;
    HkPlugins *plugins = test_host_new ("", &settings);
    HkStats *stats = hk_stats_new_private ();
    plugins->stats = stats;
    const HkHost *host = &((HkModule *) g_ptr_array_index (plugins->modules, 0))->host;
    HkCounter *counter = host->counter (host, "lookup.mem.asked");
    host->counter_add (counter, 3);
    host->counter_add (host->counter (host, "lookup.mem.asked"), 4);
    g_assert_cmpuint (*hk_stats_slot (stats, "lookup.mem.asked"), ==, 7);
    test_host_free (plugins, settings);
    hk_stats_free (stats);
}

/* ---- answers ---- */

static void
test_unknown_answer (void)
{
    g_autoptr (GError) error = NULL;
    HkSettings *settings;
    HkPlugins *plugins = test_host_new ("", &settings);
    HkInstance *instance = hk_instance_open (plugins, HK_KIND_LOOKUP, "mem",
                                             HK_SPAN ("a=1"), settings, &error);
    HkCall call;
    hk_call_init (&call, NULL, NULL);
    g_assert_cmpint (hk_call_answer (&call, instance, HK_FOUND), ==, HK_FOUND);
    g_assert_cmpint (hk_call_answer (&call, instance, HK_HOLD), ==, HK_HOLD);
    g_assert_cmpint (hk_call_answer (&call, instance, 6), ==, HK_BROKEN);
    g_assert_cmpint (hk_call_answer (&call, instance, -1), ==, HK_BROKEN);
    g_assert_nonnull (strstr (call.reason->str, "unknown answer -1"));
    hk_call_clear (&call);
    hk_instance_unref (instance);
    test_host_free (plugins, settings);
}

/* ---- serialised instances ---- */

static gint inside, collisions;

static HkAnswer
alone_get (void *instance, HkCall *call, HkSpan key)
{
    (void) instance;
    (void) call;
    (void) key;
    if (g_atomic_int_add (&inside, 1) != 0)
        g_atomic_int_inc (&collisions);
    g_thread_yield ();
    g_atomic_int_add (&inside, -1);
    return HK_ABSENT;
}

static void *
ask_often (void *maps)
{
    for (int i = 0; i < 2000; i++)
        hk_maps_get (maps, HK_SPAN ("k"), NULL, NULL);
    return NULL;
}

static void
test_serialised (void)
{
    g_autoptr (GError) error = NULL;
    HkSettings *settings;
    HkPlugins *plugins = test_host_new ("", &settings);
    fresh_copy ();
    class_copy.get = alone_get;
    g_assert_true (hk_plugins_add (plugins, &plugin_copy, &error));
    g_autoptr (HkMaps) maps = hk_maps_open (plugins, settings, "p", "copy:x", &error);
    g_assert_no_error (error);
    GThread *threads[4];
    for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
        threads[i] = g_thread_new ("ask", ask_often, maps);
    for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
        g_thread_join (threads[i]);
    g_assert_cmpint (collisions, ==, 0);
    g_clear_pointer (&maps, hk_maps_unref);
    test_host_free (plugins, settings);
}

/* ---- the event loop, for plugins ---- */

typedef struct {
    HkLoop *loop;
    const HkHost *host;
    int pipe[2];
    HkWatch *watch;
    HkTimer *unused;
    int n_ready, n_fired, dns_outcome;
} LoopUser;

static void
on_dns (void *data, int32_t outcome, const HkDnsRecord *records, size_t n_records,
        const char *reason)
{
    LoopUser *user = data;
    (void) records;
    g_assert_cmpuint (n_records, ==, 0);
    g_assert_nonnull (reason);
    user->dns_outcome = outcome;
    hk_loop_quit (user->loop);
}

static void
on_fired (void *data)
{
    LoopUser *user = data;
    user->n_fired++;
    user->host->timer_end (user->unused);
    user->host->dns_start (user->host, "example.org", 1, on_dns, user);
    g_assert_cmpint (user->dns_outcome, ==, -1); /* never from inside */
}

static void
on_ready (void *data, int32_t fd, uint32_t events)
{
    LoopUser *user = data;
    char byte;
    g_assert_cmpint (fd, ==, user->pipe[0]);
    g_assert_true (events & HK_IO_READ);
    g_assert_cmpint (read (fd, &byte, 1), ==, 1);
    user->n_ready++;
    user->host->watch_end (user->watch);
    user->host->timer_start (user->host, 0, on_fired, user);
}

static void
test_loop_services (void)
{
    g_autoptr (GError) error = NULL;
    HkSettings *settings;
    HkPlugins *plugins = test_host_new ("", &settings);
    LoopUser user = {.loop = hk_loop_new (&error), .dns_outcome = -1};
    g_assert_no_error (error);
    user.host = &((HkModule *) g_ptr_array_index (plugins->modules, 0))->host;
    g_assert_null (user.host->watch_start (user.host, 0, HK_IO_READ, on_ready, &user));
    plugins->loop = user.loop;
    g_assert_cmpint (pipe (user.pipe), ==, 0);
    user.watch =
        user.host->watch_start (user.host, user.pipe[0], HK_IO_READ, on_ready, &user);
    user.unused = user.host->timer_start (user.host, 3600 * HK_SECOND, on_fired, &user);
    g_assert_cmpint (write (user.pipe[1], "x", 1), ==, 1);
    hk_loop_run (user.loop);
    g_assert_cmpint (user.n_ready, ==, 1);
    g_assert_cmpint (user.n_fired, ==, 1);
    g_assert_cmpint (user.dns_outcome, ==, HK_DNS_LATER); /* nobody handed a resolver in */
    close (user.pipe[0]);
    close (user.pipe[1]);
    test_host_free (plugins, settings);
    hk_loop_free (user.loop);
}

/* ---- calls that hold up the loop ---- */

static HkAnswer
slow_get (void *instance, HkCall *call, HkSpan key)
{
    int64_t end = g_get_monotonic_time () + 60000;
    (void) instance;
    (void) call;
    (void) key;
    while (g_get_monotonic_time () < end)
        ;
    return HK_ABSENT;
}

static void
test_slow_call (void)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *path = NULL, *text = NULL;
    HkSettings *settings;
    HkPlugins *plugins = test_host_new ("", &settings);
    int fd = g_file_open_tmp ("hk-log-XXXXXX", &path, &error);
    fresh_copy ();
    class_copy.get = slow_get;
    plugins->loop = hk_loop_new (&error);
    g_assert_true (hk_plugins_add (plugins, &plugin_copy, &error));
    g_autoptr (HkMaps) maps = hk_maps_open (plugins, settings, "p", "copy:x", &error);
    g_assert_no_error (error);
    hk_log_open (HK_LOG_TO_FILE, fd, "hikyaku", "test");
    hk_maps_get (maps, HK_SPAN ("k"), NULL, NULL);
    hk_maps_get (maps, HK_SPAN ("k"), NULL, NULL);
    hk_log_flush ();
    hk_log_open (HK_LOG_TO_STDERR, -1, "hikyaku", "test");
    g_assert_true (g_file_get_contents (path, &text, NULL, &error));
    const char *said = strstr (text, "ms on the event loop; plugin lookup_copy");
    g_assert_nonnull (said);
    g_assert_null (strstr (said + 1, "ms on the event loop")); /* once */
    g_unlink (path);
    close (fd);
    g_clear_pointer (&maps, hk_maps_unref);
    hk_loop_free (plugins->loop);
    test_host_free (plugins, settings);
}

/* ---- events ---- */

static GString *seen;

typedef struct {
    const HkHost *host;
} Watcher;

static HkAnswer
watcher_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    static Watcher watcher;
    (void) conf;
    (void) call;
    watcher.host = host;
    *out_instance = &watcher;
    return HK_OK;
}

static void
watcher_close (void *instance)
{
    (void) instance;
    g_string_append (seen, "closed");
}

static void
watcher_event (void *instance, HkCall *call)
{
    const HkHost *host = ((Watcher *) instance)->host;
    int64_t kind = 0, size = -1;
    HkSpan agent = HK_SPAN ("-"), text = HK_SPAN ("-");
    host->prop_int (call, HK_PROP_EVENT, &kind);
    host->prop_int (call, HK_PROP_SIZE, &size);
    host->prop (call, HK_PROP_AGENT, &agent);
    host->prop (call, HK_PROP_TEXT, &text);
    g_string_append_printf (seen, "%d %.*s %.*s %d;", (int) kind, HK_SPAN_ARG (agent),
                            HK_SPAN_ARG (text), (int) size);
}

static void
watcher_flush (void *instance)
{
    (void) instance;
    g_string_append (seen, "flush;");
}

static const HkEventClass watcher_class = {
    .base = {.size = sizeof (HkEventClass),
             .kind = HK_KIND_EVENT,
             .class_minor = 1,
             .name = "watcher",
             .open = watcher_open,
             .close = watcher_close},
    .event = watcher_event,
    .flush = watcher_flush,
};
static const HkClass *const watcher_classes[] = {&watcher_class.base, NULL};

static void
test_events (void)
{
    g_autoptr (GError) error = NULL;
    HkSettings *settings;
    HkPlugins *plugins = test_host_new ("", &settings);
    HkPlugin plugin = mem_plugin;
    plugin.name = "event_watcher";
    plugin.classes = watcher_classes;
    seen = g_string_new (NULL);
    g_assert_true (hk_plugins_add (plugins, &plugin, &error));
    HkEvents *events = hk_events_new (plugins, settings, NULL, &error);
    g_assert_no_error (error);
    HkEvent event = {.kind = HK_EVENT_ACTIVE, .agent = "qmgr"};
    hk_event_number (&event, HK_PROP_SIZE, 42);
    hk_event_text (&event, HK_PROP_TEXT, HK_SPAN_NONE); /* there, and empty */
    hk_events_emit (events, &event);
    hk_events_text (events, HK_LOG_INFO, "smtpd", HK_SPAN ("hello"));
    hk_events_free (events);
    g_assert_cmpstr (seen->str, ==,
                     "8 qmgr  42;flush;14 smtpd hello 0;flush;flush;closed");
    g_string_free (seen, TRUE);
    test_host_free (plugins, settings);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/host/verify", test_verify);
    g_test_add_func ("/host/registry", test_registry);
    g_test_add_func ("/host/call_services", test_call_services);
    g_test_add_func ("/host/table_services", test_table_services);
    g_test_add_func ("/host/counters", test_counters);
    g_test_add_func ("/host/unknown_answer", test_unknown_answer);
    g_test_add_func ("/host/serialised", test_serialised);
    g_test_add_func ("/host/loop_services", test_loop_services);
    g_test_add_func ("/host/slow_call", test_slow_call);
    g_test_add_func ("/host/events", test_events);
    return g_test_run ();
}
