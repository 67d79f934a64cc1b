/* multi.h: several mail systems on one machine: what multi.c and multi_edit.c share. */
#ifndef HK_CLI_MULTI_H
#define HK_CLI_MULTI_H

#include "conf/conf.h"

typedef struct {
    char *name, *group; /* "": none */
    char *config_dir, *queue_dir, *data_dir;
    bool is_enabled, is_primary;
    HkSettings *settings;
} HkMultiInstance;

typedef struct {
    const char *program;
    char *primary_dir;
    GPtrArray *instances; /* HkMultiInstance, the primary first; NULL until loaded */

    char mode;                        /* 'l', 'p', 'x', 'e' */
    const char *action;               /* of -e */
    const char *by_group, *by_name;   /* -g, -i */
    bool all, reverse, verbose;       /* -a, -R, -v */
    const char *new_name, *new_group; /* -I, -G; "-": none */
    char **arguments;                 /* NULL-ended */
} HkMulti;

/* Prints "PROGRAM: fatal: …"; always 1, the exit status. */
int hk_multi_fail (const HkMulti *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* One instance from its directory; NULL after a message. */
HkMultiInstance *hk_multi_instance_new (const HkMulti *self, const char *dir);
void hk_multi_instance_free (void *instance);
/* Do -g, -i and their kin mean this one? */
bool hk_multi_matches (const HkMulti *self, const HkMultiInstance *instance);
/* May NEW_ONE live beside the others?  (Itself, the same directory, is left out.) */
bool hk_multi_is_unique (const HkMulti *self, const HkMultiInstance *new_one);

/* multi_edit.c, multi_destroy.c: is the action known, and what is given with it fit for it?
 * Then the action.  All: the exit status. */
int hk_multi_edit_check (const HkMulti *self);
int hk_multi_edit (HkMulti *self);
/* Is the instance stopped, and its queue empty?  0: yes. */
int hk_multi_check_idle (const HkMulti *self, const HkMultiInstance *one);
/* Its files go away; foreign ones stay, with a warning. */
void hk_multi_remove_files (const HkMulti *self, const HkMultiInstance *one);

#endif
