/* wrap.h: "{type:name, type:name}": what tables made of other tables share.
 *
 * Static functions only: nothing here is visible outside the plugin that includes it. */
#ifndef HK_PLUGINS_LOOKUP_WRAP_H
#define HK_PLUGINS_LOOKUP_WRAP_H

#include <hikyaku/lookup.h>
#include <hikyaku/textfile.h>

#include <glib.h>
#include <stdbool.h>

/* The next word of a list parted by blanks and commas; braces keep a word together.  False
 * at the end. */
static inline bool
wrap_next_word (HkSpan *rest, HkSpan *out)
{
    const char *p = (const char *) rest->data, *end = p + rest->size, *begin;
    int depth = 0;
    while (p < end && (hk_is_blank (*p) || *p == ',' || *p == '\n'))
        p++;
    for (begin = p; p < end; p++) {
        if (*p == '{')
            depth++;
        else if (*p == '}')
            depth--;
        else if (depth <= 0 && (hk_is_blank (*p) || *p == ',' || *p == '\n'))
            break;
    }
    *out = (HkSpan){(const uint8_t *) begin, (size_t) (p - begin)};
    *rest = (HkSpan){(const uint8_t *) p, (size_t) (end - p)};
    return out->size > 0;
}

/* What stands between the braces around ARGUMENT; false: none do, or nothing is inside. */
static inline bool
wrap_inside (HkSpan argument, HkSpan *out)
{
    const char *p = (const char *) argument.data, *end = p + argument.size;
    if (argument.size < 2 || *p != '{' || hk_brace_end (p, end) != end - 1)
        return false;
    *out = hk_strip_blanks (p + 1, end - 1);
    HkSpan rest = *out, word;
    return wrap_next_word (&rest, &word);
}

/* ---- several tables */

typedef struct {
    const HkHost *host;
    GPtrArray *tables; /* HkTable */
} WrapTables;

static inline void
wrap_close (void *instance)
{
    WrapTables *self = instance;
    for (guint i = 0; i < self->tables->len; i++)
        self->host->table_close (g_ptr_array_index (self->tables, i));
    g_ptr_array_unref (self->tables);
    g_free (self);
}

/* The tables of "{…}"; TYPE is for messages. */
static inline HkAnswer
wrap_open (const HkHost *host, const HkConf *conf, HkCall *call, const char *type,
           void **out_instance)
{
    HkSpan argument = host->conf_argument (conf), rest, word;
    bool is_good = wrap_inside (argument, &rest);
    HkAnswer answer = HK_OK;
    WrapTables *self = g_new (WrapTables, 1);
    self->host = host;
    self->tables = g_ptr_array_new ();
    while (is_good && answer == HK_OK && wrap_next_word (&rest, &word)) {
        HkTable *table;
        is_good = memchr (word.data, ':', word.size) != NULL;
        if (is_good && (answer = host->table_open (host, call, word, &table)) == HK_OK)
            g_ptr_array_add (self->tables, table);
    }
    if (!is_good)
        answer =
            host->broken (call, "bad syntax: \"%s:%.*s\"; need \"%s:{type:name...}\"", type,
                          (int) argument.size, (const char *) argument.data, type);
    if (answer == HK_OK)
        *out_instance = self;
    else
        wrap_close (self);
    return answer;
}

#endif
