/* test_table.h: a lookup plugin for this room's tests: "mem:k=v;k=v" and "pat:text".
 *
 * mem: fixed keys; the value "LATER" makes the lookup fail, "BROKEN" likewise, "ODD" is an
 * answer that no host knows.  pat: finds every key that holds the text, gives the key. */
#ifndef HK_HOST_TEST_TABLE_H
#define HK_HOST_TEST_TABLE_H

#include "host/host_priv.h"

typedef struct {
    const HkHost *host;
    char *text;
} MemTable;

static int mem_opened, mem_closed, mem_asked;
static bool mem_is_down; /* open answers LATER */

static HkAnswer
mem_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    if (mem_is_down)
        return host->later (call, "the server is away");
    HkSpan argument = host->conf_argument (conf);
    if (hk_span_is (argument, "refuse"))
        return host->broken (call, "it is not right");
    MemTable *self = g_new (MemTable, 1);
    self->host = host;
    self->text = hk_span_dup (argument);
    *out_instance = self;
    mem_opened++;
    return HK_OK;
}

static void
mem_close (void *instance)
{
    MemTable *self = instance;
    g_free (self->text);
    g_free (self);
    mem_closed++;
}

static HkAnswer
mem_get (void *instance, HkCall *call, HkSpan key)
{
    MemTable *self = instance;
    g_auto (GStrv) pairs = g_strsplit (self->text, ";", -1);
    mem_asked++;
    for (char **p = pairs; *p != NULL; p++) {
        g_auto (GStrv) kv = g_strsplit (*p, "=", 2);
        if (kv[0] == NULL || kv[1] == NULL || !hk_span_is (key, kv[0]))
            continue;
        if (strcmp (kv[1], "LATER") == 0)
            return self->host->later (call, "cannot ask for %s", kv[0]);
        if (strcmp (kv[1], "BROKEN") == 0)
            return self->host->broken (call, "wrong for ever");
        if (strcmp (kv[1], "ODD") == 0)
            return 4711;
        self->host->answer (call, kv[1], strlen (kv[1]));
        return HK_FOUND;
    }
    return HK_ABSENT;
}

static HkAnswer
pat_get (void *instance, HkCall *call, HkSpan key)
{
    MemTable *self = instance;
    g_autofree char *k = hk_span_dup (key);
    if (strstr (k, self->text) == NULL)
        return HK_ABSENT;
    self->host->answer (call, key.data, key.size);
    return HK_FOUND;
}

/* "wrap:type:name": a table made of one other. */
typedef struct {
    const HkHost *host;
    HkTable *inner;
} WrapTable;

static HkAnswer
wrap_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    WrapTable *self = g_new (WrapTable, 1);
    self->host = host;
    *out_instance = self;
    HkAnswer answer =
        host->table_open (host, call, host->conf_argument (conf), &self->inner);
    if (answer != HK_OK)
        g_free (self);
    return answer;
}

static void
wrap_close (void *instance)
{
    WrapTable *self = instance;
    self->host->table_close (self->inner);
    g_free (self);
}

static HkAnswer
wrap_get (void *instance, HkCall *call, HkSpan key)
{
    WrapTable *self = instance;
    HkSpan value;
    HkAnswer answer = self->host->table_get (self->inner, call, key, &value);
    if (answer == HK_FOUND)
        self->host->answer (call, value.data, value.size);
    return answer;
}

#define TEST_CLASS(word, flag, fn)                                                         \
    {                                                                                      \
        .base = {.size = sizeof (HkLookupClass),                                           \
                 .kind = HK_KIND_LOOKUP,                                                   \
                 .class_minor = HK_LOOKUP_MINOR,                                           \
                 .name = word,                                                             \
                 .flags = flag,                                                            \
                 .open = mem_open,                                                         \
                 .close = mem_close},                                                      \
        .get = fn,                                                                         \
    }
static const HkLookupClass mem_class = TEST_CLASS ("mem", 0, mem_get);
static const HkLookupClass pat_class =
    TEST_CLASS ("pat", HK_THREAD_SAFE | HK_PATTERN_KEYS | HK_BINARY_KEYS, pat_get);
static const HkLookupClass wrap_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "wrap",
             .flags = HK_THREAD_SAFE | HK_NESTED_KEYS | HK_BINARY_KEYS,
             .open = wrap_open,
             .close = wrap_close},
    .get = wrap_get,
};
static const HkLookupClass slow_class = TEST_CLASS ("slow", HK_MAY_BLOCK, mem_get);

static const HkClass *const mem_classes[] = {&mem_class.base, &pat_class.base,
                                             &slow_class.base, &wrap_class.base, NULL};
static const HkPlugin mem_plugin = {.size = sizeof (HkPlugin),
                                    .magic = HK_PLUGIN_MAGIC,
                                    .abi_major = HK_ABI_MAJOR,
                                    .abi_minor = HK_ABI_MINOR,
                                    .name = "lookup_mem",
                                    .version = "1",
                                    .licence = "none",
                                    .summary = "for tests",
                                    .classes = mem_classes};

/* A host with that plugin, and settings made of MAIN_CF. */
static inline HkPlugins *
test_host_new (const char *main_cf, HkSettings **out_settings)
{
    g_autoptr (GError) error = NULL;
    static bool is_registered;
    if (!is_registered) {
        hk_conf_register (hk_base_params);
        hk_conf_register (hk_host_params);
        is_registered = true;
    }
    HkPlugins *plugins = hk_plugins_new ("/nonexistent", NULL, NULL);
    *out_settings = hk_settings_from_text (main_cf, "", &error);
    g_assert_no_error (error);
    hk_plugins_set_settings (plugins, *out_settings);
    g_assert_true (hk_plugins_add (plugins, &mem_plugin, &error));
    g_assert_no_error (error);
    return plugins;
}

static inline void
test_host_free (HkPlugins *plugins, HkSettings *settings)
{
    hk_settings_unref (settings);
    hk_plugins_free (plugins);
}

#endif
