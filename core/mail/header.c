/* header.c: walks the header section of a message. */
#include "config.h"
#include "mail/header.h"

/* The size of the line at FROM with its line end. */
static size_t
line_size (HkSpan content, size_t from)
{
    size_t lf = hk_span_find (content, '\n', from);
    return (lf < content.size ? lf + 1 : lf) - from;
}

static bool
is_blank (uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* Size of the field name at the front of LINE and, behind blanks, the place of its colon.
 */
static size_t
field_name (HkSpan line, size_t *out_colon)
{
    size_t name = 0;
    while (name < line.size && line.data[name] > 32 && line.data[name] != ':' &&
           line.data[name] != 127)
        name++;
    size_t colon = name;
    while (colon < line.size && is_blank (line.data[colon]))
        colon++; /* RFC 5322 4.5: obsolete, still met */
    if (name == 0 || colon == line.size || line.data[colon] != ':')
        return 0;
    *out_colon = colon;
    return name;
}

static size_t
without_line_end (HkSpan s)
{
    size_t size = s.size;
    if (size > 0 && s.data[size - 1] == '\n')
        size--;
    if (size > 0 && size < s.size && s.data[size - 1] == '\r')
        size--;
    return size;
}

bool
hk_header_next (HkSpan content, size_t *at, HkHeader *out)
{
    size_t begin = *at, colon = 0;
    if (begin >= content.size)
        return false;
    HkSpan line = hk_span_sub (content, begin, line_size (content, begin));
    size_t name = field_name (line, &colon);
    if (name == 0) {
        if (without_line_end (line) == 0)
            *at += line.size;
        return false;
    }
    size_t end = begin + line.size;
    while (end < content.size && is_blank (content.data[end]))
        end += line_size (content, end);
    out->name = hk_span_sub (line, 0, name);
    out->whole = hk_span_sub (content, begin, end - begin);
    out->value = hk_span_sub (out->whole, colon + 1, out->whole.size);
    out->value.size = without_line_end (out->value);
    *at = end;
    return true;
}

bool
hk_header_find (HkSpan content, const char *name, HkHeader *out)
{
    size_t at = 0;
    HkHeader header;
    while (hk_header_next (content, &at, &header)) {
        if (hk_span_is_ci (header.name, name)) {
            *out = header;
            return true;
        }
    }
    return false;
}
