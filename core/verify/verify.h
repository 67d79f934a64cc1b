/* verify.h: the cache of address verification: which addresses exist, as probes told.
 *
 * An entry is an answer (HK_VERIFY_DELIVERABLE, _DEFERRED, _UNDELIVERABLE) with its text
 * and time.  It counts until it expires and is probed anew from its refresh time on, when
 * somebody asks (verify(8)).  A failed probe does not replace a good answer that has not
 * expired.
 *
 *   nothing ──probe──▶ answer ──refresh time──▶ answer, and a probe ──expire time──▶
 * nothing
 *
 * Bounded: what was asked least recently makes room.  Kept in a file (doc/formats.md) that
 * grows by a record for each change; it is written anew when most of it is old.  Losing it
 * costs probes, nothing else: it is never synced.  One thread, unless said otherwise. */
#ifndef HK_VERIFY_H
#define HK_VERIFY_H

#include "base/bytes.h"

/* A longer address is not kept, a longer text is cut. */
enum { HK_VERIFY_ADDRESS_MAX = 1024, HK_VERIFY_TEXT_MAX = 512 };
/* Seconds until a probe that refreshes is repeated, when it did not help (verify(8)). */
enum { HK_VERIFY_PROBE_TTL = 1000 };

typedef struct {
    int64_t positive_expire, positive_refresh, negative_expire,
        negative_refresh; /* seconds */
    bool keeps_negative;  /* address_verify_negative_cache */
    size_t limit;         /* entries; at least 1 */
} HkVerifyRules;

typedef struct {
    int32_t status;              /* HK_VERIFY_* */
    int64_t probed_s, updated_s; /* since 1970; probed_s 0: no probe since updated_s */
    const char *text;            /* borrowed until the next call on the cache */
} HkVerifyEntry;

typedef struct HkVerifyCache HkVerifyCache;
/* PATH NULL: in memory only.  A file that does not read as ours is an error and stays as it
 * is; a torn end is cut off. */
HkVerifyCache *hk_verify_cache_open (const char *path, const HkVerifyRules *rules,
                                     GError **error);
void hk_verify_cache_free (HkVerifyCache *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkVerifyCache, hk_verify_cache_free)
void hk_verify_cache_set_rules (HkVerifyCache *self, const HkVerifyRules *rules);

/* The name that ADDRESS has in the cache: its domain in lower case; g_free it. */
char *hk_verify_key (HkSpan address);
/* What is known of KEY.  Nothing: status HK_VERIFY_PENDING.  True: a probe is due. */
bool hk_verify_cache_ask (HkVerifyCache *self, const char *key, int64_t now_s,
                          HkVerifyEntry *out);
void hk_verify_cache_probed (HkVerifyCache *self, const char *key, int64_t now_s);
/* A probe has ended so.  False: the answer is not kept. */
bool hk_verify_cache_update (HkVerifyCache *self, const char *key, int32_t status,
                             HkSpan text, int64_t now_s);
bool hk_verify_cache_forget (HkVerifyCache *self, const char *key); /* false: not there */
size_t hk_verify_cache_count (const HkVerifyCache *self);

/* Drop what has expired.  Goes on where the last call stopped, at most MAX entries; true:
 * it has come to the end, and *OUT_DROPPED of all entries since the beginning went. */
bool hk_verify_cache_sweep (HkVerifyCache *self, int64_t now_s, size_t max,
                            size_t *out_dropped);

/* ---- writing the file anew, without the old records: begin and end on the owner's thread,
 * run on any.  End makes the new file the cache's, with what has changed meanwhile. */
typedef struct HkVerifyRewrite HkVerifyRewrite;
bool hk_verify_cache_wants_rewrite (const HkVerifyCache *self);
HkVerifyRewrite *hk_verify_rewrite_begin (HkVerifyCache *self);
void hk_verify_rewrite_run (HkVerifyRewrite *self);
bool hk_verify_rewrite_end (HkVerifyRewrite *self, GError **error);

/* ---- reading the file of a cache that another process has open; NULL, or a message */
typedef void (*HkVerifyEntryFn) (const char *key, const HkVerifyEntry *entry, void *data);
bool hk_verify_file_read (const char *path, HkVerifyEntryFn fn, void *data, GError **error);
/* The file of address_verify_map: "btree:/x" is "/x.hk/answers"; NULL: none (empty). */
char *hk_verify_path (const char *address_verify_map);
/* Make the directory of PATH, for UID and GID (-1: as it comes).  It has to be there before
 * the cache is opened, by somebody who may make it. */
bool hk_verify_prepare (const char *path, int64_t uid, int64_t gid, GError **error);
const char *hk_verify_status_name (int32_t status); /* "deliverable", … */

#endif
