/* host_priv.h: what the files of this room share. */
#ifndef HK_HOST_PRIV_H
#define HK_HOST_PRIV_H

#include "host/host.h"
#include "host/maps.h"

#include <pthread.h>

typedef struct HkModule {
    HkHost host; /* first: the services table that this plugin was handed */
    HkPlugins *plugins;
    const HkPlugin *plugin;
    char *path; /* "(built in)" */
} HkModule;

typedef struct {
    const HkClass *cls;
    HkModule *module;
} HkOffer;

struct HkPlugins {
    char *directory;
    HkLoop *loop;
    HkStats *stats;
    HkSettings *settings;
    GThread *main_thread;
    GPtrArray *modules;  /* HkModule *, in order of loading */
    GHashTable *classes; /* "KIND:NAME" → HkOffer */
    HkDnsAskFn dns_ask;
    void *resolver;
    HkVerifyStartFn verify_start;
    void *verifier;
    HkPluginLogFn log_fn;
    void *log_data;
    bool (*is_ours) (HkSpan domain, void *data);
    void *is_ours_data;
    pthread_mutex_t lock; /* guards `shared` */
    GHashTable *shared;   /* "type:argument" → HkInstance *, borrowed: open tables */
};

struct HkConf {
    char *argument;
    size_t argument_size;
    GArray *words; /* HkSpan into argument */
    HkSettings *settings;
    const HkClass *cls;
};

struct HkInstance {
    gint ref_count;
    const HkClass *cls;
    HkModule *module;
    HkPlugins *plugins;
    HkConf conf;
    void *pointer;
    GRecMutex lock;            /* of a class that is not thread-safe */
    int64_t entered_us;        /* on the loop's thread, outermost call; 0: not inside */
    gint was_slow, was_broken; /* said once */
    char *shared_key;          /* NULL: not shared */
    bool may_block;            /* a table that it opened may block */
};

/* ltdl.c.  The descriptor of module NAME: built in, or DIRECTORY/NAME.so after its file was
 * checked.  OUT_WHERE: its path or "(built in)".  Main thread. */
const HkPlugin *hk_modules_open (const char *directory, const char *name, char **out_where,
                                 GError **error);
/* Names of what is built in, NULL-ended; g_strfreev. */
char **hk_modules_builtin_names (void);
bool hk_modules_is_builtin (const char *name);

/* verify.c.  Is DESCRIPTOR of WHERE one that this host can use under NAME? */
bool hk_plugin_verify (const HkPlugin *descriptor, const char *name, const char *where,
                       GError **error);
bool hk_plugin_name_is_valid (const char *name);
const char *hk_kind_word (int kind); /* "lookup"; "unknown" */

/* services.c. */
void hk_services_fill (HkHost *out);

/* instance.c. */
void hk_plugin_conf_init (HkConf *conf, HkSpan argument, HkSettings *settings,
                          const HkClass *cls);
void hk_plugin_conf_clear (HkConf *conf);
const HkOffer *hk_plugins_offer (HkPlugins *self, int kind, const char *name);

/* instance.c: an open table TYPE:ARGUMENT, shared by all who name it in the same settings.
 */
HkInstance *hk_instance_open_shared (HkPlugins *plugins, const char *type, HkSpan argument,
                                     HkSettings *settings, GError **error);

/* search.c: the keys of a search, in order, until FN says false.  IS_PARTIAL: tables whose
 * keys are patterns are not asked. */
typedef bool (*HkKeyFn) (HkSpan key, bool is_partial, void *data);
void hk_search_keys (int order, HkSpan subject, const HkSearch *search, HkKeyFn fn,
                     void *data);
/* NAME, then ".parent" (or "parent" with PARENT_MATCHES) and so on. */
bool hk_search_domain_keys (HkSpan name, bool is_partial, bool parent_matches, HkKeyFn fn,
                            void *data);

/* maps.c: one key of a search. */
HkAnswer hk_maps_get_key (HkMaps *self, HkKey key, GString *out_value, char **out_reason);

/* maps.c: a table that a plugin opened through the host. */
HkTable *hk_table_new (HkMaps *maps);
void hk_table_free (HkTable *self);

#endif
