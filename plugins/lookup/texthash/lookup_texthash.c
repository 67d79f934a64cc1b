/* lookup_texthash.c: "texthash:" tables: the text that postmap reads, used as it is.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../pairs.h"
#include "../source.h"

typedef struct {
    Source source;   /* first: `parse` gets this */
    bool wants_utf8; /* smtputf8_enable, as for the tables that postmap makes */
} TexthashTable;

static void
warn (Source *source, uint32_t line, const char *text)
{
    source->host->log (source->host, HK_LOG_WARNING, "%s, line %u: %s", source->name,
                       (unsigned) line, text);
}

static void
add_line (Source *source, Pairs *pairs, HkSpan line, uint32_t number)
{
    const TexthashTable *self = (const TexthashTable *) (const void *) source;
    HkSpan key, value;
    if (self->wants_utf8 &&
        !g_utf8_validate ((const char *) line.data, (gssize) line.size, NULL)) {
        warn (source, number, "non-UTF-8 input -- ignoring this line");
        return;
    }
    switch (hk_lines_pair (line, &key, &value)) {
    case HK_PAIR_UNBALANCED:
        warn (source, number, "unbalanced '\"' -- ignoring this line");
        return;
    case HK_PAIR_NO_VALUE:
        warn (source, number,
              "expected format: key whitespace value -- ignoring this line");
        return;
    default:
        break;
    }
    if (key.data[key.size - 1] == ':')
        warn (source, number, "record is in \"key: value\" format; is this an alias file?");
    if (!pairs_add (pairs, key, value, FALSE))
        source->host->log (source->host, HK_LOG_WARNING,
                           "%s, line %u: duplicate entry: \"%.*s\"", source->name,
                           (unsigned) number, (int) key.size, (const char *) key.data);
}

static void *
parse (Source *source, char *data, size_t size)
{
    Pairs *pairs = pairs_new ();
    HkLines lines = hk_lines (data, size);
    HkSpan line;
    uint32_t number;
    int got;
    while ((got = hk_lines_next (&lines, &line, &number)) != 0) {
        if (got > 0)
            add_line (source, pairs, line, number);
        else
            source->host->log (source->host, HK_LOG_WARNING,
                               "%s, line %u: logical line must not start with whitespace",
                               source->name, (unsigned) number);
    }
    return pairs;
}

static HkAnswer
texthash_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan utf8 = host->conf_string (conf, "smtputf8_enable");
    TexthashTable *self = g_new0 (TexthashTable, 1);
    self->wants_utf8 = utf8.size == 3 && memcmp (utf8.data, "yes", 3) == 0;
    self->source.parse = parse;
    self->source.free_table = pairs_free;
    HkAnswer answer =
        source_open (&self->source, host, host->conf_argument (conf), false, call);
    if (answer != HK_OK)
        g_free (self);
    else
        *out_instance = self;
    return answer;
}

static void
texthash_close (void *instance)
{
    TexthashTable *self = instance;
    source_close (&self->source);
    g_free (self);
}

static HkAnswer
texthash_get (void *instance, HkCall *call, HkSpan key)
{
    TexthashTable *self = instance;
    SourceText *text = source_get (&self->source);
    const Pair *pair = pairs_find (text->table, key);
    if (pair != NULL)
        self->source.host->answer (call, pair->value, pair->value_size);
    source_text_unref (text);
    return pair != NULL ? HK_FOUND : HK_ABSENT;
}

typedef struct {
    SourceText *text;
    guint next;
} Cursor;

static HkAnswer
texthash_each (void *instance, HkCall *call, void **cursor, int32_t keep)
{
    TexthashTable *self = instance;
    Cursor *at = *cursor;
    if (at == NULL && keep) {
        *cursor = at = g_new0 (Cursor, 1);
        at->text = source_get (&self->source);
    }
    const Pairs *pairs = at != NULL ? at->text->table : NULL;
    if (keep && at->next < pairs->rows->len) {
        const Pair *pair = &g_array_index (pairs->rows, Pair, at->next++);
        self->source.host->answer (call, pair->key, pair->key_size);
        self->source.host->answer (call, pair->value, pair->value_size);
        return HK_FOUND;
    }
    if (at != NULL)
        source_text_unref (at->text);
    g_free (at);
    *cursor = NULL;
    return HK_ABSENT;
}

static const HkLookupClass texthash_class = {
    .base = {.size = sizeof (HkLookupClass),
             .kind = HK_KIND_LOOKUP,
             .class_minor = HK_LOOKUP_MINOR,
             .name = "texthash",
             .flags = HK_THREAD_SAFE,
             .open = texthash_open,
             .close = texthash_close},
    .get = texthash_get,
    .each = texthash_each,
};

HK_PLUGIN (lookup_texthash, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "texthash: tables, plain text that is read again when it changes",
           .classes = HK_CLASSES (&texthash_class.base))
