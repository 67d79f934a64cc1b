/* tickets.c: the keys of session tickets: shared by the processes of one system, new every
 * day.
 *
 * GnuTLS itself derives a key for each period of a few ticket lifetimes from the one that
 * it is given, and still takes the tickets of the period before.  Whoever learns the key
 * that it is given can derive them all, so that one is thrown away daily; tickets of the
 * day before then cost their owners one full handshake. */
#include "config.h"

#include "base/clock.h"
#include "tls/tls_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MASTER_SIZE = 64, LIFE_S = 86400 };

/* The shared memory.  Written under the lock alone; zero: nobody has been here. */
typedef struct {
    int64_t made_s; /* wall clock */
    uint8_t key[MASTER_SIZE];
} Shared;

struct HkTlsTickets {
    int fd;
    Shared *shared;
    GMutex lock; /* against the own threads; the file's lock, against other processes */
};

static Shared *
map (int fd)
{
    int seals = fcntl (fd, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK) ||
        lseek (fd, 0, SEEK_END) < (off_t) sizeof (Shared))
        return NULL;
    void *at = mmap (NULL, sizeof (Shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

HkTlsTickets *
hk_tls_tickets_new (int fd)
{
    HkTlsTickets *self = g_new0 (HkTlsTickets, 1);
    g_mutex_init (&self->lock);
    self->fd = fd;
    self->shared = fd < 0 ? NULL : map (fd);
    if (self->shared != NULL)
        return self;
    if (fd >= 0)
        close (fd);
    self->fd = -1;
    self->shared = g_new0 (Shared, 1);
    return self;
}

void
hk_tls_tickets_free (HkTlsTickets *self)
{
    if (self == NULL)
        return;
    if (self->fd >= 0) {
        munmap (self->shared, sizeof *self->shared);
        close (self->fd);
    } else {
        gnutls_memset (self->shared, 0, sizeof *self->shared);
        g_free (self->shared);
    }
    g_mutex_clear (&self->lock);
    g_free (self);
}

/* The lock of an open file description is no use here: all processes inherit the same one.
 * A process's lock is dropped when any descriptor of the file is closed, which nobody does.
 */
static void
set_lock (HkTlsTickets *self, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    while (self->fd >= 0 && fcntl (self->fd, F_SETLKW, &lock) < 0 && errno == EINTR)
        ;
}

static int64_t
now_s (void)
{
    return g_get_real_time () / G_USEC_PER_SEC;
}

static bool
is_fresh (int64_t made_s, int64_t now)
{
    return made_s != 0 && now - made_s < LIFE_S && made_s <= now + LIFE_S;
}

/* The master, new when it is old; when it was made. */
static int64_t
master_key (HkTlsTickets *self, int64_t now, uint8_t out[MASTER_SIZE])
{
    g_mutex_lock (&self->lock);
    set_lock (self, F_WRLCK);
    Shared *s = self->shared;
    if (!is_fresh (s->made_s, now)) {
        if (gnutls_rnd (GNUTLS_RND_KEY, s->key, sizeof s->key) < 0)
            g_error ("the random number generator does not work");
        __atomic_store_n (&s->made_s, now, __ATOMIC_RELEASE);
    }
    memcpy (out, s->key, MASTER_SIZE);
    int64_t made_s = s->made_s;
    set_lock (self, F_UNLCK);
    g_mutex_unlock (&self->lock);
    return made_s;
}

const uint8_t *
hk_tls_tickets_key (HkTlsTickets *self, const char *service, HkTlsTicketKey *kept)
{
    uint8_t master[MASTER_SIZE];
    int64_t now = now_s ();
    /* The key of a day is new when its time is: nobody is locked out for one that is known. */
    if (kept->made_s != 0 && is_fresh (kept->made_s, now) &&
        __atomic_load_n (&self->shared->made_s, __ATOMIC_ACQUIRE) == kept->made_s)
        return kept->key;
    kept->made_s = master_key (self, now, master);
    if (gnutls_hmac_fast (GNUTLS_MAC_SHA512, master, sizeof master, service,
                          strlen (service), kept->key) < 0)
        g_error ("HMAC-SHA512 does not work");
    gnutls_memset (master, 0, sizeof master);
    return kept->key;
}
