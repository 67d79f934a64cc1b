/* content.c: turns what the client sends as content into canonical content. */
#include "config.h"
#include "session/content.h"

/* Where we are between two bytes. */
enum {
    AT_START,    /* at the start of a line that follows <CR><LF> */
    AT_LF_START, /* at the start of a line that follows a bare LF: a lone dot ends nothing
                  */
    IN_LINE,
    AFTER_CR,    /* a CR inside a line, not given out yet */
    AFTER_DOT,   /* a dot at AT_START, not given out */
    AFTER_DOT_CR /* ... and a CR */
};

void
hk_content_begin (HkContent *self, bool is_stuffed)
{
    *self = (HkContent){.state = AT_START, .is_stuffed = is_stuffed};
}

typedef struct {
    HkContentFn fn;
    void *data;
} Sink;

static void
put (const Sink *sink, const uint8_t *from, const uint8_t *to)
{
    if (to > from)
        sink->fn (hk_span (from, (size_t) (to - from)), sink->data);
}

static void
put_text (const Sink *sink, const char *text, size_t size)
{
    sink->fn (hk_span (text, size), sink->data);
}

/* Whole lines that need no change, from P on: returns where they end.  This is where nearly
 * all bytes go through. */
static const uint8_t *
skip_plain_lines (const HkContent *self, const uint8_t *p, const uint8_t *end)
{
    while (p < end && !(self->is_stuffed && *p == '.')) {
        const uint8_t *lf = memchr (p, '\n', (size_t) (end - p));
        if (lf == NULL || lf == p || lf[-1] != '\r')
            break;
        if (memchr (p, '\r', (size_t) (lf - p)) != lf - 1)
            break;
        p = lf + 1;
    }
    return p;
}

/* The next byte that a line must not pass without a look: CR or LF. */
static const uint8_t *
find_break (const uint8_t *p, const uint8_t *end)
{
    const uint8_t *cr = memchr (p, '\r', (size_t) (end - p));
    const uint8_t *stop = cr == NULL ? end : cr;
    const uint8_t *lf = memchr (p, '\n', (size_t) (stop - p));
    return lf == NULL ? stop : lf;
}

/* A bare LF ends the line: CRLF is given out for it. */
static void
bare_lf (HkContent *self, const Sink *sink)
{
    self->has_bare_lf = true;
    self->state = AT_LF_START;
    put_text (sink, "\r\n", 2);
}

/* A CR that no LF follows becomes a blank. */
static void
bare_cr (HkContent *self, const Sink *sink)
{
    self->has_bare_cr = true;
    put_text (sink, " ", 1);
}

/* One step from a state that remembers something.  Returns how many bytes were taken. */
static size_t
step (HkContent *self, uint8_t c, const Sink *sink)
{
    switch (self->state) {
    case AFTER_CR:
        if (c == '\n') {
            put_text (sink, "\r\n", 2);
            self->state = AT_START;
            return 1;
        }
        bare_cr (self, sink);
        if (c != '\r')
            self->state = IN_LINE;
        return c == '\r';
    case AFTER_DOT:
        if (c == '\r') {
            self->state = AFTER_DOT_CR;
            return 1;
        }
        if (c == '\n') {
            bare_lf (self, sink);
            return 1;
        }
        self->state = IN_LINE;
        return 0;
    default: /* AFTER_DOT_CR */
        if (c == '\n') {
            self->is_complete = true;
            return 1;
        }
        bare_cr (self, sink);
        self->state = c == '\r' ? AFTER_CR : IN_LINE;
        return c == '\r';
    }
}

/* From the start of a line: plain lines at once, else the line's dot. */
static const uint8_t *
from_start (HkContent *self, const uint8_t *p, const uint8_t *end, const Sink *sink)
{
    const uint8_t *plain = skip_plain_lines (self, p, end);
    if (plain > p) {
        put (sink, p, plain);
        self->state = AT_START;
        return plain;
    }
    if (self->is_stuffed && *p == '.') {
        self->state = self->state == AT_START ? AFTER_DOT : IN_LINE;
        return p + 1;
    }
    self->state = IN_LINE;
    return p;
}

static const uint8_t *
in_line (HkContent *self, const uint8_t *p, const uint8_t *end, const Sink *sink)
{
    const uint8_t *stop = find_break (p, end);
    put (sink, p, stop);
    if (stop == end)
        return stop;
    if (*stop == '\r')
        self->state = AFTER_CR;
    else
        bare_lf (self, sink);
    return stop + 1;
}

size_t
hk_content_feed (HkContent *self, HkSpan input, HkContentFn fn, void *data)
{
    const Sink sink = {fn, data};
    const uint8_t *p = input.data, *end = p + input.size;

    while (p < end && !self->is_complete) {
        switch (self->state) {
        case AT_START:
        case AT_LF_START:
            p = from_start (self, p, end, &sink);
            break;
        case IN_LINE:
            p = in_line (self, p, end, &sink);
            break;
        default:
            p += step (self, *p, &sink);
        }
    }
    return (size_t) (p - input.data);
}

void
hk_content_end (HkContent *self, HkContentFn fn, void *data)
{
    const Sink sink = {fn, data};
    if (self->state == AFTER_CR)
        bare_cr (self, &sink);
    if (self->state == AFTER_CR || self->state == IN_LINE)
        put_text (&sink, "\r\n", 2);
    self->state = AT_START;
    self->is_complete = true;
}
