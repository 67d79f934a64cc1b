/* restriction_dnsbl.c: lists in the domain name system: refuse or permit who is listed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A check asks for the A records of all its lists at once, then for the TXT records of those
 * that hit; the host remembers the answers for the session, and `prepare` has asked about the
 * client when it connected. */
#include "restriction_dnsbl.h"

#include <string.h>

enum { TYPE_A = 1, TYPE_TXT = 16 };

typedef struct {
    const HkHost *host;
    DnsblSubject subject;
    bool is_permit;
    GPtrArray *lists; /* DnsblList */
    int32_t code;
    char *template;
    HkTable *replies; /* NULL: no rbl_reply_maps */
} Dnsbl;

/* ---- opening
 * --------------------------------------------------------------------------------- */

static void
dnsbl_close (void *instance)
{
    Dnsbl *self = instance;
    if (self->replies != NULL)
        self->host->table_close (self->replies);
    g_ptr_array_unref (self->lists);
    g_free (self->template);
    g_free (self);
}

static bool
add_list (Dnsbl *self, HkSpan word)
{
    DnsblList *list = restriction_dnsbl_list_new (word);
    if (list != NULL)
        g_ptr_array_add (self->lists, list);
    return list != NULL;
}

static HkAnswer
open_replies (Dnsbl *self, const HkConf *conf, HkCall *call)
{
    HkSpan maps = self->host->conf_string (conf, "rbl_reply_maps");
    if (maps.size == 0)
        return HK_OK;
    return self->host->table_open (self->host, call, maps, &self->replies);
}

static Dnsbl *
dnsbl_new (const HkHost *host, const HkConf *conf, DnsblSubject subject, bool is_permit)
{
    Dnsbl *self = g_new0 (Dnsbl, 1);
    HkSpan template = host->conf_string (conf, "default_rbl_reply");
    self->host = host;
    self->subject = subject;
    self->is_permit = is_permit;
    self->lists = g_ptr_array_new_with_free_func (
        (GDestroyNotify) restriction_dnsbl_list_free);
    self->code = (int32_t) host->conf_int (conf, "maps_rbl_reject_code");
    self->template = g_strndup ((const char *) template.data, template.size);
    return self;
}

static HkAnswer
opened (Dnsbl *self, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkAnswer answer = self->is_permit ? HK_OK : open_replies (self, conf, call);
    if (answer == HK_OK)
        *out_instance = self;
    else
        dnsbl_close (self);
    return answer;
}

static HkAnswer
open_subject (const HkHost *host, const HkConf *conf, HkCall *call, DnsblSubject subject,
              bool is_permit, void **out_instance)
{
    HkSpan word = host->conf_word (conf, 0);
    Dnsbl *self = dnsbl_new (host, conf, subject, is_permit);
    if (add_list (self, word))
        return opened (self, conf, call, out_instance);
    dnsbl_close (self);
    return host->broken (call, "bad list \"%.*s\": need domain or domain=d.d.d.d",
                         (int) word.size, (const char *) word.data);
}

#define OPEN(fn, subject, is_permit)                                                       \
    static HkAnswer fn (const HkHost *host, const HkConf *conf, HkCall *call,              \
                        void **out_instance)                                               \
    {                                                                                      \
        return open_subject (host, conf, call, subject, is_permit, out_instance);          \
    }
OPEN (open_rbl_client, DNSBL_ADDRESS, false)
OPEN (open_rhsbl_client, DNSBL_CLIENT, false)
OPEN (open_rhsbl_reverse, DNSBL_REVERSE, false)
OPEN (open_rhsbl_helo, DNSBL_HELO, false)
OPEN (open_rhsbl_sender, DNSBL_SENDER, false)
OPEN (open_rhsbl_recipient, DNSBL_RECIPIENT, false)
OPEN (open_dnswl_client, DNSBL_ADDRESS, true)
OPEN (open_rhswl_client, DNSBL_CLIENT, true)

/* reject_maps_rbl: all of maps_rbl_domains. */
static HkAnswer
open_maps (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    HkSpan domains = host->conf_string (conf, "maps_rbl_domains");
    g_autofree char *text = g_strndup ((const char *) domains.data, domains.size);
    g_auto (GStrv) words = g_strsplit_set (text, " \t\r\n,", -1);
    Dnsbl *self = dnsbl_new (host, conf, DNSBL_ADDRESS, false);
    for (char **at = words; *at != NULL; at++) {
        HkSpan word = {(const uint8_t *) *at, strlen (*at)};
        if (word.size == 0 || add_list (self, word))
            continue;
        dnsbl_close (self);
        return host->broken (call, "maps_rbl_domains: bad list \"%s\"", *at);
    }
    return opened (self, conf, call, out_instance);
}

/* ---- asking
 * ------------------------------------------------------------------------------------ */

static HkSpan
subject_name (const Dnsbl *self, HkCall *call)
{
    static const uint32_t props[] = {
        [DNSBL_ADDRESS] = HK_PROP_CLIENT_ADDRESS,
        [DNSBL_CLIENT] = HK_PROP_CLIENT_NAME,
        [DNSBL_REVERSE] = HK_PROP_CLIENT_REVERSE_NAME,
        [DNSBL_HELO] = HK_PROP_HELO_NAME,
        [DNSBL_SENDER] = HK_PROP_SENDER,
        [DNSBL_RECIPIENT] = HK_PROP_RECIPIENT,
    };
    HkSpan name = {NULL, 0};
    if (self->host->prop (call, props[self->subject], &name) == HK_FOUND)
        return name;
    /* From DATA on there is a recipient to speak of when it is the only one. */
    if (self->subject != DNSBL_RECIPIENT ||
        self->host->prop (call, HK_PROP_ONLY_RECIPIENT, &name) != HK_FOUND)
        name.size = 0;
    return name;
}

typedef struct Check Check;

/* What is known of one list. */
typedef struct {
    Check *check;
    const DnsblList *list;
    char *query; /* NULL: not asked */
    int32_t outcome;
    bool hit;
    char *text; /* of the TXT record */
} Finding;

struct Check {
    const Dnsbl *self;
    HkCall *call;
    unsigned pending;
    bool is_starting;
    guint n;
    Finding findings[];
};

static void
check_free (Check *check)
{
    for (guint i = 0; i < check->n; i++) {
        g_free (check->findings[i].query);
        g_free (check->findings[i].text);
    }
    g_free (check);
}

static void
answer_is_there (Check *check)
{
    if (--check->pending == 0 && !check->is_starting)
        check->self->host->complete (check->call);
}

static void
ask (Finding *finding, uint16_t type, HkDnsFn fn)
{
    finding->check->pending++;
    finding->check->self->host->dns_session (finding->check->call, finding->query, type, fn,
                                             finding);
}

static void
got_text (void *data, int32_t outcome, const HkDnsRecord *records, size_t n,
          const char *reason)
{
    Finding *finding = data;
    (void) reason;
    if (outcome == HK_DNS_FOUND && n > 0) {
        g_autofree char *text =
            g_strndup ((const char *) records[0].data.data, MIN (records[0].data.size, 500));
        g_free (finding->text);
        finding->text = g_utf8_make_valid (text, -1);
    }
    answer_is_there (finding->check);
}

static void
got_address (void *data, int32_t outcome, const HkDnsRecord *records, size_t n,
             const char *reason)
{
    Finding *finding = data;
    const Dnsbl *self = finding->check->self;
    finding->outcome = outcome;
    for (size_t i = 0; outcome == HK_DNS_FOUND && i < n; i++)
        finding->hit |= records[i].type == TYPE_A &&
                        restriction_dnsbl_list_matches (finding->list, records[i].data);
    if (outcome == HK_DNS_LATER)
        self->host->log (self->host, HK_LOG_WARNING, "%s: RBL lookup error: %s",
                         finding->query, reason != NULL ? reason : "no answer");
    if (finding->hit && !self->is_permit)
        ask (finding, TYPE_TXT, got_text);
    answer_is_there (finding->check);
}

static HkAnswer
dnsbl_start (void *instance, HkCall *call, void **out_state)
{
    const Dnsbl *self = instance;
    HkSpan name = subject_name (self, call);
    if (name.size == 0 || self->lists->len == 0)
        return HK_DUNNO;
    Check *check = g_malloc0 (sizeof *check + self->lists->len * sizeof (Finding));
    check->self = self;
    check->call = call;
    check->n = self->lists->len;
    check->is_starting = true;
    for (guint i = 0; i < check->n; i++) {
        Finding *finding = &check->findings[i];
        finding->check = check;
        finding->list = g_ptr_array_index (self->lists, i);
        finding->query =
            restriction_dnsbl_query (self->subject, name, finding->list->zone);
        if (finding->query != NULL)
            ask (finding, TYPE_A, got_address);
    }
    check->is_starting = false;
    *out_state = check;
    return check->pending > 0 ? HK_PENDING : HK_OK;
}

static void
dnsbl_cancel (void *instance, HkCall *call, void *state)
{
    (void) instance;
    (void) call;
    check_free (state);
}

static void
dnsbl_prepare (void *instance, HkCall *call)
{
    const Dnsbl *self = instance;
    HkSpan name = subject_name (self, call);
    for (guint i = 0; name.size > 0 && i < self->lists->len; i++) {
        const DnsblList *list = g_ptr_array_index (self->lists, i);
        g_autofree char *query = restriction_dnsbl_query (self->subject, name, list->zone);
        if (query != NULL)
            self->host->dns_session (call, query, TYPE_A, NULL, NULL);
    }
}

/* ---- replies
 * -------------------------------------------------------------------------------- */

typedef struct {
    const Dnsbl *self;
    HkCall *call;
    const Finding *finding;
    HkSpan what;
} Reply;

static char *
prop_text (const Reply *reply, uint32_t prop)
{
    HkSpan value = {NULL, 0};
    if (reply->self->host->prop (reply->call, prop, &value) != HK_FOUND)
        value.size = 0;
    return g_strndup (value.size == 0 ? "" : (const char *) value.data, value.size);
}

/* PART: NULL, "name" or "domain". */
static char *
address_text (const Reply *reply, uint32_t prop, const char *part)
{
    g_autofree char *address = prop_text (reply, prop);
    char *at = strrchr (address, '@');
    if (part != NULL && strcmp (part, "domain") == 0)
        return g_strdup (at == NULL ? "" : at + 1);
    if (address[0] == '\0')
        return g_strdup ("<>");
    if (part != NULL && at != NULL)
        *at = '\0';
    return g_steal_pointer (&address);
}

static const char *
class_of (const Dnsbl *self)
{
    static const char *const classes[] = {
        [DNSBL_ADDRESS] = "Client host",
        [DNSBL_CLIENT] = "Client host",
        [DNSBL_REVERSE] = "Unverified Client host",
        [DNSBL_HELO] = "Helo command",
        [DNSBL_SENDER] = "Sender address",
        [DNSBL_RECIPIENT] = "Recipient address",
    };
    return classes[self->subject];
}

static char *
list_value (const Reply *reply, const char *name)
{
    if (strcmp (name, "rbl_code") == 0)
        return g_strdup_printf ("%d", reply->self->code);
    if (strcmp (name, "rbl_domain") == 0)
        return g_strdup (reply->finding->list->zone);
    if (strcmp (name, "rbl_reason") == 0 || strcmp (name, "rbl_txt") == 0)
        return g_strdup (reply->finding->text != NULL ? reply->finding->text : "");
    if (strcmp (name, "rbl_what") == 0)
        return g_strndup ((const char *) reply->what.data, reply->what.size);
    if (strcmp (name, "rbl_class") == 0)
        return g_strdup (class_of (reply->self));
    return NULL;
}

static char *
session_value (const char *name, void *data)
{
    static const struct {
        const char *name, *part;
        uint32_t prop;
        bool is_address;
    } values[] = {
        {"client_address", NULL, HK_PROP_CLIENT_ADDRESS, false},
        {"client_name", NULL, HK_PROP_CLIENT_NAME, false},
        {"reverse_client_name", NULL, HK_PROP_CLIENT_REVERSE_NAME, false},
        {"helo_name", NULL, HK_PROP_HELO_NAME, false},
        {"sender", NULL, HK_PROP_SENDER, true},
        {"sender_name", "name", HK_PROP_SENDER, true},
        {"sender_domain", "domain", HK_PROP_SENDER, true},
        {"recipient", NULL, HK_PROP_RECIPIENT, true},
        {"recipient_name", "name", HK_PROP_RECIPIENT, true},
        {"recipient_domain", "domain", HK_PROP_RECIPIENT, true},
    };
    const Reply *reply = data;
    for (size_t i = 0; i < G_N_ELEMENTS (values); i++)
        if (strcmp (name, values[i].name) == 0)
            return values[i].is_address
                       ? address_text (reply, values[i].prop, values[i].part)
                       : prop_text (reply, values[i].prop);
    if (strcmp (name, "client") == 0) {
        g_autofree char *host_name = prop_text (reply, HK_PROP_CLIENT_NAME);
        g_autofree char *address = prop_text (reply, HK_PROP_CLIENT_ADDRESS);
        return g_strdup_printf ("%s[%s]", host_name, address);
    }
    if (strcmp (name, "client_port") == 0) {
        int64_t port = 0;
        reply->self->host->prop_int (reply->call, HK_PROP_CLIENT_PORT, &port);
        return g_strdup_printf ("%d", (int) port);
    }
    return list_value (reply, name);
}

/* The template of this list; *OUT is left alone when there is none. */
static HkAnswer
find_template (const Reply *reply, char **out)
{
    const Dnsbl *self = reply->self;
    const char *keys[] = {reply->finding->list->word, reply->finding->list->zone};
    for (size_t i = 0; self->replies != NULL && i < G_N_ELEMENTS (keys); i++) {
        HkSpan value, key = {(const uint8_t *) keys[i], strlen (keys[i])};
        HkAnswer answer = self->host->table_get (self->replies, reply->call, key, &value);
        if (answer == HK_FOUND)
            *out = g_strndup ((const char *) value.data, value.size);
        if (answer != HK_ABSENT)
            return answer;
    }
    return HK_ABSENT;
}

static void
make_printable (GString *text)
{
    for (gsize i = 0; i < text->len; i++)
        if ((uint8_t) text->str[i] < ' ' || text->str[i] == 127)
            text->str[i] = '?';
}

static bool
is_code (const char *s)
{
    return (s[0] == '4' || s[0] == '5') && g_ascii_isdigit (s[1]) && g_ascii_isdigit (s[2]) &&
           (s[3] == ' ' || s[3] == '\0');
}

/* "x.y.z" in front of TEXT, or 0. */
static size_t
status_size (const char *text)
{
    size_t n = strspn (text, "0123456789.");
    unsigned dots = 0;
    for (size_t i = 0; i < n; i++)
        dots += text[i] == '.';
    bool is_status = n >= 5 && n <= 9 && dots == 2 && text[1] == '.' && text[n - 1] != '.' &&
                     (text[n] == ' ' || text[n] == '\0') &&
                     (text[0] == '4' || text[0] == '5');
    return is_status ? n : 0;
}

/* "554 5.7.1 text", as a template has made it: the status may be missing. */
static HkAnswer
refuse_with (const Reply *reply, const char *text)
{
    const Dnsbl *self = reply->self;
    char dsn[12] = "";
    if (!is_code (text)) {
        self->host->log (self->host, HK_LOG_WARNING,
                         "rbl reply for %s: no reply code in front: \"%.100s\"",
                         reply->finding->list->word, text);
        text = "450 4.7.1 Service unavailable";
    }
    int32_t code = (int32_t) g_ascii_strtoll (text, NULL, 10);
    text += 3;
    text += strspn (text, " \t");
    size_t n = status_size (text);
    g_strlcpy (dsn, n > 0 ? text : code < 500 ? "4.7.1" : "5.7.1", n > 0 ? n + 1 : 6);
    text += n;
    text += strspn (text, " \t");
    return self->host->reply (reply->call, HK_REJECT, code, dsn, "%s", text);
}

static HkAnswer
refuse (const Reply *reply)
{
    const Dnsbl *self = reply->self;
    g_autofree char *own = NULL;
    g_autoptr (GString) text = g_string_new (NULL);
    HkAnswer answer = find_template (reply, &own);
    if (answer == HK_LATER || answer == HK_BROKEN) {
        self->host->log (self->host, HK_LOG_WARNING, "rbl_reply_maps: lookup error for %s",
                         reply->finding->list->word);
        return self->host->reply (reply->call, HK_REJECT, 451, "4.3.5",
                                  "Server configuration error");
    }
    if (own == NULL ||
        !restriction_dnsbl_expand (own, session_value, (void *) reply, text)) {
        if (own != NULL)
            self->host->log (self->host, HK_LOG_WARNING,
                             "rbl_reply_maps: bad rbl reply template for domain %s: %s",
                             reply->finding->list->word, own);
        g_string_truncate (text, 0);
        if (!restriction_dnsbl_expand (self->template, session_value, (void *) reply, text))
            return self->host->broken (reply->call,
                                       "default_rbl_reply: bad template: %s",
                                       self->template);
    }
    make_printable (text);
    return refuse_with (reply, text->str);
}

/* ---- deciding
 * ------------------------------------------------------------------------------- */

/* Being known as good lets nobody relay. */
static HkAnswer
permit (const Dnsbl *self, HkCall *call)
{
    HkSpan recipient = {NULL, 0};
    int32_t destination;
    if (self->host->prop (call, HK_PROP_RECIPIENT, &recipient) != HK_FOUND ||
        recipient.size == 0)
        return HK_PERMIT;
    HkAnswer answer = self->host->destination (call, recipient, &destination);
    if (answer == HK_LATER || answer == HK_BROKEN)
        return answer;
    return destination == HK_DEST_OTHER ? HK_DUNNO : HK_PERMIT;
}

static HkAnswer
decide (const Dnsbl *self, HkCall *call, const Check *check)
{
    HkSpan what = subject_name (self, call);
    bool is_unknown = false;
    for (guint i = 0; i < check->n; i++) {
        const Finding *finding = &check->findings[i];
        const Reply reply = {self, call, finding, what};
        if (finding->hit)
            return self->is_permit ? permit (self, call) : refuse (&reply);
        is_unknown |= finding->query != NULL && finding->outcome == HK_DNS_LATER;
    }
    /* A block list that does not answer blocks nobody; a list of the good might have let in
     * whom the rest refuses, so that is not final. */
    if (!is_unknown || !self->is_permit)
        return HK_DUNNO;
    return self->host->reply (call, HK_DEFER_IF_REJECT, 450, "4.7.1",
                              "<%.*s>: %s rejected: Service unavailable", (int) what.size,
                              (const char *) what.data, class_of (self));
}

static HkAnswer
dnsbl_finish (void *instance, HkCall *call, void *state)
{
    HkAnswer answer = decide (instance, call, state);
    check_free (state);
    return answer;
}

/* ---- the words
 * --------------------------------------------------------------------------------- */

static const HkParam dnsbl_params[] = {
    {.name = "default_rbl_reply",
     .type = HK_PARAM_STRING,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using "
               "$rbl_domain${rbl_reason?; $rbl_reason}",
     .help = "Reply to who is listed."},
    {.name = "rbl_reply_maps",
     .type = HK_PARAM_STRING,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "",
     .help = "Tables of replies by list."},
    {.name = "maps_rbl_reject_code",
     .type = HK_PARAM_INT,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "554",
     .min = 400,
     .max = 599,
     .help = "Reply code for who is listed; $rbl_code."},
    {.name = "maps_rbl_domains",
     .type = HK_PARAM_STRING,
     .flags = HK_PARAM_RELOADABLE,
     .preset = "",
     .help = "Lists of the old restriction reject_maps_rbl."},
    {.name = NULL},
};

#define WORD(symbol, word, opener, words, need)                                            \
    static const HkRestrictionClass symbol = {                                             \
        .base = {.size = sizeof (HkRestrictionClass),                                      \
                 .kind = HK_KIND_RESTRICTION,                                              \
                 .class_minor = HK_RESTRICTION_MINOR,                                      \
                 .name = word,                                                             \
                 .flags = HK_THREAD_SAFE,                                                  \
                 .params = dnsbl_params,                                                   \
                 .open = opener,                                                           \
                 .close = dnsbl_close},                                                    \
        .n_words = words,                                                                  \
        .needs = need,                                                                     \
        .check_start = dnsbl_start,                                                        \
        .check_finish = dnsbl_finish,                                                      \
        .check_cancel = dnsbl_cancel,                                                      \
        .prepare = dnsbl_prepare,                                                          \
    }

WORD (rbl_client, "reject_rbl_client", open_rbl_client, 1, 0);
WORD (rhsbl_client, "reject_rhsbl_client", open_rhsbl_client, 1, 0);
WORD (rhsbl_reverse, "reject_rhsbl_reverse_client", open_rhsbl_reverse, 1, 0);
WORD (rhsbl_helo, "reject_rhsbl_helo", open_rhsbl_helo, 1, HK_NEEDS_HELO);
WORD (rhsbl_sender, "reject_rhsbl_sender", open_rhsbl_sender, 1, HK_NEEDS_SENDER);
WORD (rhsbl_recipient, "reject_rhsbl_recipient", open_rhsbl_recipient, 1, 0);
WORD (dnswl_client, "permit_dnswl_client", open_dnswl_client, 1, 0);
WORD (rhswl_client, "permit_rhswl_client", open_rhswl_client, 1, 0);
WORD (maps_rbl, "reject_maps_rbl", open_maps, 0, 0);

HK_PLUGIN (restriction_dnsbl, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "reject_rbl_client and its kin: lists in the domain name system",
           .classes = HK_CLASSES (&rbl_client.base, &rhsbl_client.base, &rhsbl_reverse.base,
                                  &rhsbl_helo.base, &rhsbl_sender.base,
                                  &rhsbl_recipient.base, &dnswl_client.base,
                                  &rhswl_client.base, &maps_rbl.base))
