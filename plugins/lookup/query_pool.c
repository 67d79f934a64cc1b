/* query_pool.c: connections to the servers of one table, each with a thread of its own.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "query_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_HOSTS = 64,
    VALUES_LIMIT = 100000,      /* of one answer */
    VALUES_SIZE_LIMIT = 4 << 20 /* bytes of one answer */
};

struct QueryValues {
    GPtrArray *list; /* GBytes */
    size_t size;
};

typedef struct {
    char *name, *label; /* as configured; for messages, without a password */
    bool is_first;
    gint64 down_until_us; /* 0: it is good as far as we know */
    int64_t pause_s;      /* its last back-off */
    bool is_on_trial;     /* one lookup is trying it after a failure */
    char *reason;         /* of its last failure, or NULL */
} Host;

typedef struct {   /* a question; shared by the one who asks and the connection's thread */
    int ref_count; /* under the pool's lock, as the rest once it is handed over */
    uint8_t *key;
    size_t key_size;
    QueryValues values;
    QueryOutcome outcome;
    char *reason;
    bool is_done, was_connected; /* an older connection was used */
    bool is_given_up;            /* nobody waits for it any more */
} Question;

typedef struct {
    QueryPool *pool;
    pthread_t thread;
    size_t host;
    void *connection; /* NULL: not yet, or lost; the thread's own while it has a question */
    int fd;           /* a duplicate of its socket, to shut down; -1: none */
    Question *question;
    bool is_unwanted, is_ended;
} Worker;

struct QueryPool {
    const HkHost *host;
    const QueryFile *file;
    const QueryDriver *driver;
    void *table;
    int64_t timeout_s, limit, idle_s, retry_s;
    pthread_mutex_t lock; /* guards what follows and the workers' fields */
    pthread_cond_t work,
        done; /* a question is there; one was answered or a worker is free */
    Host *hosts;
    size_t n_hosts;
    GPtrArray *workers;
    bool is_closing;
};

/* ---- locks: the C library's, which the thread sanitizer understands ---- */

static void
init_locks (QueryPool *self)
{
    pthread_condattr_t attributes;
    pthread_mutex_init (&self->lock, NULL);
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC); /* as GLib's times */
    pthread_cond_init (&self->work, &attributes);
    pthread_cond_init (&self->done, &attributes);
    pthread_condattr_destroy (&attributes);
}

/* False: it is later than END_US. */
static bool
wait_until (pthread_cond_t *cond, pthread_mutex_t *lock, gint64 end_us)
{
    struct timespec end = {.tv_sec = (time_t) (end_us / G_USEC_PER_SEC),
                           .tv_nsec = (long) (end_us % G_USEC_PER_SEC) * 1000};
    return pthread_cond_timedwait (cond, lock, &end) != ETIMEDOUT;
}

/* ---- values and questions ---- */

bool
query_values_add (QueryValues *self, const void *data, size_t size)
{
    if (self->list->len >= VALUES_LIMIT || size > VALUES_SIZE_LIMIT - self->size)
        return false;
    self->size += size;
    g_ptr_array_add (self->list, g_bytes_new (data, size));
    return true;
}

static Question *
question_new (HkSpan key)
{
    Question *self = g_new0 (Question, 1);
    self->ref_count = 1;
    self->key = g_memdup2 (key.data, key.size);
    self->key_size = key.size;
    self->values.list = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
    return self;
}

static void
question_unref (Question *self)
{
    if (--self->ref_count > 0)
        return;
    g_ptr_array_unref (self->values.list);
    g_free (self->reason);
    g_free (self->key);
    g_free (self);
}

/* ---- a connection's thread ---- */

static void
drop_connection (Worker *self)
{
    void *connection = self->connection;
    int fd = self->fd;
    self->connection = NULL;
    self->fd = -1;
    pthread_mutex_unlock (&self->pool->lock);
    if (connection != NULL)
        self->pool->driver->disconnect (connection);
    if (fd >= 0)
        close (fd);
    pthread_mutex_lock (&self->pool->lock);
}

static bool
is_given_up (QueryPool *self, const Question *question)
{
    pthread_mutex_lock (&self->lock);
    bool is_so = question->is_given_up;
    pthread_mutex_unlock (&self->lock);
    return is_so;
}

/* Unlocked but for moments. */
static QueryOutcome
connect_now (Worker *self, char **out_reason)
{
    QueryPool *pool = self->pool;
    int fd = -1;
    /* later than the lookup's own deadline, which tells better what happened */
    int64_t share_s = MAX (1, pool->timeout_s / (int64_t) pool->n_hosts) + 1;
    void *connection = pool->driver->connect (pool->table, pool->hosts[self->host].name,
                                              share_s, &fd, out_reason);
    if (connection == NULL)
        return QUERY_LOST;
    if (fd >= 0)
        fd = fcntl (fd, F_DUPFD_CLOEXEC, 0);
    pthread_mutex_lock (&pool->lock);
    self->connection = connection;
    self->fd = fd;
    pthread_mutex_unlock (&pool->lock);
    return QUERY_DONE;
}

/* Under the lock, which is given up meanwhile. */
static void
answer_question (Worker *self)
{
    QueryPool *pool = self->pool;
    Question *question = self->question;
    HkSpan key = {question->key, question->key_size};
    char *reason = NULL;
    question->was_connected = self->connection != NULL;
    pthread_mutex_unlock (&pool->lock);
    QueryOutcome outcome =
        self->connection == NULL ? connect_now (self, &reason) : QUERY_DONE;
    /* nobody else touches `values` before is_done; one who gave up never does */
    if (outcome == QUERY_DONE && !is_given_up (pool, question))
        outcome = pool->driver->ask (pool->table, self->connection, key, &question->values,
                                     &reason);
    pthread_mutex_lock (&pool->lock);
    if (outcome == QUERY_LOST)
        drop_connection (self);
    question->outcome = outcome;
    question->reason = reason;
    question->is_done = true;
    self->question = NULL;
    question_unref (question);
    pthread_cond_broadcast (&pool->done);
}

static void *
run_worker (void *data)
{
    Worker *self = data;
    QueryPool *pool = self->pool;
    if (pool->driver->thread_start != NULL)
        pool->driver->thread_start ();
    pthread_mutex_lock (&pool->lock);
    gint64 idle_end = g_get_monotonic_time () + pool->idle_s * G_USEC_PER_SEC;
    for (;;) {
        if (self->question != NULL) {
            answer_question (self);
            idle_end = g_get_monotonic_time () + pool->idle_s * G_USEC_PER_SEC;
            if (self->connection != NULL)
                continue;
        }
        if (pool->is_closing || self->is_unwanted || self->connection == NULL)
            break; /* a thread without a connection has no use */
        if (!wait_until (&pool->work, &pool->lock, idle_end) && self->question == NULL)
            break;
    }
    drop_connection (self);
    self->is_ended = true;
    pthread_cond_broadcast (&pool->done);
    pthread_mutex_unlock (&pool->lock);
    if (pool->driver->thread_end != NULL)
        pool->driver->thread_end ();
    return NULL;
}

/* ---- threads, hosts.  All under the lock ---- */

static void
reap_workers (QueryPool *self)
{
    for (guint i = 0; i < self->workers->len;) {
        Worker *worker = g_ptr_array_index (self->workers, i);
        if (worker->is_ended) {
            pthread_join (worker->thread,
                          NULL); /* it has left its last lock, or is about to */
            g_free (worker);
            g_ptr_array_remove_index_fast (self->workers, i);
        } else
            i++;
    }
}

static Worker *
start_worker (QueryPool *self, size_t host)
{
    sigset_t all, before;
    Worker *worker = g_new0 (Worker, 1);
    worker->pool = self;
    worker->host = host;
    worker->fd = -1;
    sigfillset (&all); /* signals are for the host's threads */
    pthread_sigmask (SIG_SETMASK, &all, &before);
    bool is_started = pthread_create (&worker->thread, NULL, run_worker, worker) == 0;
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    if (!is_started) {
        g_free (worker);
        return NULL;
    }
    g_ptr_array_add (self->workers, worker);
    return worker;
}

/* Idle connections to HOST end. */
static void
dismiss_idle (QueryPool *self, size_t host)
{
    for (guint i = 0; i < self->workers->len; i++) {
        Worker *worker = g_ptr_array_index (self->workers, i);
        if (worker->host == host && worker->question == NULL)
            worker->is_unwanted = true;
    }
    pthread_cond_broadcast (&self->work);
}

static void
host_failed (QueryPool *self, size_t index, const char *reason)
{
    Host *host = &self->hosts[index];
    host->pause_s = CLAMP (host->pause_s * 2, 1, self->retry_s);
    host->down_until_us = g_get_monotonic_time () + host->pause_s * G_USEC_PER_SEC;
    host->is_on_trial = false;
    g_free (host->reason);
    host->reason = g_strdup (reason);
    dismiss_idle (self, index);
    self->host->log (self->host, HK_LOG_WARNING, "%s: %s server %s: %s; next try in %d s",
                     query_file_name (self->file), self->driver->type, host->label, reason,
                     (int) host->pause_s);
}

static void
host_is_good (Host *self)
{
    self->down_until_us = 0;
    self->pause_s = 0;
    self->is_on_trial = false;
}

/* ---- one lookup ---- */

typedef struct {
    HkSpan key;
    gint64 deadline_us;
    guint8 is_tried[MAX_HOSTS], is_retried[MAX_HOSTS];
    char *reason; /* of the last failure */
} Lookup;

static bool
is_usable (const QueryPool *self, const Lookup *lookup, size_t i, gint64 now)
{
    const Host *host = &self->hosts[i];
    return !lookup->is_tried[i] && !host->is_on_trial && host->down_until_us <= now;
}

/* One of those that come first, else one of the others, by chance.  N_HOSTS: none. */
static size_t
choose_host (const QueryPool *self, const Lookup *lookup, gint64 now, guint *out_n)
{
    size_t best = self->n_hosts;
    guint n = 0;
    *out_n = 0;
    for (size_t i = 0; i < self->n_hosts; i++) {
        const Host *host = &self->hosts[i];
        if (!is_usable (self, lookup, i, now))
            continue;
        ++*out_n;
        if (best < self->n_hosts && host->is_first != self->hosts[best].is_first) {
            if (!host->is_first)
                continue;
            n = 0;
        }
        if (g_random_int_range (0, (gint32) ++n) == 0)
            best = i;
    }
    return best;
}

static Worker *
find_idle (const QueryPool *self, const Lookup *lookup, gint64 now)
{
    Worker *best = NULL;
    for (guint i = 0; i < self->workers->len; i++) {
        Worker *worker = g_ptr_array_index (self->workers, i);
        if (worker->is_ended || worker->is_unwanted || worker->question != NULL ||
            worker->connection == NULL || !is_usable (self, lookup, worker->host, now))
            continue;
        if (best == NULL || self->hosts[worker->host].is_first)
            best = worker;
    }
    return best;
}

/* All connections are taken; those that are idle are to hosts that are of no use now. */
static void
make_room (QueryPool *self)
{
    for (guint i = 0; i < self->workers->len; i++) {
        Worker *worker = g_ptr_array_index (self->workers, i);
        if (worker->question == NULL && worker->connection != NULL) {
            worker->is_unwanted = true;
            pthread_cond_broadcast (&self->work);
            return;
        }
    }
}

static void
note_reason (QueryPool *self, Lookup *lookup, size_t host, const char *reason)
{
    g_free (lookup->reason);
    lookup->reason = g_strdup_printf ("%s server %s: %s", self->driver->type,
                                      self->hosts[host].label, reason);
}

static void
give_up (QueryPool *self, Worker *worker, Question *question)
{
    question->is_given_up = true;
    worker->is_unwanted = true;
    if (worker->fd >= 0)
        shutdown (worker->fd, SHUT_RDWR); /* the library returns with an error */
    host_failed (self, worker->host, "timed out");
}

/* What a finished question means for its host.  True: the lookup is over. */
static bool
judge (QueryPool *self, Lookup *lookup, size_t host, const Question *question)
{
    const char *reason = question->reason == NULL ? "no reason given" : question->reason;
    if (question->outcome == QUERY_DONE) {
        host_is_good (&self->hosts[host]);
        return true;
    }
    note_reason (self, lookup, host, reason);
    if (question->outcome == QUERY_WRONG) {
        host_is_good (&self->hosts[host]);
        lookup->is_tried[host] = 1;
    } else if (question->was_connected && !lookup->is_retried[host]) {
        lookup->is_retried[host] = 1; /* it may only have been restarted */
        dismiss_idle (self, host);
    } else {
        lookup->is_tried[host] = 1;
        host_failed (self, host, reason);
    }
    return false;
}

/* NULL: go on with another host.  Else the answered question. */
static Question *
ask_worker (QueryPool *self, Lookup *lookup, Worker *worker, gint64 until)
{
    Question *question = question_new (lookup->key);
    size_t host = worker->host; /* WORKER may be gone when the question is answered */
    question->ref_count++;
    worker->question = question;
    pthread_cond_broadcast (&self->work);
    while (!question->is_done && wait_until (&self->done, &self->lock, until))
        ;
    if (!question->is_done) {
        note_reason (self, lookup, host, "timed out");
        lookup->is_tried[host] = 1;
        give_up (self, worker, question);
    } else if (judge (self, lookup, host, question))
        return question;
    question_unref (question);
    return NULL;
}

static Worker *
new_connection (QueryPool *self, Lookup *lookup, size_t host)
{
    Worker *worker = start_worker (self, host);
    if (worker == NULL) {
        note_reason (self, lookup, host, "no thread can be started");
        lookup->is_tried[host] = 1;
    } else
        self->hosts[host].is_on_trial = self->hosts[host].down_until_us != 0;
    return worker;
}

/* Under the lock.  NULL: nobody answered; the reason stands in LOOKUP. */
static Question *
ask_hosts (QueryPool *self, Lookup *lookup)
{
    for (;;) {
        gint64 now = g_get_monotonic_time ();
        guint n;
        reap_workers (self);
        size_t host = choose_host (self, lookup, now, &n);
        if (host == self->n_hosts || now >= lookup->deadline_us)
            return NULL;
        Worker *worker = find_idle (self, lookup, now);
        if (worker == NULL && self->workers->len >= (guint) self->limit) {
            make_room (self);
            if (!wait_until (&self->done, &self->lock, lookup->deadline_us))
                return NULL;
            continue;
        }
        if (worker == NULL && (worker = new_connection (self, lookup, host)) == NULL)
            continue;
        /* leave time for the other hosts */
        gint64 until = now + (lookup->deadline_us - now) / (gint64) n;
        Question *question = ask_worker (self, lookup, worker, until);
        if (question != NULL)
            return question;
    }
}

static gint64
find_deadline (const QueryPool *self, HkCall *call)
{
    gint64 left = self->timeout_s * G_USEC_PER_SEC;
    int64_t limit = self->host->deadline_us (call);
    if (limit != INT64_MAX)
        left = CLAMP (limit - self->host->now_us (self->host), 0, left);
    return g_get_monotonic_time () + left;
}

static HkAnswer
give_values (QueryPool *self, HkCall *call, HkSpan key, const Question *question)
{
    QueryResult result = {NULL, 0};
    HkAnswer answer = HK_OK;
    for (guint i = 0; i < question->values.list->len && answer == HK_OK; i++) {
        gsize size;
        const void *data =
            g_bytes_get_data (g_ptr_array_index (question->values.list, i), &size);
        answer = query_file_add (self->file, call, &result, key, (HkSpan){data, size});
    }
    return query_file_finish (self->file, call, &result, answer);
}

/* Why nobody was even asked.  Under the lock. */
static char *
reason_of_pool (const QueryPool *self)
{
    gint64 now = g_get_monotonic_time ();
    for (size_t i = 0; i < self->n_hosts; i++) {
        const Host *host = &self->hosts[i];
        if (host->reason != NULL && (host->is_on_trial || host->down_until_us > now))
            return g_strdup_printf ("no server answers: %s server %s: %s",
                                    self->driver->type, host->label, host->reason);
    }
    return g_strdup_printf ("all %d connections to the %s server %s are taken",
                            (int) self->limit, self->driver->type, self->hosts[0].label);
}

HkAnswer
query_pool_get (QueryPool *self, HkCall *call, HkSpan key)
{
    Lookup lookup = {.key = key, .deadline_us = find_deadline (self, call)};
    HkAnswer answer;
    pthread_mutex_lock (&self->lock);
    Question *question = ask_hosts (self, &lookup);
    if (question == NULL && lookup.reason == NULL)
        lookup.reason = reason_of_pool (self);
    pthread_mutex_unlock (&self->lock);
    if (question != NULL) {
        answer = give_values (self, call, key, question);
        pthread_mutex_lock (&self->lock);
        question_unref (question);
        pthread_mutex_unlock (&self->lock);
    } else
        answer =
            self->host->later (call, "%s: %s", query_file_name (self->file), lookup.reason);
    g_free (lookup.reason);
    return answer;
}

/* ---- hosts ---- */

static const char *
parse_port (const char *text, unsigned *out)
{
    char *end;
    guint64 port = g_ascii_strtoull (text, &end, 10);
    if (!g_ascii_isdigit (*text) || *end != '\0' || port == 0 || port > 65535)
        return "the port is not a number from 1 to 65535";
    *out = (unsigned) port;
    return NULL;
}

const char *
query_address_parse (const char *text, QueryAddress *out)
{
    *out = (QueryAddress){NULL, NULL, 0};
    if (g_str_has_prefix (text, "unix:")) {
        out->path = text + 5;
        return *out->path == '/' ? NULL : "the path of a socket begins with '/'";
    }
    if (g_str_has_prefix (text, "inet:"))
        text += 5;
    const char *end = *text == '[' ? strchr (text, ']') : strchr (text, ':');
    if (*text == '[' && end == NULL)
        return "missing ']'";
    const char *port = end != NULL && *end == ']' ? end + 1 : end;
    if (port != NULL && *port != '\0' && *port != ':')
        return "expected ':' and a port after ']'";
    const char *why =
        port != NULL && *port == ':' ? parse_port (port + 1, &out->port) : NULL;
    if (*text == '[')
        text++;
    out->name = end == NULL ? g_strdup (text) : g_strndup (text, (gsize) (end - text));
    return why != NULL || *out->name != '\0' ? why : "the name is empty";
}

/* ---- opening ---- */

/* "scheme://user:password@host/name?options" without the middle and the end. */
static char *
label_of (const char *name)
{
    const char *rest = strstr (name, "://");
    if (rest == NULL)
        return g_strdup (name);
    rest += 3;
    const char *at = rest;
    size_t size = strcspn (rest, "/?");
    for (size_t i = 0; i < size; i++)
        if (rest[i] == '@')
            at = rest + i + 1;
    return g_strdup_printf ("%.*s%.*s", (int) (rest - name), name, (int) strcspn (at, "?"),
                            at);
}

static HkAnswer
read_hosts (QueryPool *self, HkCall *call, QueryHostFn check_host)
{
    const char *text = query_file_text (self->file, "hosts");
    g_auto (GStrv) words = g_strsplit_set (text == NULL ? "" : text, ", \t\r\n", -1);
    self->hosts = g_new0 (Host, MAX_HOSTS);
    for (char **word = words; *word != NULL; word++) {
        if (**word == '\0')
            continue;
        if (self->n_hosts == MAX_HOSTS)
            return self->host->broken (call, "%s: more than %d hosts",
                                       query_file_name (self->file), MAX_HOSTS);
        self->hosts[self->n_hosts++].name = g_strdup (*word);
    }
    if (self->n_hosts == 0)
        self->hosts[self->n_hosts++].name = g_strdup ("localhost");
    for (size_t i = 0; i < self->n_hosts; i++) {
        self->hosts[i].label = label_of (self->hosts[i].name);
        const char *why = check_host (self->hosts[i].name, &self->hosts[i].is_first);
        if (why != NULL)
            return self->host->broken (call, "%s: hosts: %s: %s",
                                       query_file_name (self->file), self->hosts[i].label,
                                       why);
    }
    return HK_OK;
}

static HkAnswer
read_parameters (QueryPool *self, HkCall *call)
{
    const QueryFile *file = self->file;
    HkAnswer answer =
        query_file_seconds (file, call, "timeout", 10, 1, 3600, &self->timeout_s);
    if (answer == HK_OK)
        answer =
            query_file_number (file, call, "connection_limit", 4, 1, 1000, &self->limit);
    if (answer == HK_OK)
        answer =
            query_file_seconds (file, call, "idle_interval", 60, 1, 86400, &self->idle_s);
    if (answer == HK_OK)
        answer =
            query_file_seconds (file, call, "retry_interval", 60, 1, 86400, &self->retry_s);
    return answer;
}

HkAnswer
query_pool_open (const HkHost *host, HkCall *call, const QueryFile *file,
                 const QueryDriver *driver, void *table, QueryHostFn check_host,
                 QueryPool **out)
{
    QueryPool *self = g_new0 (QueryPool, 1);
    self->host = host;
    self->file = file;
    self->driver = driver;
    self->table = table;
    self->workers = g_ptr_array_new ();
    init_locks (self);
    HkAnswer answer = read_parameters (self, call);
    if (answer == HK_OK)
        answer = read_hosts (self, call, check_host);
    if (answer == HK_OK)
        *out = self;
    else
        query_pool_close (self);
    return answer;
}

static void
end_workers (QueryPool *self)
{
    pthread_mutex_lock (&self->lock);
    self->is_closing = true;
    for (guint i = 0; i < self->workers->len; i++) {
        const Worker *worker = g_ptr_array_index (self->workers, i);
        if (worker->fd >= 0 && worker->question != NULL)
            shutdown (worker->fd, SHUT_RDWR);
    }
    pthread_cond_broadcast (&self->work);
    pthread_mutex_unlock (&self->lock);
    for (guint i = 0; i < self->workers->len; i++) {
        Worker *worker = g_ptr_array_index (self->workers, i);
        pthread_join (worker->thread, NULL);
        g_free (worker);
    }
}

void
query_pool_close (QueryPool *self)
{
    if (self == NULL)
        return;
    end_workers (self);
    g_ptr_array_unref (self->workers);
    for (size_t i = 0; i < self->n_hosts; i++) {
        g_free (self->hosts[i].name);
        g_free (self->hosts[i].label);
        g_free (self->hosts[i].reason);
    }
    g_free (self->hosts);
    pthread_cond_destroy (&self->done);
    pthread_cond_destroy (&self->work);
    pthread_mutex_destroy (&self->lock);
    g_free (self);
}
