/* sasl_dovecot_link.c: the connection to Dovecot's authentication server: one for all
 * exchanges of an instance, many of them in flight, never waiting for one another.
 *
 *     DOWN ── somebody asks ──▶ CONNECTING ──▶ GREETING ── DONE ──▶ READY
 *       ▲                           │              │                  │
 *       └──────── failed, closed, or silent for too long ─────────────┘
 *
 * What was in flight when the connection breaks is told so, but a request that was not
 * answered at all goes once more over a new connection: a server that was restarted meanwhile
 * costs nobody a password.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything here: loop thread. */
#include "sasl_dovecot.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SECOND ((gint64) 1000000)
enum { MAX_ADDRESSES = 16 };
/* Connecting and the greeting together, for each address. */
static const int64_t greeting_us = 10 * SECOND;
/* After a failure the next attempt is not made sooner: askers are told at once. */
static const int64_t pause_us = SECOND;

typedef enum { LINK_DOWN, LINK_CONNECTING, LINK_GREETING, LINK_READY } LinkState;

typedef struct {
    struct sockaddr_storage storage;
    socklen_t size;
} Address;

typedef struct {
    DovecotListFn fn;
    void *data;
} Asker;

struct DovecotLink {
    const HkHost *host;
    unsigned n_refs; /* the owner, and each question to the DNS under way */
    bool is_closed;  /* by the owner */
    char *where;     /* for messages */
    char *name;      /* host name that is looked up anew; NULL: a path or an address */
    uint16_t port;
    GArray *addresses; /* Address */
    guint next_address;
    LinkState state;
    int fd;
    HkWatch *watch;
    HkTimer *timer;
    GString *in, *out;
    size_t out_sent;
    /* The last complete one: its list stays when the connection is gone. */
    DovecotGreeting greeting;
    DovecotGreeting next; /* under way */
    DovecotReply reply;
    uint32_t last_id;
    GHashTable *requests; /* id → DovecotRequest, in flight */
    GQueue waiting;       /* DovecotRequest: for the greeting */
    GArray *askers;       /* Asker */
    int64_t last_failure_us;
    char *why; /* of the last failure */
};

struct DovecotRequest {
    DovecotLink *link;
    char *mechanism;
    GString *fields;
    DovecotReplyFn fn;
    void *data;
    uint32_t id; /* 0: not in flight */
    bool is_waiting, is_due, was_answered, was_repeated;
};

static void connect_next (DovecotLink *self);
static void fail (DovecotLink *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* ---- where
 * ------------------------------------------------------------------------------- */

static bool
add_path (DovecotLink *self, HkSpan where, HkSpan directory, char **out_why)
{
    Address address = {.size = sizeof (struct sockaddr_un)};
    struct sockaddr_un *to = (struct sockaddr_un *) (void *) &address.storage;
    g_autofree char *path = g_strndup ((const char *) where.data, where.size);
    g_autofree char *base = g_strndup ((const char *) directory.data, directory.size);
    g_autofree char *full =
        *path == '/' || *base == '\0' ? g_strdup (path) : g_build_filename (base, path, NULL);
    to->sun_family = AF_UNIX;
    if (*path == '\0' || strlen (full) >= sizeof to->sun_path) {
        *out_why = g_strdup_printf ("\"%s\" cannot be the path of a socket", full);
        return false;
    }
    g_strlcpy (to->sun_path, full, sizeof to->sun_path);
    g_free (self->where);
    self->where = g_steal_pointer (&full);
    g_array_append_val (self->addresses, address);
    return true;
}

/* "[::1]:12345", "host:12345". */
static bool
split_port (const char *text, char **out_name, uint16_t *out_port)
{
    const char *colon = strrchr (text, ':');
    guint64 port;
    if (colon == NULL || colon == text ||
        !g_ascii_string_to_unsigned (colon + 1, 10, 1, 65535, &port, NULL))
        return false;
    *out_name = g_strndup (text, (size_t) (colon - text));
    size_t size = strlen (*out_name);
    if (size > 2 && **out_name == '[' && (*out_name)[size - 1] == ']') {
        memmove (*out_name, *out_name + 1, size - 2);
        (*out_name)[size - 2] = '\0';
    }
    *out_port = (uint16_t) port;
    return true;
}

static void
resolve (DovecotLink *self, const char *name, int flags)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *list = NULL;
    char port[8];
    g_snprintf (port, sizeof port, "%u", self->port);
    if (getaddrinfo (name, port, &hints, &list) != 0)
        return;
    for (struct addrinfo *a = list; a != NULL && self->addresses->len < MAX_ADDRESSES;
         a = a->ai_next) {
        Address address = {.size = a->ai_addrlen};
        memcpy (&address.storage, a->ai_addr, a->ai_addrlen);
        g_array_append_val (self->addresses, address);
    }
    freeaddrinfo (list);
}

/* A name that does not resolve yet is asked for when it is needed. */
static bool
add_inet (DovecotLink *self, HkSpan where, char **out_why)
{
    g_autofree char *text = g_strndup ((const char *) where.data, where.size);
    g_autofree char *name = NULL;
    if (!split_port (text, &name, &self->port)) {
        *out_why = g_strdup_printf ("\"inet:%s\": need inet:host:port", text);
        return false;
    }
    resolve (self, name, AI_NUMERICHOST);
    if (self->addresses->len > 0)
        return true;
    self->name = g_steal_pointer (&name);
    resolve (self, self->name, 0);
    return true;
}

DovecotLink *
sasl_dovecot_link_new (const HkHost *host, HkSpan where, HkSpan directory, char **out_why)
{
    DovecotLink *self = g_new0 (DovecotLink, 1);
    self->host = host;
    self->n_refs = 1;
    self->fd = -1;
    self->where = g_strndup ((const char *) where.data, where.size);
    self->addresses = g_array_new (FALSE, FALSE, sizeof (Address));
    self->in = g_string_new (NULL);
    self->out = g_string_new (NULL);
    self->requests = g_hash_table_new (NULL, NULL);
    self->askers = g_array_new (FALSE, FALSE, sizeof (Asker));
    g_queue_init (&self->waiting);
    sasl_dovecot_reply_init (&self->reply);
    bool is_ok;
    if (where.size > 5 && g_ascii_strncasecmp (self->where, "inet:", 5) == 0)
        is_ok = add_inet (self, (HkSpan){where.data + 5, where.size - 5}, out_why);
    else if (where.size >= 5 && g_ascii_strncasecmp (self->where, "unix:", 5) == 0)
        is_ok = add_path (self, (HkSpan){where.data + 5, where.size - 5}, directory, out_why);
    else
        is_ok = add_path (self, where, directory, out_why);
    if (is_ok)
        return self;
    sasl_dovecot_link_free (self);
    return NULL;
}

static void
unref (DovecotLink *self)
{
    if (--self->n_refs > 0)
        return;
    g_array_unref (self->addresses);
    g_array_unref (self->askers);
    g_hash_table_unref (self->requests);
    g_string_free (self->in, TRUE);
    g_string_free (self->out, TRUE);
    sasl_dovecot_greeting_clear (&self->greeting);
    sasl_dovecot_greeting_clear (&self->next);
    sasl_dovecot_reply_clear (&self->reply);
    g_free (self->where);
    g_free (self->name);
    g_free (self->why);
    g_free (self);
}

/* ---- down
 * -------------------------------------------------------------------------------- */

static void
stop_timer (DovecotLink *self)
{
    if (self->timer != NULL)
        self->host->timer_end (self->timer);
    self->timer = NULL;
}

static void
disconnect (DovecotLink *self)
{
    stop_timer (self);
    if (self->watch != NULL)
        self->host->watch_end (self->watch);
    self->watch = NULL;
    if (self->fd >= 0)
        close (self->fd);
    self->fd = -1;
    self->state = LINK_DOWN;
    g_string_truncate (self->in, 0);
    g_string_truncate (self->out, 0);
    self->out_sent = 0;
}

void
sasl_dovecot_link_free (DovecotLink *self)
{
    self->is_closed = true;
    disconnect (self);
    unref (self);
}

static void
tell_askers (DovecotLink *self)
{
    g_autoptr (GArray) askers = self->askers;
    self->askers = g_array_new (FALSE, FALSE, sizeof (Asker));
    const GArray *list = self->greeting.mechanisms;
    for (guint i = 0; i < askers->len; i++) {
        const Asker *asker = &g_array_index (askers, Asker, i);
        asker->fn (asker->data, list, list == NULL ? self->why : NULL);
    }
}

static void
end_request (DovecotRequest *request, const DovecotReply *reply, const char *why)
{
    request->is_due = false;
    request->fn (request->data, reply, why);
}

static void
fail_waiting (DovecotLink *self)
{
    DovecotRequest *request;
    while ((request = g_queue_pop_head (&self->waiting)) != NULL) {
        request->is_waiting = false;
        end_request (request, NULL, "Can't connect to authentication server");
    }
}

/* Requests in flight end, or wait for another connection. */
static void
lose_requests (DovecotLink *self)
{
    GHashTableIter iter;
    void *value;
    g_autoptr (GPtrArray) lost = g_ptr_array_new ();
    g_hash_table_iter_init (&iter, self->requests);
    while (g_hash_table_iter_next (&iter, NULL, &value))
        g_ptr_array_add (lost, value);
    g_hash_table_remove_all (self->requests);
    for (guint i = 0; i < lost->len; i++) {
        DovecotRequest *request = g_ptr_array_index (lost, i);
        request->id = 0;
        if (!request->is_due)
            continue;
        if (request->was_answered || request->was_repeated) {
            end_request (request, NULL, "Connection lost to authentication server");
            continue;
        }
        request->was_repeated = request->is_waiting = true;
        g_queue_push_tail (&self->waiting, request);
    }
}

static void
fail (DovecotLink *self, const char *format, ...)
{
    bool was_ready = self->state == LINK_READY;
    va_list ap;
    va_start (ap, format);
    g_free (self->why);
    self->why = g_strdup_vprintf (format, ap);
    va_end (ap);
    disconnect (self);
    if (was_ready) {
        lose_requests (self);
        if (!g_queue_is_empty (&self->waiting))
            connect_next (self);
        return;
    }
    if (self->next_address < self->addresses->len) {
        connect_next (self);
        return;
    }
    self->host->log (self->host, HK_LOG_WARNING, "authentication server %s: %s", self->where,
                     self->why);
    self->next_address = 0;
    self->last_failure_us = self->host->now_us (self->host);
    fail_waiting (self);
    tell_askers (self);
}

/* ---- bytes
 * ------------------------------------------------------------------------------- */

static void
flush (DovecotLink *self)
{
    size_t left = self->out->len - self->out_sent;
    if (self->state < LINK_GREETING)
        return;
    ssize_t n = left == 0 ? 0
                          : send (self->fd, self->out->str + self->out_sent, left,
                                  MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        fail (self, "Connection lost: %s", g_strerror (errno));
        return;
    }
    self->out_sent += n > 0 ? (size_t) n : 0;
    if (self->out_sent == self->out->len) {
        g_string_truncate (self->out, 0);
        self->out_sent = 0;
    }
    self->host->watch_events (self->watch,
                              self->out->len > 0 ? HK_IO_READ | HK_IO_WRITE : HK_IO_READ);
}

static void
send_request (DovecotLink *self, DovecotRequest *request)
{
    if (sasl_dovecot_link_find (
            self, (HkSpan){(const uint8_t *) request->mechanism,
                           strlen (request->mechanism)}) == NULL) {
        end_request (request, NULL, "Can't connect to authentication server");
        return;
    }
    do
        self->last_id++;
    while (self->last_id == 0 ||
           g_hash_table_contains (self->requests, GUINT_TO_POINTER (self->last_id)));
    request->id = self->last_id;
    g_hash_table_insert (self->requests, GUINT_TO_POINTER (request->id), request);
    g_string_append_printf (self->out, "AUTH\t%u\t%s\t", (unsigned) request->id,
                            request->mechanism);
    g_string_append_len (self->out, request->fields->str, (gssize) request->fields->len);
}

static void
become_ready (DovecotLink *self)
{
    GQueue waiting = self->waiting;
    DovecotRequest *request;
    stop_timer (self);
    sasl_dovecot_greeting_clear (&self->greeting);
    self->greeting = self->next;
    self->next = (DovecotGreeting){.mechanisms = NULL};
    self->state = LINK_READY;
    self->next_address = 0;
    self->last_failure_us = 0;
    g_queue_init (&self->waiting);
    while ((request = g_queue_pop_head (&waiting)) != NULL) {
        request->is_waiting = false;
        send_request (self, request);
    }
    tell_askers (self);
    flush (self);
}

static void
take_greeting (DovecotLink *self, HkSpan line)
{
    const char *why = NULL;
    if (!sasl_dovecot_greeting_line (&self->next, line, &why))
        fail (self, "%s", why);
    else if (self->next.is_done)
        become_ready (self);
}

static void
take_reply (DovecotLink *self, HkSpan line)
{
    if (!sasl_dovecot_reply_line (&self->reply, line)) {
        fail (self, "a line that is not of the protocol");
        return;
    }
    if (self->reply.kind == SASL_DOVECOT_NONE)
        return;
    void *key = GUINT_TO_POINTER (self->reply.id);
    DovecotRequest *request = g_hash_table_lookup (self->requests, key);
    if (request == NULL) /* it was given up meanwhile */
        return;
    request->was_answered = true;
    if (self->reply.kind != SASL_DOVECOT_CONT) {
        g_hash_table_remove (self->requests, key);
        request->id = 0;
    }
    if (request->is_due)
        end_request (request, &self->reply, NULL);
}

/* Lines from the front of `in`.  A line may end the connection, and with it the buffer. */
static void
take_lines (DovecotLink *self)
{
    g_autoptr (GString) input = self->in;
    self->in = g_string_new (NULL);
    const char *at = input->str, *end = input->str + input->len, *lf;
    int fd = self->fd;
    while ((lf = memchr (at, '\n', (size_t) (end - at))) != NULL) {
        HkSpan line = {(const uint8_t *) at, (size_t) (lf - at)};
        if (self->state == LINK_GREETING)
            take_greeting (self, line);
        else
            take_reply (self, line);
        if (self->fd != fd || self->state < LINK_GREETING || self->is_closed)
            return;
        at = lf + 1;
    }
    g_string_append_len (self->in, at, end - at);
    if (self->in->len > SASL_DOVECOT_LINE_MAX)
        fail (self, "a line that is too long");
}

static void
read_input (DovecotLink *self)
{
    char buffer[8192];
    ssize_t n = recv (self->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        fail (self, "Connection lost: %s", n == 0 ? "closed" : g_strerror (errno));
        return;
    }
    g_string_append_len (self->in, buffer, n);
    take_lines (self);
}

/* ---- connecting
 * -------------------------------------------------------------------------- */

static void
greet (DovecotLink *self)
{
    self->state = LINK_GREETING;
    sasl_dovecot_greeting_clear (&self->next);
    /* The number must be unlike that of every other client; ours has several connections. */
    g_string_printf (self->out, "VERSION\t1\t1\nCPID\t%u\n", g_random_int () | 1);
    flush (self);
}

static void
on_event (void *data, int32_t fd, uint32_t events)
{
    DovecotLink *self = data;
    int error = 0;
    socklen_t size = sizeof error;
    self->n_refs++;
    if (self->state == LINK_CONNECTING) {
        if (getsockopt (fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0)
            fail (self, "Connect: %s", g_strerror (error));
        else
            greet (self);
    } else {
        if (events & HK_IO_WRITE)
            flush (self);
        if ((events & HK_IO_READ) && self->fd == fd)
            read_input (self);
    }
    unref (self);
}

static void
on_timeout (void *data)
{
    DovecotLink *self = data;
    self->timer = NULL;
    self->n_refs++;
    fail (self, "Connect: no greeting within %d seconds", (int) (greeting_us / SECOND));
    unref (self);
}

static void
on_addresses (void *data, int32_t outcome, const HkDnsRecord *records, size_t n,
              const char *reason)
{
    DovecotLink *self = data;
    (void) reason;
    if (outcome == HK_DNS_FOUND)
        g_array_set_size (self->addresses, 0);
    for (size_t i = 0; outcome == HK_DNS_FOUND && i < n; i++) {
        Address address = {.size = sizeof (struct sockaddr_in)};
        struct sockaddr_in *in = (struct sockaddr_in *) (void *) &address.storage;
        if (records[i].type != 1 || records[i].data.size != sizeof in->sin_addr ||
            self->addresses->len >= MAX_ADDRESSES)
            continue;
        in->sin_family = AF_INET;
        in->sin_port = htons (self->port);
        memcpy (&in->sin_addr, records[i].data.data, sizeof in->sin_addr);
        g_array_append_val (self->addresses, address);
    }
    self->next_address = 0;
    if (!self->is_closed && self->state == LINK_CONNECTING)
        connect_next (self);
    unref (self);
}

static void
connect_to (DovecotLink *self, const Address *address)
{
    self->fd = socket (address->storage.ss_family,
                       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->fd < 0) {
        fail (self, "Connect: %s", g_strerror (errno));
        return;
    }
    self->state = LINK_CONNECTING;
    int result = connect (self->fd, (const struct sockaddr *) &address->storage,
                          address->size);
    if (result < 0 && errno != EINPROGRESS) {
        fail (self, "Connect: %s", g_strerror (errno));
        return;
    }
    self->watch = self->host->watch_start (self->host, self->fd,
                                           result < 0 ? HK_IO_WRITE : HK_IO_READ, on_event,
                                           self);
    self->timer = self->host->timer_start (self->host, greeting_us, on_timeout, self);
    if (self->watch == NULL)
        fail (self, "Connect: no event loop");
    else if (result == 0)
        greet (self);
}

static void
connect_next (DovecotLink *self)
{
    if (self->next_address < self->addresses->len) {
        Address address = g_array_index (self->addresses, Address, self->next_address);
        self->next_address++;
        connect_to (self, &address);
    } else if (self->addresses->len == 0) {
        fail (self, "Connect: no address is known for it");
    }
}

/* The addresses of a name may have changed since they failed, or were not there. */
static void
connect_anew (DovecotLink *self)
{
    self->next_address = 0;
    bool has_failed = self->why != NULL && self->last_failure_us > 0;
    if (self->name == NULL || (self->addresses->len > 0 && !has_failed)) {
        connect_next (self);
        return;
    }
    self->state = LINK_CONNECTING;
    self->n_refs++;
    self->host->dns_start (self->host, self->name, 1, on_addresses, self);
}

/* False: it failed just now, and is not asked again so soon. */
static bool
ensure_link (DovecotLink *self)
{
    if (self->state != LINK_DOWN)
        return true;
    if (self->last_failure_us > 0 &&
        self->host->now_us (self->host) - self->last_failure_us < pause_us)
        return false;
    self->n_refs++;
    connect_anew (self);
    unref (self);
    return true;
}

/* ---- what others ask
 * --------------------------------------------------------------------- */

void
sasl_dovecot_link_list (DovecotLink *self, DovecotListFn fn, void *data)
{
    const Asker asker = {fn, data};
    if (self->greeting.mechanisms != NULL) {
        ensure_link (self);
        fn (data, self->greeting.mechanisms, NULL);
        return;
    }
    g_array_append_val (self->askers, asker);
    if (!ensure_link (self))
        tell_askers (self);
}

void *
sasl_dovecot_link_list_cancel (DovecotLink *self, bool (*is) (void *data, void *key),
                               void *key)
{
    for (guint i = 0; i < self->askers->len; i++) {
        void *data = g_array_index (self->askers, Asker, i).data;
        if (!is (data, key))
            continue;
        g_array_remove_index (self->askers, i);
        return data;
    }
    return NULL;
}

const DovecotMechanism *
sasl_dovecot_link_find (DovecotLink *self, HkSpan name)
{
    const GArray *list = self->greeting.mechanisms;
    for (guint i = 0; list != NULL && i < list->len; i++) {
        const DovecotMechanism *m = &g_array_index (list, DovecotMechanism, i);
        if (strlen (m->name) == name.size &&
            g_ascii_strncasecmp (m->name, (const char *) name.data, name.size) == 0)
            return m;
    }
    return NULL;
}

DovecotRequest *
sasl_dovecot_request_new (DovecotLink *link, char *mechanism, GString *fields,
                          DovecotReplyFn fn, void *data)
{
    DovecotRequest *self = g_new0 (DovecotRequest, 1);
    self->link = link;
    self->mechanism = mechanism;
    self->fields = fields;
    self->fn = fn;
    self->data = data;
    return self;
}

void
sasl_dovecot_request_start (DovecotRequest *self)
{
    DovecotLink *link = self->link;
    self->is_due = true;
    if (link->out->len - link->out_sent > SASL_DOVECOT_OUT_MAX) {
        end_request (self, NULL, "Connection lost to authentication server");
        return;
    }
    if (link->state == LINK_READY) {
        send_request (link, self);
        flush (link);
        return;
    }
    self->is_waiting = true;
    g_queue_push_tail (&link->waiting, self);
    if (!ensure_link (link))
        fail_waiting (link);
}

static void
append_line (DovecotLink *link, const char *word, uint32_t id, const char *data)
{
    g_string_append_printf (link->out, "%s\t%u%s%s\n", word, (unsigned) id,
                            data == NULL ? "" : "\t", data == NULL ? "" : data);
    flush (link);
}

void
sasl_dovecot_request_continue (DovecotRequest *self, HkSpan response)
{
    self->is_due = true;
    if (self->id == 0) { /* the connection has gone since the challenge */
        end_request (self, NULL, "Connection lost to authentication server");
        return;
    }
    g_autofree char *text = g_base64_encode (
        response.data == NULL ? (const guchar *) "" : response.data, response.size);
    append_line (self->link, "CONT", self->id, text);
}

void
sasl_dovecot_request_free (DovecotRequest *self)
{
    DovecotLink *link = self->link;
    self->is_due = false;
    if (self->is_waiting)
        g_queue_remove (&link->waiting, self);
    if (self->id != 0) {
        uint32_t id = self->id;
        g_hash_table_remove (link->requests, GUINT_TO_POINTER (id));
        append_line (link, "CANCEL", id, NULL);
    }
    g_string_free (self->fields, TRUE);
    g_free (self->mechanism);
    g_free (self);
}
