/* host.h: the face of the room that loads plugins and serves them.
 *
 * The only room that knows libltdl.  `main` makes one HkPlugins, loads what the settings
 * name (plugin = … lines, and every class that a table, restriction, transport or filter of
 * the configuration asks for and that an enabled module offers), before any thread starts;
 * then opens instances.  Rooms above make calls on instances through an HkCall that they
 * own. */
#ifndef HK_HOST_H
#define HK_HOST_H

#include "base/bytes.h"
#include "base/stats.h"
#include "conf/conf.h"
#include "loop/loop.h"
#include <hikyaku/event.h>
#include <hikyaku/filter.h>
#include <hikyaku/lookup.h>
#include <hikyaku/plugin.h>
#include <hikyaku/restriction.h>
#include <hikyaku/sasl.h>
#include <hikyaku/transport.h>

#define HK_HOST_ERROR (hk_host_error_quark ())
GQuark hk_host_error_quark (void);
typedef enum {
    HK_HOST_ERROR_ABSENT,  /* no such module or class */
    HK_HOST_ERROR_REFUSED, /* found, but not loaded: the text says what and where */
    HK_HOST_ERROR_LATER,   /* an instance cannot work now */
    HK_HOST_ERROR_BROKEN   /* wrong configuration */
} HkHostError;

extern const HkConfSpec hk_host_params[]; /* plugin_directory, plugin */

/* ---- modules
 * -------------------------------------------------------------------------------- */

typedef struct HkPlugins HkPlugins;

/* DIRECTORY: absolute, where modules are ("CLASS_NAME.so").  LOOP may be NULL (tools): then
 * the loop services answer as broken. */
HkPlugins *hk_plugins_new (const char *directory, HkLoop *loop, HkStats *stats);
void hk_plugins_free (HkPlugins *self); /* instances must be closed; modules stay mapped */
/* The settings that instances read; a reload sets new ones before opening new instances. */
void hk_plugins_set_settings (HkPlugins *self, HkSettings *settings);
/* A DNS service for dns_start (net/dns.h is on a floor below; roles hand it in). */
typedef void (*HkDnsAskFn) (void *resolver, const char *name, uint16_t type, HkDnsFn fn,
                            void *data);
void hk_plugins_set_dns (HkPlugins *self, HkDnsAskFn ask, void *resolver);
/* Address verification for verify_start; START NULL: nobody can be asked.  What it returns
 * begins with this structure; END is verify_end. */
struct HkVerify {
    void (*end) (HkVerify *self);
};
typedef HkVerify *(*HkVerifyStartFn) (void *verifier, HkSpan address, int64_t wait_us,
                                      HkVerifyFn fn, void *data);
void hk_plugins_set_verify (HkPlugins *self, HkVerifyStartFn start, void *verifier);

/* Load one module; once is enough.  Main thread, before others start.  Refuses with a text
 * that says what, where, expected and found. */
bool hk_plugins_load (HkPlugins *self, const char *name, GError **error);
/* All of `plugin = …`; failures are logged and the rest goes on; false when any failed. */
bool hk_plugins_load_enabled (HkPlugins *self, HkSettings *settings);
/* Only those of one kind, by the first part of their name: what a tool needs. */
bool hk_plugins_load_enabled_kind (HkPlugins *self, HkSettings *settings, int kind);
/* Is NAME enabled?  The last mention in the settings' `plugin` lines decides; "!NAME"
 * disables; without any line everything is. */
bool hk_plugins_is_enabled (HkSettings *settings, const char *name);
/* Where plugins' log lines go instead of the log; tools print them.  NULL: the log. */
typedef void (*HkPluginLogFn) (int level, const char *plugin, const char *text, void *data);
void hk_plugins_set_log (HkPlugins *self, HkPluginLogFn fn, void *data);
/* Take a descriptor that is linked in (tests, all-in-one programs); it is checked as any.
 */
bool hk_plugins_add (HkPlugins *self, const HkPlugin *plugin, GError **error);
/* Is there a class?  If not, the error says which module would offer it and how to enable
 * that one.  HK_HOST_ERROR_ABSENT. */
bool hk_plugins_load_for (HkPlugins *self, int kind, const char *name, GError **error);
/* Names of all modules that could be loaded, built in or in the directory; sorted;
 * g_strfreev. */
char **hk_plugins_available (HkPlugins *self);
/* Is DOMAIN ours?  For searches that plugins make (virtual(5): the user part alone). */
void hk_plugins_set_is_ours (HkPlugins *self, bool (*is_ours) (HkSpan domain, void *data),
                             void *data);
/* A class by kind and name.  NULL: not loaded. */
const HkClass *hk_plugins_class (HkPlugins *self, int kind, const char *name);
typedef struct {
    const HkPlugin *plugin;
    const char *path; /* "(built in)" */
} HkModuleInfo;
void hk_plugins_foreach (HkPlugins *self, void (*fn) (const HkModuleInfo *, void *),
                         void *data);

/* ---- calls
 * ---------------------------------------------------------------------------------- */

/* What a room lends to the plugins it calls; any member may be NULL (the service then
 * answers HK_ABSENT or HK_BROKEN). */
typedef struct HkCallOps {
    HkAnswer (*prop) (HkCall *call, uint32_t id, HkSpan *out);
    HkAnswer (*prop_int) (HkCall *call, uint32_t id, int64_t *out);
    HkAnswer (*action) (HkCall *call, HkSpan action, HkSpan subject);
    HkAnswer (*destination) (HkCall *call, HkSpan address, int32_t *out);
    HkAnswer (*listed) (HkCall *call, HkSpan address, HkSpan *out_reason);
    HkAnswer (*match_list) (HkCall *call, const char *parameter, HkSpan subject);
    uint64_t (*content_size) (HkCall *call);
    HkAnswer (*content_read) (HkCall *call, uint64_t offset, void *buffer, size_t size,
                              size_t *out_size);
    HkAnswer (*content_map) (HkCall *call, HkSpan *out);
    HkAnswer (*edit_header_add) (HkCall *call, int32_t position, HkSpan name, HkSpan value);
    HkAnswer (*edit_header_set) (HkCall *call, HkSpan name, uint32_t index, HkSpan value);
    HkAnswer (*edit_body) (HkCall *call, HkSpan chunk);
    HkAnswer (*edit_recipient_add) (HkCall *call, HkSpan address);
    HkAnswer (*edit_recipient_delete) (HkCall *call, HkSpan address);
    HkAnswer (*edit_sender) (HkCall *call, HkSpan address);
    HkAnswer (*edit_hold) (HkCall *call, HkSpan reason);
    size_t (*n_recipients) (HkCall *call);
    HkAnswer (*recipient_prop) (HkCall *call, size_t i, uint32_t id, HkSpan *out);
    HkAnswer (*recipient_prop_int) (HkCall *call, size_t i, uint32_t id, int64_t *out);
    void (*result) (HkCall *call, size_t i, const HkResult *result);
    void (*complete) (HkCall *call);
    HkAnswer (*make_durable) (HkCall *call, const int32_t *fds, size_t n_fds);
    HkAnswer (*edit_header_lines) (HkCall *call, uint32_t position, HkSpan text);
    HkAnswer (*edit_redirect) (HkCall *call, HkSpan address);
    HkAnswer (*edit_filter) (HkCall *call, HkSpan destination);
    HkAnswer (*content_note) (HkCall *call, const char *status, HkSpan what, HkSpan reason);
    HkAnswer (*dns_session) (HkCall *call, const char *name, uint16_t type, HkDnsFn fn,
                             void *data);
} HkCallOps;

/* A key of a lookup and how it is meant. */
typedef struct {
    HkSpan bytes;
    bool is_partial; /* a part of what the caller looks for: pattern tables are not asked */
    bool is_exact;   /* not to be folded to lower case */
} HkKey;

/* Plain structure: on the stack or inside its owner.  Buffers are made when first needed.
 */
struct HkCall {
    const HkCallOps *ops;
    void *subject;       /* the owner's: session, delivery, event */
    int64_t deadline_us; /* steady; INT64_MAX: none */
    GString *value;      /* what `answer` gave; NULL: nothing */
    GString *value2;     /* second answer (each) */
    GString *reason;     /* what later and broken gave */
    /* what `reply` gave */
    int reply_code;
    char reply_dsn[12];
    GString *reply_text;
    GPtrArray *kept; /* values of table_get, borrowed by the plugin until the call ends */
    unsigned n_answers;
    HkKey key;       /* lookup: what is asked for */
};
void hk_call_init (HkCall *self, const HkCallOps *ops, void *subject);
void hk_call_reset (HkCall *self); /* ready for the next call; keeps buffers */
void hk_call_clear (HkCall *self); /* frees buffers */
/* MEMORY (g_malloc) is freed when the call is reset or cleared. */
void hk_call_keep (HkCall *self, void *memory);
void hk_call_set_reason (HkCall *self, const char *format, ...) G_GNUC_PRINTF (2, 3);
typedef struct HkInstance HkInstance; /* reference counted */
/* What a class function returned, made safe: an unknown value becomes HK_BROKEN with a
 * reason; the first HK_BROKEN of an instance is logged.  Pass every answer through it. */
HkAnswer hk_call_answer (HkCall *self, HkInstance *instance, HkAnswer answer);

/* ---- instances
 * ------------------------------------------------------------------------------- */

/* ARGUMENT: text after "type:", or a restriction's arguments joined by blanks. */
HkInstance *hk_instance_open (HkPlugins *self, int kind, const char *name, HkSpan argument,
                              HkSettings *settings, GError **error);
HkInstance *hk_instance_ref (HkInstance *self);
void hk_instance_unref (HkInstance *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkInstance, hk_instance_unref)
const HkClass *hk_instance_class (const HkInstance *self);
void *hk_instance_pointer (const HkInstance *self);
/* The class says so, or a table that the instance opened (table_open) may block. */
bool hk_instance_may_block (const HkInstance *self);
/* Around each call: takes the lock of an instance that is not thread-safe. */
void hk_instance_enter (HkInstance *self);
void hk_instance_leave (HkInstance *self);

/* ---- whole tables, for tools
 * ------------------------------------------------------------------ */

/* Every entry of an open table; FN false: stop.  HK_HOST_ERROR_ABSENT: the type cannot
 * walk. */
typedef bool (*HkPairFn) (HkSpan key, HkSpan value, void *data);
bool hk_table_walk (HkInstance *table, HkPairFn fn, void *data, GError **error);

/* Making an indexed table: what is there stays in use until commit, which replaces it at
 * once and durably.  new: HK_HOST_ERROR_ABSENT when the type is not built. */
typedef struct HkBuild HkBuild;
HkBuild *hk_build_new (HkPlugins *self, const char *type, HkSpan argument,
                       HkSettings *settings, GError **error);
/* HK_OK: added; HK_FOUND: was there, and has the new value if REPLACE; else ERROR is set.
 */
HkAnswer hk_build_put (HkBuild *self, HkSpan key, HkSpan value, bool replace,
                       GError **error);
bool hk_build_commit (HkBuild *self, GError **error); /* frees SELF */
void hk_build_abandon (HkBuild *self);                /* frees SELF */

#endif
