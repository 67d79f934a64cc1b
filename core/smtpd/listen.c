/* listen.c: accepting connections for all services of the process. */
#include "config.h"

#include "base/log.h"
#include "smtpd/smtpd_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum { ACCEPTS_A_TURN = 64 };
static const int64_t pause_us = HK_SECOND / 2;

typedef struct {
    HkFdWatch watch;
    HkLoopTimer timer; /* after running out of descriptors */
    HkLoop *loop;
    HkAcceptFn fn;
    void *target;
    int fd;
    bool is_unix, has_local;
    HkAddress local; /* when the socket is bound to one address */
} Listener;

struct HkListeners {
    HkLoop *loop;
    GPtrArray *all;
};

static void on_ready (HkFdWatch *watch, unsigned events);

static bool
watch_listener (Listener *l, GError **error)
{
    return hk_loop_attach_exclusive (l->loop, &l->watch, l->fd, on_ready, l, error);
}

static void
go_on (HkLoopTimer *timer)
{
    Listener *l = timer->data;
    g_autoptr (GError) error = NULL;
    if (!watch_listener (l, &error))
        hk_log (HK_LOG_ERROR, "%s", error->message);
}

static void
on_ready (HkFdWatch *watch, unsigned events)
{
    Listener *l = watch->data;
    (void) events;
    for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
        HkAddress peer = {.size = sizeof peer.storage};
        int fd = accept4 (l->fd, (struct sockaddr *) &peer.storage, &peer.size,
                          SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            l->fn (l->target, fd, l->is_unix ? NULL : &peer,
                   l->has_local ? &l->local : NULL);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            hk_log (HK_LOG_WARNING, "accept: %s", g_strerror (errno));
            hk_fd_watch_detach (&l->watch);
            hk_timer_arm (&l->timer, pause_us);
        }
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

static bool
is_any (const HkAddress *address)
{
    const struct sockaddr_in *in4 = (const void *) &address->storage;
    const struct sockaddr_in6 *in6 = (const void *) &address->storage;
    return address->storage.ss_family == AF_INET
               ? in4->sin_addr.s_addr == INADDR_ANY
               : IN6_IS_ADDR_UNSPECIFIED (&in6->sin6_addr);
}

static void
listener_free (void *data)
{
    Listener *l = data;
    hk_fd_watch_detach (&l->watch);
    hk_timer_disarm (&l->timer);
    close (l->fd);
    g_free (l);
}

HkListeners *
hk_listeners_new (HkLoop *loop)
{
    HkListeners *self = g_new0 (HkListeners, 1);
    self->loop = loop;
    self->all = g_ptr_array_new_with_free_func (listener_free);
    return self;
}

void
hk_listeners_free (HkListeners *self)
{
    if (self == NULL)
        return;
    g_ptr_array_unref (self->all);
    g_free (self);
}

bool
hk_listeners_add (HkListeners *self, int fd, HkAcceptFn fn, void *target, GError **error)
{
    const int on = 1;
    Listener *l = g_new0 (Listener, 1);
    g_ptr_array_add (self->all, l);
    l->loop = self->loop;
    l->fn = fn;
    l->target = target;
    l->fd = fd;
    l->local.size = sizeof l->local.storage;
    hk_timer_init (&l->timer, self->loop, go_on, l);
    if (getsockname (fd, (struct sockaddr *) &l->local.storage, &l->local.size) < 0) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE,
                     "descriptor %d is no listening socket: %s", fd, g_strerror (errno));
        return false;
    }
    l->is_unix = l->local.storage.ss_family == AF_UNIX;
    l->has_local = !l->is_unix && !is_any (&l->local);
    /* Accepted sockets inherit it; set once, it costs no call per connection. */
    if (!l->is_unix && setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        hk_log (HK_LOG_WARNING, "TCP_NODELAY: %s", g_strerror (errno));
    return watch_listener (l, error);
}
