/* header_addresses.c: addresses in the headers of mail from our own users, made complete
 * and rewritten like those of the envelope (local_header_rewrite_clients, canonical(5)). */
#include "intake/intake_priv.h"

/* The class of a header's addresses; 0: it holds none. */
static unsigned
class_of (HkSpan name)
{
    static const struct {
        const char *name;
        unsigned class;
    } known[] = {
        {"From", HK_CLASS_HEADER_SENDER},
        {"Sender", HK_CLASS_HEADER_SENDER},
        {"Reply-To", HK_CLASS_HEADER_SENDER},
        {"Errors-To", HK_CLASS_HEADER_SENDER},
        {"Return-Receipt-To", HK_CLASS_HEADER_SENDER},
        {"To", HK_CLASS_HEADER_RECIPIENT},
        {"Cc", HK_CLASS_HEADER_RECIPIENT},
        {"Bcc", HK_CLASS_HEADER_RECIPIENT},
        {"Apparently-To", HK_CLASS_HEADER_RECIPIENT},
    };
    if (hk_span_starts_ci (name, HK_SPAN ("Resent-")))
        name = hk_span_sub (name, strlen ("Resent-"), name.size);
    for (size_t i = 0; i < G_N_ELEMENTS (known); i++)
        if (hk_span_is_ci (name, known[i].name))
            return known[i].class;
    return 0;
}

/* ---- finding addresses in their places
 * ------------------------------------------------------ */

typedef struct {
    HkSpan value;
    size_t at;
} Scanner;

static bool
is_blank (uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind the comment at AT; comments nest. */
static size_t
skip_comment (HkSpan value, size_t at)
{
    unsigned depth = 0;
    for (; at < value.size; at++) {
        uint8_t c = value.data[at];
        if (c == '\\')
            at++;
        else if (c == '(')
            depth++;
        else if (c == ')' && --depth == 0)
            return at + 1;
    }
    return value.size;
}

/* Behind the quoted string at AT. */
static size_t
skip_quoted (HkSpan value, size_t at)
{
    for (at++; at < value.size; at++) {
        if (value.data[at] == '\\')
            at++;
        else if (value.data[at] == '"')
            return at + 1;
    }
    return value.size;
}

static HkSpan
bracketed (Scanner *self)
{
    size_t begin = self->at + 1, end = begin;
    while (end < self->value.size && self->value.data[end] != '>')
        end = self->value.data[end] == '"' ? skip_quoted (self->value, end) : end + 1;
    self->at = MIN (end + 1, self->value.size);
    return hk_span_strip (hk_span_sub (self->value, begin, end - begin));
}

/* The next address, where it stands; false at the end.  What is no plain address (words
 * with blanks between, a group's name) comes as an empty span. */
static bool
next_address (Scanner *self, HkSpan *out)
{
    HkSpan value = self->value, inner = HK_SPAN_NONE;
    size_t begin = SIZE_MAX, end = 0;
    bool has_brackets = false;
    if (self->at >= value.size)
        return false;
    while (self->at < value.size) {
        uint8_t c = value.data[self->at];
        if (c == ',' || c == ';')
            break;
        if (c == ':' && !has_brackets) {
            begin = SIZE_MAX; /* that was a group's name */
            self->at++;
        } else if (c == '(') {
            self->at = skip_comment (value, self->at);
        } else if (c == '<') {
            inner = bracketed (self);
            has_brackets = true;
        } else if (is_blank (c)) {
            self->at++;
        } else {
            begin = MIN (begin, self->at);
            self->at = c == '"'   ? skip_quoted (value, self->at)
                       : c == '[' ? hk_span_find (value, ']', self->at) + 1
                                  : self->at + 1;
            end = MIN (self->at, value.size);
        }
    }
    self->at++;
    if (has_brackets)
        *out = inner;
    else
        *out = begin == SIZE_MAX ? HK_SPAN_NONE : hk_span_sub (value, begin, end - begin);
    return true;
}

/* Rewriting works on what is one word; anything else stays as its author wrote it. */
static bool
is_plain (HkSpan address)
{
    bool is_quoted = false;
    for (size_t i = 0; i < address.size; i++) {
        uint8_t c = address.data[i];
        if (c == '"')
            is_quoted = !is_quoted;
        if (!is_quoted && (is_blank (c) || c == '(' || c == '<' || c == '>' || c == '\\'))
            return false;
        if (c == '\r' || c == '\n' || c == '\0')
            return false;
    }
    return address.size > 0 && !is_quoted;
}

/* ---- rewriting
 * ---------------------------------------------------------------------------------- */

static HkSpan
rewrite_one (HkIncoming *self, HkSpan address, unsigned class)
{
    HkSpan fresh = hk_standard_form (self, address);
    if (!self->intake->has_mappings)
        return fresh;
    return hk_masquerade (self, hk_canonical_map (self, fresh, class), class);
}

HkSpan
hk_header_rewrite (HkIncoming *self, const HkHeader *header)
{
    unsigned class = class_of (header->name);
    Scanner scanner = {header->whole, 0};
    g_autoptr (GString) out = NULL;
    HkSpan address;
    size_t done = 0;
    if (class == 0 || header->whole.size > self->intake->header_size_limit)
        return HK_SPAN_NONE;
    scanner.at = (size_t) (header->value.data - header->whole.data);
    while (next_address (&scanner, &address) && self->code == 0) {
        if (!is_plain (address))
            continue;
        HkSpan fresh = rewrite_one (self, address, class);
        if (hk_span_equal (fresh, address))
            continue;
        size_t begin = (size_t) (address.data - header->whole.data);
        if (out == NULL)
            out = g_string_sized_new (header->whole.size + 64);
        hk_string_append (out, hk_span_sub (header->whole, done, begin - done));
        hk_string_append (out, fresh);
        done = begin + address.size;
    }
    if (out == NULL)
        return HK_SPAN_NONE;
    hk_string_append (out, hk_span_sub (header->whole, done, header->whole.size));
    return hk_arena_copy (self->arena, hk_span_string (out));
}
