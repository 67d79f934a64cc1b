/* restriction_policy_reply.c: what a policy server says: lines name=value, an empty line.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restriction_policy.h"

#include <string.h>

static HkAnswer
malformed (const char **out_why, const char *why)
{
    *out_why = why;
    return HK_BROKEN;
}

/* The size of the reply with its empty line; 0: it is not whole. */
static size_t
whole_size (HkSpan bytes)
{
    if (bytes.size > 0 && bytes.data[0] == '\n')
        return 1;
    for (size_t i = 0; i + 1 < bytes.size; i++)
        if (bytes.data[i] == '\n' && bytes.data[i + 1] == '\n')
            return i + 2;
    return 0;
}

HkAnswer
restriction_policy_reply_parse (HkSpan bytes, char **out_action, const char **out_why)
{
    const char *text = (const char *) bytes.data;
    size_t size = whole_size (bytes);
    if (bytes.size > 0 && memchr (text, '\0', bytes.size) != NULL)
        return malformed (out_why, "malformed reply: it holds a null byte");
    if (size == 0 && bytes.size >= POLICY_MAX_REPLY)
        return malformed (out_why, "malformed reply: it does not end");
    if (size == 0)
        return HK_UNKNOWN;
    if (size < bytes.size)
        return malformed (out_why, "malformed reply: more than was asked for");
    g_autofree char *action = NULL;
    for (size_t at = 0; at + 1 < size;) {
        size_t end = at;
        while (text[end] != '\n')
            end++;
        const char *equals = memchr (text + at, '=', end - at);
        if (equals == NULL || equals == text + at)
            return malformed (out_why, "malformed reply: a line is not name=value");
        if (action == NULL && (size_t) (equals - text) - at == 6 &&
            strncmp (text + at, "action", 6) == 0)
            action = g_strndup (equals + 1, (gsize) (text + end - equals - 1));
        at = end + 1;
    }
    if (action == NULL)
        return malformed (out_why, "malformed reply: no action");
    g_strstrip (action);
    *out_action = g_steal_pointer (&action);
    return HK_FOUND;
}
