/* message_keys.c: which lines of a message are headers, of what, and which are its body.
 *
 * As cleanup(8) sees it for header_checks(5) and body_checks(5): a boundary counts when a
 * line begins with it, the empty line behind a header section is a line of the body, and a
 * message whose header section ends without one gets it. */
#include "config.h"

#include "cli/message_keys.h"

#include <string.h>

enum {
    MAX_DEPTH = 100,        /* mime_nesting_limit */
    MAX_BOUNDARY = 2048,    /* mime_boundary_length_limit */
    MAX_HEADER = 100 * 1024 /* header_size_limit; what goes on behind it is left out */
};

typedef struct {
    char *boundary;
    bool is_digest; /* RFC 2046 5.1.5: a part without a type is a message */
} Level;

struct HkMessageKeys {
    HkMessageKeyFn fn;
    void *data;
    bool parses_mime;
    enum { IN_PRIMARY, IN_PART_HEADER, IN_NESTED_HEADER, IN_BODY } state;
    GString *header; /* the logical header at hand; empty: none */
    GArray *levels;  /* Level, outermost first */
    bool is_message; /* the part of the header section at hand is a message */
};

static void
clear_level (void *p)
{
    g_free (((Level *) p)->boundary);
}

HkMessageKeys *
hk_message_keys_new (bool parses_mime, HkMessageKeyFn fn, void *data)
{
    HkMessageKeys *self = g_new0 (HkMessageKeys, 1);
    self->fn = fn;
    self->data = data;
    self->parses_mime = parses_mime;
    self->header = g_string_new (NULL);
    self->levels = g_array_new (FALSE, FALSE, sizeof (Level));
    g_array_set_clear_func (self->levels, clear_level);
    return self;
}

/* ---- Content-Type ---------------------------------------------------------------- */

static const char *
skip_comment (const char *p)
{
    unsigned depth = 0;
    do {
        if (*p == '\\' && p[1] != '\0')
            p++;
        else if (*p == '(')
            depth++;
        else if (*p == ')')
            depth--;
        p++;
    } while (depth > 0 && *p != '\0');
    return p;
}

static const char *
read_quoted (const char *p, GString *out)
{
    for (p++; *p != '\0' && *p != '"'; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
        g_string_append_c (out, *p);
    }
    return *p == '"' ? p + 1 : p;
}

/* The next token into OUT: a word, a quoted string, or one of "/;=".  NULL: no more. */
static const char *
next_token (const char *p, GString *out)
{
    g_string_truncate (out, 0);
    for (;;) {
        p += strspn (p, " \t\r\n");
        if (*p != '(')
            break;
        p = skip_comment (p);
    }
    if (*p == '\0')
        return NULL;
    if (*p == '"')
        return read_quoted (p, out);
    size_t size = strcspn (p, " \t\r\n();=/\"");
    g_string_append_len (out, p, (gssize) MAX (size, 1));
    return p + MAX (size, 1);
}

static bool
token_is (const GString *token, const char *word)
{
    return g_ascii_strcasecmp (token->str, word) == 0;
}

/* A boundary may hold "/" or "=" without quotes in mail of the wild; up to the blank. */
static char *
find_boundary (const char *p)
{
    g_autoptr (GString) token = g_string_new (NULL);
    while (p != NULL && (p = next_token (p, token)) != NULL) {
        if (!token_is (token, ";") || (p = next_token (p, token)) == NULL ||
            !token_is (token, "boundary") || (p = next_token (p, token)) == NULL ||
            !token_is (token, "="))
            continue;
        p += strspn (p, " \t\r\n");
        g_string_truncate (token, 0);
        if (*p == '"')
            read_quoted (p, token);
        else
            g_string_append_len (token, p, (gssize) strcspn (p, " \t\r\n;("));
        return token->len == 0 ? NULL
                               : g_strndup (token->str, MIN (token->len, MAX_BOUNDARY));
    }
    return NULL;
}

/* TEXT: behind "Content-Type:".  A boundary counts from here on, even when another header
 * changes the type again. */
static void
take_type (HkMessageKeys *self, const char *text)
{
    g_autoptr (GString) token = g_string_new (NULL);
    self->is_message = false;
    const char *p = next_token (text, token);
    bool is_multipart = p != NULL && token_is (token, "multipart");
    bool is_message = p != NULL && token_is (token, "message");
    if (!is_multipart && !is_message)
        return;
    if ((p = next_token (p, token)) == NULL || !token_is (token, "/") ||
        (p = next_token (p, token)) == NULL)
        return;
    if (is_message && (token_is (token, "rfc822") || token_is (token, "global")))
        self->is_message = true;
    if (!is_multipart)
        return;
    Level level = {find_boundary (p), token_is (token, "digest")};
    if (level.boundary != NULL && self->levels->len < MAX_DEPTH)
        g_array_append_val (self->levels, level);
    else
        g_free (level.boundary);
}

/* ---- header sections ------------------------------------------------------------- */

/* "Name" and blanks before the colon of a header; 0: LINE is none. */
static size_t
name_size (HkSpan line, size_t *out_colon)
{
    size_t n = 0;
    while (n < line.size && line.data[n] > ' ' && line.data[n] != 127 &&
           line.data[n] != ':')
        n++;
    size_t at = n;
    while (at < line.size && (line.data[at] == ' ' || line.data[at] == '\t'))
        at++;
    *out_colon = at;
    return at < line.size && line.data[at] == ':' ? n : 0;
}

static void
emit (HkMessageKeys *self, HkSpan key, bool is_header)
{
    self->fn (key, is_header, self->data);
}

static void
flush_header (HkMessageKeys *self)
{
    static const char name[] = "Content-Type:";
    if (self->header->len == 0)
        return;
    if (self->parses_mime &&
        g_ascii_strncasecmp (self->header->str, name, strlen (name)) == 0)
        take_type (self, self->header->str + strlen (name));
    emit (self, hk_span_string (self->header), true);
    g_string_truncate (self->header, 0);
}

static bool
continues_header (const HkMessageKeys *self, HkSpan line)
{
    return self->header->len > 0 && line.size > 0 &&
           (line.data[0] == ' ' || line.data[0] == '\t');
}

/* LINE goes on with a header or begins one. */
static bool
take_header_line (HkMessageKeys *self, HkSpan line)
{
    size_t colon, size;
    if (continues_header (self, line)) {
        if (self->header->len + line.size < MAX_HEADER) {
            g_string_append_c (self->header, '\n');
            hk_string_append (self->header, line);
        }
        return true;
    }
    flush_header (self);
    size = name_size (line, &colon);
    if (size == 0)
        return false;
    hk_string_append (self->header, hk_span_sub (line, 0, size));
    hk_string_append (self->header, hk_span_sub (line, colon, MAX_HEADER));
    return true;
}

static void
end_section (HkMessageKeys *self)
{
    self->state = self->is_message ? IN_NESTED_HEADER : IN_BODY;
    self->is_message = false;
}

/* ---- the body -------------------------------------------------------------------- */

/* The innermost boundary that LINE begins with ends all that stands inside of it. */
static void
take_boundary (HkMessageKeys *self, HkSpan line)
{
    for (guint i = self->levels->len; i-- > 0;) {
        const Level *level = &g_array_index (self->levels, Level, i);
        size_t end = 2 + strlen (level->boundary);
        if (line.size < end || memcmp (line.data + 2, level->boundary, end - 2) != 0)
            continue;
        bool is_last = line.size >= end + 2 && memcmp (line.data + end, "--", 2) == 0;
        self->is_message = level->is_digest;
        self->state = is_last ? IN_BODY : IN_PART_HEADER;
        g_array_set_size (self->levels, is_last ? i : i + 1);
        return;
    }
}

void
hk_message_keys_line (HkMessageKeys *self, HkSpan line)
{
    while (self->state != IN_BODY) {
        if (take_header_line (self, line))
            return;
        bool was_primary = self->state == IN_PRIMARY;
        end_section (self);
        if (line.size == 0 || was_primary)
            emit (self, HK_SPAN (""), false);
        if (line.size == 0)
            return;
    }
    if (line.size > 2 && line.data[0] == '-' && line.data[1] == '-')
        take_boundary (self, line);
    emit (self, line, false);
}

void
hk_message_keys_end (HkMessageKeys *self)
{
    flush_header (self);
    g_string_free (self->header, TRUE);
    g_array_unref (self->levels);
    g_free (self);
}
