/* sessions.c: the process's set of sessions: what they share, how they end together. */
#include "config.h"
#include "session/session_priv.h"

#include "base/log.h"

#include <unistd.h>

enum { MAX_SPARE = 64, ARENA_BLOCK = 4096 };

static void
free_string (void *data)
{
    g_string_free (data, TRUE);
}

static void
tell_drained (void *data)
{
    HkSessions *self = data;
    if (self->options.drained != NULL)
        self->options.drained (self->options.data);
}

/* ---- stress -----------------------------------------------------------------------------
 */

/* Patience that has become shorter holds for those who are waiting as well. */
static void
hurry (HkSessions *self)
{
    for (HkSession *s = self->first; s != NULL; s = s->next) {
        int64_t limit = hk_session_now (s) + s->dialogue->timeout_us;
        if (s->phase == HK_PHASE_COMMAND && !s->is_busy && s->deadline_us > limit)
            hk_session_set_deadline (s, s->dialogue->timeout_us);
    }
}

static void
set_stress (HkSessions *self, bool on)
{
    self->is_stressed = on;
    hk_log (HK_LOG_WARNING, "%s STRESS mode with %zu connections",
            on ? "entering" : "leaving", self->count);
    for (HkDialogue *d = self->dialogues; d != NULL; d = d->next)
        hk_patience_apply (on ? &d->guard->stressed : &d->guard->calm, d);
    if (on)
        hurry (self);
}

/* Postfix's postscreen has the same two marks: full to nine and to seven tenths. */
static void
judge_stress (HkSessions *self)
{
    size_t limit = self->options.session_limit;
    if (!self->is_stressed && self->count * 10 >= limit * 9 && limit >= 10)
        set_stress (self, true);
    else if (self->is_stressed && self->count * 10 <= limit * 7)
        set_stress (self, false);
}

void
hk_sessions_add_dialogue (HkSessions *self, HkDialogue *dialogue)
{
    dialogue->next = self->dialogues;
    self->dialogues = dialogue;
}

void
hk_sessions_forget_dialogue (HkSessions *self, HkDialogue *dialogue)
{
    for (HkDialogue **d = &self->dialogues; *d != NULL; d = &(*d)->next)
        if (*d == dialogue) {
            *d = dialogue->next;
            return;
        }
}

/* ---- life -------------------------------------------------------------------------------
 */

HkSessions *
hk_sessions_new (const HkSessionsOptions *options)
{
    HkSessions *self = g_new0 (HkSessions, 1);
    self->options = *options;
    self->buffer = g_malloc (HK_SESSION_READ_SIZE);
    self->scratch = g_string_new (NULL);
    self->filtered = g_string_new (NULL);
    self->spare_out = g_ptr_array_new_with_free_func (free_string);
    self->spare_arenas = g_ptr_array_new_with_free_func ((GDestroyNotify) hk_arena_free);
    self->drained_hook = (HkTurnHook){.fn = tell_drained, .data = self};
    hk_verdict_init (&self->verdict);
    if (options->stats != NULL) {
        self->stat_sessions = hk_stats_slot (options->stats, "smtpd.sessions");
        self->stat_connects = hk_stats_slot (options->stats, "smtpd.connections");
        self->stat_messages = hk_stats_slot (options->stats, "smtpd.messages");
        self->stat_rejects = hk_stats_slot (options->stats, "smtpd.rejects");
        self->stat_refused = hk_stats_slot (options->stats, "smtpd.refused");
    }
    return self;
}

void
hk_sessions_free (HkSessions *self)
{
    if (self == NULL)
        return;
    hk_loop_cancel_turn_end (self->options.loop, &self->drained_hook);
    while (self->first != NULL)
        hk_session_free (self->first);
    hk_loop_cancel_turn_end (self->options.loop, &self->drained_hook);
    if (!hk_sessions_has_held_workers (self))
        hk_workers_free (self->auth_workers);
    for (HkDialogue *d = self->dialogues; d != NULL; d = d->next)
        d->sessions = NULL;
    hk_verdict_clear (&self->verdict);
    g_ptr_array_unref (self->spare_out);
    g_ptr_array_unref (self->spare_arenas);
    g_string_free (self->scratch, TRUE);
    g_string_free (self->filtered, TRUE);
    g_free (self->buffer);
    g_free (self);
}

size_t
hk_sessions_count (const HkSessions *self)
{
    return self->count;
}

void
hk_sessions_set_pressure (HkSessions *self, bool on)
{
    self->has_pressure = on;
}

void
hk_sessions_add (HkSessions *self, HkSession *session)
{
    session->prev = NULL;
    session->next = self->first;
    if (self->first != NULL)
        self->first->prev = session;
    self->first = session;
    self->count++;
    if (self->stat_sessions != NULL) {
        hk_stats_set (self->stat_sessions, self->count);
        hk_stats_add (self->stat_connects, 1);
    }
    judge_stress (self);
}

void
hk_sessions_forget (HkSessions *self, HkSession *session)
{
    if (session->prev != NULL)
        session->prev->next = session->next;
    else
        self->first = session->next;
    if (session->next != NULL)
        session->next->prev = session->prev;
    self->count--;
    if (self->stat_sessions != NULL)
        hk_stats_set (self->stat_sessions, self->count);
    judge_stress (self);
    if (self->is_draining && self->count == 0)
        hk_loop_at_turn_end (self->options.loop, &self->drained_hook);
}

void
hk_sessions_drain (HkSessions *self)
{
    if (self->is_draining)
        return;
    self->is_draining = true;
    for (HkSession *s = self->first, *next; s != NULL; s = next) {
        next = s->next;
        hk_session_drain (s);
    }
    if (self->count == 0)
        hk_loop_at_turn_end (self->options.loop, &self->drained_hook);
}

GString *
hk_sessions_take_out (HkSessions *self)
{
    if (self->spare_out->len > 0)
        return g_ptr_array_steal_index_fast (self->spare_out, self->spare_out->len - 1);
    return g_string_sized_new (512);
}

void
hk_sessions_give_out (HkSessions *self, GString *out)
{
    if (out->allocated_len > 8192 || self->spare_out->len >= MAX_SPARE) {
        g_string_free (out, TRUE);
        return;
    }
    g_string_truncate (out, 0);
    g_ptr_array_add (self->spare_out, out);
}

HkTransaction *
hk_transaction_new (HkSessions *self)
{
    HkArena *arena =
        self->spare_arenas->len > 0
            ? g_ptr_array_steal_index_fast (self->spare_arenas, self->spare_arenas->len - 1)
            : hk_arena_new (ARENA_BLOCK);
    HkTransaction *tx = hk_arena_alloc (arena, sizeof *tx);
    *tx = (HkTransaction){.arena = arena};
    return tx;
}

void
hk_transaction_free (HkSessions *self, HkTransaction *tx)
{
    HkArena *arena = tx->arena;
    if (tx->incoming != NULL && tx->is_finishing)
        hk_incoming_forget (tx->incoming);
    else if (tx->incoming != NULL)
        hk_incoming_abandon (tx->incoming);
    if (tx->prepend != NULL)
        g_string_free (tx->prepend, TRUE);
    if (self->spare_arenas->len >= MAX_SPARE) {
        hk_arena_free (arena);
        return;
    }
    hk_arena_reset (arena);
    g_ptr_array_add (self->spare_arenas, arena);
}
