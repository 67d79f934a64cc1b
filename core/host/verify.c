/* verify.c: may a descriptor be used?  Looks at its data and runs nothing of it. */
#include "config.h"

#include "host/host_priv.h"

/* What a class of each kind must have at least: up to its last required slot. */
static const struct {
    const char *word;
    uint32_t min_size;
    uint16_t minor;
} kinds[] = {
    [HK_KIND_LOOKUP] = {"lookup",
                        offsetof (HkLookupClass, get) +
                            sizeof (((HkLookupClass *) NULL)->get),
                        HK_LOOKUP_MINOR},
    [HK_KIND_RESTRICTION] = {"restriction",
                             offsetof (HkRestrictionClass, check) +
                                 sizeof (((HkRestrictionClass *) NULL)->check),
                             HK_RESTRICTION_MINOR},
    [HK_KIND_TRANSPORT] = {"transport",
                           offsetof (HkTransportClass, start) +
                               sizeof (((HkTransportClass *) NULL)->start),
                           HK_TRANSPORT_MINOR},
    [HK_KIND_FILTER] = {"filter", sizeof (HkClass), HK_FILTER_MINOR},
    [HK_KIND_SASL] = {"sasl",
                      offsetof (HkSaslClass, mechanisms) +
                          sizeof (((HkSaslClass *) NULL)->mechanisms),
                      HK_SASL_MINOR},
    [HK_KIND_EVENT] = {"event",
                       offsetof (HkEventClass, event) +
                           sizeof (((HkEventClass *) NULL)->event),
                       HK_EVENT_MINOR},
};

static const uint32_t known_flags =
    HK_THREAD_SAFE | HK_MAY_BLOCK | HK_BINARY_KEYS | HK_PATTERN_KEYS;

const char *
hk_kind_word (int kind)
{
    if (kind < 1 || kind >= (int) G_N_ELEMENTS (kinds))
        return "unknown";
    return kinds[kind].word;
}

bool
hk_plugin_name_is_valid (const char *name)
{
    return name != NULL && *name != '\0' && strlen (name) <= 64 &&
           strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen (name);
}

static bool refuse (GError **error, const char *where, const char *what, const char *format,
                    ...) G_GNUC_PRINTF (4, 5);

static bool
refuse (GError **error, const char *where, const char *what, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    g_autofree char *text = g_strdup_vprintf (format, ap);
    va_end (ap);
    g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_REFUSED, "plugin %s in %s: %s", what,
                 where, text);
    return false;
}

/* A backend that waits for a socket has the asynchronous slots instead of the others. */
static const char *
missing_sasl_slot (const HkSaslClass *c)
{
    if (c->mechanisms == NULL && !HK_HAS (c, HkSaslClass, mechanisms_start))
        return "mechanisms or mechanisms_start";
    if (HK_HAS (c, HkSaslClass, mechanisms_start) &&
        !HK_HAS (c, HkSaslClass, mechanisms_cancel))
        return "mechanisms_cancel";
    bool has_server = HK_HAS (c, HkSaslClass, server_begin);
    bool has_client = HK_HAS (c, HkSaslClass, client_begin);
    if (has_server && !HK_HAS (c, HkSaslClass, server_step) &&
        !HK_HAS (c, HkSaslClass, server_step_start))
        return "server_step or server_step_start";
    if (has_server && !HK_HAS (c, HkSaslClass, server_end))
        return "server_end";
    if (has_client && !HK_HAS (c, HkSaslClass, client_step))
        return "client_step";
    if (has_client && !HK_HAS (c, HkSaslClass, client_end))
        return "client_end";
    return has_server || has_client ? NULL : "server_begin or client_begin";
}

/* `check`, or all of the asynchronous form. */
static const char *
missing_in_restriction (const HkRestrictionClass *c)
{
    bool is_asynchronous = HK_HAS (c, HkRestrictionClass, check_start);
    if (!is_asynchronous)
        return c->check == NULL ? "check" : NULL;
    if (!HK_HAS (c, HkRestrictionClass, check_finish))
        return "check_finish";
    return HK_HAS (c, HkRestrictionClass, check_cancel) ? NULL : "check_cancel";
}

/* The slots that a host calls without asking whether they are there. */
static const char *
missing_slot (const HkClass *cls)
{
    if (cls->open == NULL)
        return "open";
    const void *c = cls;
    switch (cls->kind) {
    case HK_KIND_LOOKUP:
        return ((const HkLookupClass *) c)->get == NULL ? "get" : NULL;
    case HK_KIND_RESTRICTION:
        return missing_in_restriction (c);
    case HK_KIND_TRANSPORT: {
        const HkTransportClass *t = c;
        return (t->deliver == NULL) == (t->start == NULL) ? "deliver or start (exactly one)"
                                                          : NULL;
    }
    case HK_KIND_SASL:
        return missing_sasl_slot (c);
    case HK_KIND_EVENT:
        return ((const HkEventClass *) c)->event == NULL ? "event" : NULL;
    default:
        return NULL;
    }
}

static bool
verify_params (const HkClass *cls, const char *where, const char *what, GError **error)
{
    for (const HkParam *p = cls->params; p != NULL && p->name != NULL; p++) {
        if (p->type < HK_PARAM_STRING || p->type > HK_PARAM_ENUM)
            return refuse (error, where, what,
                           "parameter %s: expected a type from %d to %d, "
                           "found %u",
                           p->name, HK_PARAM_STRING, HK_PARAM_ENUM, (unsigned) p->type);
        if (p->type == HK_PARAM_ENUM && p->choices == NULL)
            return refuse (error, where, what, "parameter %s: expected choices, found none",
                           p->name);
    }
    return true;
}

static bool
verify_class (const HkClass *cls, const char *where, const char *what, GError **error)
{
    if (cls->size < sizeof (HkClass))
        return refuse (error, where, what,
                       "a class: expected a size of at least %zu, found %u",
                       sizeof (HkClass), (unsigned) cls->size);
    if (!hk_plugin_name_is_valid (cls->name))
        return refuse (error, where, what,
                       "a class: expected a name of [a-z0-9_], found \"%s\"",
                       cls->name == NULL ? "" : cls->name);
    if (cls->kind < 1 || cls->kind >= G_N_ELEMENTS (kinds))
        return refuse (error, where, what,
                       "class %s: expected a kind from 1 to %zu, found %u", cls->name,
                       G_N_ELEMENTS (kinds) - 1, (unsigned) cls->kind);
    if (cls->size < kinds[cls->kind].min_size)
        return refuse (error, where, what,
                       "%s class %s: expected a size of at least %u, found %u",
                       kinds[cls->kind].word, cls->name,
                       (unsigned) kinds[cls->kind].min_size, (unsigned) cls->size);
    if (cls->class_minor > kinds[cls->kind].minor)
        return refuse (error, where, what,
                       "%s class %s: expected a class version of at most %u, found %u",
                       kinds[cls->kind].word, cls->name, (unsigned) kinds[cls->kind].minor,
                       (unsigned) cls->class_minor);
    uint32_t unknown = cls->flags & 0xffff & ~known_flags;
    if (unknown != 0)
        return refuse (error, where, what,
                       "%s class %s: expected flags within 0x%04x, found 0x%04x too",
                       kinds[cls->kind].word, cls->name, (unsigned) known_flags,
                       (unsigned) unknown);
    const char *slot = missing_slot (cls);
    if (slot != NULL)
        return refuse (error, where, what,
                       "%s class %s: expected a function %s, found none",
                       kinds[cls->kind].word, cls->name, slot);
    return verify_params (cls, where, what, error);
}

bool
hk_plugin_verify (const HkPlugin *d, const char *name, const char *where, GError **error)
{
    const uint32_t min_size = offsetof (HkPlugin, init);
    if (d->magic != HK_PLUGIN_MAGIC)
        return refuse (error, where, name, "expected magic 0x%08x, found 0x%08x",
                       HK_PLUGIN_MAGIC, (unsigned) d->magic);
    if (d->abi_major != HK_ABI_MAJOR)
        return refuse (error, where, name, "expected ABI major %d, found %u (%u.%u)",
                       HK_ABI_MAJOR, (unsigned) d->abi_major, (unsigned) d->abi_major,
                       (unsigned) d->abi_minor);
    if (d->abi_minor > HK_ABI_MINOR)
        return refuse (error, where, name,
                       "expected ABI minor at most %d, found %u: it was made for a newer "
                       "Hikyaku",
                       HK_ABI_MINOR, (unsigned) d->abi_minor);
    if (d->size < min_size)
        return refuse (error, where, name,
                       "expected a descriptor size of at least %u, found %u",
                       (unsigned) min_size, (unsigned) d->size);
    if (d->name == NULL || strcmp (d->name, name) != 0)
        return refuse (error, where, name,
                       "expected the name %s in its descriptor, found %s", name,
                       d->name == NULL ? "none" : d->name);
    if (d->version == NULL || d->licence == NULL || d->summary == NULL)
        return refuse (error, where, name,
                       "expected version, licence and summary, found one missing");
    if (d->classes == NULL || d->classes[0] == NULL)
        return refuse (error, where, name, "expected at least one class, found none");
    for (const HkClass *const *c = d->classes; *c != NULL; c++)
        if (!verify_class (*c, where, name, error))
            return false;
    return true;
}
