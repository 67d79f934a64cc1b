/* mailbox_maildir.c: one message into a Maildir, once.
 *
 * A message gets the same name in new/ each time it is delivered there: made of its arrival, its
 * queue id and what the header on top says.  When a delivery is repeated because a crash fell
 * between it and its record, the name is taken; the same bytes under it are that delivery.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_TMPFILE, renameat2 */
#endif
#include "mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OWN_FDS "/proc/self/fd" /* what a file without a name gets its first name from */

enum { NAMES = 16 /* messages that have one name by chance */ };

typedef struct {
    const MailboxMessage *message;
    const char *dir;    /* ends with '/' */
    const char *header; /* on top of the message */
    int fd;
    char *temporary; /* its path in tmp/; NULL: it has no name yet */
    bool was_there;
} Delivery;

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

/* ---- the file in tmp/ */

/* A file in DIR/tmp under a name that no other delivery uses. */
static int
open_named (Delivery *d)
{
    static gint counter; /* of the process: names differ by it and the pid */
    g_free (d->temporary);
    d->temporary = g_strdup_printf ("%stmp/%lld.P%dQ%u.%s", d->dir, (long long) time (NULL),
                                    (int) getpid (),
                                    (unsigned) g_atomic_int_add (&counter, 1),
                                    d->message->host_name);
    return open (d->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* A file without a name touches no directory until it is whole, and leaves nothing behind when
 * we are stopped; not every file system has them. */
static int
open_nameless (const Delivery *d)
{
    g_autofree char *tmp = g_strconcat (d->dir, "tmp", NULL);
    return open (tmp, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
}

static bool
open_temporary (Delivery *d)
{
    bool is_nameless = access (OWN_FDS, X_OK) == 0;
    for (int tries = 0; tries < 5; tries++) {
        d->fd = is_nameless ? open_nameless (d) : open_named (d);
        if (d->fd >= 0)
            return true;
        if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)
            is_nameless = false;
        else if (errno == ENOENT && !make_maildir (d->message, d->dir))
            return false;
        else if (errno != ENOENT && errno != EEXIST)
            return false;
    }
    return false;
}

static bool
write_durably (Delivery *d, const GString *header, HkSpan content)
{
    const MailboxMessage *message = d->message;
    int32_t fd = d->fd;
    bool is_written = mailbox_is_binary (message) ? mailbox_write_binary (fd, header, content)
                                                  : mailbox_write (fd, header, content, false);
    if (!is_written)
        return false;
    if (message->host->make_durable (message->call, &fd, 1) == HK_OK)
        return true;
    errno = EIO;
    return false;
}

/* ---- its name in new/ */

static char *
final_name (const Delivery *d, unsigned nth)
{
    const MailboxMessage *message = d->message;
    const HkHost *host = message->host;
    HkSpan id = {0};
    int64_t arrival_us = 0;
    host->prop (message->call, HK_PROP_QUEUE_ID, &id);
    host->prop_int (message->call, HK_PROP_ARRIVAL_US, &arrival_us);
    g_autofree char *again = nth == 0 ? g_strdup ("") : g_strdup_printf ("N%u", nth);
    return g_strdup_printf ("%snew/%lld.M%06lldQ%.*sR%08x%s.%s", d->dir,
                            (long long) (arrival_us / G_USEC_PER_SEC),
                            (long long) (arrival_us % G_USEC_PER_SEC), (int) id.size,
                            (const char *) id.data, g_str_hash (d->header), again,
                            message->host_name);
}

/* Give the file its final name, unless that is taken: false, EEXIST. */
static bool
move_to (Delivery *d, const char *path)
{
    if (d->temporary == NULL) {
        g_autofree char *self = g_strdup_printf (OWN_FDS "/%d", d->fd);
        return linkat (AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
    }
    if (renameat2 (AT_FDCWD, d->temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0) {
        g_clear_pointer (&d->temporary, g_free);
        return true;
    }
    /* This file system may not know the flag.  The other name goes at the end. */
    return (errno == EINVAL || errno == ENOSYS) && link (d->temporary, path) == 0;
}

/* Does PATH hold what we have just written? */
static bool
is_same (const Delivery *d, const char *path)
{
    enum { PIECE = 16 * 1024 };
    char ours[PIECE], theirs[PIECE];
    struct stat a, b;
    bool is = false;
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && fstat (d->fd, &a) == 0 && fstat (fd, &b) == 0 && S_ISREG (b.st_mode) &&
        a.st_size == b.st_size) {
        off_t at = 0;
        for (is = true; is && at < a.st_size;) {
            ssize_t n = pread (d->fd, ours, PIECE, at);
            is = n > 0 && pread (fd, theirs, (size_t) n, at) == n &&
                 memcmp (ours, theirs, (size_t) n) == 0;
            at += n;
        }
    }
    if (fd >= 0)
        close (fd);
    return is;
}

/* Move it to its name in new/, or find it there already.  NULL: errno says why not. */
static char *
take_name (Delivery *d)
{
    bool is_made_again = false;
    unsigned nth = 0;
    while (nth < NAMES) {
        g_autofree char *path = final_name (d, nth);
        if (move_to (d, path))
            return g_steal_pointer (&path);
        if (errno == EEXIST) {
            d->was_there = is_same (d, path);
            if (d->was_there)
                return g_steal_pointer (&path);
            nth++;
            errno = EEXIST;
        } else if (errno != ENOENT || is_made_again || !make_maildir (d->message, d->dir)) {
            return NULL;
        } else {
            is_made_again = true; /* somebody had removed new/ */
        }
    }
    return NULL;
}

/* Only a whole and durable file ever gets its name in DIR/new. */
static bool
publish (Delivery *d)
{
    g_autofree char *new_dir = g_strconcat (d->dir, "new", NULL);
    g_autofree char *path = take_name (d);
    if (path == NULL)
        return false;
    if (sync_directory (d->message, new_dir))
        return true;
    int error = errno;
    if (!d->was_there)
        unlink (path);
    errno = error;
    return false;
}

void
mailbox_maildir (const MailboxMessage *message, const char *dir, MailboxOutcome *out)
{
    g_autoptr (GString) header = g_string_sized_new (512);
    HkSpan content;
    if (message->host->content_map (message->call, &content) != HK_OK) {
        mailbox_error (out, EIO, "maildir delivery failed: the message cannot be read");
        return;
    }
    if (message->size_limit > 0 && content.size > message->size_limit) {
        mailbox_error (out, EFBIG, "maildir delivery failed: error writing message: %s",
                       g_strerror (EFBIG));
        return;
    }
    mailbox_append_header (message, header);
    Delivery d = {.message = message, .dir = dir, .header = header->str, .fd = -1};
    if (!open_temporary (&d)) {
        mailbox_error (out, errno, "maildir delivery failed: create a file in %stmp: %s", dir,
                       g_strerror (errno));
    } else if (write_durably (&d, header, content) && publish (&d)) {
        *out = (MailboxOutcome){HK_STATUS_SENT, "2.0.0", "delivered to maildir"};
        if (d.was_there)
            g_strlcat (out->text, " (by an earlier attempt)", sizeof out->text);
    } else {
        mailbox_error (out, errno, "maildir delivery failed: error writing message: %s",
                       g_strerror (errno));
    }
    if (d.fd >= 0 && d.temporary != NULL)
        unlink (d.temporary);
    if (d.fd >= 0)
        close (d.fd);
    g_free (d.temporary);
}
