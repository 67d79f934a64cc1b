/* lookup_regexp_onig.c: Oniguruma, reached without linking to it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lookup_regexp.h"

#include <dlfcn.h>

/* The name that the library's own file carries; 5 since 6.8. */
#ifndef LOOKUP_REGEXP_LIBRARY
#define LOOKUP_REGEXP_LIBRARY "libonig.so.5"
#endif

typedef struct {
    const char *symbol;
    size_t offset;
} Want;

#define WANT(symbol, member)                                                               \
    {                                                                                      \
#symbol, offsetof(LookupRegexpOnig, member)                                        \
    }

static const Want wanted[] = {
    WANT (onig_initialize, initialize),
    WANT (onig_new, new_regex),
    WANT (onig_free, free_regex),
    WANT (onig_search_with_param, search),
    WANT (onig_number_of_captures, n_captures),
    WANT (onig_error_code_to_str, error_text),
    WANT (onig_region_new, region_new),
    WANT (onig_region_free, region_free),
    WANT (onig_new_match_param, param_new),
    WANT (onig_free_match_param, param_free),
    WANT (onig_set_retry_limit_in_match_of_match_param, limit_match),
    WANT (onig_set_retry_limit_in_search_of_match_param, limit_search),
    WANT (onig_set_match_stack_limit_size_of_match_param, limit_stack),
    WANT (onig_copy_syntax, copy_syntax),
    WANT (OnigEncodingASCII, ascii),
    WANT (OnigSyntaxGnuRegex, extended),
    WANT (OnigSyntaxGrep, basic),
};

static const char *
resolve (LookupRegexpOnig *out)
{
    void *library = dlopen (LOOKUP_REGEXP_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return dlerror ();
    for (size_t i = 0; i < G_N_ELEMENTS (wanted); i++) {
        void *address = dlsym (library, wanted[i].symbol);
        if (address == NULL)
            return dlerror ();
        memcpy ((char *) out + wanted[i].offset, &address, sizeof address);
    }
    OnigEncoding encodings[] = {out->ascii};
    return out->initialize (encodings, 1) == ONIG_NORMAL ? NULL : "onig_initialize failed";
}

const LookupRegexpOnig *
lookup_regexp_onig (const char **out_why)
{
    static LookupRegexpOnig onig; /* of the process, as the library is */
    static const char *why;
    static gsize is_done;
    if (g_once_init_enter (&is_done)) {
        why = g_strdup (resolve (&onig));
        g_once_init_leave (&is_done, 1);
    }
    if (out_why != NULL)
        *out_why = why;
    return why == NULL ? &onig : NULL;
}
