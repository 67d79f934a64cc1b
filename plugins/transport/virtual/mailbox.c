/* mailbox.c: writing one message into a Maildir: what both mailbox forms share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
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

/* ---- directories */

static bool
sync_directory (const MailboxMessage *message, const char *path)
{
    int32_t fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    HkAnswer answer = message->host->make_durable (message->call, &fd, 1);
    close (fd);
    if (answer != HK_OK)
        errno = EIO;
    return answer == HK_OK;
}

/* Make DIR and what is missing above it; directories that got a new name are added, open, to
 * CHANGED. */
static bool
make_directory (const char *dir, GArray *changed)
{
    g_autofree char *parent = g_path_get_dirname (dir);
    if (mkdir (dir, 0700) != 0) {
        if (errno == EEXIST)
            return true;
        if (errno != ENOENT || strcmp (parent, dir) == 0 || !make_directory (parent, changed))
            return false;
        if (mkdir (dir, 0700) != 0 && errno != EEXIST)
            return false;
    }
    int32_t fd = open (parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    g_array_append_val (changed, fd);
    return true;
}

/* All new names become durable together. */
static bool
sync_changed (const MailboxMessage *message, GArray *changed)
{
    const int32_t *fds = (const int32_t *) (void *) changed->data;
    bool is_ok = changed->len == 0
                 || message->host->make_durable (message->call, fds, changed->len) == HK_OK;
    for (guint i = 0; i < changed->len; i++)
        close (fds[i]);
    g_array_unref (changed);
    if (!is_ok)
        errno = EIO;
    return is_ok;
}

static bool
make_maildir (const MailboxMessage *message, const char *dir)
{
    static const char *const parts[] = {"cur", "new", "tmp"};
    GArray *changed = g_array_new (FALSE, FALSE, sizeof (int32_t));
    bool is_made = true;
    for (size_t i = 0; i < G_N_ELEMENTS (parts) && is_made; i++) {
        g_autofree char *path = g_strconcat (dir, parts[i], NULL);
        is_made = make_directory (path, changed);
    }
    int e = errno;
    bool is_durable = sync_changed (message, changed);
    if (!is_made)
        errno = e;
    return is_made && is_durable;
}

/* ---- Maildir */

/* A file in DIR/tmp under a name that no other delivery uses; PATH gets it. */
static int
open_temporary (const MailboxMessage *message, const char *dir, const struct timespec *now,
                GString *path)
{
    static gint counter; /* of the process: names differ by it and the pid */
    for (int tries = 0; tries < 3; tries++) {
        unsigned n = (unsigned) g_atomic_int_add (&counter, 1);
        g_string_printf (path, "%stmp/%lld.P%dQ%u.%s", dir, (long long) now->tv_sec,
                         (int) getpid (), n, message->host_name);
        int fd =
            open (path->str, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0)
            return fd;
        if (errno == ENOENT) {
            if (!make_maildir (message, dir))
                return -1;
        } else if (errno != EEXIST) {
            return -1;
        }
    }
    return -1;
}

static bool
write_durably (const MailboxMessage *message, int32_t fd, HkSpan content)
{
    g_autoptr (GString) header = g_string_sized_new (512);
    mailbox_append_header (message, header);
    if (!mailbox_write (fd, header, content, false))
        return false;
    if (message->host->make_durable (message->call, &fd, 1) == HK_OK)
        return true;
    errno = EIO;
    return false;
}

/* Under its final name in DIR/new: only a whole and durable file ever gets there. */
static bool
publish (const MailboxMessage *message, const char *dir, const char *temporary, int fd,
         const struct timespec *now)
{
    struct stat st;
    if (fstat (fd, &st) != 0)
        return false;
    g_autofree char *new_dir = g_strconcat (dir, "new", NULL);
    g_autofree char *path =
        g_strdup_printf ("%s/%lld.V%llxI%llxM%ld.%s", new_dir, (long long) now->tv_sec,
                         (unsigned long long) st.st_dev, (unsigned long long) st.st_ino,
                         now->tv_nsec / 1000, message->host_name);
    /* The inode makes the name unique while the file exists, so nothing is replaced. */
    if (rename (temporary, path) != 0) {
        if (errno != ENOENT || !make_maildir (message, dir) ||
            rename (temporary, path) != 0)
            return false;
    }
    if (sync_directory (message, new_dir))
        return true;
    int error = errno;
    unlink (path);
    errno = error;
    return false;
}

void
mailbox_maildir (const MailboxMessage *message, const char *dir, MailboxOutcome *out)
{
    g_autoptr (GString) temporary = g_string_sized_new (256);
    struct timespec now;
    HkSpan content;
    clock_gettime (CLOCK_REALTIME, &now);
    if (message->host->content_map (message->call, &content) != HK_OK) {
        mailbox_error (out, EIO, "maildir delivery failed: the message cannot be read");
        return;
    }
    if (message->size_limit > 0 && content.size > message->size_limit) {
        mailbox_error (out, EFBIG, "maildir delivery failed: error writing message: %s",
                       g_strerror (EFBIG));
        return;
    }
    int fd = open_temporary (message, dir, &now, temporary);
    if (fd < 0) {
        mailbox_error (out, errno, "maildir delivery failed: create %s: %s",
                       temporary->len > 0 ? temporary->str : dir, g_strerror (errno));
        return;
    }
    if (write_durably (message, fd, content) &&
        publish (message, dir, temporary->str, fd, &now)) {
        *out = (MailboxOutcome){HK_STATUS_SENT, "2.0.0", "delivered to maildir"};
    } else {
        mailbox_error (out, errno, "maildir delivery failed: error writing message: %s",
                       g_strerror (errno));
        unlink (temporary->str);
    }
    close (fd);
}
