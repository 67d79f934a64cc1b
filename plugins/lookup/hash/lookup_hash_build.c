/* lookup_hash_build.c: making NAME.gdbm: NAME.gdbm.tmp is written, synced and renamed.
 *
 * The temporary file is locked while it is written: two builders wait for each other, and
 * what a dead one left is simply written over.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "lookup_hash.h"

#include <stdio.h>
#include <sys/file.h>

typedef struct {
    const HkHost *host;
    char *path, *tmp;
    int lock_fd; /* of the temporary file */
    GDBM_FILE db;
} Build;

static void
build_free (Build *self)
{
    if (self->db != NULL)
        gdbm_close (self->db);
    if (self->lock_fd >= 0)
        close (self->lock_fd);
    g_free (self->path);
    g_free (self->tmp);
    g_free (self);
}

/* As Postfix: owner may write, the others may read what they may of the text. */
static mode_t
mode_like (const char *source, const char *old)
{
    struct stat st;
    if (stat (source, &st) < 0 && stat (old, &st) < 0)
        return 0644;
    return (st.st_mode & 0644) | 0600;
}

/* The locked temporary file; -1: errno.  Another builder may have renamed the file for
 * whose lock we waited: then it is not the temporary file any more. */
static int
lock_tmp (const char *tmp, mode_t mode)
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
            if (fchmod (fd, mode) < 0)
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

HkAnswer
lookup_hash_build_begin (const HkHost *host, const HkConf *conf, HkCall *call,
                         void **out_build)
{
    HkSpan argument = host->conf_argument (conf);
    g_autofree char *source = g_strndup ((const char *) argument.data, argument.size);
    Build *self = g_new0 (Build, 1);
    HkAnswer answer;
    self->host = host;
    self->path = g_strconcat (source, LOOKUP_HASH_SUFFIX, NULL);
    self->tmp = g_strconcat (self->path, ".tmp", NULL);
    self->lock_fd = lock_tmp (self->tmp, mode_like (source, self->path));
    if (self->lock_fd < 0) {
        answer = host->later (call, "create %s: %s", self->tmp, g_strerror (errno));
        build_free (self);
        return answer;
    }
    self->db =
        gdbm_open (self->tmp, 0, GDBM_NEWDB | GDBM_NOLOCK | GDBM_CLOEXEC, 0600, NULL);
    if (self->db == NULL) {
        answer = host->later (call, "create database %s: %s", self->tmp,
                              gdbm_strerror (gdbm_errno));
        build_free (self);
        return answer;
    }
    *out_build = self;
    return HK_OK;
}

HkAnswer
lookup_hash_build_put (void *build, HkCall *call, HkSpan key, HkSpan value, int32_t replace)
{
    Build *self = build;
    int was_there = 0;
    if (key.size > G_MAXINT || value.size > G_MAXINT)
        return self->host->broken (call, "%s: an entry is too large", self->path);
    int rc = gdbm_store (self->db, lookup_hash_datum (key), lookup_hash_datum (value),
                         GDBM_INSERT);
    if (rc > 0) {
        was_there = 1;
        rc = !replace ? 0
                      : gdbm_store (self->db, lookup_hash_datum (key),
                                    lookup_hash_datum (value), GDBM_REPLACE);
    }
    if (rc < 0)
        return self->host->later (call, "%s: %s", self->tmp, gdbm_db_strerror (self->db));
    return was_there ? HK_FOUND : HK_OK;
}

static int
sync_directory (const char *path)
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

/* 0, or -1 with *OUT_WHY. */
static int
commit_file (Build *self, const char **out_why)
{
    GDBM_FILE db = self->db;
    self->db = NULL;
    if (gdbm_close (db) != 0) {
        *out_why = gdbm_strerror (gdbm_errno);
        return -1;
    }
    if (fsync (self->lock_fd) == 0 && rename (self->tmp, self->path) == 0 &&
        sync_directory (self->path) == 0)
        return 0;
    *out_why = g_strerror (errno);
    return -1;
}

HkAnswer
lookup_hash_build_end (void *build, HkCall *call, int32_t commit)
{
    Build *self = build;
    HkAnswer answer = HK_OK;
    const char *why = "";
    if (!commit)
        unlink (self->tmp);
    else if (commit_file (self, &why) != 0) {
        answer = self->host->later (call, "replace %s: %s", self->path, why);
        unlink (self->tmp);
    }
    build_free (self);
    return answer;
}
