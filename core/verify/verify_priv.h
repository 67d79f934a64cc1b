/* verify_priv.h: the cache from inside: entries in order of use, and the file behind them.
 */
#ifndef HK_VERIFY_PRIV_H
#define HK_VERIFY_PRIV_H

#include "verify/verify.h"

#include <gio/gio.h>

typedef struct {
    char *key;
    char *text;
    int64_t probed_s, updated_s;
    int32_t status;
    GList link; /* in `order` */
} Entry;

typedef struct {
    int fd; /* -1: memory only, or writing has failed */
    char *path;
    size_t n_records;      /* in the file */
    GByteArray *meanwhile; /* records since a rewrite began; NULL: none is under way */
    size_t n_meanwhile;
} File;

struct HkVerifyCache {
    HkVerifyRules rules;
    GHashTable *entries; /* key → Entry */
    GQueue order;        /* Entry; asked most recently first */
    GList *sweep_at;     /* the next one; NULL: a sweep begins */
    bool is_sweeping;
    size_t n_dropped;
    File file;
};

/* cache.c */
void hk_verify_cache_put (HkVerifyCache *self, const char *key, const HkVerifyEntry *entry);
void hk_verify_cache_drop (HkVerifyCache *self, const char *key);

/* file.c.  ENTRY NULL: KEY is forgotten. */
bool hk_verify_file_open (HkVerifyCache *self, const char *path, GError **error);
void hk_verify_file_close (HkVerifyCache *self);
void hk_verify_file_note (HkVerifyCache *self, const char *key, const Entry *entry);

#endif
