/* words.h: what the words of smtpd_*_restrictions share: an instance that knows the host's
 * services and one reply code, and how a word is declared.  Static functions only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_RESTRICTION_WORDS_H
#define HK_PLUGINS_RESTRICTION_WORDS_H

#include <glib.h>
#include <hikyaku/restriction.h>
#include <stdbool.h>
#include <string.h>

#define ARG(s) (int) (s).size, (const char *) (s).data

typedef struct {
    const HkHost *host;
    int32_t code; /* of the reply, from the parameter of the word; 0: none */
} Word;

static inline HkAnswer
word_open (const HkHost *host, const HkConf *conf, const char *parameter,
           void **out_instance)
{
    Word *self = g_new0 (Word, 1);
    self->host = host;
    if (parameter != NULL)
        self->code = (int32_t) host->conf_int (conf, parameter);
    *out_instance = self;
    return HK_OK;
}

/* FN: an `open` that reads the reply code from PARAMETER (NULL: there is none). */
#define WORD_OPEN(fn, parameter)                                                           \
    static HkAnswer fn (const HkHost *host, const HkConf *conf, HkCall *call,              \
                        void **out_instance)                                               \
    {                                                                                      \
        (void) call;                                                                       \
        return word_open (host, conf, parameter, out_instance);                            \
    }

static inline void
word_close (void *instance)
{
    g_free (instance);
}

/* Empty when there is none. */
static inline HkSpan
word_text (const Word *self, HkCall *call, uint32_t prop)
{
    HkSpan value = {NULL, 0};
    return self->host->prop (call, prop, &value) == HK_FOUND ? value : (HkSpan){NULL, 0};
}

/* The sender or recipient as it is looked up in tables; from an older host as it came. */
static inline HkSpan
word_sender (const Word *self, HkCall *call)
{
    HkSpan value = word_text (self, call, HK_PROP_SENDER_STANDARD);
    return value.size > 0 ? value : word_text (self, call, HK_PROP_SENDER);
}

static inline HkSpan
word_recipient (const Word *self, HkCall *call)
{
    HkSpan value = word_text (self, call, HK_PROP_RECIPIENT_STANDARD);
    return value.size > 0 ? value : word_text (self, call, HK_PROP_RECIPIENT);
}

static inline bool
span_is (HkSpan span, const char *text)
{
    return span.size == strlen (text) && memcmp (span.data, text, span.size) == 0;
}

#define WORD_CODE_PARAM(n, p, h)                                                           \
    {                                                                                      \
        .name = n, .type = HK_PARAM_INT, .flags = HK_PARAM_RELOADABLE, .preset = p,        \
        .min = 400, .max = 599, .help = h                                                  \
    }

#define WORD_CLASS(symbol, word, n, flag_bits, parameters, opener, closer, checker, need)  \
    static const HkRestrictionClass symbol = {                                             \
        .base = {.size = sizeof (HkRestrictionClass),                                      \
                 .kind = HK_KIND_RESTRICTION,                                              \
                 .class_minor = HK_RESTRICTION_MINOR,                                      \
                 .name = word,                                                             \
                 .flags = flag_bits,                                                       \
                 .params = parameters,                                                     \
                 .open = opener,                                                           \
                 .close = closer},                                                         \
        .n_words = n,                                                                      \
        .needs = need,                                                                     \
        .check = checker,                                                                  \
    }
/* A word without arguments that never waits. */
#define WORD(symbol, word, parameters, opener, checker, need)                              \
    WORD_CLASS (symbol, word, 0, HK_THREAD_SAFE, parameters, opener, word_close, checker,  \
                need)

#endif
