/* lookup_pcre.h: what the files of this plugin share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_LOOKUP_PCRE_H
#define HK_LOOKUP_PCRE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "../literals.h"
#include "../rules.h"

/* ---- lookup_pcre_rules.c: the text */

typedef struct {
    pcre2_code *code;
    Literals literals;  /* a key without these cannot match */
    guint32 min_length; /* of a key that can match */
    bool has_jit;
    bool is_anchored; /* one search decides: there is nothing to cut into slices */
    gint was_said;    /* that it met a limit */
} LookupPcreRegex;

void *lookup_pcre_parse (Source *source, char *data, size_t size); /* Rules */

/* ---- lookup_pcre_match.c: one pattern, one key, bounded */

typedef struct {
    guint32 match_limit, depth_limit;
} LookupPcreLimits;

/* Working memory of one lookup at a time. */
typedef struct LookupPcreScratch LookupPcreScratch;

LookupPcreScratch *lookup_pcre_scratch_new (const LookupPcreLimits *limits);
void lookup_pcre_scratch_free (LookupPcreScratch *self);

/* A new key, borrowed until the next; the clock of the lookup starts. */
void lookup_pcre_scratch_begin (LookupPcreScratch *self, HkSpan key);

/* Does the key match?  1, 0, or an error of PCRE2 (negative).  With N_GROUPS the groups can
 * be asked for afterwards. */
int lookup_pcre_match (LookupPcreScratch *self, const LookupPcreRegex *regex,
                       guint n_groups);
HkSpan lookup_pcre_group (const LookupPcreScratch *self, guint n);

/* True: this key has cost more than any key may. */
bool lookup_pcre_is_spent (const LookupPcreScratch *self);

#endif
