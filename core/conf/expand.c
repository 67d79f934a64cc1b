/* expand.c: $name, ${name?…}, ${{a} == {b} ? {c} : {d}} in values (postconf(5)). */
#include "config.h"

#include "conf/conf_priv.h"

typedef struct {
    const HkConfNames *names;
    GPtrArray *open; /* names being expanded, outermost first: finds loops */
    unsigned steps, depth;
    size_t limit; /* of the output's length */
    GError **error;
} Expander;

static bool expand_text (Expander *self, HkSpan text, GString *out);

static bool
is_name_byte (uint8_t c)
{
    return g_ascii_isalnum ((char) c) || c == '_';
}

static size_t
name_size (HkSpan s)
{
    size_t n = 0;
    while (n < s.size && is_name_byte (s.data[n]))
        n++;
    return n;
}

static HkSpan
skip (HkSpan s, size_t n)
{
    return hk_span_sub (s, n, s.size);
}

static HkSpan
skip_space (HkSpan s)
{
    while (s.size > 0 && hk_conf_is_space (s.data[0]))
        s = skip (s, 1);
    return s;
}

/* S begins with OPEN: the size of the part up to and with its CLOSE; 0: it is not there. */
static size_t
balanced_size (HkSpan s, uint8_t open, uint8_t close)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] == open)
            depth++;
        else if (s.data[i] == close && --depth == 0)
            return i + 1;
    }
    return 0;
}

static bool
fail (Expander *self, const char *what, HkSpan at)
{
    g_autoptr (GString) text = g_string_new (NULL);
    hk_text_append_printable (text, at, 60, true);
    g_set_error (self->error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX, "%s at \"%s\"", what,
                 text->str);
    return false;
}

/* ---- one name -------------------------------------------------------------------- */

static bool
fail_loop (Expander *self, const char *name)
{
    g_autoptr (GString) way = g_string_new (NULL);
    bool inside = false;
    for (guint i = 0; i < self->open->len; i++) {
        const char *open = g_ptr_array_index (self->open, i);
        inside = inside || strcmp (open, name) == 0;
        if (inside)
            g_string_append_printf (way, "$%s -> ", open);
    }
    g_set_error (self->error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE,
                 "the value refers to itself: %s$%s", way->str, name);
    return false;
}

static bool
is_open (Expander *self, const char *name)
{
    for (guint i = 0; i < self->open->len; i++)
        if (strcmp (g_ptr_array_index (self->open, i), name) == 0)
            return true;
    return false;
}

static const char *
look_up (Expander *self, const char *name)
{
    const char *raw = self->names->lookup (self->names->data, name);
    if (raw == NULL && self->names->undefined != NULL)
        self->names->undefined (self->names->data, name);
    return raw;
}

static bool
expand_name (Expander *self, HkSpan span, GString *out)
{
    g_autofree char *name = hk_span_dup (span);
    if (++self->steps > HK_CONF_MAX_STEPS)
        return fail (self, "too many references", span);
    if (is_open (self, name))
        return fail_loop (self, name);
    const char *raw = look_up (self, name);
    if (raw == NULL)
        return true;
    if (self->open->len >= HK_CONF_MAX_DEPTH)
        return fail (self, "references nested too deeply", span);
    g_ptr_array_add (self->open, name);
    bool ok = expand_text (self, hk_span_text (raw), out);
    g_ptr_array_set_size (self->open, (gint) self->open->len - 1);
    return ok;
}

/* ---- conditions ------------------------------------------------------------------ */

/* "{text}" at the front of *REST, which moves behind it. */
static bool
take_braced (Expander *self, HkSpan *rest, HkSpan *out)
{
    HkSpan s = skip_space (*rest);
    if (s.size == 0 || s.data[0] != '{')
        return fail (self, "\"{text}\" expected", s);
    size_t n = balanced_size (s, '{', '}');
    if (n == 0)
        return fail (self, "missing '}'", s);
    *out = hk_span_sub (s, 1, n - 2);
    *rest = skip (s, n);
    return true;
}

/* What follows '?' or ':': "{text}", or all the rest. */
static bool
take_branch (Expander *self, HkSpan *rest, HkSpan *out)
{
    HkSpan s = skip_space (*rest);
    if (s.size > 0 && s.data[0] == '{')
        return take_braced (self, rest, out);
    *out = *rest;
    *rest = skip (*rest, rest->size);
    return true;
}

/* REST is "? … : …" or a part of it. */
static bool
expand_branches (Expander *self, bool condition, HkSpan rest, GString *out)
{
    HkSpan yes = HK_SPAN (""), no = HK_SPAN ("");
    if (rest.data[0] == '?') {
        rest = skip (rest, 1);
        if (!take_branch (self, &rest, &yes))
            return false;
        rest = skip_space (rest);
        if (rest.size > 0 && rest.data[0] != ':')
            return fail (self, "':' expected", rest);
    }
    if (rest.size > 0) {
        rest = skip (rest, 1);
        if (!take_branch (self, &rest, &no))
            return false;
        rest = skip_space (rest);
        if (rest.size > 0)
            return fail (self, "unexpected text", rest);
    }
    return expand_text (self, condition ? yes : no, out);
}

typedef enum { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE } Operator;

/* The operator at the front of *REST; "<level" and its kin compare compatibility levels. */
static bool
take_operator (Expander *self, HkSpan *rest, Operator *out, bool *out_is_level)
{
    static const char *const text[] = {"==", "!=", "<=", ">=", "<", ">"};
    static const Operator code[] = {OP_EQ, OP_NE, OP_LE, OP_GE, OP_LT, OP_GT};
    HkSpan s = skip_space (*rest);
    for (size_t i = 0; i < G_N_ELEMENTS (text); i++) {
        size_t n = strlen (text[i]);
        if (s.size < n || memcmp (s.data, text[i], n) != 0)
            continue;
        *out = code[i];
        *out_is_level = hk_span_equal (hk_span_sub (s, n, 5), HK_SPAN ("level"));
        *rest = skip (s, *out_is_level ? n + 5 : n);
        return true;
    }
    return fail (self, "== or != or < or <= or >= or > expected", s);
}

static bool
is_number (const GString *s)
{
    for (gsize i = 0; i < s->len; i++)
        if (!g_ascii_isdigit (s->str[i]))
            return false;
    return s->len > 0;
}

/* Digits of any length: no overflow can turn the answer round. */
static int
compare_numbers (const char *a, const char *b)
{
    a += strspn (a, "0");
    b += strspn (b, "0");
    size_t na = strlen (a), nb = strlen (b);
    return na != nb ? (na < nb ? -1 : 1) : strcmp (a, b);
}

/* "3.6" or "3.6.1" */
static bool
parse_level (const GString *s, uint64_t out[3])
{
    HkSpan rest = hk_conf_strip (hk_span_string (s));
    out[0] = out[1] = out[2] = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t dot = hk_span_find (rest, '.', 0);
        if (!hk_text_parse_u64 (hk_span_sub (rest, 0, dot), INT32_MAX, &out[i]))
            return false;
        if (dot == rest.size)
            return true;
        rest = skip (rest, dot + 1);
    }
    return false;
}

static bool
compare_levels (Expander *self, const GString *a, const GString *b, int *out)
{
    uint64_t x[3], y[3];
    if (!parse_level (a, x))
        return fail (self, "malformed compatibility level", hk_span_string (a));
    if (!parse_level (b, y))
        return fail (self, "malformed compatibility level", hk_span_string (b));
    *out = 0;
    for (size_t i = 0; i < 3 && *out == 0; i++)
        *out = (x[i] > y[i]) - (x[i] < y[i]);
    return true;
}

static bool
holds (Operator op, int order)
{
    switch (op) {
    case OP_EQ:
        return order == 0;
    case OP_NE:
        return order != 0;
    case OP_LT:
        return order < 0;
    case OP_LE:
        return order <= 0;
    case OP_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

/* "{a} op {b}" at the front of *REST. */
static bool
evaluate (Expander *self, HkSpan *rest, bool *out)
{
    HkSpan left, right;
    Operator op = OP_EQ;
    bool is_level = false;
    if (!take_braced (self, rest, &left) || !take_operator (self, rest, &op, &is_level) ||
        !take_braced (self, rest, &right))
        return false;
    g_autoptr (GString) a = g_string_new (NULL);
    g_autoptr (GString) b = g_string_new (NULL);
    if (!expand_text (self, left, a) || !expand_text (self, right, b))
        return false;
    int order = 0;
    if (is_level) {
        if (!compare_levels (self, a, b, &order))
            return false;
    } else if (is_number (a) && is_number (b)) {
        order = compare_numbers (a->str, b->str);
    } else {
        order = strcmp (a->str, b->str);
    }
    *out = holds (op, order);
    return true;
}

static bool
expand_comparison (Expander *self, HkSpan body, GString *out)
{
    bool condition;
    if (!evaluate (self, &body, &condition))
        return false;
    body = skip_space (body);
    if (body.size == 0) {
        g_string_append (out, condition ? "true" : "");
        return true;
    }
    if (body.data[0] != '?' && body.data[0] != ':')
        return fail (self, "'?' or ':' expected", body);
    return expand_branches (self, condition, body, out);
}

/* What stands between the braces of "${…}". */
static bool
expand_body (Expander *self, HkSpan body, GString *out)
{
    body = skip_space (body);
    if (body.size > 0 && body.data[0] == '{')
        return expand_comparison (self, body, out);
    HkSpan name = hk_span_sub (body, 0, name_size (body));
    if (name.size == 0)
        return fail (self, "missing name after '$'", body);
    HkSpan rest = skip_space (skip (body, name.size));
    if (rest.size == 0)
        return expand_name (self, name, out);
    if (rest.data[0] != '?' && rest.data[0] != ':')
        return fail (self, "unexpected text after a name", rest);
    g_autofree char *word = hk_span_dup (name);
    /* As Postfix does: the test is on the text as it is written. */
    const char *raw = look_up (self, word);
    return expand_branches (self, raw != NULL && raw[0] != '\0', rest, out);
}

/* ---- texts ----------------------------------------------------------------------- */

/* One expression, behind its '$'; *REST moves behind it. */
static bool
expand_one (Expander *self, HkSpan *rest, GString *out)
{
    HkSpan s = *rest;
    uint8_t first = s.size > 0 ? s.data[0] : 0;
    if (first == '$') {
        *rest = skip (s, 1);
        g_string_append_c (out, '$');
        return true;
    }
    if (first == '{' || first == '(') {
        size_t n = balanced_size (s, first, first == '{' ? '}' : ')');
        if (n == 0)
            return fail (self, "missing closing brace after '$'", s);
        *rest = skip (s, n);
        return expand_body (self, hk_span_sub (s, 1, n - 2), out);
    }
    HkSpan name = hk_span_sub (s, 0, name_size (s));
    if (name.size == 0)
        return fail (self, "missing name after '$'", s);
    *rest = skip (s, name.size);
    return expand_name (self, name, out);
}

static bool
expand_parts (Expander *self, HkSpan text, GString *out)
{
    while (text.size > 0) {
        size_t dollar = hk_span_find (text, '$', 0);
        hk_string_append (out, hk_span_sub (text, 0, dollar));
        if (out->len > self->limit)
            return fail (self, "the value grows too long", text);
        text = skip (text, dollar);
        if (text.size == 0)
            break;
        text = skip (text, 1);
        if (!expand_one (self, &text, out))
            return false;
    }
    return true;
}

static bool
expand_text (Expander *self, HkSpan text, GString *out)
{
    if (++self->depth > 4 * HK_CONF_MAX_DEPTH)
        return fail (self, "expressions nested too deeply", text);
    bool ok = expand_parts (self, text, out);
    self->depth--;
    return ok;
}

bool
hk_conf_expand (const HkConfNames *names, HkSpan text, GString *out, GError **error)
{
    gsize start = out->len;
    g_autoptr (GPtrArray) open = g_ptr_array_new ();
    Expander self = {names, open, 0, 0, start + HK_CONF_MAX_EXPANDED, error};
    if (expand_text (&self, text, out))
        return true;
    g_string_truncate (out, start);
    return false;
}

void
hk_conf_references (HkSpan text, void (*fn) (HkSpan name, void *data), void *data)
{
    size_t at = 0;
    while ((at = hk_span_find (text, '$', at)) < text.size) {
        HkSpan s = skip (text, ++at);
        if (s.size > 0 && s.data[0] == '$') {
            at++;
            continue;
        }
        if (s.size > 0 && (s.data[0] == '{' || s.data[0] == '('))
            s = skip_space (skip (s, 1));
        size_t n = name_size (s);
        if (n > 0)
            fn (hk_span_sub (s, 0, n), data);
    }
}
