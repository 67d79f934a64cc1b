/* shim.h: what the files of the recording library share: the log and what is below the
 * root.
 *
 * shim.c keeps the log and knows the files; shim_data.c and shim_names.c stand before the
 * calls of the C library.  Nothing here is seen outside of the library. */
#ifndef HK_POWERCUT_SHIM_H
#define HK_POWERCUT_SHIM_H

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAGIC 0x31435048u /* "HPC1" */
enum {
    R_CREATE = 1,      /* dir, name, ino; off: mode, dir2: uid << 32 | gid */
    R_MKDIR = 2,       /* the same */
    R_RENAME = 3,      /* dir, name → dir2, name2; ino */
    R_LINK = 4,        /* the same */
    R_UNLINK = 5,      /* dir, name, ino */
    R_WRITE = 6,       /* ino, off, data */
    R_ZERO = 7,        /* ino, off, size: a write of zeros */
    R_TRUNCATE = 8,    /* ino, off: the new size */
    R_EXTEND = 9,      /* ino, off: at least this size */
    R_SYNC_BEGIN = 10, /* ino, or R_EVERYTHING */
    R_SYNC_END = 11,   /* ino; it succeeded */
    R_OWNER = 12       /* ino, off: mode, dir2: uid << 32 | gid */
};
#define R_EVERYTHING UINT64_MAX /* as ino: syncfs */

typedef struct {
    uint32_t magic;
    uint16_t type, reserved;
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    uint32_t pid, thread;
    uint64_t ino, dir, dir2, off;
    uint32_t size; /* data */
    uint16_t name_size, name2_size;
} Record;

/* The C library's own NAME, as real_NAME once find_NAME () was called. */
#define REAL(ret, name, ...)                                                               \
    static ret (*real_##name) (__VA_ARGS__);                                               \
    static void find_##name (void)                                                         \
    {                                                                                      \
        if (__atomic_load_n (&real_##name, __ATOMIC_RELAXED) == NULL)                      \
            __atomic_store_n ((void **) &real_##name, dlsym (RTLD_NEXT, #name),            \
                              __ATOMIC_RELAXED);                                           \
    }

#pragma GCC visibility push(hidden)

typedef struct {
    int log_fd, lock_fd;
    dev_t dev;
    char root[PATH_MAX];
    size_t root_size;
    char log[PATH_MAX];
    bool is_on;
} Shim;

extern Shim shim;

/* ---- the log; errno is kept ---- */

/* Append R with its names (NULL: none) and its data; fills in who and when. */
void shim_put (Record *r, const char *name, const char *name2, const struct iovec *data,
               int n_data);
/* Changes of names happen one after the other, in all processes. */
void shim_lock_names (void);
void shim_unlock_names (void);

/* ---- what is below the root ---- */

bool shim_is_below (int fd);
void shim_remember (ino_t ino, bool is_below);
/* The inode of FD when it is a file or directory of ours; 0: leave it alone. */
ino_t shim_tracked (int fd);
/* The directory that PATH's last name is in: its inode, 0 when it is none of ours. */
ino_t shim_parent (int at, const char *path, const char **out_name);
/* The file or directory that PATH names itself; 0: there is none. */
ino_t shim_inode_at (int at, const char *path, mode_t *out_mode);
/* Owner and group as records hold them. */
uint64_t shim_owner (const struct stat *st);

#pragma GCC visibility pop

#endif
