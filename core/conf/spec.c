/* spec.c: the register of declared parameters. */
#include "config.h"

#include "conf/conf_priv.h"

G_DEFINE_QUARK (hk - conf - error - quark, hk_conf_error)

/* Guards all below: parameters of services are derived when first asked for, on any thread.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static GHashTable *specs;     /* name -> HkConfSpec, borrowed from tables or copied */
static GHashTable *derived;   /* "<service>_<suffix>" -> HkConfSpec, made here */
static GPtrArray *conflicts;  /* texts */
static GHashTable *mentioned; /* names in defaults; NULL: to be made */

static void
keep_first (const HkConfSpec *spec)
{
    const HkConfSpec *old = g_hash_table_lookup (specs, spec->name);
    if (old == NULL) {
        g_hash_table_insert (specs, (char *) spec->name, (HkConfSpec *) spec);
        return;
    }
    if (old == spec ||
        (old->type == spec->type && g_strcmp0 (old->preset, spec->preset) == 0))
        return;
    g_ptr_array_add (conflicts,
                     g_strdup_printf ("%s is declared twice: default \"%s\" and \"%s\"",
                                      spec->name, old->preset == NULL ? "" : old->preset,
                                      spec->preset == NULL ? "" : spec->preset));
}

/* With the lock. */
static void
ensure_base (void)
{
    if (specs != NULL)
        return;
    specs = g_hash_table_new (g_str_hash, g_str_equal);
    derived = g_hash_table_new (g_str_hash, g_str_equal);
    conflicts = g_ptr_array_new_with_free_func (g_free);
    for (const HkConfSpec *s = hk_base_params; s->name != NULL; s++)
        keep_first (s);
}

static void
forget_mentioned (void)
{
    g_clear_pointer (&mentioned, g_hash_table_unref);
}

void
hk_conf_register (const HkConfSpec *table)
{
    pthread_mutex_lock (&lock);
    ensure_base ();
    for (; table->name != NULL; table++)
        keep_first (table);
    forget_mentioned ();
    pthread_mutex_unlock (&lock);
}

static HkConfSpec *
copy_spec (const HkConfSpec *spec)
{
    HkConfSpec *copy = g_memdup2 (spec, sizeof *spec);
    copy->name = g_strdup (spec->name);
    copy->preset = g_strdup (spec->preset);
    copy->choices = g_strdup (spec->choices);
    copy->help = g_strdup (spec->help);
    return copy;
}

void
hk_conf_register_copy (const HkConfSpec *spec)
{
    pthread_mutex_lock (&lock);
    ensure_base ();
    if (g_hash_table_lookup (specs, spec->name) == NULL)
        keep_first (copy_spec (spec)); /* stays for the life of the process */
    else
        keep_first (spec);
    forget_mentioned ();
    pthread_mutex_unlock (&lock);
}

char **
hk_conf_conflicts (void)
{
    pthread_mutex_lock (&lock);
    ensure_base ();
    char **out = g_new0 (char *, conflicts->len + 1);
    for (guint i = 0; i < conflicts->len; i++)
        out[i] = g_strdup (g_ptr_array_index (conflicts, i));
    pthread_mutex_unlock (&lock);
    return out;
}

/* ---- parameters of a service: "<name in master.cf><suffix>" ---------------------- */

static const struct {
    const char *suffix, *base;
} service_suffixes[] = {
    {"_delivery_slot_cost", "default_delivery_slot_cost"},
    {"_delivery_slot_discount", "default_delivery_slot_discount"},
    {"_delivery_slot_loan", "default_delivery_slot_loan"},
    {"_destination_concurrency_failed_cohort_limit",
     "default_destination_concurrency_failed_cohort_limit"},
    {"_destination_concurrency_limit", "default_destination_concurrency_limit"},
    {"_destination_concurrency_negative_feedback",
     "default_destination_concurrency_negative_feedback"},
    {"_destination_concurrency_positive_feedback",
     "default_destination_concurrency_positive_feedback"},
    {"_destination_rate_delay", "default_destination_rate_delay"},
    {"_destination_recipient_limit", "default_destination_recipient_limit"},
    {"_extra_recipient_limit", "default_extra_recipient_limit"},
    {"_initial_destination_concurrency", "initial_destination_concurrency"},
    {"_minimum_delivery_slots", "default_minimum_delivery_slots"},
    {"_recipient_limit", "default_recipient_limit"},
    {"_recipient_refill_delay", "default_recipient_refill_delay"},
    {"_recipient_refill_limit", "default_recipient_refill_limit"},
    {"_transport_rate_delay", "default_transport_rate_delay"},
    {"_time_limit", "command_time_limit"},
};

size_t
hk_conf_service_suffix (const char *name, const char **out_base)
{
    size_t size = strlen (name), service = 0;
    for (size_t i = 0; i < G_N_ELEMENTS (service_suffixes); i++) {
        size_t n = strlen (service_suffixes[i].suffix);
        if (size <= n || strcmp (name + size - n, service_suffixes[i].suffix) != 0)
            continue;
        /* "_destination_recipient_limit" rather than "_recipient_limit" */
        if (service == 0 || size - n < service) {
            service = size - n;
            *out_base = service_suffixes[i].base;
        }
    }
    return service;
}

/* With the lock.  NULL: NAME has no such suffix, or is one of the defaults itself. */
static const HkConfSpec *
derive (const char *name)
{
    const char *base;
    if (hk_conf_service_suffix (name, &base) == 0 || strcmp (name, base) == 0 ||
        hk_conf_postfix_name (name) != NULL)
        return NULL;
    HkConfSpec *spec = g_hash_table_lookup (derived, name);
    if (spec != NULL)
        return spec;
    const HkConfSpec *from = g_hash_table_lookup (specs, base);
    spec = g_new0 (HkConfSpec, 1);
    if (from != NULL)
        *spec = *from;
    spec->name = g_strdup (name);
    spec->preset = g_strdup_printf ("$%s", base);
    spec->dynamic = NULL;
    spec->computed = NULL;
    g_hash_table_insert (derived, (char *) spec->name, spec);
    return spec;
}

const char *
hk_conf_postfix_default (const char *name)
{
    const HkPostfixName *known = hk_conf_postfix_name (name);
    return known == NULL ? NULL : known->preset;
}

/* A plugin can only declare "string": what Postfix takes as it is written stays so. */
bool
hk_conf_is_raw (const char *name)
{
    const HkPostfixName *known = hk_conf_postfix_name (name);
    if (known != NULL && (known->flags & HK_NAME_RAW))
        return true;
    const HkConfSpec *spec = hk_conf_spec (name);
    return spec != NULL && spec->type == HK_CONF_RAW;
}

const HkConfSpec *
hk_conf_spec (const char *name)
{
    pthread_mutex_lock (&lock);
    ensure_base ();
    const HkConfSpec *spec = g_hash_table_lookup (specs, name);
    if (spec == NULL)
        spec = derive (name);
    pthread_mutex_unlock (&lock);
    return spec;
}

static int
compare_specs (const void *a, const void *b)
{
    return strcmp ((*(const HkConfSpec *const *) a)->name,
                   (*(const HkConfSpec *const *) b)->name);
}

static GPtrArray *
sorted_specs (void)
{
    GPtrArray *all = g_ptr_array_new ();
    GHashTableIter iter;
    void *spec;
    pthread_mutex_lock (&lock);
    ensure_base ();
    g_hash_table_iter_init (&iter, specs);
    while (g_hash_table_iter_next (&iter, NULL, &spec))
        g_ptr_array_add (all, spec);
    pthread_mutex_unlock (&lock);
    g_ptr_array_sort (all, compare_specs);
    return all;
}

void
hk_conf_foreach_spec (void (*fn) (const HkConfSpec *spec, void *data), void *data)
{
    g_autoptr (GPtrArray) all = sorted_specs ();
    for (guint i = 0; i < all->len; i++)
        fn (g_ptr_array_index (all, i), data);
}

/* ---- all known names ------------------------------------------------------------- */

typedef struct {
    const char *name, *best;
    unsigned distance;
} Nearest;

static void
try_nearest (Nearest *self, const char *candidate)
{
    unsigned d = hk_text_distance (self->name, candidate, self->distance);
    if (d < self->distance) {
        self->distance = d;
        self->best = candidate;
    }
}

static void
try_spec (const HkConfSpec *spec, void *data)
{
    try_nearest (data, spec->name);
}

const char *
hk_conf_nearest (const char *name)
{
    /* A third of the letters wrong is another word. */
    Nearest nearest = {name, NULL, (unsigned) MIN (4, 1 + strlen (name) / 3)};
    size_t n;
    const HkPostfixName *names = hk_conf_postfix_names (&n);
    hk_conf_foreach_spec (try_spec, &nearest);
    for (size_t i = 0; i < n; i++)
        try_nearest (&nearest, names[i].name);
    return nearest.best;
}

static void
add_mentioned (HkSpan name, void *data)
{
    g_hash_table_add (data, hk_span_dup (name));
}

/* With the lock. */
static void
gather_mentioned (void)
{
    GHashTableIter iter;
    void *value;
    size_t n;
    const HkPostfixName *names = hk_conf_postfix_names (&n);
    mentioned = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_iter_init (&iter, specs);
    while (g_hash_table_iter_next (&iter, NULL, &value)) {
        const HkConfSpec *spec = value;
        const HkPostfixName *known = hk_conf_postfix_name (spec->name);
        bool is_raw =
            spec->type == HK_CONF_RAW || (known != NULL && (known->flags & HK_NAME_RAW));
        if (!is_raw)
            hk_conf_references (hk_span_text (spec->preset), add_mentioned, mentioned);
    }
    for (size_t i = 0; i < n; i++)
        if (!(names[i].flags & HK_NAME_RAW))
            hk_conf_references (hk_span_text (names[i].preset), add_mentioned, mentioned);
}

bool
hk_conf_is_in_a_default (const char *name)
{
    pthread_mutex_lock (&lock);
    ensure_base ();
    if (mentioned == NULL)
        gather_mentioned ();
    bool found = g_hash_table_contains (mentioned, name);
    pthread_mutex_unlock (&lock);
    return found;
}

void
hk_conf_foreach_undeclared (void (*fn) (const char *name, const char *preset,
                                        bool has_meaning, void *data),
                            void *data)
{
    size_t n;
    const HkPostfixName *names = hk_conf_postfix_names (&n);
    for (size_t i = 0; i < n; i++)
        if (hk_conf_spec (names[i].name) == NULL)
            fn (names[i].name, names[i].preset, (names[i].flags & HK_NAME_LATER) != 0,
                data);
}

static void
service_params (const char *service, const char *command,
                void (*fn) (const char *name, void *data), void *data)
{
    static const char *const agents[] = {"error", "lmtp",    "local", "pipe",
                                         "smtp",  "virtual", NULL};
    bool has_queue = g_strv_contains (agents, command);
    bool has_time = strcmp (command, "pipe") == 0 || strcmp (command, "spawn") == 0;
    for (size_t i = 0; i < G_N_ELEMENTS (service_suffixes); i++) {
        bool is_time = strcmp (service_suffixes[i].suffix, "_time_limit") == 0;
        if (is_time ? !has_time : !has_queue)
            continue;
        g_autofree char *name = g_strconcat (service, service_suffixes[i].suffix, NULL);
        fn (name, data);
    }
}

void
hk_settings_foreach_service_param (HkSettings *set,
                                   void (*fn) (const char *name, void *data), void *data)
{
    for (size_t i = 0; i < hk_settings_n_services (set); i++) {
        const HkService *service = hk_settings_service (set, i);
        service_params (service->name, service->command, fn, data);
    }
}
