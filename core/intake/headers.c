/* headers.c: the header section of a message: what is there, what is missing, what must go.
 */
#include "intake/intake_priv.h"

#include "mail/header.h"

#include <time.h>

static uint32_t
seen_bit (HkSpan name)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } known[] = {
        {"Date", HK_SEEN_DATE},
        {"From", HK_SEEN_FROM},
        {"Message-ID", HK_SEEN_MESSAGE_ID},
        {"To", HK_SEEN_RECIPIENT},
        {"Cc", HK_SEEN_RECIPIENT},
        {"Resent-Date", HK_SEEN_RESENT_DATE | HK_SEEN_RESENT},
        {"Resent-From", HK_SEEN_RESENT_FROM | HK_SEEN_RESENT},
        {"Resent-Message-ID", HK_SEEN_RESENT_MESSAGE_ID | HK_SEEN_RESENT},
        {"Resent-To", HK_SEEN_RECIPIENT | HK_SEEN_RESENT},
        {"Resent-Cc", HK_SEEN_RECIPIENT | HK_SEEN_RESENT},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (known); i++)
        if (hk_span_is_ci (name, known[i].name))
            return known[i].bit;
    return hk_span_starts_ci (name, HK_SPAN ("Resent-")) ? HK_SEEN_RESENT : 0;
}

/* message_drop_headers: of all mail, so that nobody can forge what the delivery adds. */
static bool
is_dropped (const HkIncoming *self, HkSpan name)
{
    for (char **at = self->intake->drop_headers; *at != NULL; at++)
        if (hk_span_is_ci (name, *at))
            return true;
    return false;
}

/* The header may be a fold of lines: as a log field it is one. */
static HkSpan
unfold (HkIncoming *self, HkSpan value)
{
    HkSpan out = hk_arena_copy (self->arena, hk_span_strip (value));
    uint8_t *bytes = (uint8_t *) out.data;
    for (size_t i = 0; i < out.size; i++)
        if (bytes[i] == '\r' || bytes[i] == '\n')
            bytes[i] = ' ';
    return out;
}

static void
note_header (HkIncoming *self, const HkHeader *header, HkHeaderFacts *out)
{
    uint32_t bit = seen_bit (header->name);
    bool is_new = (out->seen & bit) != bit;
    out->seen |= bit;
    if (hk_span_is_ci (header->name, "Received"))
        out->n_hops++;
    /* RFC 8689 3: "No" is the only value. */
    if (hk_span_is_ci (header->name, "TLS-Required") &&
        hk_span_is_ci (hk_span_strip (header->value), "No"))
        out->is_tls_optional = true;
    if (bit == HK_SEEN_MESSAGE_ID && is_new)
        out->message_id = unfold (self, header->value);
    if (header->whole.size > self->intake->header_size_limit ||
        is_dropped (self, header->name))
        out->must_cut = true;
}

static void
note_rewriting (HkIncoming *self, const HkHeader *header, size_t begin)
{
    HkRewrittenHeader rewritten = {begin, hk_header_rewrite (self, header)};
    if (rewritten.whole.size == 0)
        return;
    if (self->rewritten == NULL)
        self->rewritten = g_array_new (FALSE, FALSE, sizeof (HkRewrittenHeader));
    g_array_append_val (self->rewritten, rewritten);
    self->facts.must_cut = true;
}

static unsigned
count_hops (HkSpan trace)
{
    HkHeader header;
    unsigned n = 0;
    size_t at = 0;
    while (hk_header_next (trace, &at, &header))
        n += hk_span_is_ci (header.name, "Received");
    return n;
}

void
hk_headers_walk (HkIncoming *self, HkSpan content)
{
    HkHeader header;
    HkHeaderFacts *out = &self->facts;
    size_t at = 0;
    *out = (HkHeaderFacts){.n_hops = count_hops (self->received)};
    if (self->rewritten != NULL)
        g_array_set_size (self->rewritten, 0);
    while (hk_header_next (content, &at, &header)) {
        note_header (self, &header, out);
        if (self->is_local_rewrite)
            note_rewriting (self, &header, out->end);
        out->end = at;
    }
}

/* ---- what is missing
 * -------------------------------------------------------------------------- */

static void
append_message_id (HkIncoming *self, const char *prefix)
{
    char id[HK_QUEUE_ID_TEXT], stamp[20];
    time_t when = (time_t) (self->envelope.arrival_us / HK_SECOND);
    struct tm tm;
    gmtime_r (&when, &tm);
    strftime (stamp, sizeof stamp, "%Y%m%d%H%M%S", &tm);
    g_autofree char *value = g_strdup_printf (
        "<%s.%s@%s>", stamp, hk_queue_id_format (self->envelope.queue_id, id),
        self->intake->myhostname);
    g_string_append_printf (self->added, "%sMessage-Id: %s\r\n", prefix, value);
    if (self->facts.message_id.size == 0)
        self->facts.message_id = hk_arena_copy (self->arena, hk_span_text (value));
}

static void
append_date (HkIncoming *self, const char *prefix)
{
    g_string_append_printf (self->added, "%sDate: ", prefix);
    hk_header_append_date (self->added, self->envelope.arrival_us);
    g_string_append (self->added, "\r\n");
}

static void
append_from (HkIncoming *self, const char *prefix)
{
    HkSpan sender = self->envelope.sender;
    if (sender.size == 0)
        sender = HK_SPAN ("MAILER-DAEMON");
    g_string_append_printf (self->added, "%sFrom: ", prefix);
    hk_string_append (self->added, sender);
    g_string_append (self->added, "\r\n");
}

void
hk_headers_complete (HkIncoming *self)
{
    uint32_t seen = self->facts.seen;
    bool is_resent = (seen & HK_SEEN_RESENT) != 0;
    const char *prefix = is_resent ? "Resent-" : "";
    if (!self->adds_missing)
        return;
    if (self->added == NULL)
        self->added = g_string_sized_new (256);
    if ((seen & (is_resent ? HK_SEEN_RESENT_MESSAGE_ID : HK_SEEN_MESSAGE_ID)) == 0)
        append_message_id (self, prefix);
    if ((seen & (is_resent ? HK_SEEN_RESENT_DATE : HK_SEEN_DATE)) == 0)
        append_date (self, prefix);
    if ((seen & (is_resent ? HK_SEEN_RESENT_FROM : HK_SEEN_FROM)) == 0)
        append_from (self, prefix);
    if ((seen & HK_SEEN_RECIPIENT) == 0 && self->intake->undisclosed[0] != '\0')
        g_string_append_printf (self->added, "%s\r\n", self->intake->undisclosed);
}

/* ---- laying out
 * --------------------------------------------------------------------------------- */

static void
add_piece (HkIncoming *self, HkSpan piece)
{
    if (piece.size > 0)
        g_array_append_val (self->pieces, piece);
}

/* How much of a header stays: whole lines within the limit, at least the first. */
static size_t
kept_size (const HkIncoming *self, const HkHeader *header)
{
    const HkIntake *intake = self->intake;
    if (is_dropped (self, header->name))
        return 0;
    if (header->whole.size <= intake->header_size_limit)
        return header->whole.size;
    size_t kept = hk_span_find (header->whole, '\n', 0) + 1;
    for (;;) {
        size_t next = hk_span_find (header->whole, '\n', kept) + 1;
        if (kept >= header->whole.size || next > intake->header_size_limit)
            return MIN (kept, header->whole.size);
        kept = next;
    }
}

/* The rewritten header that stands at BEGIN of the old content; *NEXT moves along. */
static HkSpan
rewritten_at (const HkIncoming *self, size_t begin, guint *next)
{
    if (self->rewritten == NULL || *next >= self->rewritten->len)
        return HK_SPAN_NONE;
    const HkRewrittenHeader *at =
        &g_array_index (self->rewritten, HkRewrittenHeader, *next);
    if (at->begin != begin)
        return HK_SPAN_NONE;
    ++*next;
    return at->whole;
}

/* Runs of headers that stay are one piece each. */
static void
add_headers (HkIncoming *self, HkSpan content)
{
    HkHeader header;
    size_t at = 0, from = 0, begin = 0;
    guint next = 0;
    while (hk_header_next (content, &at, &header) && at <= self->facts.end) {
        HkSpan fresh = rewritten_at (self, begin, &next);
        size_t kept = kept_size (self, &header);
        if (kept < header.whole.size || fresh.size > 0) {
            size_t stays = fresh.size > 0 ? 0 : kept;
            add_piece (self, hk_span_sub (content, from, begin + stays - from));
            if (kept > 0)
                add_piece (self, fresh);
            from = at;
        }
        begin = at;
    }
    add_piece (self, hk_span_sub (content, from, self->facts.end - from));
}

void
hk_headers_lay_out (HkIncoming *self, HkSpan content)
{
    HkSpan rest = hk_span_sub (content, self->facts.end, content.size);
    g_array_set_size (self->pieces, 0);
    add_piece (self, self->received);
    if (self->facts.must_cut)
        add_headers (self, content);
    else
        add_piece (self, hk_span_sub (content, 0, self->facts.end));
    if (self->added != NULL)
        add_piece (self, hk_span_string (self->added));
    /* A body that begins without an empty line would become headers with ours on top. */
    if (rest.size > 0 && rest.data[0] != '\n' &&
        !(rest.size > 1 && rest.data[0] == '\r' && rest.data[1] == '\n'))
        add_piece (self, HK_SPAN ("\r\n"));
    add_piece (self, rest);
}
