/* intake.c: opening and closing the tables and filters of a service. */
#include "intake/intake_priv.h"

#include "base/log.h"

static bool
has_word (HkSettings *settings, const char *parameter, const char *word)
{
    g_auto (GStrv) words = hk_settings_words (settings, parameter);
    for (char **at = words; *at != NULL; at++)
        if (g_ascii_strcasecmp (*at, word) == 0)
            return true;
    return false;
}

static unsigned
read_classes (HkSettings *settings, const char *parameter)
{
    return (has_word (settings, parameter, "envelope_sender") ? HK_CLASS_ENVELOPE_SENDER
                                                              : 0) |
           (has_word (settings, parameter, "envelope_recipient")
                ? HK_CLASS_ENVELOPE_RECIPIENT
                : 0) |
           (has_word (settings, parameter, "header_sender") ? HK_CLASS_HEADER_SENDER : 0) |
           (has_word (settings, parameter, "header_recipient") ? HK_CLASS_HEADER_RECIPIENT
                                                               : 0);
}

static void
read_settings (HkIntake *self)
{
    HkSettings *s = self->settings;
    self->size_limit = (uint64_t) hk_settings_int (s, "message_size_limit");
    self->header_size_limit = (uint64_t) hk_settings_int (s, "header_size_limit");
    self->hop_limit = (unsigned) hk_settings_int (s, "hopcount_limit");
    self->recursion_limit = (unsigned) hk_settings_int (s, "virtual_alias_recursion_limit");
    self->expansion_limit = (unsigned) hk_settings_int (s, "virtual_alias_expansion_limit");
    self->duplicate_limit = (unsigned) hk_settings_int (s, "duplicate_filter_limit");
    self->address_limit =
        (unsigned) hk_settings_int (s, "virtual_alias_address_length_limit");
    self->adds_missing = hk_settings_bool (s, "always_add_missing_headers");
    self->keeps_original = hk_settings_bool (s, "enable_original_recipient");
    self->has_mappings = !has_word (s, "receive_override_options", "no_address_mappings");
    self->canonical_extension = has_word (s, "propagate_unmatched_extensions", "canonical");
    self->virtual_extension = has_word (s, "propagate_unmatched_extensions", "virtual");
    self->drop_headers = hk_settings_words (s, "message_drop_headers");
    self->masquerade_domains = hk_settings_words (s, "masquerade_domains");
    self->masquerade_exceptions = hk_settings_words (s, "masquerade_exceptions");
    self->masquerade_classes = read_classes (s, "masquerade_classes");
    self->myhostname = hk_settings_get (s, "myhostname");
    self->always_bcc = hk_settings_get (s, "always_bcc");
    self->undisclosed = hk_settings_get (s, "undisclosed_recipients_header");
    self->content_filter = hk_settings_get (s, "content_filter");
    self->spool_dir =
        g_build_filename (hk_settings_get (s, "queue_directory"), "incoming", NULL);
}

/* ---- tables
 * -------------------------------------------------------------------------------------- */

static HkMaps *
open_maps (HkIntake *self, const char *parameter, GError **error)
{
    HkMaps *maps = hk_maps_open (self->options.plugins, self->settings, parameter,
                                 hk_settings_get (self->settings, parameter), error);
    if (maps != NULL)
        self->may_block |= hk_maps_may_block (maps);
    return maps;
}

static bool
open_tables (HkIntake *self, GError **error)
{
    static const char *const names[HK_N_CANONICAL][2] = {
        [HK_CANONICAL_SENDER] = {"sender_canonical_maps", "sender_canonical_classes"},
        [HK_CANONICAL_RECIPIENT] = {"recipient_canonical_maps",
                                    "recipient_canonical_classes"},
        [HK_CANONICAL_ANY] = {"canonical_maps", "canonical_classes"},
    };
    for (int i = 0; i < HK_N_CANONICAL; i++) {
        self->canonical[i].parameter = names[i][0];
        self->canonical[i].classes = read_classes (self->settings, names[i][1]);
        self->canonical[i].maps = open_maps (self, names[i][0], error);
        if (self->canonical[i].maps == NULL)
            return false;
    }
    self->aliases = open_maps (self, "virtual_alias_maps", error);
    if (self->aliases != NULL)
        self->recipient_bcc = open_maps (self, "recipient_bcc_maps", error);
    if (self->recipient_bcc != NULL)
        self->sender_bcc = open_maps (self, "sender_bcc_maps", error);
    return self->sender_bcc != NULL;
}

/* ---- filters
 * -------------------------------------------------------------------------------------- */

typedef struct {
    HkIntake *intake;
    GError **error;
    bool ok;
} FilterSearch;

/* receive_override_options knows two filters by Postfix's names for what they do. */
static bool
is_overridden (HkIntake *self, const char *name)
{
    return (strcmp (name, "header_checks") == 0 &&
            has_word (self->settings, "receive_override_options",
                      "no_header_body_checks")) ||
           (strcmp (name, "milter") == 0 &&
            has_word (self->settings, "receive_override_options", "no_milters"));
}

static const char *
failure_action (HkIntake *self, const char *name)
{
    g_autofree char *parameter = g_strconcat (name, "_default_action", NULL);
    return hk_conf_spec (parameter) != NULL ? hk_settings_get (self->settings, parameter)
                                            : "tempfail";
}

static void
open_filter (FilterSearch *search, const HkClass *class)
{
    HkIntake *self = search->intake;
    if (is_overridden (self, class->name))
        return;
    HkIntakeFilter filter = {
        .instance = hk_instance_open (self->options.plugins, HK_KIND_FILTER, class->name,
                                      HK_SPAN_NONE, self->settings, search->error),
        .class = (const HkFilterClass *) (const void *) class,
        .on_failure = failure_action (self, class->name),
    };
    search->ok = filter.instance != NULL;
    if (!search->ok)
        return;
    self->may_block |= hk_instance_may_block (filter.instance);
    g_array_append_val (self->filters, filter);
}

static void
open_filters_of (const HkModuleInfo *module, void *data)
{
    FilterSearch *search = data;
    for (const HkClass *const *at = module->plugin->classes; *at != NULL && search->ok;
         at++)
        if ((*at)->kind == HK_KIND_FILTER)
            open_filter (search, *at);
}

static void
filter_clear (void *data)
{
    HkIntakeFilter *filter = data;
    hk_instance_unref (filter->instance);
}

/* ---- life
 * --------------------------------------------------------------------------------------------
 */

HkIntake *
hk_intake_new (const HkIntakeOptions *options, GError **error)
{
    HkIntake *self = g_new0 (HkIntake, 1);
    FilterSearch search = {self, error, true};
    self->options = *options;
    self->settings = hk_settings_ref (options->view);
    self->router = hk_router_ref (options->router);
    self->may_block = hk_router_domains_may_block (options->router);
    self->filters = g_array_new (FALSE, TRUE, sizeof (HkIntakeFilter));
    g_array_set_clear_func (self->filters, filter_clear);
    self->spare = g_ptr_array_new_with_free_func ((GDestroyNotify) hk_incoming_free_spare);
    read_settings (self);
    if (open_tables (self, error))
        hk_plugins_foreach (options->plugins, open_filters_of, &search);
    else
        search.ok = false;
    if (search.ok)
        return self;
    hk_intake_destroy (self);
    return NULL;
}

void
hk_intake_start (HkIntake *self, HkLane *lane, HkWorkers *workers)
{
    self->options.lane = lane;
    self->options.workers = workers;
}

void
hk_intake_destroy (HkIntake *self)
{
    HkMaps *const maps[] = {self->aliases, self->recipient_bcc, self->sender_bcc};
    for (size_t i = 0; i < G_N_ELEMENTS (maps); i++)
        if (maps[i] != NULL)
            hk_maps_unref (maps[i]);
    for (int i = 0; i < HK_N_CANONICAL; i++)
        if (self->canonical[i].maps != NULL)
            hk_maps_unref (self->canonical[i].maps);
    g_array_unref (self->filters);
    g_ptr_array_unref (self->spare);
    g_strfreev (self->drop_headers);
    g_strfreev (self->masquerade_domains);
    g_strfreev (self->masquerade_exceptions);
    g_free (self->spool_dir);
    hk_router_unref (self->router);
    hk_settings_unref (self->settings);
    g_free (self);
}

void
hk_intake_free (HkIntake *self)
{
    self->is_closed = true;
    if (self->n_live == 0)
        hk_intake_destroy (self);
}
