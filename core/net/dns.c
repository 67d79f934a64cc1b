/* dns.c: questions to the domain name system, through libunbound, on the loop.
 *
 * libunbound resolves on a thread of its own (ub_ctx_async (ctx, 1)) that starts with the
 * first question: a thread inherits the sandbox that closed before, where a forked resolver
 * would need fork to be allowed and a second address space.  Its answers come through a
 * pipe that the loop watches.  DNSSEC is not validated here (module-config "iterator"):
 * private zones would fail, and nothing above asks for it yet. */
#include "config.h"
#include "base/log.h"
#include "mail/address.h"
#include "net/dns_priv.h"

#include <gio/gio.h>
#include <netinet/in.h>
#include <unbound.h>

enum { MAX_OPEN = 4000 };

typedef struct Question Question;
struct Question {
    HkResolver *resolver;
    HkDnsFn fn;
    void *data;
    Question *next, *previous; /* of the same DATA */
    HkLoopTimer timer;
    GList link;    /* in `done` */
    bool is_asked; /* libunbound has it: async_id is valid */
    bool is_done;  /* in `done` */
    bool is_ready; /* the timer brings an answer, not the timeout */
    int async_id;
    uint16_t type;
    int32_t outcome;
    const char *reason;       /* static */
    struct ub_result *result; /* or NULL */
    GArray *from_hosts;       /* or NULL */
};

struct HkResolver {
    HkLoop *loop;
    struct ub_ctx *ctx;
    HkHosts *hosts;
    HkPeers *peers;
    HkFdWatch watch;
    int64_t timeout_us;
    GHashTable *by_data; /* DATA: first Question */
    size_t n_open;
    GQueue done;
    bool is_delivering, is_dead;
};

/* ---- one question's life ----------------------------------------------------------------
 */

static void
link_question (HkResolver *self, Question *q)
{
    q->next = g_hash_table_lookup (self->by_data, q->data);
    if (q->next != NULL)
        q->next->previous = q;
    g_hash_table_insert (self->by_data, q->data, q);
    self->n_open++;
}

static void
unlink_question (HkResolver *self, Question *q)
{
    if (q->next != NULL)
        q->next->previous = q->previous;
    if (q->previous != NULL)
        q->previous->next = q->next;
    else if (q->next != NULL)
        g_hash_table_insert (self->by_data, q->data, q->next);
    else
        g_hash_table_remove (self->by_data, q->data);
    self->n_open--;
    hk_timer_disarm (&q->timer);
    if (q->is_done)
        g_queue_unlink (&self->done, &q->link);
    q->is_done = false;
}

static void
free_question (Question *q)
{
    if (q->result != NULL)
        ub_resolve_free (q->result);
    if (q->from_hosts != NULL)
        g_array_unref (q->from_hosts);
    g_free (q);
}

static void
drop_question (HkResolver *self, Question *q)
{
    unlink_question (self, q);
    if (q->is_asked)
        ub_cancel (self->ctx, q->async_id);
    free_question (q);
}

static void
read_result (Question *q, HkDnsAnswer *answer)
{
    const struct ub_result *r = q->result;
    for (int i = 0; r->data != NULL && r->data[i] != NULL; i++)
        hk_dns_answer_add (answer, q->type, (uint32_t) MAX (r->ttl, 0),
                           hk_span (r->data[i], (size_t) MAX (r->len[i], 0)));
}

static void
read_hosts (Question *q, HkDnsAnswer *answer)
{
    for (guint i = 0; i < q->from_hosts->len; i++) {
        const HkAddress *address = &g_array_index (q->from_hosts, HkAddress, i);
        const void *storage = &address->storage;
        bool v6 = hk_address_is_ipv6 (address);
        HkSpan bytes =
            v6 ? hk_span (&((const struct sockaddr_in6 *) storage)->sin6_addr, 16)
               : hk_span (&((const struct sockaddr_in *) storage)->sin_addr, 4);
        if (v6 == (q->type == HK_DNS_AAAA))
            hk_dns_answer_add (answer, q->type, 0, bytes);
    }
}

/* Tell the asker; Q is gone afterwards. */
static void
finish (HkResolver *self, Question *q)
{
    HkDnsAnswer answer = {.n = 0, .text = NULL};
    unlink_question (self, q);
    if (q->outcome == HK_DNS_FOUND) {
        if (q->from_hosts != NULL)
            read_hosts (q, &answer);
        else
            read_result (q, &answer);
        hk_dns_answer_finish (&answer);
        if (answer.n == 0) {
            q->outcome = HK_DNS_NO_DATA;
            q->reason = "every record of the answer is malformed";
        }
    }
    q->fn (q->data, q->outcome, answer.n > 0 ? answer.records : NULL, answer.n, q->reason);
    hk_dns_answer_clear (&answer);
    free_question (q);
}

static void
on_timer (HkLoopTimer *timer)
{
    Question *q = timer->data;
    if (!q->is_ready) {
        if (q->is_asked)
            ub_cancel (q->resolver->ctx, q->async_id);
        q->is_asked = false;
        q->outcome = HK_DNS_LATER;
        q->reason = "no name server answered in time";
    }
    finish (q->resolver, q);
}

/* ---- libunbound -------------------------------------------------------------------------
 */

/* Called inside ub_process: only take the result; askers may want to ask again. */
static void
on_result (void *data, int error, struct ub_result *result)
{
    Question *q = data;
    q->is_asked = false;
    q->result = result;
    q->outcome = HK_DNS_LATER;
    if (error != 0 || result == NULL) {
        q->reason = ub_strerror (error);
    } else if (result->nxdomain) {
        q->outcome = HK_DNS_NO_NAME;
        q->reason = "Host not found";
    } else if (result->rcode != 0) {
        q->reason = "the name servers failed";
    } else if (!result->havedata) {
        q->outcome = HK_DNS_NO_DATA;
        q->reason = "Host found, but no record of the requested type";
    } else {
        q->outcome = HK_DNS_FOUND;
    }
    q->is_done = true;
    q->link = (GList){.data = q};
    g_queue_push_tail_link (&q->resolver->done, &q->link);
}

static void
drop_all (HkResolver *self)
{
    GHashTableIter iter;
    gpointer q;
    for (;;) {
        g_hash_table_iter_init (&iter, self->by_data);
        if (!g_hash_table_iter_next (&iter, NULL, &q))
            return;
        drop_question (self, q);
    }
}

static void
really_free (HkResolver *self)
{
    if (self->ctx != NULL)
        ub_ctx_delete (self->ctx);
    g_clear_pointer (&self->by_data, g_hash_table_unref);
    hk_hosts_free (self->hosts);
    g_free (self);
}

static void
on_readable (HkFdWatch *watch, unsigned events)
{
    HkResolver *self = watch->data;
    (void) events;
    ub_process (self->ctx);
    self->is_delivering = true;
    while (!g_queue_is_empty (&self->done))
        finish (self, self->done.head->data);
    self->is_delivering = false;
    if (self->is_dead)
        really_free (self);
}

static bool
set_option (struct ub_ctx *ctx, const char *name, const char *value, GError **error)
{
    int code = ub_ctx_set_option (ctx, name, value);
    if (code == 0)
        return true;
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "libunbound: %s %s: %s", name, value,
                 ub_strerror (code));
    return false;
}

/* "127.0.0.1", "127.0.0.1@5353", "127.0.0.1:5353", "[::1]:5353", "::1@5353". */
static bool
set_server (struct ub_ctx *ctx, const char *server, GError **error)
{
    HkSpan text = hk_span_text (server), ip = text, port = HK_SPAN_NONE;
    HkAddress address;
    size_t mark = hk_span_rfind (text, '@');
    if (mark == text.size && text.size > 0 && text.data[0] == '[') {
        mark = hk_span_find (text, ']', 0) + 1;
        if (mark < text.size && text.data[mark] != ':')
            mark = text.size + 1;
    } else if (mark == text.size &&
               hk_span_find (text, ':', 0) == hk_span_rfind (text, ':')) {
        mark = hk_span_find (text, ':', 0);
    }
    bool has_port = mark < text.size;
    if (has_port) {
        ip = hk_span_sub (text, 0, mark);
        port = hk_span_sub (text, mark + 1, text.size);
    }
    if (ip.size > 2 && ip.data[0] == '[' && ip.data[ip.size - 1] == ']')
        ip = hk_span_sub (ip, 1, ip.size - 2);
    g_autofree char *port_text = has_port ? hk_span_dup (port) : g_strdup ("53");
    guint64 number = 0;
    if (mark > text.size ||
        !g_ascii_string_to_unsigned (port_text, 10, 1, 65535, &number, NULL) ||
        !hk_address_parse_ip (ip, 0, &address)) {
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                     "dns_servers: \"%s\" is no \"address@port\"", server);
        return false;
    }
    char plain[64];
    hk_address_text (&address, plain);
    g_autofree char *forward = g_strdup_printf ("%s@%u", plain, (unsigned) number);
    int code = ub_ctx_set_fwd (ctx, forward);
    if (code != 0)
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "dns_servers: %s: %s", server,
                     ub_strerror (code));
    return code == 0;
}

static bool
set_servers (struct ub_ctx *ctx, const char *const *servers, GError **error)
{
    if (servers != NULL && *servers != NULL) {
        for (; *servers != NULL; servers++)
            if (!set_server (ctx, *servers, error))
                return false;
        return true;
    }
    int code = ub_ctx_resolvconf (ctx, NULL);
    if (code == 0)
        return true;
    hk_log (HK_LOG_WARNING, "/etc/resolv.conf: %s; asking 127.0.0.1", ub_strerror (code));
    return set_server (ctx, "127.0.0.1", error);
}

/* Zones that libunbound would answer by itself although the servers may know them. */
static void
open_zones (struct ub_ctx *ctx, bool own_servers)
{
    static const char *const always[] = {"test.", "home.arpa."};
    static const char *const own[] = {"localhost.", "127.in-addr.arpa.", "invalid."};
    for (size_t i = 0; i < G_N_ELEMENTS (always); i++)
        ub_ctx_zone_remove (ctx, always[i]);
    for (size_t i = 0; own_servers && i < G_N_ELEMENTS (own); i++)
        ub_ctx_zone_remove (ctx, own[i]);
}

static struct ub_ctx *
make_context (const HkResolverOptions *options, GError **error)
{
    static const char *const settings[][2] = {
        {"module-config:", "iterator"},
        {"do-not-query-localhost:", "no"}, /* a resolver on this host is the usual case */
        {"unblock-lan-zones:", "yes"},     /* names of private addresses */
        {"num-queries-per-thread:", "4096"},
        {"outgoing-range:", "256"},
        {"cache-max-negative-ttl:", "300"}, /* a mail system tries again */
        {"use-syslog:", "no"},
        {"logfile:", ""},
        {"verbosity:", "0"},
    };
    struct ub_ctx *ctx = ub_ctx_create ();
    if (ctx == NULL) {
        g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                             "libunbound: cannot make a context");
        return NULL;
    }
    bool good = true;
    ub_ctx_debugout (ctx, NULL);
    for (size_t i = 0; good && i < G_N_ELEMENTS (settings); i++)
        good = set_option (ctx, settings[i][0], settings[i][1], error);
    good = good && set_servers (ctx, options->servers, error);
    if (good && ub_ctx_async (ctx, 1) != 0) {
        g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                             "libunbound: cannot work with a thread");
        good = false;
    }
    if (!good) {
        ub_ctx_delete (ctx);
        return NULL;
    }
    open_zones (ctx, options->servers != NULL && *options->servers != NULL);
    return ctx;
}

/* ---- the face ---------------------------------------------------------------------------
 */

HkResolver *
hk_resolver_new (HkLoop *loop, const HkResolverOptions *options, GError **error)
{
    HkResolver *self = g_new0 (HkResolver, 1);
    self->loop = loop;
    self->timeout_us = options->timeout_us > 0 ? options->timeout_us : 30 * HK_SECOND;
    self->by_data = g_hash_table_new (NULL, NULL);
    g_queue_init (&self->done);
    self->ctx = make_context (options, error);
    if (self->ctx == NULL || !hk_loop_attach (loop, &self->watch, ub_fd (self->ctx),
                                              HK_LOOP_READ, on_readable, self, error)) {
        really_free (self);
        return NULL;
    }
    if (options->hosts_file != NULL)
        self->hosts = hk_hosts_read (options->hosts_file);
    self->peers = hk_peers_new (loop, self, self->hosts);
    return self;
}

void
hk_resolver_free (HkResolver *self)
{
    if (self == NULL)
        return;
    hk_peers_free (self->peers);
    drop_all (self);
    hk_fd_watch_detach (&self->watch);
    if (self->is_delivering)
        self->is_dead = true; /* on_readable does the rest */
    else
        really_free (self);
}

/* NAME as it can be asked for; NULL: no host name. */
static char *
plain_name (const char *name)
{
    g_autofree char *ascii = NULL;
    HkSpan text = hk_span_text (name);
    if (text.size > 1024)
        return NULL;
    ascii = hk_address_is_ascii (text) ? g_strdup (name) : g_hostname_to_ascii (name);
    size_t size = ascii == NULL ? 0 : strlen (ascii);
    if (size == 0 || size > 254)
        return NULL;
    for (size_t i = 0, label = 0; i < size; i++) {
        unsigned char c = (unsigned char) ascii[i];
        if (c <= 32 || c >= 127 || strchr ("\\\"()<>@;", c) != NULL)
            return NULL;
        label = c == '.' ? 0 : label + 1;
        if (label > 63 || (c == '.' && (i == 0 || ascii[i - 1] == '.')))
            return NULL;
    }
    return g_steal_pointer (&ascii);
}

static bool
hosts_know (HkResolver *self, Question *q, const char *name)
{
    const GArray *addresses = NULL;
    if (q->type == HK_DNS_A || q->type == HK_DNS_AAAA)
        addresses = hk_hosts_addresses (self->hosts, name);
    for (guint i = 0; addresses != NULL && i < addresses->len; i++) {
        if (hk_address_is_ipv6 (&g_array_index (addresses, HkAddress, i)) ==
            (q->type == HK_DNS_AAAA)) {
            q->from_hosts = g_array_ref ((GArray *) addresses);
            return true;
        }
    }
    return false;
}

/* Hand Q's question over; false with the outcome set when that is known already. */
static bool
put_question (HkResolver *self, Question *q, const char *name)
{
    g_autofree char *plain = plain_name (name);
    q->outcome = HK_DNS_LATER;
    if (plain == NULL) {
        q->outcome = HK_DNS_NO_NAME;
        q->reason = "not a host name";
        return false;
    }
    if (hosts_know (self, q, plain)) {
        q->outcome = HK_DNS_FOUND;
        return false;
    }
    if (self->n_open > MAX_OPEN) {
        q->reason = "too many open questions";
        return false;
    }
    int code = ub_resolve_async (self->ctx, plain, q->type, 1, q, on_result, &q->async_id);
    q->is_asked = code == 0;
    q->reason = code == 0 ? NULL : ub_strerror (code);
    return code == 0;
}

void
hk_resolver_ask (HkResolver *self, const char *name, uint16_t type, HkDnsFn fn, void *data)
{
    Question *q = g_new0 (Question, 1);
    q->resolver = self;
    q->fn = fn;
    q->data = data;
    q->type = type;
    hk_timer_init (&q->timer, self->loop, on_timer, q);
    link_question (self, q);
    q->is_ready = !put_question (self, q, name);
    hk_timer_arm (&q->timer, q->is_ready ? 0 : self->timeout_us);
}

void
hk_resolver_peer_name (HkResolver *self, const struct sockaddr *peer, HkPeerNameFn fn,
                       void *data)
{
    hk_peers_ask (self->peers, peer, fn, data);
}

void
hk_resolver_cancel (HkResolver *self, void *data)
{
    Question *q;
    while ((q = g_hash_table_lookup (self->by_data, data)) != NULL)
        drop_question (self, q);
    hk_peers_cancel (self->peers, data);
}
