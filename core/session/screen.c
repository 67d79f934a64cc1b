/* screen.c: a client before its greeting: access list, cache, greet wait, lists of the DNS. */
#include "config.h"
#include "session/screen_priv.h"

#include "mail/reply.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <sys/socket.h>

enum { DEEP = HK_TEST_BIT (HK_TEST_PIPELINING) | HK_TEST_BIT (HK_TEST_NON_SMTP) |
              HK_TEST_BIT (HK_TEST_BARE_NEWLINE) };

static int64_t
wall_s (const HkSession *session)
{
    return hk_wall_us (hk_loop_clock (session->dialogue->sessions->options.loop)) /
           HK_SECOND;
}

bool
hk_screen_is_dummy (const HkSession *session)
{
    const HkScreening *self = session->screening;
    return self != NULL && (self->is_dummy || self->is_waiting);
}

/* ---- end
 * ----------------------------------------------------------------------------------- */

static void
drop_queries (HkScreening *self)
{
    HkResolver *resolver = self->session->dialogue->sessions->options.resolver;
    for (unsigned i = 0; i < self->n_queries; i++)
        if (self->queries[i].is_pending)
            hk_resolver_cancel (resolver, &self->queries[i]);
    g_clear_pointer (&self->queries, g_free);
    self->n_queries = self->n_pending = 0;
}

void
hk_screening_free (HkSession *session)
{
    HkScreening *self = g_steal_pointer (&session->screening);
    if (self == NULL)
        return;
    drop_queries (self);
    session->dialogue = session->home;
    g_free (self->refusal);
    g_free (self);
}

void
hk_screen_end (HkSession *session, bool is_hangup)
{
    HkScreening *self = session->screening;
    if (self == NULL)
        return;
    g_autoptr (GString) client = g_string_new (NULL);
    hk_screen_append_client (client, session);
    if (is_hangup) {
        g_autoptr (GString) age = g_string_new (NULL);
        hk_screen_append_age (age, session, self->start_us);
        hk_screen_log (session, "HANGUP after %s from %s in tests %s SMTP handshake",
                       age->str, client->str, self->is_waiting ? "before" : "after");
        return;
    }
    hk_screen_log (session, "DISCONNECT %s", client->str);
    hk_screening_free (session);
}

void
hk_screen_drain (HkSession *session)
{
    HkScreening *self = session->screening;
    if (self == NULL || !self->is_waiting)
        return;
    drop_queries (self);
    self->is_waiting = false;
    self->is_dummy = true;
}

bool
hk_screen_act (HkScreening *self, HkScreenAction action, const char *refusal,
               const char *drop)
{
    HkSession *session = self->session;
    int code;
    char dsn[12];
    HkSpan text;
    if (action == HK_SCREEN_ENFORCE && self->refusal == NULL)
        self->refusal = g_strdup (refusal);
    if (action != HK_SCREEN_DROP)
        return false;
    self->is_dummy = true;
    if (self->is_waiting) {
        self->is_waiting = false;
        session->phase = HK_PHASE_COMMAND;
        drop_queries (self);
    }
    if (hk_reply_split (hk_span_text (drop), &code, dsn, &text))
        hk_session_reply_span (session, code, dsn, text);
    session->is_closing = true;
    return true;
}

/* ---- passing
 * ------------------------------------------------------------------------------- */

static void
log_client (HkScreening *self, const char *what)
{
    g_autoptr (GString) client = g_string_new (NULL);
    hk_screen_append_client (client, self->session);
    hk_screen_log (self->session, "%s %s", what, client->str);
}

void
hk_screen_pass (HkScreening *self)
{
    HkSession *session = self->session;
    HkRates *cache = session->dialogue->screen_cache;
    int64_t now = wall_s (session);
    unsigned passed = self->todo & ~self->failed;
    for (unsigned i = 0; i < HK_N_TESTS; i++)
        if (passed & HK_TEST_BIT (i))
            self->stamps[i] = MAX (self->stamps[i],
                                   now + (i == HK_TEST_DNSBL ? self->dnsbl_ttl_s
                                                             : self->screen->ttl_s[i]));
    if (passed != 0 && self->may_pass && cache != NULL)
        hk_rates_remember (cache, hk_span_text (session->client_address), self->stamps,
                           self->screen->retention_s);
    if (self->failed == 0 && !self->is_denied)
        log_client (self, self->is_known ? "PASS OLD" : "PASS NEW");
    hk_screening_free (session);
}

/* A good reputation makes up for all other tests. */
static void
pass_by_reputation (HkScreening *self)
{
    int64_t until = wall_s (self->session) + self->dnsbl_ttl_s;
    for (unsigned i = 0; i < HK_N_TESTS; i++)
        self->stamps[i] = MAX (self->stamps[i], until);
    self->todo = HK_TEST_BIT (HK_TEST_DNSBL);
}

/* The reply names the list, under the name that may be told. */
static void
refuse_listed (HkScreening *self)
{
    HkSession *session = self->session;
    g_autoptr (GString) name = g_string_new (NULL);
    const char *domain = self->worst != NULL ? self->worst->domain : "a list";
    if (hk_maps_may_block (self->screen->reply_map) ||
        hk_maps_get (self->screen->reply_map, hk_span_text (domain), name, NULL) !=
            HK_FOUND)
        g_string_assign (name, domain);
    g_autofree char *text = g_strdup_printf (
        "5.7.1 Service unavailable; client [%s] blocked using %s", session->client_address,
        name->str);
    g_autofree char *refusal = g_strconcat ("550 ", text, NULL);
    g_autofree char *drop = g_strconcat ("521 ", text, NULL);
    g_autoptr (GString) client = g_string_new (NULL);
    hk_screen_append_client (client, session);
    hk_screen_log (session, "DNSBL rank %d for %s", self->score, client->str);
    self->failed |= HK_TEST_BIT (HK_TEST_DNSBL);
    hk_screen_act (self, self->screen->dnsbl, refusal, drop);
}

static void
go_on_as_dummy (HkScreening *self)
{
    self->is_dummy = true;
    hk_session_set_unknown (self->session);
    hk_session_admit_screened (self->session);
}

/* The greet wait is over and the lists have answered, or had their time. */
static void
conclude (HkScreening *self)
{
    HkSession *session = self->session;
    HkScreen *screen = self->screen;
    if ((self->todo & HK_TEST_BIT (HK_TEST_DNSBL)) && self->score >= screen->threshold)
        refuse_listed (self);
    if (session->is_closing)
        return;
    drop_queries (self);
    if (screen->allowlist_threshold < 0 && self->score <= screen->allowlist_threshold &&
        self->failed == 0 && !self->is_denied && self->may_pass)
        pass_by_reputation (self);
    self->is_waiting = false;
    self->start_us = hk_session_now (session);
    if (self->refusal != NULL) {
        go_on_as_dummy (self);
        return;
    }
    if ((self->todo & DEEP) == 0)
        hk_screen_pass (self);
    hk_session_admit_screened (session);
}

/* ---- waiting
 * ------------------------------------------------------------------------------- */

static int64_t
wait_us (const HkScreening *self)
{
    return self->session->dialogue->sessions->is_stressed ? self->screen->stressed_wait_us
                                                          : self->screen->greet_wait_us;
}

void
hk_screen_timer (HkSession *session)
{
    HkScreening *self = session->screening;
    int64_t left =
        self->start_us + self->screen->dnsbl_timeout_us - hk_session_now (session);
    if (self->n_pending > 0 && left > 0)
        hk_session_set_deadline (session, left);
    else
        conclude (self);
}

static void
log_listed (HkScreening *self, const HkScreenSite *site, const uint8_t a[4])
{
    g_autofree char *text =
        g_strdup_printf ("addr %s listed by domain %s as %u.%u.%u.%u",
                         self->session->client_address, site->domain, a[0], a[1], a[2],
                         a[3]);
    hk_screen_log_as (self->session, "dnsblog", text);
}

static void
answered (void *data, int32_t outcome, const HkDnsRecord *records, size_t n_records,
          const char *reason)
{
    HkScreenQuery *query = data;
    HkScreening *self = query->owner;
    bool is_hit = false;
    (void) reason;
    query->is_pending = false;
    self->n_pending--;
    for (size_t i = 0; outcome == HK_DNS_FOUND && i < n_records; i++) {
        if (records[i].type != ns_t_a || records[i].data.size != 4)
            continue;
        log_listed (self, query->site, records[i].data.data);
        is_hit = is_hit || hk_screen_site_matches (query->site, records[i].data.data);
        self->dnsbl_ttl_s = MIN (self->dnsbl_ttl_s, (int64_t) records[i].ttl);
    }
    if (is_hit) {
        self->score += query->site->weight;
        if (query->site->weight > 0 &&
            (self->worst == NULL || query->site->weight > self->worst->weight))
            self->worst = query->site;
    }
    self->dnsbl_ttl_s = MAX (self->dnsbl_ttl_s, self->screen->dnsbl_min_ttl_s);
    if (self->n_pending == 0 &&
        hk_session_now (self->session) >= self->start_us + wait_us (self))
        conclude (self);
}

static void
ask_lists (HkScreening *self)
{
    HkSession *session = self->session;
    HkResolver *resolver = session->dialogue->sessions->options.resolver;
    GPtrArray *sites = self->screen->sites;
    if (resolver == NULL || sites->len == 0)
        return;
    self->queries = g_new0 (HkScreenQuery, sites->len);
    self->n_queries = sites->len;
    for (guint i = 0; i < sites->len; i++) {
        HkScreenQuery *query = &self->queries[i];
        g_autoptr (GString) name = g_string_new (NULL);
        *query = (HkScreenQuery){self, g_ptr_array_index (sites, i), true};
        if (!hk_screen_query_name (session->client_address, query->site->domain, name)) {
            query->is_pending = false;
            continue;
        }
        self->n_pending++;
        hk_resolver_ask (resolver, name->str, ns_t_a, answered, query);
    }
}

static void
speaks_early (HkScreening *self, HkSpan said)
{
    HkSession *session = self->session;
    g_autoptr (GString) line = g_string_new (NULL);
    g_string_printf (line, "PREGREET %zu after ", said.size);
    hk_screen_append_age (line, session, self->start_us);
    g_string_append (line, " from ");
    hk_screen_append_client (line, session);
    g_string_append (line, ": ");
    hk_screen_append_escaped (line, said, 100);
    hk_screen_log (session, "%s", line->str);
    self->failed |= HK_TEST_BIT (HK_TEST_PREGREET);
    /* What it said stays in the socket for the session. */
    hk_fd_watch_detach (&session->watch);
    hk_screen_act (self, self->screen->greet, "550 5.5.1 Protocol error",
                   "521 5.5.1 Protocol error");
}

void
hk_screen_read (HkSession *session)
{
    uint8_t said[1024];
    ssize_t n = recv (session->fd, said, sizeof said, MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        speaks_early (session->screening, hk_span (said, (size_t) n));
        return;
    }
    hk_screen_end (session, true);
    hk_session_free (session);
}

/* ---- begin
 * --------------------------------------------------------------------------------- */

typedef enum { LISTED_NOT, LISTED_PERMIT, LISTED_REJECT } Listed;

/* DUNNO inside a table goes on with the next word, outside it ends the search. */
static Listed
ask_table (HkScreen *screen, const HkScreenWord *word, HkSpan address)
{
    g_autoptr (GString) value = g_string_new (NULL);
    if (hk_maps_may_block (word->maps) ||
        hk_maps_get (word->maps, address, value, NULL) != HK_FOUND)
        return LISTED_NOT;
    HkSpan action = hk_span_strip (hk_span_string (value));
    if (hk_span_is_ci (action, "permit"))
        return LISTED_PERMIT;
    if (hk_span_is_ci (action, "reject"))
        return LISTED_REJECT;
    if (hk_span_is_ci (action, "permit_mynetworks") &&
        hk_match_list_find (screen->mynetworks, HK_SPAN_NONE, address, NULL) == HK_FOUND)
        return LISTED_PERMIT;
    return LISTED_NOT;
}

static Listed
ask_access (HkScreen *screen, HkSpan address)
{
    for (guint i = 0; i < screen->access->len; i++) {
        const HkScreenWord *word = &g_array_index (screen->access, HkScreenWord, i);
        Listed listed = LISTED_NOT;
        if (word->what == HK_WORD_PERMIT)
            return LISTED_PERMIT;
        if (word->what == HK_WORD_REJECT)
            return LISTED_REJECT;
        if (word->what == HK_WORD_DUNNO)
            return LISTED_NOT;
        if (word->what == HK_WORD_TABLE)
            listed = ask_table (screen, word, address);
        else if (hk_match_list_find (screen->mynetworks, HK_SPAN_NONE, address, NULL) ==
                 HK_FOUND)
            return LISTED_PERMIT;
        if (listed != LISTED_NOT)
            return listed;
    }
    return LISTED_NOT;
}

/* Tests that are on and not passed lately. */
static unsigned
tests_to_do (const HkScreening *self)
{
    const HkScreen *s = self->screen;
    const bool is_on[HK_N_TESTS] = {true, s->sites->len > 0, s->tests_pipelining,
                                    s->tests_non_smtp, s->tests_bare_newline};
    int64_t now = wall_s (self->session);
    unsigned todo = 0;
    for (unsigned i = 0; i < HK_N_TESTS; i++)
        if (is_on[i] && self->stamps[i] <= now)
            todo |= HK_TEST_BIT (i);
    return todo;
}

static void
start_waiting (HkScreening *self)
{
    HkSession *session = self->session;
    self->is_waiting = true;
    session->phase = HK_PHASE_SCREEN;
    if (self->screen->teaser != NULL)
        hk_session_say (session, self->screen->teaser, strlen (self->screen->teaser));
    if (self->todo & HK_TEST_BIT (HK_TEST_DNSBL))
        ask_lists (self);
    hk_session_set_deadline (session, wait_us (self));
    /* Without it nobody is seen to speak early; the timer goes on all the same. */
    if (session->watch.loop == NULL)
        hk_session_watch (session, HK_LOOP_READ);
}

static bool
has_too_many (HkSession *session, const HkScreen *screen)
{
    if (screen->connection_count == 0 || session->n_at_once <= screen->connection_count)
        return false;
    g_autoptr (GString) client = g_string_new (NULL);
    hk_screen_append_client (client, session);
    hk_screen_log (session, "NOQUEUE: reject: CONNECT from %s: too many connections",
                   client->str);
    return true;
}

static HkScreening *
screening_new (HkSession *session)
{
    HkScreening *self = g_new0 (HkScreening, 1);
    HkScreen *screen = session->dialogue->screen;
    self->session = session;
    self->screen = screen;
    self->start_us = hk_session_now (session);
    self->where = HK_VERB_CONNECT;
    self->dnsbl_ttl_s = screen->ttl_s[HK_TEST_DNSBL];
    self->may_pass =
        hk_match_list_find (screen->interfaces, HK_SPAN_NONE,
                            hk_span_text (session->server_address), NULL) == HK_FOUND;
    session->screening = self;
    session->home = session->dialogue;
    if (session->dialogue->judged != NULL)
        session->dialogue = session->dialogue->judged;
    return self;
}

static void
log_connect (HkSession *session)
{
    g_autoptr (GString) client = g_string_new (NULL);
    hk_screen_append_client (client, session);
    hk_screen_log (session, "CONNECT from %s to [%s]:%u", client->str,
                   session->server_address, session->server_port);
}

bool
hk_screen_begin (HkSession *session)
{
    HkScreen *screen = session->dialogue->screen;
    HkRates *cache = session->dialogue->screen_cache;
    HkSpan address = hk_span_text (session->client_address);
    if (screen == NULL || session->is_unix)
        return false;
    log_connect (session);
    HkScreening *self = screening_new (session);
    if (has_too_many (session, screen)) {
        hk_screen_act (self, HK_SCREEN_DROP, NULL,
                       "421 4.7.0 Error: too many connections");
        return true;
    }
    Listed listed = ask_access (screen, address);
    if (listed == LISTED_PERMIT) {
        log_client (self, screen->is_respectful ? "ALLOWLISTED" : "WHITELISTED");
        hk_screening_free (session);
        return false;
    }
    if (cache != NULL)
        self->is_known = hk_rates_recall (cache, address, self->stamps);
    self->todo = tests_to_do (self);
    if (listed == LISTED_REJECT) {
        self->is_denied = true;
        log_client (self, screen->is_respectful ? "DENYLISTED" : "BLACKLISTED");
        if (hk_screen_act (self, screen->deny, "550 5.3.2 Service currently unavailable",
                           "521 5.3.2 Service currently unavailable"))
            return true;
    } else if (self->todo == 0) {
        log_client (self, "PASS OLD");
        hk_screening_free (session);
        return false;
    } else if (!self->may_pass) {
        log_client (self, screen->is_respectful ? "ALLOWLIST VETO" : "WHITELIST VETO");
        self->refusal = g_strdup ("450 4.3.2 Service currently unavailable");
    }
    start_waiting (self);
    return true;
}
