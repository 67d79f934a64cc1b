/* lookup_pcre_match.c: one pattern against one key, bounded in steps, memory and time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PCRE2 counts steps anew for each place where a match could begin, and compiled code does
 * not count all of them: /\s+$/ takes a time that grows with the square of a run of blanks.
 * So a long key is searched in slices of its places, and the processor time is looked at in
 * between. */
#include "lookup_pcre.h"

#include <time.h>

enum {
    SLICE = 256,           /* places where a match may begin, between two looks */
    LONG_KEY = 1024,       /* bytes; a shorter key cannot take long within its limits */
    BUDGET_US = 500000,    /* processor time of one key, all patterns together */
    MAX_LIMITS_MET = 8,    /* patterns that met a limit, of one key */
    STACK_MIN = 32 * 1024, /* bytes of the stack of compiled code */
    STACK_MAX = 1024 * 1024,
    HEAP_KIB = 20000,
};

struct LookupPcreScratch {
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    pcre2_match_data *plain;  /* for "does it match" */
    pcre2_match_data *groups; /* NULL until needed */
    guint n_groups;           /* room in it */
    HkSpan key;
    LiteralsKey literals;
    int64_t deadline_us; /* of processor time; set at the first need */
    guint n_limits_met;
    bool is_late;
};

LookupPcreScratch *
lookup_pcre_scratch_new (const LookupPcreLimits *limits)
{
    LookupPcreScratch *self = g_new0 (LookupPcreScratch, 1);
    self->context = pcre2_match_context_create (NULL);
    self->stack = pcre2_jit_stack_create (STACK_MIN, STACK_MAX, NULL);
    self->plain = pcre2_match_data_create (1, NULL);
    if (self->context == NULL || self->plain == NULL)
        g_error ("out of memory");
    pcre2_set_match_limit (self->context, limits->match_limit);
    pcre2_set_depth_limit (self->context, limits->depth_limit);
    pcre2_set_heap_limit (self->context, HEAP_KIB);
    if (self->stack != NULL)
        pcre2_jit_stack_assign (self->context, NULL, self->stack);
    return self;
}

void
lookup_pcre_scratch_free (LookupPcreScratch *self)
{
    if (self == NULL)
        return;
    pcre2_match_data_free (self->groups);
    pcre2_match_data_free (self->plain);
    pcre2_jit_stack_free (self->stack);
    pcre2_match_context_free (self->context);
    g_free (self);
}

void
lookup_pcre_scratch_begin (LookupPcreScratch *self, HkSpan key)
{
    static const uint8_t empty[1];
    self->key = key.data == NULL ? (HkSpan){empty, 0} : key;
    self->deadline_us = 0;
    self->n_limits_met = 0;
    self->is_late = false;
    literals_key (&self->literals, key);
}

bool
lookup_pcre_is_spent (const LookupPcreScratch *self)
{
    return self->is_late || self->n_limits_met >= MAX_LIMITS_MET;
}

static int64_t
processor_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int
run (LookupPcreScratch *self, const LookupPcreRegex *regex, pcre2_match_data *data,
     size_t start)
{
    if (regex->has_jit)
        return pcre2_jit_match (regex->code, self->key.data, self->key.size, start, 0, data,
                                self->context);
    return pcre2_match (regex->code, self->key.data, self->key.size, start, 0, data,
                        self->context);
}

static int
run_in_slices (LookupPcreScratch *self, const LookupPcreRegex *regex,
               pcre2_match_data *data)
{
    int got = PCRE2_ERROR_NOMATCH;
    if (self->deadline_us == 0)
        self->deadline_us = processor_us () + BUDGET_US;
    for (size_t at = 0; got == PCRE2_ERROR_NOMATCH && at <= self->key.size; at += SLICE) {
        pcre2_set_offset_limit (self->context, at + SLICE - 1);
        got = run (self, regex, data, at);
        if (got == PCRE2_ERROR_NOMATCH && processor_us () > self->deadline_us) {
            self->is_late = true;
            got = PCRE2_ERROR_MATCHLIMIT;
        }
    }
    pcre2_set_offset_limit (self->context, PCRE2_UNSET);
    return got;
}

static pcre2_match_data *
data_for (LookupPcreScratch *self, guint n_groups)
{
    if (n_groups == 0)
        return self->plain;
    if (self->n_groups < n_groups) {
        pcre2_match_data_free (self->groups);
        self->groups = pcre2_match_data_create (n_groups + 1, NULL);
        if (self->groups == NULL)
            g_error ("out of memory");
        self->n_groups = n_groups;
    }
    return self->groups;
}

int
lookup_pcre_match (LookupPcreScratch *self, const LookupPcreRegex *regex, guint n_groups)
{
    if (self->key.size < regex->min_length ||
        !literals_may_match (&regex->literals, &self->literals))
        return 0;
    pcre2_match_data *data = data_for (self, n_groups);
    int got = self->key.size >= LONG_KEY && !regex->is_anchored
                  ? run_in_slices (self, regex, data)
                  : run (self, regex, data, 0);
    if (got >= 0)
        return 1;
    if (got == PCRE2_ERROR_NOMATCH)
        return 0;
    self->n_limits_met++;
    return got;
}

HkSpan
lookup_pcre_group (const LookupPcreScratch *self, guint n)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer (self->groups) + 2 * (size_t) n;
    if (n > self->n_groups || at[0] == PCRE2_UNSET || at[1] < at[0])
        return (HkSpan){NULL, 0};
    return (HkSpan){self->key.data + at[0], at[1] - at[0]};
}
