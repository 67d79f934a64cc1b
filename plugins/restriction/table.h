/* table.h: what the check_*_access words share: a table, and what it says about a key of the
 * session (access(5)).  Static functions only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_RESTRICTION_TABLE_H
#define HK_PLUGINS_RESTRICTION_TABLE_H

#include "words.h"

typedef struct {
    Word word; /* first: word_text takes it */
    HkTable *table;
    HkSpan null_key; /* smtpd_null_access_lookup_key; lives as long as the configuration */
} TableWord;

/* SELF is zeroed and has its first fields set; the table is opened. */
static inline HkAnswer
table_word_init (TableWord *self, const HkHost *host, const HkConf *conf, HkCall *call)
{
    HkSpan spec = host->conf_word (conf, 0);
    if (memchr (spec.data, ':', spec.size) == NULL)
        return host->broken (call, "bad argument \"%.*s\": need maptype:mapname",
                             ARG (spec));
    self->word.host = host;
    return host->table_open (host, call, spec, &self->table);
}

static inline HkAnswer
table_word_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    TableWord *self = g_new0 (TableWord, 1);
    HkAnswer answer = table_word_init (self, host, conf, call);
    if (answer == HK_OK)
        *out_instance = self;
    else
        g_free (self);
    return answer;
}

static inline void
table_word_close (void *instance)
{
    TableWord *self = instance;
    self->word.host->table_close (self->table);
    g_free (self);
}

/* One search; what it finds is carried out.  ABSENT: nothing was found.  A table without an
 * answer counts as one that says so, in Postfix's words. */
static inline HkAnswer
table_word_search (const TableWord *self, HkCall *call, int32_t order, HkSpan key)
{
    static const char broken[] = "451 4.3.5 Server configuration error";
    HkSpan action, list_subject = {NULL, 0};
    HkAnswer answer =
        self->word.host->table_search (self->table, call, order, key, &action);
    if (answer == HK_ABSENT)
        return HK_ABSENT;
    if (answer != HK_FOUND)
        action = (HkSpan){(const uint8_t *) broken, sizeof broken - 1};
    return self->word.host->action (call, action, list_subject);
}

static inline HkAnswer
table_word_check_key (const TableWord *self, HkCall *call, HkSpan key, int32_t order)
{
    if (key.size == 0)
        return HK_DUNNO;
    HkAnswer answer = table_word_search (self, call, order, key);
    return answer == HK_ABSENT ? HK_DUNNO : answer;
}

static inline HkAnswer
table_word_check (const TableWord *self, HkCall *call, uint32_t prop, int32_t order)
{
    return table_word_check_key (self, call, word_text (&self->word, call, prop), order);
}

#define TABLE_WORD(symbol, word, parameters, checker, need)                                \
    WORD_CLASS (symbol, word, 1, HK_THREAD_SAFE, parameters, table_word_open,              \
                table_word_close, checker, need)

#endif
