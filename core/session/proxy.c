/* proxy.c: a session that begins with a load balancer's word about who the client is. */
#include "config.h"
#include "session/session_priv.h"

#include "base/text.h"
#include "net/proxy.h"

#include <errno.h>
#include <sys/socket.h>

static void
give_up (HkSession *self, const char *why, HkSpan header)
{
    g_autoptr (GString) shown = g_string_new (NULL);
    if (header.size > 0) {
        g_string_append (shown, ": ");
        hk_text_append_printable (shown, header, 100, false);
    }
    hk_session_set_unknown (self);
    hk_report_text (self, HK_LOG_WARNING, "haproxy read: %s%s", why, shown->str);
    self->phase = HK_PHASE_COMMAND;
    hk_report_connect (self);
    hk_session_hang_up (self, 421, "4.3.0", "%s Server local error",
                        self->dialogue->myhostname);
}

/* The client that the header names takes the balancer's place. */
static void
take (HkSession *self, const HkProxyHeader *header)
{
    HkAddress peer = {.size = sizeof peer.storage};
    if (header->has_addresses) {
        hk_session_set_addresses (self, &header->client, &header->server);
        self->is_unix = false;
        peer = header->client;
    } else if (self->is_unix ||
               getpeername (self->fd, (struct sockaddr *) &peer.storage, &peer.size) < 0) {
        hk_session_admit (self, NULL);
        return;
    }
    hk_session_admit (self, &peer);
}

/* Looks at what has come and takes no byte that is not the header's: what stands behind it
 * may be a TLS handshake. */
void
hk_session_read_proxy (HkSession *self)
{
    uint8_t *buffer = self->dialogue->sessions->buffer;
    size_t have = self->rest_size;
    HkProxyHeader header;
    if (have > 0)
        memcpy (buffer, self->rest, have);
    ssize_t n = recv (self->fd, buffer + have, HK_PROXY_MAX, MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        give_up (self, n == 0 ? "EOF" : g_strerror (errno), HK_SPAN_NONE);
        return;
    }
    HkSpan input = hk_span (buffer, have + (size_t) n);
    HkProxyProgress progress = hk_proxy_parse (input, &header);
    size_t ours = progress == HK_PROXY_DONE ? header.size - have : (size_t) n;
    if (recv (self->fd, buffer + have, ours, 0) != (ssize_t) ours)
        progress = HK_PROXY_BAD, header.error = "lost data";
    g_clear_pointer (&self->rest, g_free);
    self->rest_size = 0;
    if (progress == HK_PROXY_MORE) {
        self->rest = g_memdup2 (buffer, input.size);
        self->rest_size = (uint32_t) input.size;
    } else if (progress == HK_PROXY_DONE) {
        take (self, &header);
    } else {
        give_up (self, header.error, input);
    }
}

void
hk_session_proxy_timeout (HkSession *self)
{
    HkSpan header = hk_span (self->rest, self->rest_size);
    give_up (self, self->rest_size > 0 ? "missing protocol header terminator"
                                       : "timeout error",
             header);
    g_clear_pointer (&self->rest, g_free);
    self->rest_size = 0;
}
