/* footer.c: smtpd_reject_footer, smtpd_reject_footer_maps: what stands behind every refusal;
 * compiled when the service starts. */
#include "config.h"
#include "session/session_priv.h"

#include "base/clock.h"
#include "base/log.h"

#include <time.h>

typedef enum {
    PART_TEXT,
    PART_CLIENT,
    PART_CLIENT_ADDRESS,
    PART_CLIENT_NAME,
    PART_CLIENT_PORT,
    PART_HELO_NAME,
    PART_LOCALTIME,
    PART_REVERSE_CLIENT_NAME,
    PART_SENDER,
    PART_SERVER_NAME
} PartKind;

typedef struct {
    PartKind kind;
    char *text; /* PART_TEXT */
} Part;

typedef struct {
    bool is_joined; /* "\c": goes on in the reply's own line */
    GArray *parts;  /* Part */
} Template;

struct HkFooter {
    Template *template; /* NULL: none */
    HkMaps *maps;
    bool is_allowed[256]; /* smtpd_expansion_filter */
};

/* ---- templates */

static void
part_clear (void *data)
{
    g_free (((Part *) data)->text);
}

static void
template_free (Template *self)
{
    g_array_unref (self->parts);
    g_free (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Template, template_free)

static void
add_text (Template *self, GString *text)
{
    if (text->len == 0)
        return;
    Part part = {PART_TEXT, g_strdup (text->str)};
    g_array_append_val (self->parts, part);
    g_string_truncate (text, 0);
}

static bool
add_name (Template *self, HkSpan name)
{
    static const struct {
        const char *name;
        PartKind kind;
    } names[] = {{"client", PART_CLIENT},
                 {"client_address", PART_CLIENT_ADDRESS},
                 {"client_name", PART_CLIENT_NAME},
                 {"client_port", PART_CLIENT_PORT},
                 {"helo_name", PART_HELO_NAME},
                 {"localtime", PART_LOCALTIME},
                 {"reverse_client_name", PART_REVERSE_CLIENT_NAME},
                 {"sender", PART_SENDER},
                 {"server_name", PART_SERVER_NAME}};
    for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
        if (hk_span_is (name, names[i].name)) {
            Part part = {names[i].kind, NULL};
            g_array_append_val (self->parts, part);
            return true;
        }
    return false;
}

/* $name, ${name} or $(name) at *AT, which moves behind it. */
static HkSpan
take_name (HkSpan text, size_t *at)
{
    size_t begin = *at + 1, end;
    uint8_t open = begin < text.size ? text.data[begin] : 0;
    if (open == '{' || open == '(') {
        end = hk_span_find (text, open == '{' ? '}' : ')', begin);
        *at = MIN (end + 1, text.size);
        return hk_span_sub (text, begin + 1, end - begin - 1);
    }
    end = begin;
    while (end < text.size && (g_ascii_isalnum (text.data[end]) || text.data[end] == '_'))
        end++;
    *at = end;
    return hk_span_sub (text, begin, end - begin);
}

/* A name that is none of ours stands for nothing, and is warned of. */
static Template *
template_new (HkSpan text, const char *parameter)
{
    Template *self = g_new0 (Template, 1);
    g_autoptr (GString) literal = g_string_new (NULL);
    self->parts = g_array_new (FALSE, TRUE, sizeof (Part));
    g_array_set_clear_func (self->parts, part_clear);
    size_t at = 0;
    if (text.size >= 2 && text.data[0] == '\\' && text.data[1] == 'c') {
        self->is_joined = true;
        at = 2;
    }
    while (at < text.size) {
        uint8_t c = text.data[at], next = at + 1 < text.size ? text.data[at + 1] : 0;
        if (c == '$' && next != '$') {
            add_text (self, literal);
            HkSpan name = take_name (text, &at);
            if (!add_name (self, name))
                hk_log (HK_LOG_WARNING, "%s: unknown name \"%.*s\"", parameter,
                        HK_SPAN_ARG (name));
        } else if (c == '$' || (c == '\\' && next == 'n')) {
            g_string_append_c (literal, c == '$' ? '$' : '\n');
            at += 2;
        } else {
            g_string_append_c (literal, (char) c);
            at++;
        }
    }
    add_text (self, literal);
    return self;
}

/* ---- use */

static void
append_censored (const HkFooter *self, GString *out, HkSpan value)
{
    for (size_t i = 0; i < value.size; i++)
        g_string_append_c (out, self->is_allowed[value.data[i]] ? (char) value.data[i] : '_');
}

static void
append_time (const HkFooter *self, GString *out, const HkSession *session)
{
    /* Not strftime's %b: a locale's names have no place in a reply. */
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const HkClock *clock = hk_loop_clock (session->dialogue->sessions->options.loop);
    time_t now = (time_t) (hk_wall_us (clock) / G_USEC_PER_SEC);
    struct tm t;
    char text[32];
    if (localtime_r (&now, &t) == NULL)
        return;
    g_snprintf (text, sizeof text, "%s %02d %02d:%02d:%02d", months[t.tm_mon], t.tm_mday,
                t.tm_hour, t.tm_min, t.tm_sec);
    append_censored (self, out, hk_span_text (text));
}

static void
append_part (const HkFooter *self, GString *out, const HkSession *session,
             const Part *part)
{
    HkSpan address = hk_span_text (session->client_address);
    char port[8];
    switch (part->kind) {
    case PART_TEXT:
        g_string_append (out, part->text);
        break;
    case PART_CLIENT:
        append_censored (self, out, hk_span_text (session->client_name));
        g_string_append_c (out, '[');
        append_censored (self, out, address);
        g_string_append_c (out, ']');
        break;
    case PART_CLIENT_ADDRESS:
        append_censored (self, out, address);
        break;
    case PART_CLIENT_NAME:
        append_censored (self, out, hk_span_text (session->client_name));
        break;
    case PART_CLIENT_PORT:
        g_snprintf (port, sizeof port, "%u", session->client_port);
        append_censored (self, out, hk_span_text (port));
        break;
    case PART_HELO_NAME:
        append_censored (self, out, hk_span_text (session->helo));
        break;
    case PART_LOCALTIME:
        append_time (self, out, session);
        break;
    case PART_REVERSE_CLIENT_NAME:
        append_censored (self, out, hk_span_text (session->client_reverse));
        break;
    case PART_SENDER:
        if (session->tx != NULL)
            append_censored (self, out, session->tx->envelope.sender);
        break;
    case PART_SERVER_NAME:
        append_censored (self, out, hk_span_text (session->dialogue->myhostname));
        break;
    }
}

static void
append_template (const HkFooter *self, GString *out, const HkSession *session,
                 const Template *template)
{
    if (!template->is_joined)
        g_string_append_c (out, '\n');
    for (guint i = 0; i < template->parts->len; i++)
        append_part (self, out, session, &g_array_index (template->parts, Part, i));
    while (out->len > 0 && g_ascii_isspace (out->str[out->len - 1]))
        g_string_truncate (out, out->len - 1);
}

bool
hk_footer_append (const HkFooter *self, const HkSession *session, int code,
                  const char *dsn, GString *text)
{
    if (!hk_maps_is_empty (self->maps)) {
        g_autoptr (GString) value = g_string_new (NULL);
        g_autoptr (GString) key = g_string_new (NULL);
        g_string_printf (key, "%d %s%s%s", code, dsn != NULL ? dsn : "",
                         dsn != NULL ? " " : "", text->str);
        if (hk_maps_get_exact_case (self->maps, hk_span_string (key), value, NULL) ==
            HK_FOUND) {
            g_autoptr (Template) found =
                template_new (hk_span_string (value), "smtpd_reject_footer_maps");
            append_template (self, text, session, found);
            return true;
        }
    }
    if (self->template == NULL)
        return false;
    append_template (self, text, session, self->template);
    return true;
}

/* ---- opening */

/* C-like escapes: \t, \n, \\, \40. */
static void
read_filter (HkFooter *self, const char *text)
{
    g_autofree char *bytes = g_strcompress (text);
    for (const char *p = bytes; *p != '\0'; p++)
        self->is_allowed[(uint8_t) *p] = true;
}

bool
hk_footer_open (HkPlugins *plugins, HkSettings *view, HkFooter **out, GError **error)
{
    HkSpan text = hk_span_strip (hk_span_text (hk_settings_get (view, "smtpd_reject_footer")));
    const char *maps = hk_settings_get (view, "smtpd_reject_footer_maps");
    *out = NULL;
    if (text.size == 0 && (maps[0] == '\0' || plugins == NULL))
        return true;
    g_autoptr (HkMaps) opened =
        hk_session_maps_open (plugins, view, "smtpd_reject_footer_maps", error);
    if (opened == NULL)
        return false;
    *out = g_new0 (HkFooter, 1);
    (*out)->maps = g_steal_pointer (&opened);
    if (text.size > 0)
        (*out)->template = template_new (text, "smtpd_reject_footer");
    read_filter (*out, hk_settings_get (view, "smtpd_expansion_filter"));
    return true;
}

void
hk_footer_free (HkFooter *self)
{
    hk_maps_unref (self->maps);
    g_clear_pointer (&self->template, template_free);
    g_free (self);
}
