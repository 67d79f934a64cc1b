/* lookup_debug.c: "debug:type:name" tables: another table, each lookup of which is logged.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <hikyaku/lookup.h>

#include <glib.h>
#include <string.h>

enum { SHOWN = 1024 }; /* bytes of a key or value in the log */

typedef struct {
    const HkHost *host;
    HkTable *table;
    char *name;
} DebugTable;

static void
debug_close (void *instance)
{
    DebugTable *self = instance;
    if (self->table != NULL)
        self->host->table_close (self->table);
    g_free (self->name);
    g_free (self);
}

static HkAnswer
debug_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan argument = host->conf_argument (conf);
    if (memchr (argument.data, ':', argument.size) == NULL)
        return host->broken (call, "bad syntax: \"debug:%.*s\"; need \"debug:type:name\"",
                             (int) argument.size, (const char *) argument.data);
    DebugTable *self = g_new0 (DebugTable, 1);
    self->host = host;
    self->name = g_strndup ((const char *) argument.data, argument.size);
    HkAnswer answer = host->table_open (host, call, argument, &self->table);
    if (answer == HK_OK)
        *out_instance = self;
    else
        debug_close (self);
    return answer;
}

/* Printable, bounded; what is not printable stands as \ooo. */
static char *
shown (HkSpan text)
{
    g_autofree char *s =
        g_strndup ((const char *) text.data, MIN (text.size, (size_t) SHOWN));
    return g_strescape (s, NULL);
}

static HkAnswer
debug_get (void *instance, HkCall *call, HkSpan key)
{
    const DebugTable *self = instance;
    HkSpan value = {NULL, 0};
    HkAnswer answer = self->host->table_get (self->table, call, key, &value);
    g_autofree char *k = shown (key);
    g_autofree char *v = answer == HK_FOUND    ? shown (value)
                         : answer == HK_ABSENT ? g_strdup ("not_found")
                                               : g_strdup ("error");
    const char *quote = answer == HK_FOUND ? "\"" : "";
    self->host->log (self->host, HK_LOG_INFO, "%s lookup: \"%s\" = %s%s%s", self->name, k,
                     quote, v, quote);
    if (answer == HK_FOUND)
        self->host->answer (call, value.data, value.size);
    return answer;
}

static const HkLookupClass debug_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "debug",
             .flags = HK_THREAD_SAFE | HK_BINARY_KEYS | HK_NESTED_KEYS,
             .open = debug_open,
             .close = debug_close},
    .get = debug_get,
};

HK_PLUGIN (lookup_debug, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "debug: tables, each lookup of another table in the log",
           .classes = HK_CLASSES (&debug_class.base))
