/* reply_reader.c: reads a server's replies as their bytes come in. */
#include "config.h"
#include "mail/reply.h"

enum { REPLY_LIMIT = 64 * 1024 };

/* States: digits 0 to 2 of a line's code, the byte behind them, text, CR seen in text. */
enum { AT_DIGIT_0, AT_DIGIT_2 = 2, AT_SEPARATOR, IN_TEXT, AFTER_CR, IS_DONE, IS_BROKEN };

enum { LAST_LINE = 1 << 8, STATE_MASK = 0xff };

void
hk_reply_reader_init (HkReplyReader *self)
{
    *self = (HkReplyReader){.text = g_string_new (NULL), .lines = g_string_new (NULL)};
}

void
hk_reply_reader_clear (HkReplyReader *self)
{
    if (self->text != NULL)
        g_string_free (self->text, TRUE);
    if (self->lines != NULL)
        g_string_free (self->lines, TRUE);
    self->text = self->lines = NULL;
}

static void
begin_reply (HkReplyReader *self)
{
    g_string_truncate (self->text, 0);
    g_string_truncate (self->lines, 0);
    self->dsn[0] = '\0';
    self->code = 0;
    self->size = 0;
    self->state = AT_DIGIT_0;
}

/* Bytes of the current, unfinished line's text. */
static size_t
line_begin (const HkReplyReader *self)
{
    const char *lf =
        self->lines->len == 0
            ? NULL
            : g_strrstr_len (self->lines->str, (gssize) self->lines->len, "\n");
    return lf == NULL ? 0 : (size_t) (lf - self->lines->str) + 1;
}

static HkReplyProgress
end_line (HkReplyReader *self)
{
    size_t begin = line_begin (self);
    HkSpan line = hk_span (self->lines->str + begin, self->lines->len - begin);
    size_t dsn = hk_dsn_prefix (line);
    if (dsn > 0 && line.data[0] - '0' == self->code / 100) {
        memcpy (self->dsn, line.data, dsn);
        self->dsn[dsn] = '\0';
    }
    if (begin > 0 && line.size > 0)
        g_string_append_c (self->text, ' ');
    hk_string_append (self->text, line);
    g_string_append_c (self->lines, '\n');
    bool is_last = (self->state & LAST_LINE) != 0;
    self->state = is_last ? IS_DONE : AT_DIGIT_0;
    return is_last ? HK_REPLY_DONE : HK_REPLY_MORE;
}

static HkReplyProgress
fail (HkReplyReader *self)
{
    self->state = IS_BROKEN;
    return HK_REPLY_MALFORMED;
}

static HkReplyProgress
take_digit (HkReplyReader *self, int state, uint8_t c)
{
    static const char least[] = "200", most[] = "599"; /* per place */
    if (c < (uint8_t) least[state] || c > (uint8_t) most[state])
        return fail (self);
    /* Lines that disagree: the last one counts, as in other agents. */
    self->code = state == AT_DIGIT_0 ? c - '0' : self->code * 10 + c - '0';
    self->state = state + 1;
    return HK_REPLY_MORE;
}

static HkReplyProgress
take_byte (HkReplyReader *self, uint8_t c)
{
    int state = self->state & STATE_MASK;
    if (state <= AT_DIGIT_2)
        return take_digit (self, state, c);
    if (state == AT_SEPARATOR) {
        if (c != ' ' && c != '-' && c != '\r' && c != '\n')
            return fail (self);
        self->state = IN_TEXT | (c == '-' ? 0 : LAST_LINE);
        if (c == ' ' || c == '-')
            return HK_REPLY_MORE;
    }
    if (c == '\n')
        return end_line (self);
    if (state == AFTER_CR) { /* a bare CR */
        g_string_append_c (self->lines, '?');
        self->state = IN_TEXT | (self->state & LAST_LINE);
    }
    if (c == '\r')
        self->state = AFTER_CR | (self->state & LAST_LINE);
    else
        g_string_append_c (self->lines, c < 32 || c == 127 ? '?' : (char) c);
    return HK_REPLY_MORE;
}

HkReplyProgress
hk_reply_reader_feed (HkReplyReader *self, HkSpan *input)
{
    HkReplyProgress progress = HK_REPLY_MORE;
    if ((self->state & STATE_MASK) == IS_BROKEN)
        return HK_REPLY_MALFORMED;
    if ((self->state & STATE_MASK) == IS_DONE)
        begin_reply (self);
    while (input->size > 0 && progress == HK_REPLY_MORE) {
        if (++self->size > REPLY_LIMIT)
            return fail (self);
        progress = take_byte (self, *input->data);
        *input = hk_span_sub (*input, 1, input->size);
    }
    return progress;
}
