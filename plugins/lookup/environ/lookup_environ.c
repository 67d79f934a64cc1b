/* lookup_environ.c: the "environ:" table: the environment of the process.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <hikyaku/lookup.h>

#include <glib.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 1024 }; /* bytes; no variable is called longer things */

typedef struct {
    const HkHost *host;
} EnvironTable;

static HkAnswer
environ_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    EnvironTable *self = g_new (EnvironTable, 1);
    (void) conf;
    (void) call;
    self->host = host;
    *out_instance = self;
    return HK_OK;
}

/* Nobody changes the environment of a running role, so any thread may read it. */
static HkAnswer
environ_get (void *instance, HkCall *call, HkSpan key)
{
    const EnvironTable *self = instance;
    if (key.size == 0 || key.size > MAX_NAME || memchr (key.data, '\0', key.size) != NULL ||
        memchr (key.data, '=', key.size) != NULL)
        return HK_ABSENT;
    g_autofree char *name = g_strndup ((const char *) key.data, key.size);
    const char *value = getenv (name);
    if (value == NULL)
        return HK_ABSENT;
    self->host->answer (call, value, strlen (value));
    return HK_FOUND;
}

static const HkLookupClass environ_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "environ",
             .flags = HK_THREAD_SAFE,
             .open = environ_open,
             .close = g_free},
    .get = environ_get,
};

HK_PLUGIN (lookup_environ, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "environ: table, the environment of the process",
           .classes = HK_CLASSES (&environ_class.base))
