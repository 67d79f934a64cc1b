/* screen_view.c: the parameters of a session while postscreen's tests judge it: those of the
 * sessions behind it, with postscreen_* and tlsproxy_tls_* in the place of smtpd_*. */
#include "config.h"
#include "session/screen_priv.h"

#define STRING(n, p, h)                                                                    \
    {                                                                                      \
        .name = n, .type = HK_CONF_STRING, .preset = p, .help = h                          \
    }
#define BOOL(n, p, h)                                                                      \
    {                                                                                      \
        .name = n, .type = HK_CONF_BOOL, .preset = p, .help = h                            \
    }
#define PROXY(n, h) STRING ("tlsproxy_tls_" n, "$smtpd_tls_" n, "while a client is tested: " h)

const HkConfSpec hk_screen_view_params[] = {
    {.name = "postscreen_command_time_limit",
     .type = HK_CONF_TIME,
     .preset = "${stress?{10}:{300}}s",
     .min = 1,
     .max = 86400 * 7,
     .help = "while a client is tested: total time for one command"},
    STRING ("postscreen_command_filter", "", "while a client is tested: smtpd_command_filter"),
    BOOL ("postscreen_disable_vrfy_command", "$disable_vrfy_command",
          "while a client is tested: refuse VRFY"),
    STRING ("postscreen_discard_ehlo_keywords", "$smtpd_discard_ehlo_keywords",
            "while a client is tested: EHLO keywords that are not offered"),
    {.name = "postscreen_discard_ehlo_keyword_address_maps",
     .type = HK_CONF_MAPS,
     .preset = "$smtpd_discard_ehlo_keyword_address_maps",
     .help = "the same by client address"},
    {.name = "postscreen_expansion_filter",
     .type = HK_CONF_RAW,
     .preset = "$smtpd_expansion_filter",
     .help = "characters that stay as they are in postscreen_reject_footer"},
    STRING ("postscreen_forbidden_commands", "$smtpd_forbidden_commands",
            "what postscreen_non_smtp_command_enable looks for"),
    BOOL ("postscreen_helo_required", "$smtpd_helo_required",
          "while a client is tested: MAIL needs HELO or EHLO first"),
    {.name = "postscreen_reject_footer",
     .type = HK_CONF_RAW,
     .preset = "$smtpd_reject_footer",
     .help = "text behind each 4xx and 5xx reply while a client is tested"},
    {.name = "postscreen_reject_footer_maps",
     .type = HK_CONF_MAPS,
     .preset = "$smtpd_reject_footer_maps",
     .help = "such texts by the whole reply"},
    STRING ("postscreen_tls_security_level", "$smtpd_tls_security_level",
            "STARTTLS while a client is tested: none, may or encrypt"),
    BOOL ("postscreen_use_tls", "$smtpd_use_tls",
          "offer STARTTLS; postscreen_tls_security_level comes first"),
    BOOL ("postscreen_enforce_tls", "$smtpd_enforce_tls",
          "require TLS; postscreen_tls_security_level comes first"),
    PROXY ("CAfile", "certificates of authorities"),
    PROXY ("CApath", "directory with such certificates"),
    PROXY ("ask_ccert", "ask for a certificate"),
    PROXY ("req_ccert", "require a certificate"),
    PROXY ("ccert_verifydepth", "longest chain of certificates"),
    PROXY ("chain_files", "files with key and certificates"),
    PROXY ("cert_file", "the certificate"),
    PROXY ("key_file", "its key"),
    PROXY ("dcert_file", "a DSA certificate"),
    PROXY ("dkey_file", "its key"),
    PROXY ("eccert_file", "an ECDSA certificate"),
    PROXY ("eckey_file", "its key"),
    PROXY ("ciphers", "grade of ciphers"),
    PROXY ("mandatory_ciphers", "grade of ciphers where TLS is required"),
    PROXY ("exclude_ciphers", "ciphers that are not used"),
    PROXY ("mandatory_exclude_ciphers", "... where TLS is required"),
    PROXY ("protocols", "versions of TLS"),
    PROXY ("mandatory_protocols", "versions where TLS is required"),
    PROXY ("eecdh_grade", "curves of ECDHE"),
    PROXY ("dh1024_param_file", "group of DHE"),
    PROXY ("fingerprint_digest", "how fingerprints are made"),
    PROXY ("loglevel", "how much is logged"),
    {.name = NULL},
};

/* What stands in SCREEN for FROM becomes SELF's TO.  An expanded value is not expanded
 * again. */
static void
replace (HkSettings **self, HkSettings *screen, const char *from, const char *to)
{
    const HkConfSpec *spec = hk_conf_spec (to);
    const char *value = hk_settings_get (screen, from);
    g_auto (GStrv) parts = g_strsplit (value, "$", -1);
    bool is_raw = spec != NULL && spec->type == HK_CONF_RAW;
    g_autofree char *escaped = is_raw ? g_strdup (value) : g_strjoinv ("$$", parts);
    HkSettings *next = hk_settings_with (*self, to, escaped);
    hk_settings_unref (*self);
    *self = next;
}

/* A text that is not expanded: its default is another parameter's text. */
static void
replace_raw (HkSettings **self, HkSettings *screen, const char *from, const char *to)
{
    replace (self, screen, hk_settings_raw (screen, from) != NULL ? from : to, to);
}

/* Stress makes it shorter: it is expanded later, and by then it must not refer to itself. */
static void
replace_timeout (HkSettings **self, HkSettings *screen)
{
    const char *raw = hk_settings_raw (screen, "postscreen_command_time_limit");
    if (raw == NULL)
        raw = hk_settings_preset (screen, "postscreen_command_time_limit");
    if (strstr (raw, "smtpd_timeout") != NULL)
        return;
    HkSettings *next = hk_settings_with (*self, "smtpd_timeout", raw);
    hk_settings_unref (*self);
    *self = next;
}

HkSettings *
hk_screen_session_view (HkSettings *pass, HkSettings *screen)
{
    static const char *const pairs[][2] = {
        {"postscreen_helo_required", "smtpd_helo_required"},
        {"postscreen_disable_vrfy_command", "disable_vrfy_command"},
        {"postscreen_command_filter", "smtpd_command_filter"},
        {"postscreen_discard_ehlo_keywords", "smtpd_discard_ehlo_keywords"},
        {"postscreen_discard_ehlo_keyword_address_maps",
         "smtpd_discard_ehlo_keyword_address_maps"},
        {"postscreen_forbidden_commands", "smtpd_forbidden_commands"},
        {"postscreen_reject_footer_maps", "smtpd_reject_footer_maps"},
        {"postscreen_tls_security_level", "smtpd_tls_security_level"},
        {"postscreen_use_tls", "smtpd_use_tls"},
        {"postscreen_enforce_tls", "smtpd_enforce_tls"},
    };
    static const char prefix[] = "tlsproxy_tls_";
    HkSettings *self = hk_settings_ref (pass);
    for (size_t i = 0; i < G_N_ELEMENTS (pairs); i++)
        replace (&self, screen, pairs[i][0], pairs[i][1]);
    replace_raw (&self, screen, "postscreen_reject_footer", "smtpd_reject_footer");
    replace_raw (&self, screen, "postscreen_expansion_filter", "smtpd_expansion_filter");
    replace_timeout (&self, screen);
    for (const HkConfSpec *s = hk_screen_view_params; s->name != NULL; s++)
        if (g_str_has_prefix (s->name, prefix)) {
            g_autofree char *to =
                g_strconcat ("smtpd_tls_", s->name + sizeof prefix - 1, NULL);
            replace (&self, screen, s->name, to);
        }
    return self;
}
