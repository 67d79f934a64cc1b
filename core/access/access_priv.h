/* access_priv.h: what the files of this room share: plans, steps and one run of them. */
#ifndef HK_ACCESS_PRIV_H
#define HK_ACCESS_PRIV_H

#include "access/access.h"

typedef enum {
    HK_STEP_RESTRICTION,     /* ask an instance */
    HK_STEP_CLASS,           /* a list of smtpd_restriction_classes */
    HK_STEP_DEFER_IF_PERMIT, /* the words themselves */
    HK_STEP_DEFER_IF_REJECT,
    HK_STEP_UNKNOWN,    /* 451 4.3.5 */
    HK_STEP_UNAVAILABLE /* 451 4.3.0: did not open, may do so later */
} HkStepKind;

typedef struct HkPlan HkPlan;
typedef struct {
    HkStepKind kind;
    bool is_warning; /* after warn_if_reject */
    char *word;      /* as written, for logs */
    HkInstance *instance;
    const HkRestrictionClass *class;
    HkPlan *plan; /* HK_STEP_CLASS; borrowed */
    char *problem;
} HkStep;

struct HkPlan {
    char *name; /* the parameter, or the table value it was made from */
    GArray *steps;
    bool may_block, guards_relay, is_open; /* is_open: being compiled */
};

enum {
    HK_LIST_CLIENT,
    HK_LIST_HELO,
    HK_LIST_SENDER,
    HK_LIST_RELAY,
    HK_LIST_RECIPIENT,
    HK_LIST_DATA,
    HK_LIST_END_OF_DATA,
    HK_LIST_ETRN,
    HK_N_LISTS
};
extern const char *const hk_list_parameters[HK_N_LISTS];

/* A list parameter that plugins may ask about (match_list). */
typedef struct {
    const char *parameter;
    HkMatchList *list;
} HkNamedList;
#define HK_N_NAMED_LISTS 4

struct HkAccess {
    HkPlugins *plugins;
    HkSettings *settings;
    HkRouter *router;
    HkPlan *lists[HK_N_LISTS];
    GHashTable *classes;  /* name → HkPlan */
    GMutex lock;          /* guards values */
    GHashTable *values;   /* table value → HkPlan */
    int values_may_block; /* atomic: one of them does */
    HkNamedList named[HK_N_NAMED_LISTS];
    bool is_delayed, relay_is_first, checks_recipient, checks_sender, blocks_by_class;
    bool takes_unknown; /* no_unknown_recipient_checks: every address counts as known */
    int reject_code, defer_code; /* access_map_* */
};

/* A reply that waits for what the rest says. */
typedef struct {
    bool is_set;
    int code;
    char dsn[12];
    GString *text;
} HkPostponed;

/* One run of the lists of one stage. */
typedef struct {
    HkAccess *access;
    const HkAccessSubject *subject;
    HkVerdict *out;
    HkStage stage;
    int list;
    const HkStep *step;
    HkCall *call; /* of the step under way */
    bool is_warning;
    bool is_refused;      /* OUT holds the refusal already */
    bool recipient_known; /* a step has looked it up */
    unsigned depth;       /* lists inside lists */
    HkPostponed if_permit, if_reject;
    GString *client, *reply_subject, *reason; /* lent to plugins */
} HkAccessRun;

/* ---- compile.c */
HkPlan *hk_plan_compile (HkAccess *self, int list); /* from its parameter */
HkPlan *hk_plan_compile_text (HkAccess *self, int list, HkSpan text);
/* The plan of a restriction class, made when first met.  Only while opening. */
HkPlan *hk_access_class_plan (HkAccess *self, const char *name, int list);
void hk_plan_free (HkPlan *self);
/* The plan of a table value, made when first met; NULL when there are too many. */
HkPlan *hk_access_value_plan (HkAccess *self, HkSpan value, int list);

/* ---- access.c */
size_t hk_access_lists_of (const HkAccess *self, HkStage stage, int out[5]);

/* ---- run.c */
extern const HkCallOps hk_access_call_ops;
HkAnswer hk_access_run_plan (HkAccessRun *run, const HkPlan *plan);
/* Refuse with this reply: honours warn_if_reject and defer_if_reject.  Returns HK_REJECT,
 * HK_DISCONNECT, or HK_DUNNO when it was only a warning. */
HkAnswer hk_access_refuse (HkAccessRun *run, int code, const char *dsn, HkSpan text);
HkAnswer hk_access_refuse_f (HkAccessRun *run, int code, const char *dsn,
                             const char *format, ...) G_GNUC_PRINTF (4, 5);
void hk_access_postpone (HkPostponed *slot, int code, const char *dsn, HkSpan text);
void hk_access_log (HkAccessRun *run, const char *status, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* ---- action.c */
/* access(5): carry out ACTION, found for SUBJECT (empty: what the list is about). */
HkAnswer hk_access_action (HkAccessRun *run, HkSpan action, HkSpan subject);
/* What the replies of the list at hand begin with: "<name>: Recipient address". */
typedef struct {
    HkSpan name;
    const char *class;
} HkReplySubject;
HkReplySubject hk_access_reply_subject (HkAccessRun *run, const char *word);

/* ---- ops.c: properties */
HkAnswer hk_access_prop (HkAccessRun *run, uint32_t id, HkSpan *out);
HkAnswer hk_access_prop_int (HkAccessRun *run, uint32_t id, int64_t *out);

#endif
