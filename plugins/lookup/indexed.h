/* indexed.h: what the tables kept in indexed files share: how a file is replaced at once
 * and durably, and how a lookup learns of it.
 *
 * A build writes NAME.SUFFIX.tmp, syncs it and renames it.  The temporary file is locked
 * while it is written, as Postfix's postmap locks its own of the same name: two builders
 * wait for each other, and what a dead one left is simply written over.
 *
 * A lookup asks for the state of the file only when the clock has ticked since the last
 * time (1 to 10 ms): asking costs more than looking a key up.  A builder waits for the
 * next tick before it says that it is done, so that from then on every lookup sees the new
 * file.  Static functions only. */
#ifndef HK_PLUGINS_LOOKUP_INDEXED_H
#define HK_PLUGINS_LOOKUP_INDEXED_H

#include <hikyaku/lookup.h>
#include <hikyaku/textfile.h>

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>

/* ---- the clock that ticks */

static inline gint64
indexed_tick (void)
{
    struct timespec t;
    clock_gettime (CLOCK_MONOTONIC_COARSE, &t);
    return (gint64) t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Any thread.  True: look at the file, then store *OUT_TICK in *LAST. */
static inline bool
indexed_is_due (const gint64 *last, gint64 *out_tick)
{
    *out_tick = indexed_tick ();
    return __atomic_load_n (last, __ATOMIC_ACQUIRE) != *out_tick;
}

static inline void
indexed_looked (gint64 *last, gint64 tick)
{
    __atomic_store_n (last, tick, __ATOMIC_RELEASE);
}

static inline void
indexed_await_tick (void)
{
    static const struct timespec pause = {0, 500000};
    gint64 now = indexed_tick ();
    while (indexed_tick () == now)
        nanosleep (&pause, NULL);
}

/* ---- an open table */

typedef struct {
    const HkHost *host;
    const char *type; /* for messages: "hash" */
    char *source, *path;
    gint64 looked;  /* tick of the last look at the file */
    int last_error; /* errno of the last failure to reopen that was said */
} Indexed;

static inline void
indexed_init (Indexed *self, const HkHost *host, HkSpan argument, const char *type,
              const char *suffix)
{
    self->host = host;
    self->type = type;
    self->source = g_strndup ((const char *) argument.data, argument.size);
    self->path = g_strconcat (self->source, suffix, NULL);
}

static inline void
indexed_clear (Indexed *self)
{
    g_free (self->source);
    g_free (self->path);
}

static inline HkAnswer
indexed_cannot_open (const Indexed *self, HkCall *call, const char *why)
{
    bool has_source = g_file_test (self->source, G_FILE_TEST_EXISTS);
    if (!has_source)
        return self->host->later (call, "open database %s: %s", self->path, why);
    return self->host->later (call, "open database %s: %s (run: postmap %s:%s)", self->path,
                              why, self->type, self->source);
}

/* Say once that a file cannot be read; E 0: it can again. */
static inline void
indexed_say (Indexed *self, int e, const char *why, const char *consequence)
{
    if (e != 0 && self->last_error != e)
        self->host->log (self->host, HK_LOG_WARNING, "%s: %s; %s", self->path, why,
                         consequence);
    self->last_error = e;
}

/* ---- a build */

typedef struct {
    const HkHost *host;
    char *path, *tmp;
    int fd; /* of the temporary file; holds the lock */
} IndexedBuild;

static inline void
indexed_build_clear (IndexedBuild *self)
{
    if (self->fd >= 0)
        close (self->fd);
    g_free (self->path);
    g_free (self->tmp);
}

/* As Postfix: owner may write, the others may read what they may of the text. */
static inline mode_t
indexed_mode (const char *source, const char *old)
{
    struct stat st;
    if (stat (source, &st) < 0 && stat (old, &st) < 0)
        return 0644;
    return (st.st_mode & 0644) | 0600;
}

/* The locked temporary file, empty; -1: errno.  Another builder may have renamed the file
 * for whose lock we waited: then it is not the temporary file any more. */
static inline int
indexed_lock_tmp (const char *tmp, mode_t mode)
{
    for (;;) {
        struct stat mine, named;
        int fd = open (tmp, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), e;
        if (fd < 0)
            return -1;
        while (flock (fd, LOCK_EX) < 0)
            if (errno != EINTR)
                goto failed;
        if (fstat (fd, &mine) < 0)
            goto failed;
        if (stat (tmp, &named) == 0 && named.st_ino == mine.st_ino &&
            named.st_dev == mine.st_dev) {
            if (fchmod (fd, mode) < 0 || ftruncate (fd, 0) < 0)
                goto failed;
            return fd;
        }
        close (fd);
        continue;
    failed:
        e = errno;
        close (fd);
        errno = e;
        return -1;
    }
}

/* HK_OK, or HK_LATER: then SELF is cleared. */
static inline HkAnswer
indexed_build_begin (IndexedBuild *self, const HkHost *host, const HkConf *conf,
                     HkCall *call, const char *suffix)
{
    HkSpan argument = host->conf_argument (conf);
    g_autofree char *source = g_strndup ((const char *) argument.data, argument.size);
    self->host = host;
    self->path = g_strconcat (source, suffix, NULL);
    self->tmp = g_strconcat (self->path, ".tmp", NULL);
    self->fd = indexed_lock_tmp (self->tmp, indexed_mode (source, self->path));
    if (self->fd >= 0)
        return HK_OK;
    HkAnswer answer = host->later (call, "create %s: %s", self->tmp, g_strerror (errno));
    indexed_build_clear (self);
    return answer;
}

static inline int
indexed_sync_directory (const char *path)
{
    g_autofree char *dir = g_path_get_dirname (path);
    int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync (fd), e = errno;
    close (fd);
    errno = e;
    return rc;
}

/* The temporary file becomes the table, or goes away; SELF is cleared.  WHY, when not NULL,
 * is what went wrong while it was written. */
static inline HkAnswer
indexed_build_end (IndexedBuild *self, HkCall *call, bool commit, const char *why)
{
    HkAnswer answer = HK_OK;
    bool is_renamed = false; /* then the name may be another builder's already */
    if (commit && why == NULL) {
        is_renamed = fsync (self->fd) == 0 && rename (self->tmp, self->path) == 0;
        if (!is_renamed || indexed_sync_directory (self->path) < 0)
            why = g_strerror (errno);
    }
    if (commit && why != NULL)
        answer = self->host->later (call, "replace %s: %s", self->path, why);
    if (is_renamed)
        indexed_await_tick ();
    else
        unlink (self->tmp);
    indexed_build_clear (self);
    return answer;
}

#endif
