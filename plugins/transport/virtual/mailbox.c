/* mailbox.c: what both mailbox forms share: the header on top, line ends, failures.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mailbox.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
mailbox_error (MailboxOutcome *out, int error, const char *format, ...)
{
    bool is_over_quota = error == EDQUOT || error == EFBIG;
    va_list args;
    out->status = is_over_quota ? HK_STATUS_BOUNCED : HK_STATUS_DEFERRED;
    out->dsn = is_over_quota ? "5.2.2" : error == ENOSPC ? "4.3.0" : "4.2.0";
    va_start (args, format);
    g_vsnprintf (out->text, sizeof out->text, format, args);
    va_end (args);
}

char *
mailbox_host_name (HkSpan myhostname)
{
    GString *out = g_string_new (NULL);
    for (size_t i = 0; i < myhostname.size; i++) {
        char c = (char) myhostname.data[i];
        if (c == '/')
            g_string_append (out, "\\057");
        else if (c == ':')
            g_string_append (out, "\\072");
        else if (g_ascii_isgraph (c))
            g_string_append_c (out, c);
    }
    return g_string_free (out, FALSE);
}

static void
append_line (GString *out, const char *name, HkSpan value, bool brackets)
{
    g_string_append (out, name);
    if (brackets)
        g_string_append_c (out, '<');
    g_string_append_len (out, (const char *) value.data, (gssize) value.size);
    g_string_append (out, brackets ? ">\n" : "\n");
}

void
mailbox_append_header (const MailboxMessage *message, GString *out)
{
    append_line (out, "Return-Path: ", message->sender, true);
    if (message->original.size > 0)
        append_line (out, "X-Original-To: ", message->original, false);
    if (message->recipient.size > 0)
        append_line (out, "Delivered-To: ", message->recipient, false);
}

/* ---- writing */

enum { BUFFER_SIZE = 64 * 1024 };

typedef struct {
    int fd;
    size_t size;
    char data[BUFFER_SIZE];
} Writer;

static bool
flush_writer (Writer *w)
{
    size_t at = 0;
    while (at < w->size) {
        ssize_t n = write (w->fd, w->data + at, w->size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += (size_t) n;
    }
    w->size = 0;
    return true;
}

static bool
put (Writer *w, const void *data, size_t size)
{
    const char *p = data;
    while (size > 0) {
        size_t room = MIN (sizeof w->data - w->size, size);
        memcpy (w->data + w->size, p, room);
        w->size += room;
        p += room;
        size -= room;
        if (w->size == sizeof w->data && !flush_writer (w))
            return false;
    }
    return true;
}

bool
mailbox_is_binary (const MailboxMessage *message)
{
    HkSpan encoding = {0};
    message->host->prop (message->call, HK_PROP_ENCODING, &encoding);
    return encoding.size == 6 && memcmp (encoding.data, "binary", 6) == 0;
}

bool
mailbox_write_binary (int fd, const GString *header, HkSpan content)
{
    Writer w;
    const char *p = header->str, *end = p + header->len;
    w.fd = fd;
    w.size = 0;
    while (p < end) {
        const char *lf = memchr (p, '\n', (size_t) (end - p));
        const char *stop = lf == NULL ? end : lf;
        if (!put (&w, p, (size_t) (stop - p)) || !put (&w, "\r\n", 2))
            return false;
        p = lf == NULL ? end : lf + 1;
    }
    return put (&w, content.data, content.size) && flush_writer (&w);
}

bool
mailbox_write (int fd, const GString *header, HkSpan content, bool quote)
{
    Writer w;
    const uint8_t *p = content.data, *end = p + content.size;
    w.fd = fd;
    w.size = 0;
    if (!put (&w, header->str, header->len))
        return false;
    while (p < end) {
        const uint8_t *lf = memchr (p, '\n', (size_t) (end - p));
        const uint8_t *stop = lf == NULL ? end : lf;
        if (quote && end - p >= 5 && memcmp (p, "From ", 5) == 0 && !put (&w, ">", 1))
            return false;
        if (stop > p && stop[-1] == '\r')
            stop--;
        if (!put (&w, p, (size_t) (stop - p)) || !put (&w, "\n", 1))
            return false;
        p = lf == NULL ? end : lf + 1;
    }
    return flush_writer (&w);
}
