/* lookup_nis.c: "nis:" tables: maps of the host's NIS domain.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <hikyaku/lookup.h>

#include <glib.h>
#include <rpcsvc/ypclnt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* YPMAXRECORD: a longer key is in no map. */
enum { MAX_KEY = 1024 };

typedef struct {
    const HkHost *host;
    char *map, *domain;
    bool tries_plain, tries_nul; /* how the map's keys end; both until one was found */
} NisTable;

static HkAnswer
nis_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan argument = host->conf_argument (conf);
    char *domain = NULL;
    g_autofree char *map = g_strndup ((const char *) argument.data, argument.size);
    if (*map == '\0')
        return host->broken (call, "no map in \"nis:\"; need nis:map, as nis:mail.aliases");
    int e = yp_get_default_domain (&domain);
    if (e != 0 || domain == NULL || *domain == '\0' || strcmp (domain, "(none)") == 0)
        return host->later (call, "nis:%s: the NIS domain name is not set", map);
    NisTable *self = g_new0 (NisTable, 1);
    self->host = host;
    self->map = g_steal_pointer (&map);
    self->domain = g_strdup (domain);
    self->tries_plain = self->tries_nul = true;
    *out_instance = self;
    return HK_OK;
}

static void
nis_close (void *instance)
{
    NisTable *self = instance;
    g_free (self->map);
    g_free (self->domain);
    g_free (self);
}

/* 0 or YPERR_*; on 0 the answer was given. */
static int
match (const NisTable *self, HkCall *call, const char *key, int size)
{
    char *value = NULL;
    int value_size = 0;
    int e = yp_match (self->domain, self->map, key, size, &value, &value_size);
    if (e == 0) {
        size_t n = value == NULL || value_size < 0 ? 0 : (size_t) value_size;
        self->host->answer (call, n == 0 ? "" : value, n == 0 ? 0 : strnlen (value, n));
    }
    free (value);
    return e;
}

/* Some maps count the byte 0 at the end of a key, others do not.  What was right once is
 * right for the whole map. */
static int
match_both (NisTable *self, HkCall *call, const char *key, int size)
{
    int e = YPERR_KEY;
    if (self->tries_nul) {
        e = match (self, call, key, size + 1);
        if (e == 0)
            self->tries_plain = false;
    }
    if (e == YPERR_KEY && self->tries_plain) {
        e = match (self, call, key, size);
        if (e == 0)
            self->tries_nul = false;
    }
    return e;
}

static HkAnswer
nis_get (void *instance, HkCall *call, HkSpan key)
{
    NisTable *self = instance;
    if (key.size == 0 || key.size > MAX_KEY)
        return HK_ABSENT;
    g_autofree char *text = g_strndup ((const char *) key.data, key.size);
    int e = match_both (self, call, text, (int) key.size);
    if (e == 0)
        return HK_FOUND;
    if (e == YPERR_KEY)
        return HK_ABSENT;
    if (e == YPERR_MAP)
        return self->host->broken (call, "nis:%s: NIS domain %s has no such map", self->map,
                                   self->domain);
    return self->host->later (call, "nis:%s: NIS domain %s: %s", self->map, self->domain,
                              yperr_string (e));
}

static const HkLookupClass nis_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "nis",
             /* One lookup at a time: an instance learns how its map is written. */
             .flags = HK_MAY_BLOCK,
             .open = nis_open,
             .close = nis_close},
    .get = nis_get,
};

HK_PLUGIN (lookup_nis, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "nis: tables, maps of the host's NIS domain",
           .classes = HK_CLASSES (&nis_class.base))
