/* reply.c: what the server says, and what saying it does to the session. */
#include "config.h"
#include "session/session_priv.h"

#include <stdarg.h>

#include "mail/reply.h"

GString *
hk_session_out (HkSession *self)
{
    HkDialogue *d = self->dialogue;
    if (self->out == NULL) {
        self->out = hk_sessions_take_out (d->sessions);
        self->out_sent = 0;
    }
    /* RFC 5321 7.8 leaves it to us: a client that only errs is slowed down, by a timer. */
    if (!self->is_delayed && self->n_errors > d->soft_error_limit &&
        d->error_sleep_us > 0) {
        self->is_delayed = true;
        hk_timer_arm (&self->timer, d->error_sleep_us);
    }
    hk_loop_at_turn_end (d->sessions->options.loop, &self->hook);
    return self->out;
}

void
hk_session_say (HkSession *self, const char *text, size_t size)
{
    g_string_append_len (hk_session_out (self), text, (gssize) size);
}

void
hk_session_reply_span (HkSession *self, int code, const char *dsn, HkSpan text)
{
    char soft[12];
    if (self->dialogue->soft_bounce && code >= 500) {
        code -= 100;
        if (dsn != NULL && dsn[0] == '5') {
            g_strlcpy (soft, dsn, sizeof soft);
            soft[0] = '4';
            dsn = soft;
        }
    }
    if (code >= 400 && self->dialogue->footer != NULL) {
        g_autoptr (GString) whole = g_string_new_len ((const char *) text.data,
                                                      (gssize) text.size);
        hk_footer_append (self->dialogue->footer, self, code, dsn, whole);
        hk_reply_append (hk_session_out (self), code, dsn, hk_span_string (whole));
        return;
    }
    hk_reply_append (hk_session_out (self), code, dsn, text);
}

static void reply_va (HkSession *self, int code, const char *dsn, const char *format,
                      va_list ap) G_GNUC_PRINTF (4, 0);

static void
reply_va (HkSession *self, int code, const char *dsn, const char *format, va_list ap)
{
    char text[1024];
    g_vsnprintf (text, sizeof text, format, ap);
    hk_session_reply_span (self, code, dsn, hk_span_text (text));
}

void
hk_session_reply (HkSession *self, int code, const char *dsn, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    reply_va (self, code, dsn, format, ap);
    va_end (ap);
}

void
hk_session_count_error (HkSession *self)
{
    if (self->n_errors < G_MAXUINT16)
        self->n_errors++;
    /* The command under way was counted as good when it began. */
    if (self->last_verb < HK_N_COUNTED && self->n_good[self->last_verb] > 0)
        self->n_good[self->last_verb]--;
}

void
hk_session_refuse (HkSession *self, int code, const char *dsn, const char *format, ...)
{
    va_list ap;
    hk_session_count_error (self);
    va_start (ap, format);
    reply_va (self, code, dsn, format, ap);
    va_end (ap);
}

void
hk_session_hang_up (HkSession *self, int code, const char *dsn, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    reply_va (self, code, dsn, format, ap);
    va_end (ap);
    self->is_closing = true;
}
