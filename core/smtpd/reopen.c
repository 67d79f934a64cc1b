/* reopen.c: asking master for files that this process may not open any more. */
#include "config.h"

#include "ipc/frames.h"
#include "smtpd/smtpd_priv.h"

#include <unistd.h>

/* One call of hk_reopener_ask: the answers come in the order of the requests. */
typedef struct {
    uint64_t first; /* number of its first request */
    size_t n, n_answered;
    int *fds;
    void (*done) (const int *fds, void *data);
    void *data;
} Request;

struct HkReopener {
    HkChannel *control;
    GPtrArray *requests; /* Request */
    uint64_t next;
};

static void
request_free (void *data)
{
    Request *request = data;
    for (size_t i = 0; i < request->n; i++)
        if (request->fds[i] >= 0)
            close (request->fds[i]);
    g_free (request->fds);
    g_free (request);
}

HkReopener *
hk_reopener_new (void)
{
    HkReopener *self = g_new0 (HkReopener, 1);
    self->requests = g_ptr_array_new_with_free_func (request_free);
    return self;
}

void
hk_reopener_free (HkReopener *self)
{
    if (self == NULL)
        return;
    g_ptr_array_unref (self->requests);
    g_free (self);
}

static void
finish (HkReopener *self, guint place)
{
    Request *request = g_ptr_array_steal_index (self->requests, place);
    request->done (request->fds, request->data);
    request_free (request);
}

void
hk_reopener_connect (HkReopener *self, HkChannel *control)
{
    self->control = control;
    while (control == NULL && self->requests->len > 0)
        finish (self, 0);
}

bool
hk_reopener_ask (HkReopener *self, const char *const *paths,
                 void (*done) (const int *fds, void *data), void *data)
{
    if (self->control == NULL || paths[0] == NULL)
        return false;
    Request *request = g_new0 (Request, 1);
    request->first = self->next;
    request->done = done;
    request->data = data;
    for (; paths[request->n] != NULL; request->n++) {
        GByteArray *out = hk_channel_begin (self->control, HK_FRAME_OPEN);
        hk_pack_u64 (out, self->next++);
        hk_pack_span (out, hk_span_text (paths[request->n]));
        hk_channel_end (self->control);
    }
    request->fds = g_new (int, request->n);
    for (size_t i = 0; i < request->n; i++)
        request->fds[i] = -1;
    g_ptr_array_add (self->requests, request);
    return true;
}

void
hk_reopener_opened (HkReopener *self, HkSpan payload, int fd)
{
    HkUnpack u = hk_unpack (payload);
    uint64_t number = hk_unpack_u64 (&u);
    for (guint i = 0; i < self->requests->len && !u.failed; i++) {
        Request *request = g_ptr_array_index (self->requests, i);
        if (number < request->first || number - request->first >= request->n)
            continue;
        int *slot = &request->fds[number - request->first];
        if (*slot >= 0)
            close (*slot);
        *slot = fd;
        if (++request->n_answered == request->n)
            finish (self, i);
        return;
    }
    if (fd >= 0)
        close (fd);
}
