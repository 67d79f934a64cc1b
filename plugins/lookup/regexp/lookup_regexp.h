/* lookup_regexp.h: what the three files of this plugin share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_LOOKUP_REGEXP_H
#define HK_LOOKUP_REGEXP_H

#include "../literals.h"
#include "../rules.h"

/* The names that the library shares with <regex.h> stay out of sight. */
#define ONIG_ESCAPE_REGEX_T_COLLISION
#include <oniguruma.h>

/* ---- lookup_regexp_onig.c: Oniguruma, reached without linking to it */

/* The library exports regcomp, regexec and the like: a program that is linked with it gets
 * these for the whole process.  So it is loaded with RTLD_LOCAL and asked by name. */
typedef struct {
    __typeof__ (onig_initialize) *initialize;
    __typeof__ (onig_new) *new_regex;
    __typeof__ (onig_free) *free_regex;
    __typeof__ (onig_search_with_param) *search;
    __typeof__ (onig_number_of_captures) *n_captures;
    __typeof__ (onig_error_code_to_str) *error_text;
    __typeof__ (onig_region_new) *region_new;
    __typeof__ (onig_region_free) *region_free;
    __typeof__ (onig_new_match_param) *param_new;
    __typeof__ (onig_free_match_param) *param_free;
    __typeof__ (onig_set_retry_limit_in_match_of_match_param) *limit_match;
    __typeof__ (onig_set_retry_limit_in_search_of_match_param) *limit_search;
    __typeof__ (onig_set_match_stack_limit_size_of_match_param) *limit_stack;
    __typeof__ (onig_copy_syntax) *copy_syntax;
    OnigEncodingType *ascii;
    OnigSyntaxType *extended, *basic;
} LookupRegexpOnig;

/* Loads it once.  NULL: OUT_WHY says why not.  Main thread. */
const LookupRegexpOnig *lookup_regexp_onig (const char **out_why);

/* ---- lookup_regexp_rules.c: the text */

typedef struct {
    OnigRegex onig;
    Literals literals; /* a key without these cannot match */
} LookupRegexpRegex;

void *lookup_regexp_parse (Source *source, char *data, size_t size); /* Rules */

#endif
