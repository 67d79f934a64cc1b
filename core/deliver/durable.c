/* durable.c: making files and directory entries durable, many deliveries at a time.
 *
 * Whoever waits while a sync is under way shares the next one, as in the store.  A batch on one
 * file system is one syncfs(2): a fsync for each file commits the journal, and flushes the disk,
 * once a file; those flushes also stand in the way of the store's own.  When syncfs reports an
 * error, each file is asked for its own answer.  A small batch is synced one by one, so that a
 * quiet system waits for nobody else's writes. */
#include "config.h"

#include "deliver_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ONE_BY_ONE = 2 }; /* batches up to this are not worth a syncfs */

typedef struct Wait Wait;
struct Wait {
    Wait *next;
    const int32_t *fds;
    size_t n_fds;
    int error; /* errno, 0: durable */
    bool is_done;
    pthread_cond_t turned; /* it is done, or is to lead the next batch */
};

/* One a process; `lock` guards all of it. */
static struct {
    pthread_mutex_t lock;
    Wait *waiting;
    bool is_syncing;
} group = { PTHREAD_MUTEX_INITIALIZER, NULL, false };

static int
sync_one (int fd)
{
    struct stat st;
    if (fstat (fd, &st) != 0)
        return errno;
    int result;
    do
        result = S_ISREG (st.st_mode) ? fdatasync (fd) : fsync (fd);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

static void
sync_each (Wait *batch)
{
    for (Wait *w = batch; w != NULL; w = w->next)
        for (size_t i = 0; i < w->n_fds && w->error == 0; i++)
            w->error = sync_one (w->fds[i]);
}

/* Are all on one file system? */
static bool
is_one_system (Wait *batch, unsigned *out_n)
{
    struct stat st;
    dev_t device = 0;
    *out_n = 0;
    for (Wait *w = batch; w != NULL; w = w->next) {
        for (size_t i = 0; i < w->n_fds; i++) {
            if (fstat (w->fds[i], &st) != 0 || (*out_n > 0 && st.st_dev != device))
                return false;
            device = st.st_dev;
            ++*out_n;
        }
    }
    return *out_n > 0;
}

static void
sync_batch (Wait *batch)
{
    unsigned n;
    if (!is_one_system (batch, &n) || n <= ONE_BY_ONE || batch->n_fds == 0
        || syncfs (batch->fds[0]) != 0)
        sync_each (batch);
}

/* Sync what waits; wake each of it, and one of those that came meanwhile to go on. */
static void
lead (void)
{
    Wait *batch = group.waiting;
    group.waiting = NULL;
    group.is_syncing = true;
    pthread_mutex_unlock (&group.lock);
    sync_batch (batch);
    pthread_mutex_lock (&group.lock);
    group.is_syncing = false;
    for (Wait *w = batch; w != NULL; w = w->next) {
        w->is_done = true;
        pthread_cond_signal (&w->turned);
    }
    if (group.waiting != NULL)
        pthread_cond_signal (&group.waiting->turned);
}

bool
hk_durable_sync (const int32_t *fds, size_t n_fds, GError **error)
{
    Wait self = { .fds = fds, .n_fds = n_fds, .turned = PTHREAD_COND_INITIALIZER };
    pthread_mutex_lock (&group.lock);
    self.next = group.waiting;
    group.waiting = &self;
    while (!self.is_done && group.is_syncing)
        pthread_cond_wait (&self.turned, &group.lock);
    if (!self.is_done)
        lead ();
    pthread_mutex_unlock (&group.lock);
    pthread_cond_destroy (&self.turned);
    if (self.error != 0)
        g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (self.error),
                     "sync failed: %s", g_strerror (self.error));
    return self.error == 0;
}
