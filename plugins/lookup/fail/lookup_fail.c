/* lookup_fail.c: "fail:name" tables: every lookup fails, to try out what happens then.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <hikyaku/lookup.h>

#include <glib.h>

typedef struct {
    const HkHost *host;
    char *name;
} FailTable;

static HkAnswer
fail_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan argument = host->conf_argument (conf);
    FailTable *self = g_new (FailTable, 1);
    (void) call;
    self->host = host;
    self->name = g_strndup ((const char *) argument.data, argument.size);
    *out_instance = self;
    return HK_OK;
}

static void
fail_close (void *instance)
{
    FailTable *self = instance;
    g_free (self->name);
    g_free (self);
}

static HkAnswer
fail_get (void *instance, HkCall *call, HkSpan key)
{
    const FailTable *self = instance;
    (void) key;
    return self->host->later (call, "fail:%s fails every request", self->name);
}

static const HkLookupClass fail_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "fail",
             .flags = HK_THREAD_SAFE | HK_PATTERN_KEYS | HK_BINARY_KEYS,
             .open = fail_open,
             .close = fail_close},
    .get = fail_get,
};

HK_PLUGIN (lookup_fail, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "fail: tables, which fail every lookup",
           .classes = HK_CLASSES (&fail_class.base))
