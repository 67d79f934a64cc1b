/* filter_header_checks_mime.c: which lines of a body are headers of a part, which are
 * headers of an attached message, which are text.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "filter_header_checks.h"

#include <string.h>

void
filter_header_checks_mime_init (ChecksMime *self, unsigned depth_limit,
                                unsigned boundary_limit)
{
    *self = (ChecksMime){.depth_limit = depth_limit, .boundary_limit = boundary_limit};
    self->boundaries = g_ptr_array_new_with_free_func (g_free);
    self->state = MIME_IN_PART_HEADER;
}

void
filter_header_checks_mime_clear (ChecksMime *self)
{
    g_ptr_array_unref (self->boundaries);
    g_free (self->boundary);
}

static bool
is_name (HkSpan s, const char *name)
{
    return s.size == strlen (name) &&
           g_ascii_strncasecmp ((const char *) s.data, name, s.size) == 0;
}

bool
filter_header_checks_is_mime (HkSpan name)
{
    return is_name (name, "MIME-Version") ||
           (name.size > 8 &&
            g_ascii_strncasecmp ((const char *) name.data, "Content-", 8) == 0);
}

size_t
filter_header_checks_name (HkSpan line)
{
    size_t n = 0;
    while (n < line.size && line.data[n] > ' ' && line.data[n] < 127 && line.data[n] != ':')
        n++;
    return n > 0 && n < line.size && line.data[n] == ':' ? n : 0;
}

/* ---- Content-Type
 * ------------------------------------------------------------------------ */

/* The value of boundary=; NULL when there is none. */
static char *
find_boundary (const char *text, unsigned limit)
{
    for (const char *p = strchr (text, ';'); p != NULL; p = strchr (p, ';')) {
        p++;
        p += strspn (p, " \t\r\n");
        if (g_ascii_strncasecmp (p, "boundary", 8) != 0)
            continue;
        p += 8;
        p += strspn (p, " \t\r\n");
        if (*p++ != '=')
            continue;
        p += strspn (p, " \t\r\n");
        const char *end;
        if (*p == '"') {
            end = strchr (++p, '"');
            if (end == NULL)
                return NULL;
        } else {
            end = p + strcspn (p, "; \t\r\n");
        }
        if (end == p)
            return NULL;
        return g_strndup (p, MIN ((size_t) (end - p), limit));
    }
    return NULL;
}

void
filter_header_checks_mime_header (ChecksMime *self, HkSpan name, HkSpan value)
{
    if (!is_name (name, "Content-Type"))
        return;
    g_autofree char *text = g_strndup ((const char *) value.data, value.size);
    const char *type = text + strspn (text, " \t\r\n");
    g_clear_pointer (&self->boundary, g_free);
    self->type = MIME_TYPE_OTHER;
    if (g_ascii_strncasecmp (type, "multipart/", 10) == 0) {
        self->boundary = find_boundary (type, self->boundary_limit);
        if (self->boundary != NULL)
            self->type = MIME_TYPE_MULTIPART;
    } else if (g_ascii_strncasecmp (type, "message/rfc822", 14) == 0 ||
               g_ascii_strncasecmp (type, "message/global", 14) == 0) {
        self->type = MIME_TYPE_MESSAGE;
    }
}

void
filter_header_checks_mime_end_header (ChecksMime *self)
{
    self->state = MIME_IN_BODY;
    if (self->type == MIME_TYPE_MULTIPART && self->boundaries->len < self->depth_limit)
        g_ptr_array_add (self->boundaries, g_steal_pointer (&self->boundary));
    else if (self->type == MIME_TYPE_MESSAGE)
        self->state = MIME_IN_NESTED_HEADER;
    g_clear_pointer (&self->boundary, g_free);
    self->type = MIME_TYPE_OTHER;
}

/* ---- boundaries
 * --------------------------------------------------------------------------- */

/* Blanks may follow (RFC 2046 5.1.1). */
static bool
is_blank_rest (HkSpan line, size_t from)
{
    for (size_t i = from; i < line.size; i++)
        if (line.data[i] != ' ' && line.data[i] != '\t')
            return false;
    return true;
}

bool
filter_header_checks_mime_boundary (ChecksMime *self, HkSpan line)
{
    if (line.size < 3 || line.data[0] != '-' || line.data[1] != '-')
        return false;
    for (guint i = self->boundaries->len; i-- > 0;) {
        const char *boundary = g_ptr_array_index (self->boundaries, i);
        size_t size = strlen (boundary), end = 2 + size;
        if (line.size < end || memcmp (line.data + 2, boundary, size) != 0)
            continue;
        bool is_last = line.size >= end + 2 && memcmp (line.data + end, "--", 2) == 0;
        if (!is_blank_rest (line, is_last ? end + 2 : end))
            continue;
        /* A boundary ends all that stands inside of it. */
        g_ptr_array_set_size (self->boundaries, (gint) (is_last ? i : i + 1));
        self->state = is_last ? MIME_IN_BODY : MIME_IN_PART_HEADER;
        self->type = MIME_TYPE_OTHER;
        g_clear_pointer (&self->boundary, g_free);
        return true;
    }
    return false;
}
