/* content.c: descriptors of message files, mapped once and shared by jobs. */
#include "config.h"

#include "deliver_priv.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct HkContent {
    HkDeliver *deliver;
    unsigned n_refs; /* loop thread */
    int fd;
    uint64_t serial;
    size_t size;   /* mapped bytes */
    uint8_t *data; /* NULL: not mapped yet */
};

HkContent *
hk_content_new (HkDeliver *deliver, int fd)
{
    static uint64_t last_serial;
    HkContent *self = g_new0 (HkContent, 1);
    self->deliver = deliver;
    self->n_refs = 1;
    self->fd = fd;
    self->serial = ++last_serial;
    g_hash_table_add (deliver->contents, self);
    return self;
}

HkContent *
hk_content_ref (HkContent *self)
{
    self->n_refs++;
    return self;
}

void
hk_content_unref (HkContent *self)
{
    if (self == NULL || --self->n_refs > 0)
        return;
    g_hash_table_remove (self->deliver->contents, self);
    if (self->deliver->children != NULL)
        hk_children_forget (self->deliver->children, self->serial);
    if (self->data != NULL)
        munmap (self->data, self->size);
    close (self->fd);
    g_free (self);
}

static bool
map_whole (HkContent *self)
{
    struct stat st;
    if (fstat (self->fd, &st) != 0 || !S_ISREG (st.st_mode) || st.st_size <= 0 ||
        (uint64_t) st.st_size > SIZE_MAX)
        return false;
    void *data = mmap (NULL, (size_t) st.st_size, PROT_READ, MAP_SHARED, self->fd, 0);
    if (data == MAP_FAILED)
        return false;
    self->data = data;
    self->size = (size_t) st.st_size;
    return true;
}

bool
hk_content_reach (HkContent **slot, uint64_t end)
{
    HkContent *self = *slot;
    if (self->data == NULL && !map_whole (self))
        return false;
    if (end <= self->size)
        return true;
    /* Running jobs keep their mapping of the file as it was. */
    int fd = fcntl (self->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return false;
    HkContent *grown = hk_content_new (self->deliver, fd);
    if (!map_whole (grown) || end > grown->size) {
        hk_content_unref (grown);
        return false;
    }
    hk_content_unref (self);
    *slot = grown;
    return true;
}

const uint8_t *
hk_content_data (const HkContent *self)
{
    return self->data;
}

uint64_t
hk_content_serial (const HkContent *self)
{
    return self->serial;
}

int
hk_content_fd (const HkContent *self)
{
    return self->fd;
}
