/* query_file.c: reading the file behind a table that asks a server; % expansions.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "query_file.h"

#include <hikyaku/textfile.h>

enum {
    FILE_LIMIT = 1 << 20,   /* bytes of a configuration or domain list file */
    KEY_LIMIT = 16 * 1024,  /* bytes of a key; an address has at most 320 */
    ANSWER_LIMIT = 4 << 20, /* bytes of an answer */
    MAX_NESTING = 8         /* files in domain list files */
};

enum { /* which parts the templates need */
       KEY_USER = 1 << 0,
       KEY_DOMAIN = 1 << 1,
       VALUE_USER = 1 << 2,
       VALUE_DOMAIN = 1 << 3
};

typedef struct {
    bool is_negative;
    char *text;     /* a domain in lower case, or a table's name */
    HkTable *table; /* or NULL */
} DomainItem;

struct QueryFile {
    const HkHost *host;
    char *name;
    GHashTable *values; /* name → value */
    GArray *domains;    /* DomainItem; NULL: all keys */
    char *sql;          /* made of the older parameters */
    const char *format; /* result_format */
    int64_t expansion_limit;
    unsigned needs, labels; /* flags above; how many labels a domain must have */
};

static const char *const common_names[] = {"domain", "result_format", "result_filter",
                                           "expansion_limit", NULL};

/* ---- the file ---- */

static bool
is_listed (const char *const *names, const char *name)
{
    for (; *names != NULL; names++)
        if (strcmp (*names, name) == 0)
            return true;
    return false;
}

/* "name = value" */
static HkAnswer
take_line (QueryFile *self, HkCall *call, const char *const *names, HkSpan line,
           uint32_t number)
{
    const char *p = (const char *) line.data, *end = p + line.size;
    const char *equals = memchr (p, '=', line.size);
    HkSpan name = hk_strip_blanks (p, equals == NULL ? end : equals);
    HkSpan value = {NULL, 0};
    if (equals != NULL)
        value = hk_strip_blanks (equals + 1, end);
    for (size_t i = 0; equals != NULL && i < name.size; i++)
        if (hk_is_blank ((char) name.data[i]))
            equals = NULL;
    if (memchr (p, '\0', line.size) != NULL)
        return self->host->broken (call, "%s, line %u: a NUL byte", self->name,
                                   (unsigned) number);
    if (equals == NULL || name.size == 0) /* the line may hold a password: not shown */
        return self->host->broken (call, "%s, line %u: %s", self->name, (unsigned) number,
                                   equals == NULL ? "missing '=' after attribute name"
                                                  : "missing attribute name");
    char *key = g_strndup ((const char *) name.data, name.size);
    if (!is_listed (common_names, key) && !is_listed (names, key))
        self->host->log (self->host, HK_LOG_WARNING, "%s, line %u: unknown parameter: %s",
                         self->name, (unsigned) number, key);
    if (g_hash_table_contains (self->values, key))
        self->host->log (self->host, HK_LOG_WARNING,
                         "%s, line %u: overriding earlier entry: %s", self->name,
                         (unsigned) number, key);
    g_hash_table_replace (self->values, key,
                          g_strndup ((const char *) value.data, value.size));
    return HK_OK;
}

static HkAnswer
take_text (QueryFile *self, HkCall *call, const char *const *names, char *data, size_t size)
{
    HkLines lines = hk_lines (data, size);
    HkSpan line;
    uint32_t number;
    int got;
    HkAnswer answer = HK_OK;
    while (answer == HK_OK && (got = hk_lines_next (&lines, &line, &number)) != 0) {
        if (got > 0)
            answer = take_line (self, call, names, line, number);
        else
            self->host->log (self->host, HK_LOG_WARNING,
                             "%s, line %u: logical line must not start with whitespace",
                             self->name, (unsigned) number);
    }
    return answer;
}

static HkAnswer
read_values (QueryFile *self, HkCall *call, HkSpan argument, const char *const *names)
{
    char *data;
    size_t size;
    HkFileState state;
    if (argument.size > 0 && argument.data[0] == '{') {
        const char *why = hk_lines_from_braces (argument, &data, &size);
        if (why != NULL)
            return self->host->broken (call, "%s: %s", self->name, why);
    } else if (argument.size == 0 || strchr ("/.", argument.data[0]) == NULL) {
        return self->host->broken (call,
                                   "\"%s\": expected a file whose name begins with '/' or "
                                   "'.', or { {name = value}, ... }; parameters of a table "
                                   "are not read from main.cf",
                                   self->name);
    } else {
        int e = hk_file_read (self->name, FILE_LIMIT, &data, &size, &state);
        if (e != 0)
            return self->host->later (call, "open %s: %s", self->name, g_strerror (e));
    }
    HkAnswer answer = take_text (self, call, names, data, size);
    free (data);
    return answer;
}

/* ---- the domain list ---- */

static void
clear_item (void *p)
{
    g_free (((DomainItem *) p)->text);
}

/* Next word of REST, separated by blanks and commas outside of braces. */
static bool
next_word (HkSpan *rest, HkSpan *out)
{
    const char *p = (const char *) rest->data, *end = p + rest->size;
    int depth = 0;
    while (p < end && (hk_is_blank (*p) || *p == ',' || *p == '\n'))
        p++;
    const char *begin = p;
    for (; p < end && (depth > 0 || !(hk_is_blank (*p) || *p == ',' || *p == '\n')); p++)
        depth += *p == '{' ? 1 : *p == '}' ? -1 : 0;
    *out = (HkSpan){(const uint8_t *) begin, (size_t) (p - begin)};
    *rest = (HkSpan){(const uint8_t *) p, (size_t) (end - p)};
    return out->size > 0;
}

static HkAnswer add_domains (QueryFile *self, HkCall *call, HkSpan text, bool is_negative,
                             int depth);

static HkAnswer
add_domain_file (QueryFile *self, HkCall *call, const char *path, bool is_negative,
                 int depth)
{
    char *data;
    size_t size;
    HkFileState state;
    HkSpan line;
    uint32_t number;
    if (depth >= MAX_NESTING)
        return self->host->broken (call, "%s: domain: files nested too deeply: %s",
                                   self->name, path);
    int e = hk_file_read (path, FILE_LIMIT, &data, &size, &state);
    if (e != 0)
        return self->host->later (call, "%s: domain: open %s: %s", self->name, path,
                                  g_strerror (e));
    HkLines lines = hk_lines (data, size);
    HkAnswer answer = HK_OK;
    while (answer == HK_OK && hk_lines_next (&lines, &line, &number) != 0)
        answer = add_domains (self, call, line, is_negative, depth + 1);
    free (data);
    return answer;
}

static HkAnswer
add_domain (QueryFile *self, HkCall *call, HkSpan word, bool is_negative, int depth)
{
    for (; word.size > 0 && word.data[0] == '!'; word.data++, word.size--)
        is_negative = !is_negative;
    if (word.size == 0)
        return self->host->broken (call, "%s: domain: no pattern after '!'", self->name);
    g_autofree char *text = g_strndup ((const char *) word.data, word.size);
    if (text[0] == '/')
        return add_domain_file (self, call, text, is_negative, depth);
    DomainItem item = {.is_negative = is_negative};
    if (strchr (text, ':') != NULL && text[0] != '[') {
        HkAnswer answer = self->host->table_open (self->host, call, word, &item.table);
        if (answer != HK_OK)
            return answer;
        item.text = g_steal_pointer (&text);
    } else
        item.text = g_ascii_strdown (text, -1);
    g_array_append_val (self->domains, item);
    return HK_OK;
}

static HkAnswer
add_domains (QueryFile *self, HkCall *call, HkSpan text, bool is_negative, int depth)
{
    HkSpan word;
    HkAnswer answer = HK_OK;
    while (answer == HK_OK && next_word (&text, &word))
        answer = add_domain (self, call, word, is_negative, depth);
    return answer;
}

static HkAnswer
open_domains (QueryFile *self, HkCall *call)
{
    const char *text = query_file_text (self, "domain");
    if (text == NULL || *text == '\0')
        return HK_OK;
    self->domains = g_array_new (FALSE, FALSE, sizeof (DomainItem));
    g_array_set_clear_func (self->domains, clear_item);
    return add_domains (self, call, (HkSpan){(const uint8_t *) text, strlen (text)}, false,
                        0);
}

/* HK_FOUND, HK_ABSENT, HK_LATER */
static HkAnswer
match_domain (const QueryFile *self, HkCall *call, HkSpan domain)
{
    g_autofree char *folded =
        g_ascii_strdown ((const char *) domain.data, (gssize) domain.size);
    HkSpan key = {(const uint8_t *) folded, domain.size}, value;
    for (guint i = 0; i < self->domains->len; i++) {
        const DomainItem *item = &g_array_index (self->domains, DomainItem, i);
        HkAnswer answer = HK_ABSENT;
        if (item->table != NULL)
            answer = self->host->table_get (item->table, call, key, &value);
        else if (strcmp (item->text, folded) == 0)
            answer = HK_FOUND;
        if (answer == HK_FOUND)
            return item->is_negative ? HK_ABSENT : HK_FOUND;
        if (answer != HK_ABSENT)
            return self->host->later (call, "%s: domain: table %s does not answer",
                                      self->name, item->text);
    }
    return HK_ABSENT;
}

/* ---- opening ---- */

static HkAnswer
open_result (QueryFile *self, HkCall *call)
{
    const char *name = "result_format";
    self->format = query_file_text (self, name);
    if (self->format == NULL) /* its older name in ldap_table(5) */
        self->format = query_file_text (self, name = "result_filter");
    if (self->format == NULL)
        self->format = "%s";
    if (*self->format == '\0')
        return self->host->broken (call, "%s: %s must not be empty", self->name, name);
    for (const char *p = self->format; (p = strchr (p, '%')) != NULL; p += 2) {
        if (p[1] == 'u')
            self->needs |= VALUE_USER;
        else if (p[1] == 'd')
            self->needs |= VALUE_DOMAIN;
        else if (p[1] == '\0')
            break;
    }
    /* the other expansions are of the key, as in a query */
    GString *key_part = g_string_new (NULL);
    for (const char *p = self->format; *p != '\0'; p++) {
        bool is_of_value = p[0] == '%' && p[1] != '\0' && strchr ("sud", p[1]) != NULL;
        g_string_append_c (key_part, *p);
        if (*p == '%' && p[1] != '\0')
            g_string_append_c (key_part, is_of_value ? 's' : p[1]);
        if (*p == '%' && p[1] != '\0')
            p++;
    }
    HkAnswer answer = query_file_use (self, call, name, key_part->str);
    g_string_free (key_part, TRUE);
    if (answer == HK_OK)
        answer = query_file_number (self, call, "expansion_limit", 0, 0, G_MAXINT32,
                                    &self->expansion_limit);
    return answer;
}

HkAnswer
query_file_open (const HkHost *host, const HkConf *conf, HkCall *call,
                 const char *const *names, QueryFile **out)
{
    HkSpan argument = host->conf_argument (conf);
    QueryFile *self = g_new0 (QueryFile, 1);
    self->host = host;
    self->name = argument.size > 0 && argument.data[0] == '{' /* may hold a password */
                     ? g_strdup ("{...}")
                     : g_strndup ((const char *) argument.data, argument.size);
    self->values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
    HkAnswer answer = read_values (self, call, argument, names);
    if (answer == HK_OK)
        answer = open_result (self, call);
    if (answer == HK_OK)
        answer = open_domains (self, call);
    if (answer == HK_OK)
        *out = self;
    else
        query_file_free (self);
    return answer;
}

void
query_file_free (QueryFile *self)
{
    if (self == NULL)
        return;
    for (guint i = 0; self->domains != NULL && i < self->domains->len; i++)
        if (g_array_index (self->domains, DomainItem, i).table != NULL)
            self->host->table_close (g_array_index (self->domains, DomainItem, i).table);
    g_clear_pointer (&self->domains, g_array_unref);
    g_hash_table_unref (self->values);
    g_free (self->sql);
    g_free (self->name);
    g_free (self);
}

/* ---- parameters ---- */

const char *
query_file_name (const QueryFile *self)
{
    return self->name;
}

const char *
query_file_text (const QueryFile *self, const char *name)
{
    return g_hash_table_lookup (self->values, name);
}

/* Seconds in a unit; 0: no such unit. */
static int64_t
unit_seconds (const char *unit)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
    for (size_t i = 0; i < G_N_ELEMENTS (units); i++)
        if (strcmp (units[i].unit, unit) == 0)
            return units[i].seconds;
    return 0;
}

static HkAnswer
read_number (const QueryFile *self, HkCall *call, const char *name, bool is_time,
             int64_t min, int64_t max, int64_t *out)
{
    const char *text = query_file_text (self, name);
    char *end;
    if (text == NULL)
        return HK_OK;
    gint64 value = g_ascii_strtoll (text, &end, 10);
    int64_t unit = end == text ? 0 : is_time ? unit_seconds (end) : *end == '\0';
    if (unit == 0)
        return self->host->broken (call, "%s: bad %s value: %s = %s", self->name,
                                   is_time ? "time" : "numerical", name, text);
    if (value < 0 || value > max / unit || value * unit < min)
        return self->host->broken (
            call, "%s: %s = %s: expected %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
            self->name, name, text, (gint64) min, (gint64) max);
    *out = value * unit;
    return HK_OK;
}

HkAnswer
query_file_number (const QueryFile *self, HkCall *call, const char *name, int64_t preset,
                   int64_t min, int64_t max, int64_t *out)
{
    *out = preset;
    return read_number (self, call, name, false, min, max, out);
}

HkAnswer
query_file_seconds (const QueryFile *self, HkCall *call, const char *name, int64_t preset,
                    int64_t min, int64_t max, int64_t *out)
{
    *out = preset;
    return read_number (self, call, name, true, min, max, out);
}

HkAnswer
query_file_flag (const QueryFile *self, HkCall *call, const char *name, bool preset,
                 bool *out)
{
    const char *text = query_file_text (self, name);
    *out = preset;
    if (text == NULL)
        return HK_OK;
    *out = g_ascii_strcasecmp (text, "yes") == 0;
    if (*out || g_ascii_strcasecmp (text, "no") == 0)
        return HK_OK;
    return self->host->broken (call, "%s: bad boolean value: %s = %s; expected yes or no",
                               self->name, name, text);
}

/* ---- templates ---- */

HkAnswer
query_file_use (QueryFile *self, HkCall *call, const char *name, const char *text)
{
    for (const char *p = text; (p = strchr (p, '%')) != NULL; p += 2) {
        switch (p[1]) {
        case '%':
        case 's':
        case 'S':
            break;
        case 'u':
        case 'U':
            self->needs |= KEY_USER;
            break;
        case 'd':
        case 'D':
            self->needs |= KEY_DOMAIN;
            break;
        default:
            if (p[1] < '1' || p[1] > '9')
                return self->host->broken (call, "%s: invalid template: %s = %s",
                                           self->name, name, text);
            self->needs |= KEY_DOMAIN;
            self->labels = MAX (self->labels, (unsigned) (p[1] - '0'));
        }
    }
    return HK_OK;
}

/* What is put together of the older parameters is a template too: an additional condition
 * may hold expansions. */
HkAnswer
query_file_sql (QueryFile *self, HkCall *call, const char **out)
{
    static const char *const names[] = {"table", "select_field", "where_field"};
    const char *parts[G_N_ELEMENTS (names)];
    const char *query = query_file_text (self, "query");
    *out = query;
    if (query != NULL && *query != '\0')
        return query_file_use (self, call, "query", query);
    for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
        parts[i] = query_file_text (self, names[i]);
        if (parts[i] == NULL || *parts[i] == '\0')
            return self->host->broken (call, "%s: query is not set (nor is %s)", self->name,
                                       names[i]);
    }
    const char *more = query_file_text (self, "additional_conditions");
    g_free (self->sql);
    *out = self->sql = g_strdup_printf ("SELECT %s FROM %s WHERE %s = '%%s' %s", parts[1],
                                        parts[0], parts[2], more == NULL ? "" : more);
    return query_file_use (self, call, "query", self->sql);
}

/* ---- a key and its parts ---- */

typedef struct {
    HkSpan whole, user, domain; /* USER is all when there is no domain */
    bool has_domain;            /* with an '@' */
    HkSpan labels[10];          /* [1] is the last */
    unsigned n_labels;          /* at most 9 */
} Parts;

static void
split_labels (Parts *parts)
{
    const uint8_t *begin = parts->domain.data, *end = begin + parts->domain.size;
    while (end > begin && parts->n_labels < 9) {
        const uint8_t *dot = end;
        while (dot > begin && dot[-1] != '.')
            dot--;
        if (dot < end) /* empty labels do not count, as in Postfix */
            parts->labels[++parts->n_labels] = (HkSpan){dot, (size_t) (end - dot)};
        end = dot > begin ? dot - 1 : dot;
    }
}

static Parts
split (HkSpan text)
{
    Parts parts = {.whole = text, .user = text};
    size_t at = text.size;
    while (at > 0 && text.data[at - 1] != '@')
        at--;
    if (at == 0)
        return parts;
    parts.has_domain = true;
    parts.user.size = at - 1;
    parts.domain = (HkSpan){text.data + at, text.size - at};
    split_labels (&parts);
    return parts;
}

static bool
has_needed (const Parts *parts, bool user, bool domain)
{
    return !(user && parts->user.size == 0) && !(domain && parts->domain.size == 0);
}

static void
append (GString *out, HkSpan text, QueryQuoteFn quote, void *data)
{
    if (quote != NULL)
        quote (out, text, data);
    else
        g_string_append_len (out, (const char *) text.data, (gssize) text.size);
}

/* KEY is what %S, %U, %D and digits are of, VALUE what %s, %u, %d are of. */
static void
expand (const char *text, const Parts *key, const Parts *value, QueryQuoteFn quote,
        void *data, GString *out)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p != '%') {
            g_string_append_c (out, *p);
            continue;
        }
        switch (*++p) {
        case 's':
            append (out, value->whole, quote, data);
            break;
        case 'u':
            append (out, value->user, quote, data);
            break;
        case 'd':
            append (out, value->domain, quote, data);
            break;
        case 'S':
            append (out, key->whole, quote, data);
            break;
        case 'U':
            append (out, key->user, quote, data);
            break;
        case 'D':
            append (out, key->domain, quote, data);
            break;
        case '%':
            g_string_append_c (out, '%');
            break;
        default:
            append (out, key->labels[*p - '0'], quote, data);
        }
    }
}

HkAnswer
query_file_eligible (const QueryFile *self, HkCall *call, HkSpan key)
{
    if (key.size == 0 || key.size > KEY_LIMIT ||
        !g_utf8_validate ((const char *) key.data, (gssize) key.size, NULL))
        return HK_ABSENT; /* NUL is not valid either */
    if (self->domains == NULL)
        return HK_FOUND;
    Parts parts = split (key);
    if (!parts.has_domain || parts.user.size == 0)
        return HK_ABSENT;
    return match_domain (self, call, parts.domain);
}

bool
query_file_expand (const QueryFile *self, const char *text, HkSpan key, QueryQuoteFn quote,
                   void *data, GString *out)
{
    Parts parts = split (key);
    if (!has_needed (&parts, self->needs & KEY_USER, self->needs & KEY_DOMAIN))
        return false;
    if (parts.n_labels < self->labels)
        return false;
    expand (text, &parts, &parts, quote, data, out);
    return true;
}

/* ---- the answer ---- */

HkAnswer
query_file_add (const QueryFile *self, HkCall *call, QueryResult *result, HkSpan key,
                HkSpan value)
{
    if (result->text == NULL)
        result->text = g_string_new (NULL);
    if (value.size == 0 || memchr (value.data, '\0', value.size) != NULL) {
        self->host->log (self->host, HK_LOG_WARNING,
                         "table %s: %s for: \"%.*s\" -- ignored", self->name,
                         value.size == 0 ? "empty lookup result" : "NUL in lookup result",
                         (int) MIN (key.size, 320), (const char *) key.data);
        return HK_OK;
    }
    Parts of_key = split (key), of_value = split (value);
    if (!has_needed (&of_value, self->needs & VALUE_USER, self->needs & VALUE_DOMAIN))
        return HK_OK;
    if (result->text->len > 0)
        g_string_append_c (result->text, ',');
    expand (self->format, &of_key, &of_value, NULL, NULL, result->text);
    result->count++;
    if (self->expansion_limit > 0 && result->count > self->expansion_limit)
        return self->host->later (call, "%s: expansion limit exceeded for key: \"%.*s\"",
                                  self->name, (int) MIN (key.size, 320),
                                  (const char *) key.data);
    if (result->text->len > ANSWER_LIMIT)
        return self->host->later (call, "%s: the answer for key \"%.*s\" is too long",
                                  self->name, (int) MIN (key.size, 320),
                                  (const char *) key.data);
    return HK_OK;
}

HkAnswer
query_file_finish (const QueryFile *self, HkCall *call, QueryResult *result,
                   HkAnswer answer)
{
    if (answer == HK_OK && result->text != NULL && result->text->len > 0) {
        self->host->answer (call, result->text->str, result->text->len);
        answer = HK_FOUND;
    } else if (answer == HK_OK)
        answer = HK_ABSENT;
    if (result->text != NULL)
        g_string_free (result->text, TRUE);
    result->text = NULL;
    return answer;
}
