/* harness_loop.c: the harness's small event loop: descriptors, timers, DNS answers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "harness_priv.h"

#include <poll.h>

HkWatch *
hk_harness_watch_start (const HkHost *host, int32_t fd, uint32_t events, HkWatchFn fn,
                        void *data)
{
    HkHarness *self = harness_of (host);
    HkWatch *watch = g_new (HkWatch, 1);
    *watch = (HkWatch){self, fd, events, fn, data};
    g_ptr_array_add (self->watches, watch);
    return watch;
}

void
hk_harness_watch_events (HkWatch *watch, uint32_t events)
{
    watch->events = events;
}

void
hk_harness_watch_end (HkWatch *watch)
{
    g_assert_true (g_ptr_array_remove (watch->harness->watches, watch));
}

HkTimer *
hk_harness_timer_start (const HkHost *host, int64_t delay_us, HkTimerFn fn, void *data)
{
    HkHarness *self = harness_of (host);
    HkTimer *timer = g_new (HkTimer, 1);
    *timer = (HkTimer){self, g_get_monotonic_time () + delay_us, fn, data};
    g_ptr_array_add (self->timers, timer);
    return timer;
}

void
hk_harness_timer_end (HkTimer *timer)
{
    g_assert_true (g_ptr_array_remove (timer->harness->timers, timer));
}

void
hk_harness_dns_start (const HkHost *host, const char *name, uint16_t type, HkDnsFn fn,
                      void *data)
{
    Question *q = g_new (Question, 1);
    *q = (Question){g_strdup (name), type, fn, data};
    g_queue_push_tail (&harness_of (host)->questions, q);
}

HkAnswer
hk_harness_dns_session (HkCall *call, const char *name, uint16_t type, HkDnsFn fn,
                        void *data)
{
    if (fn != NULL)
        hk_harness_dns_start (&call->harness->host, name, type, fn, data);
    return HK_PENDING;
}

void
hk_harness_dns_forget (HkHarness *self)
{
    Question *q;
    while ((q = g_queue_pop_head (&self->questions)) != NULL) {
        g_free (q->name);
        g_free (q);
    }
}

static void
answer_question (HkHarness *self, Question *q)
{
    g_autofree char *key = zone_key (q->name, q->type);
    Zone *zone = g_hash_table_lookup (self->zones, key);
    if (zone == NULL)
        q->fn (q->data, HK_DNS_NO_NAME, NULL, 0, "Host not found");
    else if (zone->outcome != HK_DNS_FOUND)
        q->fn (q->data, zone->outcome, NULL, 0, "Host not found, try again");
    else
        q->fn (q->data, HK_DNS_FOUND, (const HkDnsRecord *) (void *) zone->records->data,
               zone->records->len, NULL);
    g_free (q->name);
    g_free (q);
}

/* ---- address verification */

HkVerify *
hk_harness_verify_start (const HkHost *host, HkSpan address, int64_t wait_us, HkVerifyFn fn,
                         void *data)
{
    HkHarness *self = harness_of (host);
    g_autofree char *key = dup_span (address);
    const char *verdict = g_hash_table_lookup (self->verdicts, key);
    self->verify_wait_us = wait_us;
    if (verdict == NULL)
        return NULL;
    HkVerify *verify = g_new (HkVerify, 1);
    *verify = (HkVerify){self, verdict[0] - '0', g_strdup (verdict + 2), fn, data};
    g_queue_push_tail (&self->verifies, verify);
    return verify;
}

static void
free_verify (HkVerify *verify)
{
    g_free (verify->text);
    g_free (verify);
}

void
hk_harness_verify_end (HkVerify *verify)
{
    g_assert_true (g_queue_remove (&verify->harness->verifies, verify));
    free_verify (verify);
}

void
hk_harness_verify (HkHarness *self, const char *address, int32_t status, const char *text)
{
    g_hash_table_insert (self->verdicts, g_strdup (address),
                         g_strdup_printf ("%c %s", (char) ('0' + status), text));
}

size_t
hk_harness_verifying (const HkHarness *self)
{
    return self->verifies.length;
}

int64_t
hk_harness_verify_wait (const HkHarness *self)
{
    return self->verify_wait_us;
}

static void
answer_verify (HkVerify *verify)
{
    verify->fn (verify->data, verify->status, span_of (verify->text));
    free_verify (verify);
}

static int64_t
fire_timers (HkHarness *self)
{
    int64_t next = INT64_MAX, now = g_get_monotonic_time ();
    for (guint i = 0; i < self->timers->len; i++) {
        HkTimer *t = g_ptr_array_index (self->timers, i);
        if (t->due_us <= now) {
            HkTimer fired = *t;
            g_ptr_array_remove_index (self->timers, i);
            fired.fn (fired.data);
            return 0;
        }
        next = MIN (next, t->due_us - now);
    }
    return next;
}

static void
poll_once (HkHarness *self, int64_t wait_us)
{
    GArray *fds = g_array_new (FALSE, TRUE, sizeof (struct pollfd));
    for (guint i = 0; i < self->watches->len; i++) {
        HkWatch *w = g_ptr_array_index (self->watches, i);
        struct pollfd p = {.fd = w->fd};
        p.events = (short) ((w->events & HK_IO_READ ? POLLIN : 0) |
                            (w->events & HK_IO_WRITE ? POLLOUT : 0));
        g_array_append_val (fds, p);
    }
    int ms = wait_us > 20000 ? 20 : (int) (wait_us / 1000) + 1;
    if (poll ((struct pollfd *) (void *) fds->data, fds->len, wait_us == 0 ? 0 : ms) > 0)
        for (guint i = 0; i < fds->len; i++) {
            struct pollfd *p = &g_array_index (fds, struct pollfd, i);
            if (p->revents == 0)
                continue;
            for (guint k = 0; k < self->watches->len; k++) {
                HkWatch *w = g_ptr_array_index (self->watches, k);
                if (w->fd != p->fd)
                    continue;
                uint32_t events =
                    (p->revents & (POLLIN | POLLHUP | POLLERR) ? HK_IO_READ : 0) |
                    (p->revents & (POLLOUT | POLLHUP | POLLERR) ? HK_IO_WRITE : 0);
                w->fn (w->data, w->fd, events);
                break;
            }
        }
    g_array_unref (fds);
}

bool
hk_harness_run (HkHarness *self, bool (*done) (void *data), void *data, int timeout_ms)
{
    int64_t end = g_get_monotonic_time () + (int64_t) timeout_ms * 1000;
    while (done == NULL || !done (data)) {
        if (g_get_monotonic_time () > end)
            return false;
        Question *q = g_queue_pop_head (&self->questions);
        if (q != NULL) {
            answer_question (self, q);
            continue;
        }
        HkVerify *verify = g_queue_pop_head (&self->verifies);
        if (verify != NULL) {
            answer_verify (verify);
            continue;
        }
        int64_t wait_us = fire_timers (self);
        if (done == NULL && self->watches->len == 0 && self->timers->len == 0)
            return true;
        poll_once (self, MIN (wait_us, 20000));
    }
    return true;
}
