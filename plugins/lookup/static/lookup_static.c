/* lookup_static.c: "static:" tables: the same answer for every key.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <hikyaku/lookup.h>
#include <hikyaku/textfile.h>

#include <glib.h>

typedef struct {
    const HkHost *host;
    char *value;
    size_t size;
} StaticTable;

/* "{ text with blanks }" or the text as it stands. */
static const char *
parse_value (HkSpan argument, HkSpan *out)
{
    const char *p = (const char *) argument.data, *end = p + argument.size;
    *out = argument;
    if (argument.size == 0 || *p != '{')
        return NULL;
    const char *close = hk_brace_end (p, end);
    if (close == NULL)
        return "missing '}'";
    if (close + 1 != end)
        return "syntax error after '}'";
    *out = hk_strip_blanks (p + 1, close);
    return NULL;
}

static HkAnswer
static_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan argument = host->conf_argument (conf), value;
    const char *why = parse_value (argument, &value);
    if (why != NULL)
        return host->broken (call, "bad static:name syntax: %s in \"%.*s\"", why,
                             (int) argument.size, (const char *) argument.data);
    StaticTable *self = g_new (StaticTable, 1);
    self->host = host;
    self->value = g_strndup ((const char *) value.data, value.size);
    self->size = value.size;
    *out_instance = self;
    return HK_OK;
}

static void
static_close (void *instance)
{
    StaticTable *self = instance;
    g_free (self->value);
    g_free (self);
}

static HkAnswer
static_get (void *instance, HkCall *call, HkSpan key)
{
    StaticTable *self = instance;
    (void) key;
    self->host->answer (call, self->value, self->size);
    return HK_FOUND;
}

static const HkLookupClass static_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "static",
             .flags = HK_THREAD_SAFE | HK_BINARY_KEYS,
             .open = static_open,
             .close = static_close},
    .get = static_get,
};

HK_PLUGIN (lookup_static, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "static: tables, the same answer for every key",
           .classes = HK_CLASSES (&static_class.base))
