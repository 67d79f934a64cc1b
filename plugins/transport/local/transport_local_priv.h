/* transport_local_priv.h: local delivery from inside: aliases, .forward, mailboxes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `user` runs with the rights of the service's process: it looks into the alias tables and
 * the password file and passes what it found on as a note.  `deliver` runs with the rights
 * of the recipient (or of default_privs for an alias) and reads .forward and :include:
 * files, writes the mailbox, or asks for the message to be forwarded. */
#ifndef TRANSPORT_LOCAL_PRIV_H
#define TRANSPORT_LOCAL_PRIV_H

#include "../virtual/mailbox.h"

#include <string.h>

typedef struct {
    const HkHost *host;
    char *host_name; /* for unique names */
    char *origin;    /* myorigin */
    char *delimiters;
    char *home_mailbox, *spool;
    char *forward_path;   /* not expanded; "": the default */
    char *unsupported;    /* why all mail for users waits; NULL: it does not */
    char *fallback;       /* why mail for unknown users waits; NULL: it bounces */
    HkTable *aliases;     /* NULL: none */
    bool owner_in_sender; /* expand_owner_alias */
    uint64_t size_limit;
    MailboxLocks locks;
    bool check_owner, add_original;
    uint32_t nobody_uid, nobody_gid; /* default_privs */
} Local;

/* The recipient's name in its forms. */
typedef struct {
    char *address;         /* as it stands in the envelope */
    char *local;           /* lower case, unquoted, with extension */
    char *user;            /* without */
    const char *extension; /* in local; NULL: none */
} LocalName;
void transport_local_name_read (const Local *self, HkCall *call, size_t i, LocalName *out);
void transport_local_name_clear (LocalName *self);

/* What `user` found out, passed on to `deliver` as text: user, home directory and sender,
 * each with a line end, then "=" and the alias's value when there is an alias. */
typedef struct {
    char *user, *home; /* NULL: no account */
    char *sender;      /* of mail that an alias forwards; NULL: as it is */
    char *alias;       /* NULL: none */
} LocalNote;
GString *transport_local_note_write (const LocalNote *self);
void transport_local_note_read (HkSpan text, LocalNote *out);
void transport_local_note_clear (LocalNote *self);

HkAnswer transport_local_user (void *instance, HkCall *call, size_t i, HkUser *out);
HkAnswer transport_local_deliver (void *instance, HkCall *call);
static inline HkSpan
transport_local_span (const char *text)
{
    return (HkSpan){(const uint8_t *) text, text == NULL ? 0 : strlen (text)};
}
char *transport_local_dup (HkSpan s);

/* What a list of destinations (aliases(5)) says. */
typedef struct {
    GPtrArray *addresses; /* complete, without <> */
    bool names_self;      /* the recipient itself: its mailbox, too */
    char *problem;        /* why the list cannot be carried out now; NULL: it can */
    /* given by the caller */
    const char *self;   /* local name of the recipient, lower case */
    const char *origin; /* domain of addresses without one */
    bool allow_include;
    unsigned depth;
} LocalTargets;

void transport_local_targets_init (LocalTargets *self, const char *name,
                                   const char *origin);
void transport_local_targets_clear (LocalTargets *self);
/* Add the destinations that TEXT lists: parted by commas or line ends; quoted; "# comment"
 * lines.  :include: files are read here, with the rights of the caller. */
void transport_local_targets_add (LocalTargets *self, HkSpan text);
/* Read a file of at most 1 MiB that nobody but its owner may write; NULL and *OUT_WHY. */
char *transport_local_read_file (const char *path, bool *out_is_absent, char **out_why);

#endif
