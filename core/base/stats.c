/* stats.c: counters in a mapping that others read without asking. */
#include "config.h"

#include "base/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file is N_SLOTS of these.  A slot is taken when its name is complete: the name is
 * written before `is_used`, so a reader never sees half of one. */
typedef struct {
    uint64_t value;
    uint32_t is_used;
    char name[52];
} Slot;

enum { N_SLOTS = 1024, SIZE = N_SLOTS * sizeof (Slot) };
G_STATIC_ASSERT (sizeof (Slot) == 64);

struct HkStats {
    Slot *slots;
    char *path; /* NULL: private */
    pthread_mutex_t lock; /* guards taking of slots */
    uint64_t overflow;
};

static HkStats *
stats_new (Slot *slots, char *path)
{
    HkStats *self = g_new0 (HkStats, 1);
    self->slots = slots;
    self->path = path;
    pthread_mutex_init (&self->lock, NULL);
    return self;
}

HkStats *
hk_stats_new_private (void)
{
    return stats_new (g_malloc0 (SIZE), NULL);
}

HkStats *
hk_stats_open (const char *dir, const char *role, GError **error)
{
    g_autofree char *name = g_strdup_printf ("%s.%d", role, (int) getpid ());
    g_autofree char *path = g_build_filename (dir, name, NULL);
    int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    void *map = MAP_FAILED;
    /* A page that found no place on a full disk later would be the process's end. */
    int e = fd >= 0 ? posix_fallocate (fd, 0, SIZE) : errno;
    if (e == 0)
        map = mmap (NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        e = e != 0 ? e : errno;
        g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (e), "%s: %s", path,
                     g_strerror (e));
        if (fd >= 0) {
            close (fd);
            g_unlink (path);
        }
        return NULL;
    }
    close (fd);
    return stats_new (map, g_steal_pointer (&path));
}

void
hk_stats_free (HkStats *self)
{
    if (self == NULL)
        return;
    if (self->path != NULL) {
        munmap (self->slots, SIZE);
        g_unlink (self->path);
    } else {
        g_free (self->slots);
    }
    g_free (self->path);
    pthread_mutex_destroy (&self->lock);
    g_free (self);
}

uint64_t *
hk_stats_slot (HkStats *self, const char *name)
{
    uint64_t *found = &self->overflow;
    pthread_mutex_lock (&self->lock);
    for (size_t i = 0; i < N_SLOTS; i++) {
        Slot *slot = &self->slots[i];
        if (!slot->is_used) {
            g_strlcpy (slot->name, name, sizeof slot->name);
            __atomic_store_n (&slot->is_used, 1, __ATOMIC_RELEASE);
        }
        if (strncmp (slot->name, name, sizeof slot->name - 1) == 0) {
            found = &slot->value;
            break;
        }
    }
    pthread_mutex_unlock (&self->lock);
    return found;
}

static void
read_one (const char *path, const char *role, int pid, HkStatsFn fn, void *data)
{
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0)
        return;
    if (fstat (fd, &st) == 0 && st.st_size == SIZE) {
        const Slot *slots = mmap (NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
        if (slots != MAP_FAILED) {
            for (size_t i = 0; i < N_SLOTS; i++) {
                if (!__atomic_load_n (&slots[i].is_used, __ATOMIC_ACQUIRE))
                    break;
                char name[sizeof slots[i].name];
                g_strlcpy (name, slots[i].name, sizeof name);
                fn (role, pid, name, __atomic_load_n (&slots[i].value, __ATOMIC_RELAXED), data);
            }
            munmap ((void *) slots, SIZE);
        }
    }
    close (fd);
}

bool
hk_stats_read_all (const char *dir, HkStatsFn fn, void *data, GError **error)
{
    g_autoptr (GDir) d = g_dir_open (dir, 0, error);
    const char *name;
    if (d == NULL)
        return false;
    while ((name = g_dir_read_name (d)) != NULL) {
        const char *dot = strrchr (name, '.');
        gint64 pid;
        if (dot == NULL || dot == name
            || !g_ascii_string_to_signed (dot + 1, 10, 1, INT32_MAX, &pid, NULL))
            continue;
        g_autofree char *path = g_build_filename (dir, name, NULL);
        g_autofree char *role = g_strndup (name, (gsize) (dot - name));
        if (kill ((pid_t) pid, 0) < 0 && errno == ESRCH)
            g_unlink (path); /* left by a process that was killed */
        else
            read_one (path, role, (int) pid, fn, data);
    }
    return true;
}
