/* screen_conf.c: the postscreen_* parameters, and one postscreen line compiled. */
#include "config.h"
#include "session/screen_priv.h"

#include "base/log.h"
#include "base/text.h"
#include "mail/reply.h"

#define STRING(n, p, h)                                                                    \
    {                                                                                      \
        .name = n, .type = HK_CONF_STRING, .preset = p, .help = h                          \
    }
#define BOOL(n, p, h)                                                                      \
    {                                                                                      \
        .name = n, .type = HK_CONF_BOOL, .preset = p, .help = h                            \
    }
#define NUMBER(n, p, least, h)                                                             \
    {                                                                                      \
        .name = n, .type = HK_CONF_INT, .preset = p, .min = least, .max = 1000000,         \
        .help = h                                                                          \
    }
#define TIME(n, p, u, least, h)                                                            \
    {                                                                                      \
        .name = n, .type = HK_CONF_TIME, .preset = p, .unit = u, .min = least,             \
        .max = 86400 * 366, .help = h                                                      \
    }
#define ACTION(n, p, h)                                                                    \
    {                                                                                      \
        .name = n, .type = HK_CONF_ENUM, .preset = p, .choices = "ignore|enforce|drop",    \
        .help = h                                                                          \
    }

const HkConfSpec hk_screen_params[] = {
    STRING ("postscreen_access_list", "permit_mynetworks",
            "clients that are never, or always, screened out: permit_mynetworks, permit, "
            "reject, dunno, type:table"),
    ACTION ("postscreen_denylist_action",
            "${postscreen_blacklist_action?{$postscreen_blacklist_action}:{ignore}}",
            "what becomes of a client that postscreen_access_list rejects"),
    STRING ("postscreen_allowlist_interfaces",
            "${postscreen_whitelist_interfaces?{$postscreen_whitelist_interfaces}:{static:"
            "all}}",
            "our addresses at which a client can pass the tests"),
    STRING ("postscreen_cache_map", "btree:$data_directory/postscreen_cache",
            "where it is kept who has passed; the type plays no part here"),
    TIME ("postscreen_cache_retention_time", "7d", 'd', 1,
          "how long a client is remembered after its entry expired"),
    NUMBER ("postscreen_client_connection_count_limit",
            "$smtpd_client_connection_count_limit", 0,
            "most connections of one client at once, those being screened included"),
    NUMBER ("postscreen_command_count_limit", "20", 1,
            "most commands of a client that is screened out"),
    TIME ("postscreen_greet_wait", "${stress?{2}:{6}}s", 's', 1,
          "how long a client has to wait for the greeting"),
    STRING ("postscreen_greet_banner", "$smtpd_banner",
            "text of the 220- line before the wait; empty: none"),
    ACTION ("postscreen_greet_action", "ignore",
            "what becomes of a client that speaks before the greeting"),
    TIME ("postscreen_greet_ttl", "1d", 'd', 1, "how long a passed greet test counts"),
    STRING ("postscreen_dnsbl_sites", "",
            "lists of the DNS that are asked about a client: domain[=filter][*weight]"),
    NUMBER ("postscreen_dnsbl_threshold", "1", -1000000,
            "sum of weights from which on a client has failed"),
    NUMBER ("postscreen_dnsbl_allowlist_threshold",
            "${postscreen_dnsbl_whitelist_threshold?{$postscreen_dnsbl_whitelist_"
            "threshold}:{0}}",
            -1000000, "sum of weights, below zero, at which a client has passed all tests"),
    ACTION ("postscreen_dnsbl_action", "ignore",
            "what becomes of a client that the lists know"),
    STRING ("postscreen_dnsbl_reply_map", "",
            "names of lists as they are told to clients, by domain"),
    TIME ("postscreen_dnsbl_max_ttl",
          "${postscreen_dnsbl_ttl?{$postscreen_dnsbl_ttl}:{1}}h", 'h', 1,
          "longest time that a passed test of the lists counts"),
    TIME ("postscreen_dnsbl_min_ttl", "60s", 's', 1,
          "shortest time that a passed test of the lists counts"),
    TIME ("postscreen_dnsbl_timeout", "10s", 's', 1, "longest wait for the lists"),
    BOOL ("postscreen_pipelining_enable", "no",
          "test whether a client sends commands ahead of the replies"),
    ACTION ("postscreen_pipelining_action", "enforce", "what becomes of one that does"),
    TIME ("postscreen_pipelining_ttl", "30d", 'd', 1, "how long that test counts"),
    BOOL ("postscreen_non_smtp_command_enable", "no",
          "test whether a client says what no mail server says"),
    ACTION ("postscreen_non_smtp_command_action", "drop", "what becomes of one that does"),
    TIME ("postscreen_non_smtp_command_ttl", "30d", 'd', 1, "how long that test counts"),
    BOOL ("postscreen_bare_newline_enable", "no",
          "test whether a client ends lines with LF alone"),
    ACTION ("postscreen_bare_newline_action", "ignore", "what becomes of one that does"),
    TIME ("postscreen_bare_newline_ttl", "30d", 'd', 1, "how long that test counts"),
    {.name = "postscreen_upstream_proxy_protocol",
     .type = HK_CONF_ENUM,
     .preset = "",
     .choices = "|haproxy",
     .help = "haproxy: each connection begins with a PROXY header, version 1 or 2"},
    TIME ("postscreen_upstream_proxy_timeout", "5s", 's', 1,
          "longest wait for the PROXY header"),
    BOOL ("respectful_logging", "${{$compatibility_level} <level {3.6} ? {no} : {yes}}",
          "log ALLOWLISTED and DENYLISTED, not the older words"),
    {.name = NULL},
};

static HkScreenAction
action_of (HkSettings *view, const char *name)
{
    const char *word = hk_settings_get (view, name);
    return g_ascii_strcasecmp (word, "drop") == 0      ? HK_SCREEN_DROP
           : g_ascii_strcasecmp (word, "enforce") == 0 ? HK_SCREEN_ENFORCE
                                                       : HK_SCREEN_IGNORE;
}

static void
read_tests (HkScreen *self, HkSettings *v)
{
    self->deny = action_of (v, "postscreen_denylist_action");
    self->greet = action_of (v, "postscreen_greet_action");
    self->dnsbl = action_of (v, "postscreen_dnsbl_action");
    self->pipelining = action_of (v, "postscreen_pipelining_action");
    self->non_smtp = action_of (v, "postscreen_non_smtp_command_action");
    self->bare_newline = action_of (v, "postscreen_bare_newline_action");
    self->tests_pipelining = hk_settings_bool (v, "postscreen_pipelining_enable");
    self->tests_non_smtp = hk_settings_bool (v, "postscreen_non_smtp_command_enable");
    self->tests_bare_newline = hk_settings_bool (v, "postscreen_bare_newline_enable");
    self->is_respectful = hk_settings_bool (v, "respectful_logging");
    self->threshold = (int) hk_settings_int (v, "postscreen_dnsbl_threshold");
    self->allowlist_threshold =
        (int) hk_settings_int (v, "postscreen_dnsbl_allowlist_threshold");
    self->command_limit = (unsigned) hk_settings_int (v, "postscreen_command_count_limit");
    self->connection_count =
        (unsigned) hk_settings_int (v, "postscreen_client_connection_count_limit");
}

static void
read_times (HkScreen *self, HkSettings *v)
{
    static const char *const names[HK_N_TESTS] = {
        [HK_TEST_PREGREET] = "postscreen_greet_ttl",
        [HK_TEST_DNSBL] = "postscreen_dnsbl_max_ttl",
        [HK_TEST_PIPELINING] = "postscreen_pipelining_ttl",
        [HK_TEST_NON_SMTP] = "postscreen_non_smtp_command_ttl",
        [HK_TEST_BARE_NEWLINE] = "postscreen_bare_newline_ttl"};
    HkSettings *stressed = hk_settings_with (v, "stress", "yes");
    for (unsigned i = 0; i < HK_N_TESTS; i++)
        self->ttl_s[i] = hk_settings_int (v, names[i]);
    self->dnsbl_min_ttl_s = hk_settings_int (v, "postscreen_dnsbl_min_ttl");
    self->retention_s = hk_settings_int (v, "postscreen_cache_retention_time");
    self->greet_wait_us = hk_settings_int (v, "postscreen_greet_wait") * HK_SECOND;
    self->stressed_wait_us =
        hk_settings_int (stressed, "postscreen_greet_wait") * HK_SECOND;
    self->dnsbl_timeout_us = hk_settings_int (v, "postscreen_dnsbl_timeout") * HK_SECOND;
    hk_settings_unref (stressed);
}

static bool
read_word (HkScreen *self, HkPlugins *plugins, HkSettings *view, HkSpan text,
           GError **error)
{
    HkScreenWord word = {.what = HK_WORD_DUNNO};
    g_autofree char *spec = hk_span_dup (text);
    if (hk_span_is_ci (text, "permit_mynetworks")) {
        word.what = HK_WORD_MYNETWORKS;
    } else if (hk_span_is_ci (text, "permit")) {
        word.what = HK_WORD_PERMIT;
    } else if (hk_span_is_ci (text, "reject")) {
        word.what = HK_WORD_REJECT;
    } else if (hk_span_find (text, ':', 0) < text.size) {
        word.what = HK_WORD_TABLE;
        word.maps = hk_maps_open (plugins, view, "postscreen_access_list", spec, error);
        if (word.maps == NULL)
            return false;
        if (hk_maps_may_block (word.maps))
            hk_log (HK_LOG_WARNING,
                    "postscreen_access_list: %s may be slow and is not asked here", spec);
    } else if (!hk_span_is_ci (text, "dunno")) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE,
                     "postscreen_access_list: unknown command \"%s\"", spec);
        return false;
    }
    g_array_append_val (self->access, word);
    return true;
}

static void
clear_word (void *data)
{
    HkScreenWord *word = data;
    if (word->maps != NULL)
        hk_maps_unref (word->maps);
}

static bool
open_lists (HkScreen *self, HkPlugins *plugins, HkSettings *v, GError **error)
{
    HkSpan rest = hk_span_text (hk_settings_get (v, "postscreen_access_list")), word;
    while (hk_text_next_word (&rest, &word))
        if (!read_word (self, plugins, v, word, error))
            return false;
    self->mynetworks =
        hk_match_list_open (plugins, v, "mynetworks", hk_settings_get (v, "mynetworks"),
                            HK_MATCH_ADDRESSES, error);
    if (self->mynetworks == NULL)
        return false;
    self->interfaces =
        hk_match_list_open (plugins, v, "postscreen_allowlist_interfaces",
                            hk_settings_get (v, "postscreen_allowlist_interfaces"),
                            HK_MATCH_ADDRESSES, error);
    if (self->interfaces == NULL)
        return false;
    self->reply_map =
        hk_maps_open (plugins, v, "postscreen_dnsbl_reply_map",
                      hk_settings_get (v, "postscreen_dnsbl_reply_map"), error);
    return self->reply_map != NULL;
}

/* The path of "type:path". */
static char *
cache_path (HkSettings *v)
{
    const char *spec = hk_settings_get (v, "postscreen_cache_map");
    const char *path = strrchr (spec, ':');
    path = path == NULL ? spec : path + 1;
    return *path == '\0' ? NULL : g_strconcat (path, ".hk", NULL);
}

HkScreen *
hk_screen_new (HkPlugins *plugins, HkSettings *view, GError **error)
{
    g_autoptr (HkScreen) self = g_new0 (HkScreen, 1);
    self->access = g_array_new (FALSE, FALSE, sizeof (HkScreenWord));
    g_array_set_clear_func (self->access, clear_word);
    read_tests (self, view);
    read_times (self, view);
    const char *banner = hk_settings_get (view, "postscreen_greet_banner");
    if (*banner != '\0')
        self->teaser = g_strdup_printf ("220-%.400s\r\n", banner);
    self->cache_path = cache_path (view);
    self->sites =
        hk_screen_sites_parse (hk_settings_get (view, "postscreen_dnsbl_sites"), error);
    if (self->sites == NULL || !open_lists (self, plugins, view, error))
        return NULL;
    return g_steal_pointer (&self);
}

const char *
hk_screen_cache_path (const HkScreen *self)
{
    return self->cache_path;
}

void
hk_screen_free (HkScreen *self)
{
    if (self == NULL)
        return;
    g_clear_pointer (&self->access, g_array_unref);
    g_clear_pointer (&self->mynetworks, hk_match_list_free);
    g_clear_pointer (&self->interfaces, hk_match_list_free);
    g_clear_pointer (&self->sites, g_ptr_array_unref);
    g_clear_pointer (&self->reply_map, hk_maps_unref);
    g_free (self->teaser);
    g_free (self->cache_path);
    g_free (self);
}
