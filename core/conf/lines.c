/* lines.c: the line syntax that main.cf, master.cf and conf.d files share. */
#include "config.h"

#include "conf/conf_priv.h"

bool
hk_conf_is_space (uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

HkSpan
hk_conf_strip (HkSpan s)
{
    while (s.size > 0 && hk_conf_is_space (s.data[0]))
        s = hk_span_sub (s, 1, s.size);
    while (s.size > 0 && hk_conf_is_space (s.data[s.size - 1]))
        s.size--;
    return s;
}

bool
hk_conf_next_physical (HkSpan *rest, HkSpan *out_line)
{
    if (rest->size == 0)
        return false;
    size_t end = MIN (hk_span_find (*rest, '\n', 0) + 1, rest->size);
    *out_line = hk_span_sub (*rest, 0, end);
    *rest = hk_span_sub (*rest, end, rest->size);
    return true;
}

HkLineKind
hk_conf_line_kind (HkSpan line)
{
    HkSpan text = hk_conf_strip (line);
    if (text.size == 0)
        return HK_LINE_BLANK;
    if (text.data[0] == '#')
        return HK_LINE_COMMENT;
    return hk_conf_is_space (line.data[0]) ? HK_LINE_CONTINUES : HK_LINE_STARTS;
}

void
hk_conf_lines_init (HkConfLines *self, HkSpan text)
{
    self->rest = text;
    self->line = 0;
    self->text = g_string_new (NULL);
}

void
hk_conf_lines_clear (HkConfLines *self)
{
    g_string_free (self->text, TRUE);
    self->text = NULL;
}

/* Without the line end; a CR before it is blank space as well. */
static void
append_line (GString *out, HkSpan line)
{
    while (line.size > 0 &&
           (line.data[line.size - 1] == '\n' || line.data[line.size - 1] == '\r'))
        line.size--;
    hk_string_append (out, line);
}

/* Continuation lines, and what may stand between them. */
static void
gather_rest (HkConfLines *self)
{
    HkSpan rest = self->rest, line;
    unsigned number = self->line;
    while (hk_conf_next_physical (&rest, &line)) {
        HkLineKind kind = hk_conf_line_kind (line);
        if (kind == HK_LINE_STARTS)
            return;
        number++;
        if (kind == HK_LINE_CONTINUES) {
            append_line (self->text, line);
            self->rest = rest;
            self->line = number;
        }
    }
}

bool
hk_conf_lines_next (HkConfLines *self, HkSpan *out_text, unsigned *out_line,
                    bool *out_is_orphan)
{
    HkSpan line;
    while (hk_conf_next_physical (&self->rest, &line)) {
        self->line++;
        HkLineKind kind = hk_conf_line_kind (line);
        if (kind == HK_LINE_BLANK || kind == HK_LINE_COMMENT)
            continue;
        g_string_truncate (self->text, 0);
        append_line (self->text, line);
        *out_line = self->line;
        *out_is_orphan = kind == HK_LINE_CONTINUES;
        gather_rest (self);
        *out_text = hk_span_string (self->text);
        return true;
    }
    return false;
}

const char *
hk_conf_split (HkSpan line, HkSpan *out_name, HkSpan *out_value)
{
    HkSpan s = hk_conf_strip (line);
    size_t n = 0;
    while (n < s.size && s.data[n] != '=' && !hk_conf_is_space (s.data[n]))
        n++;
    if (n == 0)
        return "missing attribute name";
    HkSpan rest = hk_conf_strip (hk_span_sub (s, n, s.size));
    if (rest.size == 0 || rest.data[0] != '=')
        return "missing '=' after attribute name";
    *out_name = hk_span_sub (s, 0, n);
    *out_value = hk_conf_strip (hk_span_sub (rest, 1, rest.size));
    return NULL;
}
