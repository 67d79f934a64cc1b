/* rate.c: opening the mapping that all processes share, and a place of one's own in it. */
#include "config.h"
#include "rate/rate_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of the file that are locked: 0 while it is being opened, 1 … for as long as the
 * process in that place lives.  The kernel lets go of them when it dies. */
static bool
lock_byte (int fd, off_t at, bool wait)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    while (fcntl (fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &l) < 0)
        if (errno != EINTR)
            return false;
    return true;
}

static void
unlock_byte (int fd, off_t at)
{
    struct flock l = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    (void) fcntl (fd, F_OFD_SETLK, &l);
}

static bool
is_locked (int fd, off_t at)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    return fcntl (fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

static bool
fail (GError **error, const char *path, const char *why)
{
    g_set_error (error, G_IO_ERROR, (gint) g_io_error_from_errno (errno), "%s: %s", path,
                 why);
    return false;
}

/* ---- making
 * -------------------------------------------------------------------------------- */

static void
init_lock (pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init (&attr);
    pthread_mutexattr_setpshared (&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust (&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init (lock, &attr);
    pthread_mutexattr_destroy (&attr);
}

static void
init_locks (HkRateHeader *h)
{
    init_lock (&h->peak_lock);
    for (unsigned i = 0; i < HK_RATE_LOCKS; i++)
        init_lock (&h->locks[i]);
}

static void
init_header (HkRates *self)
{
    HkRateHeader *h = self->header;
    h->entry_size = sizeof (HkRateEntry);
    h->n_entries = self->n_entries;
    if (getrandom (h->secret, sizeof h->secret, 0) != sizeof h->secret)
        for (unsigned i = 0; i < G_N_ELEMENTS (h->secret); i++)
            h->secret[i] = (uint64_t) g_random_int () << 32 | g_random_int ();
    h->reported_us = hk_steady_us (self->clock);
    init_locks (h);
    h->magic = HK_RATE_MAGIC;
}

static size_t
map_size (size_t n_entries)
{
    return sizeof (HkRateHeader) + n_entries * sizeof (HkRateEntry);
}

static bool
map (HkRates *self)
{
    int flags = self->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    self->map_size = map_size (self->n_entries);
    void *at = mmap (NULL, self->map_size, PROT_READ | PROT_WRITE, flags, self->fd, 0);
    if (at == MAP_FAILED)
        return false;
    self->header = at;
    self->entries = (HkRateEntry *) (void *) ((uint8_t *) at + sizeof (HkRateHeader));
    return true;
}

/* ---- joining
 * ------------------------------------------------------------------------------- */

/* The size of a table that others use; 0: it is none of this version. */
static size_t
size_in_use (int fd)
{
    HkRateHeader h;
    struct stat st;
    if (pread (fd, &h, sizeof h, 0) != sizeof h || h.magic != HK_RATE_MAGIC ||
        h.entry_size != sizeof (HkRateEntry) || h.n_entries == 0 ||
        h.n_entries % HK_RATE_WAYS != 0 || h.n_entries > G_MAXUINT32 ||
        fstat (fd, &st) < 0 || (uint64_t) st.st_size < map_size (h.n_entries))
        return 0;
    return h.n_entries;
}

static bool
take_place (HkRates *self, bool *out_alone)
{
    bool has_place = false;
    *out_alone = true;
    for (unsigned i = 0; i < HK_RATE_PROCESSES; i++) {
        if (!has_place && lock_byte (self->fd, 1 + (off_t) i, false)) {
            self->place = i;
            has_place = true;
        } else if (is_locked (self->fd, 1 + (off_t) i)) {
            *out_alone = false;
        }
    }
    return has_place;
}

/* All of it now: a page that found no place on a full disk later would be the process's end. */
static bool
make_room (HkRates *self)
{
    if (ftruncate (self->fd, 0) < 0)
        return false;
    int e = posix_fallocate (self->fd, 0, (off_t) map_size (self->n_entries));
    errno = e;
    return e == 0;
}

static bool
join (HkRates *self, const char *path, GError **error)
{
    bool is_alone;
    if (!take_place (self, &is_alone))
        return fail (error, path, "no place left for another process");
    size_t there = size_in_use (self->fd);
    if (is_alone && self->is_kept && there > 0) { /* but for its locks */
        self->n_entries = there;
        if (!map (self))
            return fail (error, path, g_strerror (errno));
        init_locks (self->header);
        return true;
    }
    if (is_alone) { /* what a former run left has no meaning any more */
        if (!make_room (self) || !map (self))
            return fail (error, path, g_strerror (errno));
        init_header (self);
        return true;
    }
    self->n_entries = there;
    if (self->n_entries == 0)
        return fail (error, path, "in use by another version");
    if (!map (self))
        return fail (error, path, g_strerror (errno));
    for (unsigned i = 0; i < HK_RATE_PROCESSES; i++)
        if (i == self->place || !is_locked (self->fd, 1 + (off_t) i))
            hk_rate_forget_process (self, i);
    return true;
}

static bool
open_shared (HkRates *self, const char *path, GError **error)
{
    self->fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (self->fd < 0 || !lock_byte (self->fd, 0, true))
        return fail (error, path, g_strerror (errno));
    bool ok = join (self, path, error);
    unlock_byte (self->fd, 0);
    return ok;
}

HkRates *
hk_rates_open (const char *path, size_t entries, const HkClock *clock, GError **error)
{
    g_autoptr (HkRates) self = g_new0 (HkRates, 1);
    self->clock = clock;
    self->fd = -1;
    self->n_entries = (MAX (entries, 1) + HK_RATE_WAYS - 1) / HK_RATE_WAYS * HK_RATE_WAYS;
    if (path != NULL)
        return open_shared (self, path, error) ? g_steal_pointer (&self) : NULL;
    if (!map (self)) {
        fail (error, "rates", g_strerror (errno));
        return NULL;
    }
    init_header (self);
    return g_steal_pointer (&self);
}

bool
hk_rates_is_last (HkRates *self)
{
    for (unsigned i = 0; self->fd >= 0 && i < HK_RATE_PROCESSES; i++)
        if (i != self->place && is_locked (self->fd, 1 + (off_t) i))
            return false;
    return true;
}

HkRates *
hk_rates_open_kept (const char *path, size_t entries, const HkClock *clock, GError **error)
{
    g_autoptr (HkRates) self = g_new0 (HkRates, 1);
    self->clock = clock;
    self->is_kept = true;
    self->n_entries = (MAX (entries, 1) + HK_RATE_WAYS - 1) / HK_RATE_WAYS * HK_RATE_WAYS;
    return open_shared (self, path, error) ? g_steal_pointer (&self) : NULL;
}

void
hk_rates_free (HkRates *self)
{
    if (self == NULL)
        return;
    if (self->header != NULL) {
        hk_rate_forget_process (self, self->place);
        munmap (self->header, self->map_size);
    }
    if (self->fd >= 0)
        close (self->fd);
    g_free (self);
}
