/* address.h: what the words about senders and about recipients share.  Static functions
 * only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HK_PLUGINS_RESTRICTION_ADDRESS_H
#define HK_PLUGINS_RESTRICTION_ADDRESS_H

#include "names.h"
#include "words.h"

/* reject_non_fqdn_*. */
static inline HkAnswer
address_check_fqdn (const Word *self, HkCall *call, uint32_t prop, const char *class)
{
    HkSpan address = word_text (self, call, prop);
    if (address.size == 0 || address_is_fqdn (address))
        return HK_DUNNO;
    return self->host->reply (call, HK_REJECT, self->code, "5.5.2",
                              "<%.*s>: %s rejected: need fully-qualified address",
                              ARG (address), class);
}

/* REASON: "550 5.1.1 User unknown in …"; DSN: what an unknown address of this class has. */
static inline HkAnswer
address_refuse_unlisted (const Word *self, HkCall *call, HkSpan address, const char *class,
                         const char *dsn, HkSpan reason)
{
    g_autofree char *text = g_strndup ((const char *) reason.data, reason.size);
    char *given = strchr (text, ' '), *what = given == NULL ? NULL : strchr (given + 1, ' ');
    if (what == NULL)
        return self->host->reply (call, HK_REJECT, 550, dsn, "<%.*s>: %s rejected: %s",
                                  ARG (address), class, text);
    *what++ = '\0';
    if (strcmp (given + 1, "5.1.1") != 0)
        dsn = given + 1;
    return self->host->reply (call, HK_REJECT, (int32_t) g_ascii_strtoll (text, NULL, 10),
                              dsn, "<%.*s>: %s rejected: %s", ARG (address), class, what);
}

/* reject_unlisted_*. */
static inline HkAnswer
address_check_listed (const Word *self, HkCall *call, uint32_t prop, const char *class,
                      const char *dsn)
{
    HkSpan reason = {NULL, 0}, address = word_text (self, call, prop);
    if (address.size == 0)
        return HK_DUNNO;
    HkAnswer answer = self->host->listed (call, address, &reason);
    if (answer != HK_ABSENT)
        return answer == HK_FOUND ? HK_DUNNO : answer;
    return address_refuse_unlisted (self, call, address, class, dsn, reason);
}

#endif
