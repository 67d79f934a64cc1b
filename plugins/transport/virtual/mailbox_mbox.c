/* mailbox_mbox.c: appending one message to an mbox file under its locks.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool
mailbox_parse_locks (HkSpan words, unsigned *out)
{
    static const struct {
        const char *word;
        unsigned method;
    } known[] = {{"fcntl", MAILBOX_LOCK_FCNTL},
                 {"flock", MAILBOX_LOCK_FLOCK},
                 {"dotlock", MAILBOX_LOCK_DOT}};
    g_autofree char *text = g_strndup ((const char *) words.data, words.size);
    g_auto (GStrv) list = g_strsplit_set (text, ", \t\r\n", -1);
    *out = 0;
    for (char **word = list; *word != NULL; word++) {
        bool is_known = **word == '\0';
        for (size_t i = 0; i < G_N_ELEMENTS (known); i++)
            if (g_ascii_strcasecmp (*word, known[i].word) == 0) {
                *out |= known[i].method;
                is_known = true;
            }
        if (!is_known)
            return false;
    }
    return true;
}

/* ---- locks */

static bool
is_stale (const char *path, int64_t stale_s)
{
    struct stat st;
    return stale_s > 0 && lstat (path, &st) == 0 &&
           (int64_t) time (NULL) - (int64_t) st.st_mtime > stale_s;
}

static bool
take_dot_lock (const MailboxLocks *locks, MailboxHeld *held, MailboxOutcome *out)
{
    for (unsigned i = 0; i < MAX (locks->attempts, 1); i++) {
        int fd = open (held->dot_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            close (fd);
            return true;
        }
        if (errno != EEXIST) {
            mailbox_error (out, errno, "unable to create lock file %s: %s", held->dot_path,
                           g_strerror (errno));
            return false;
        }
        if (is_stale (held->dot_path, locks->stale_s) && unlink (held->dot_path) == 0)
            continue;
        g_usleep ((gulong) (locks->delay_s * G_USEC_PER_SEC));
    }
    mailbox_error (out, EAGAIN, "unable to create lock file %s: %s", held->dot_path,
                   g_strerror (EEXIST));
    return false;
}

static int
try_kernel_lock (unsigned methods, int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if ((methods & MAILBOX_LOCK_FCNTL) && fcntl (fd, F_SETLK, &lock) != 0)
        return -1;
    if ((methods & MAILBOX_LOCK_FLOCK) && flock (fd, LOCK_EX | LOCK_NB) != 0)
        return -1;
    return 0;
}

static bool
take_kernel_lock (const MailboxLocks *locks, int fd, const char *path, MailboxOutcome *out)
{
    for (unsigned i = 0; i < MAX (locks->attempts, 1); i++) {
        if (try_kernel_lock (locks->methods, fd) == 0)
            return true;
        if (errno != EAGAIN && errno != EACCES && errno != EWOULDBLOCK && errno != EINTR)
            break;
        g_usleep ((gulong) (locks->delay_s * G_USEC_PER_SEC));
    }
    mailbox_error (out, errno, "unable to lock for exclusive access: %s: %s", path,
                   g_strerror (errno));
    return false;
}

void
mailbox_unlock (const MailboxLocks *locks, MailboxHeld *held)
{
    (void) locks; /* the kernel's locks end with the descriptor */
    if (held->dot_path != NULL)
        unlink (held->dot_path);
    g_clear_pointer (&held->dot_path, g_free);
}

bool
mailbox_lock (const MailboxLocks *locks, int fd, const char *path, MailboxHeld *held,
              MailboxOutcome *out)
{
    *held = (MailboxHeld){fd, NULL};
    if (locks->methods & MAILBOX_LOCK_DOT) {
        held->dot_path = g_strconcat (path, ".lock", NULL);
        if (!take_dot_lock (locks, held, out)) {
            g_clear_pointer (&held->dot_path, g_free);
            return false;
        }
    }
    if (take_kernel_lock (locks, fd, path, out))
        return true;
    mailbox_unlock (locks, held);
    return false;
}

/* POSIX record locks are the process's: threads of one process keep each other out here. */
static struct {
    GMutex mutex;
    GCond freed;
    GPtrArray *paths; /* of files that a thread appends to */
} busy;

static bool
is_busy (const char *path)
{
    for (guint i = 0; i < busy.paths->len; i++)
        if (strcmp (busy.paths->pdata[i], path) == 0)
            return true;
    return false;
}

static void
claim (const char *path)
{
    g_mutex_lock (&busy.mutex);
    if (busy.paths == NULL)
        busy.paths = g_ptr_array_new ();
    while (is_busy (path))
        g_cond_wait (&busy.freed, &busy.mutex);
    g_ptr_array_add (busy.paths, (gpointer) path);
    g_mutex_unlock (&busy.mutex);
}

static void
release (const char *path)
{
    g_mutex_lock (&busy.mutex);
    g_ptr_array_remove_fast (busy.paths, (gpointer) path);
    g_cond_broadcast (&busy.freed);
    g_mutex_unlock (&busy.mutex);
}

/* ---- the file */

static int
open_mbox (const char *path, bool *out_is_new)
{
    enum { FLAGS = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK };
    int fd = open (path, FLAGS);
    *out_is_new = false;
    if (fd < 0 && errno == ENOENT) {
        *out_is_new = true;
        fd = open (path, FLAGS | O_CREAT | O_EXCL, 0600);
        if (fd < 0 && errno == EEXIST)
            fd = open (path, FLAGS);
    }
    return fd;
}

/* A file that somebody else prepared must not take our mail. */
static bool
is_trusted (const MailboxMessage *message, int fd, const char *path, struct stat *st,
            MailboxOutcome *out)
{
    if (fstat (fd, st) != 0)
        mailbox_error (out, errno, "cannot update mailbox %s: %s", path,
                       g_strerror (errno));
    else if (!S_ISREG (st->st_mode))
        mailbox_error (out, 0, "destination %s is not a regular file", path);
    else if (st->st_nlink != 1)
        mailbox_error (out, 0, "destination %s has %u hard links", path,
                       (unsigned) st->st_nlink);
    else if (message->check_owner && st->st_uid != geteuid ())
        mailbox_error (out, 0, "destination %s is not owned by recipient", path);
    else
        return true;
    return false;
}

static void
append_from_line (const MailboxMessage *message, GString *out)
{
    char stamp[32];
    time_t now = time (NULL);
    struct tm tm;
    localtime_r (&now, &tm);
    g_string_append (out, "From ");
    if (message->sender.size == 0)
        g_string_append (out, "MAILER-DAEMON");
    else
        g_string_append_len (out, (const char *) message->sender.data,
                             (gssize) message->sender.size);
    g_string_append_printf (out, "  %.24s\n", asctime_r (&tm, stamp));
}

static bool
sync_parent (const MailboxMessage *message, const char *path)
{
    g_autofree char *dir = g_path_get_dirname (path);
    int32_t fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    HkAnswer answer = message->host->make_durable (message->call, &fd, 1);
    close (fd);
    return answer == HK_OK;
}

/* With the locks.  ERRNO tells why it failed. */
static bool
append (const MailboxMessage *message, int32_t fd, const char *path, bool is_new,
        HkSpan content)
{
    g_autoptr (GString) header = g_string_sized_new (512);
    struct stat st;
    append_from_line (message, header);
    mailbox_append_header (message, header);
    if (fstat (fd, &st) != 0)
        return false;
    if (message->size_limit > 0 &&
        (uint64_t) st.st_size + content.size > message->size_limit) {
        errno = EFBIG;
        return false;
    }
    bool is_done = mailbox_write (fd, header, content, true) && write (fd, "\n", 1) == 1;
    if (is_done && message->host->make_durable (message->call, &fd, 1) == HK_OK &&
        (!is_new || sync_parent (message, path)))
        return true;
    int error = is_done ? EIO : errno;
    if (ftruncate (fd, st.st_size) != 0)
        message->host->log (message->host, HK_LOG_WARNING,
                            "mailbox %s: a partial message could not be removed: %s", path,
                            g_strerror (errno));
    errno = error;
    return false;
}

static void
append_locked (const MailboxMessage *message, int fd, const char *path, bool is_new,
               HkSpan content, MailboxOutcome *out)
{
    MailboxHeld held;
    struct stat st;
    if (!is_trusted (message, fd, path, &st, out) ||
        !mailbox_lock (message->locks, fd, path, &held, out))
        return;
    if (append (message, fd, path, is_new, content))
        *out = (MailboxOutcome){HK_STATUS_SENT, "2.0.0", "delivered to mailbox"};
    else
        mailbox_error (out, errno, "cannot update mailbox %s: error writing message: %s",
                       path, g_strerror (errno));
    mailbox_unlock (message->locks, &held);
}

void
mailbox_mbox (const MailboxMessage *message, const char *path, MailboxOutcome *out)
{
    HkSpan content;
    bool is_new;
    if (mailbox_is_binary (message)) { /* lines and "From " part the messages of the file */
        *out = (MailboxOutcome){HK_STATUS_BOUNCED, "5.6.1",
                                "BINARYMIME content cannot be stored in an mbox file"};
        return;
    }
    if (message->host->content_map (message->call, &content) != HK_OK) {
        mailbox_error (out, EIO, "cannot update mailbox %s: the message cannot be read",
                       path);
        return;
    }
    claim (path);
    int fd = open_mbox (path, &is_new);
    if (fd < 0) {
        mailbox_error (out, errno, "cannot open mailbox %s: %s", path,
                       errno == ELOOP ? "it is a symbolic link" : g_strerror (errno));
    } else {
        append_locked (message, fd, path, is_new, content, out);
        close (fd);
    }
    release (path);
}
