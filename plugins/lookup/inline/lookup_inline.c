/* lookup_inline.c: "inline:{ key = value, { key = text with blanks } }" tables.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../pairs.h"
#include <hikyaku/lookup.h>
#include <hikyaku/textfile.h>

#include <stdbool.h>

typedef struct {
    const HkHost *host;
    Pairs *pairs;
} InlineTable;

static bool
is_separator (char c)
{
    return hk_is_blank (c) || c == ',' || c == '\n';
}

/* The next "name=value" or "{ name = value }"; false at the end, or at what is wrong, then
 * with *WHY. */
static bool
next_item (const char **p, const char *end, HkSpan *out, const char **why)
{
    const char *begin;
    while (*p < end && is_separator (**p))
        (*p)++;
    if (*p == end)
        return false;
    begin = *p;
    const char *close = *begin == '{' ? hk_brace_end (begin, end) : NULL;
    if (close != NULL) {
        *p = close + 1;
        *out = hk_strip_blanks (begin + 1, close);
        if (*p < end && !is_separator (**p)) {
            *why = "syntax error after '}'";
            return false;
        }
        return true;
    }
    while (*p < end && !is_separator (**p))
        (*p)++;
    *out = hk_strip_blanks (begin, *p);
    return true;
}

static bool
add_item (Pairs *pairs, HkSpan item)
{
    const char *p = (const char *) item.data, *end = p + item.size;
    const char *sign = item.size == 0 ? NULL : memchr (p, '=', item.size);
    if (sign == NULL)
        return false;
    HkSpan key = hk_strip_blanks (p, sign);
    for (size_t i = 0; i < key.size; i++)
        if (is_separator ((char) key.data[i]) && key.data[i] != ',')
            return false;
    pairs_add (pairs, key, hk_strip_blanks (sign + 1, end), TRUE); /* the last one wins */
    return true;
}

static const char *
parse (HkSpan argument, Pairs *pairs)
{
    const char *p = (const char *) argument.data, *end = p + argument.size, *why = NULL;
    HkSpan item;
    if (argument.size == 0 || *p != '{' || hk_brace_end (p, end) != end - 1)
        return "bad syntax";
    end--;
    p++;
    if (hk_strip_blanks (p, end).size == 0)
        return "bad syntax";
    while (next_item (&p, end, &item, &why))
        if (!add_item (pairs, item))
            return "missing '=' after attribute name";
    return why;
}

static HkAnswer
inline_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan argument = host->conf_argument (conf);
    Pairs *pairs = pairs_new ();
    const char *why = parse (argument, pairs);
    if (why != NULL) {
        pairs_free (pairs);
        return host->broken (call, "%s: \"inline:%.*s\"; need \"inline:{name=value...}\"",
                             why, (int) argument.size, (const char *) argument.data);
    }
    InlineTable *self = g_new (InlineTable, 1);
    self->host = host;
    self->pairs = pairs;
    *out_instance = self;
    return HK_OK;
}

static void
inline_close (void *instance)
{
    InlineTable *self = instance;
    pairs_free (self->pairs);
    g_free (self);
}

static HkAnswer
inline_get (void *instance, HkCall *call, HkSpan key)
{
    InlineTable *self = instance;
    const Pair *pair = pairs_find (self->pairs, key);
    if (pair == NULL)
        return HK_ABSENT;
    self->host->answer (call, pair->value, pair->value_size);
    return HK_FOUND;
}

/* The cursor is a number: what to show next, plus one, as a pointer. */
static HkAnswer
inline_each (void *instance, HkCall *call, void **cursor, int32_t keep)
{
    InlineTable *self = instance;
    const GArray *rows = self->pairs->rows;
    guint i = GPOINTER_TO_UINT (*cursor);
    if (!keep || i >= rows->len) {
        *cursor = NULL;
        return HK_ABSENT;
    }
    const Pair *pair = &g_array_index (rows, Pair, i);
    self->host->answer (call, pair->key, pair->key_size);
    self->host->answer (call, pair->value, pair->value_size);
    *cursor = GUINT_TO_POINTER (i + 1);
    return HK_FOUND;
}

static const HkLookupClass inline_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "inline",
             .flags = HK_THREAD_SAFE,
             .open = inline_open,
             .close = inline_close},
    .get = inline_get,
    .each = inline_each,
};

HK_PLUGIN (lookup_inline, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "inline: tables, written in the configuration itself",
           .classes = HK_CLASSES (&inline_class.base))
