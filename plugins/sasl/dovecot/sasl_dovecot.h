/* sasl_dovecot.h: what the files of this plugin share: the protocol's lines, the connection.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SASL_DOVECOT_H
#define SASL_DOVECOT_H

#include <glib.h>
#include <hikyaku/sasl.h>
#include <stdbool.h>

/* A server's line; longer ones end the connection. */
#define SASL_DOVECOT_LINE_MAX (64u * 1024)
/* Requests that wait for the server to read. */
#define SASL_DOVECOT_OUT_MAX (1024u * 1024)
#define SASL_DOVECOT_MECHANISMS_MAX 64u

/* ---- sasl_dovecot_lines.c: pure */

enum { /* what a mechanism is (MECH lines) */
       SASL_DOVECOT_PLAINTEXT = 1 << 0,
       SASL_DOVECOT_DICTIONARY = 1 << 1,
       SASL_DOVECOT_ACTIVE = 1 << 2,
       SASL_DOVECOT_ANONYMOUS = 1 << 3,
       SASL_DOVECOT_MUTUAL = 1 << 4,
       SASL_DOVECOT_FORWARD = 1 << 5,
       SASL_DOVECOT_PRIVATE = 1 << 6
};
typedef struct {
    char *name;
    unsigned traits;
} DovecotMechanism;

/* What the server says before DONE.  Zeroed at first. */
typedef struct {
    GArray *mechanisms; /* DovecotMechanism; NULL: none yet */
    bool has_version, has_spid, is_done;
} DovecotGreeting;
void sasl_dovecot_greeting_clear (DovecotGreeting *self);
/* One line without its end.  False: *OUT_WHY (static) says why this is not our peer. */
bool sasl_dovecot_greeting_line (DovecotGreeting *self, HkSpan line, const char **out_why);

typedef enum {
    SASL_DOVECOT_NONE, /* a line that has no meaning for us */
    SASL_DOVECOT_OK,
    SASL_DOVECOT_CONT,
    SASL_DOVECOT_FAIL
} DovecotKind;
typedef struct {
    DovecotKind kind;
    uint32_t id;
    bool is_temporary, has_data;
    GString *user, *reason, *data; /* data: decoded */
} DovecotReply;
void sasl_dovecot_reply_init (DovecotReply *self);
void sasl_dovecot_reply_clear (DovecotReply *self);
/* False: not of this protocol. */
bool sasl_dovecot_reply_line (DovecotReply *self, HkSpan line);

/* Words of smtpd_sasl_security_options.  False: *OUT_WORD is not one. */
typedef struct {
    unsigned refused, wanted; /* traits */
} DovecotOptions;
bool sasl_dovecot_options (HkSpan words, DovecotOptions *out, HkSpan *out_word);
bool sasl_dovecot_is_allowed (const DovecotMechanism *mechanism,
                              const DovecotOptions *options);
/* As a field of a request: TAB, LF, CR, NUL and \001 escaped. */
void sasl_dovecot_append_field (GString *out, HkSpan text);

/* ---- sasl_dovecot_link.c: one connection for all exchanges of an instance; loop only */

typedef struct DovecotLink DovecotLink;
typedef struct DovecotRequest DovecotRequest;

/* WHERE: a path ("unix:" may stand before it) below DIRECTORY, or "inet:host:port". */
DovecotLink *sasl_dovecot_link_new (const HkHost *host, HkSpan where, HkSpan directory,
                                    char **out_why);
void sasl_dovecot_link_free (DovecotLink *self);

/* The server's mechanisms: FN is called once, from inside or later; MECHANISMS NULL: the
 * server is not there, and WHY says so. */
typedef void (*DovecotListFn) (void *data, const GArray *mechanisms, const char *why);
void sasl_dovecot_link_list (DovecotLink *self, DovecotListFn fn, void *data);
/* Take back the one whose data IS says that it is of KEY; its data, NULL: there is none. */
void *sasl_dovecot_link_list_cancel (DovecotLink *self, bool (*is) (void *data, void *key),
                                     void *key);
/* NULL: not offered. */
const DovecotMechanism *sasl_dovecot_link_find (DovecotLink *self, HkSpan name);

/* An authentication.  REPLY NULL: the connection is lost, or there is none. */
typedef void (*DovecotReplyFn) (void *data, const DovecotReply *reply, const char *why);
/* FIELDS: what follows the id of an AUTH request, its "\n" included; taken. */
DovecotRequest *sasl_dovecot_request_new (DovecotLink *link, char *mechanism, GString *fields,
                                          DovecotReplyFn fn, void *data);
void sasl_dovecot_request_start (DovecotRequest *self);
void sasl_dovecot_request_continue (DovecotRequest *self, HkSpan response);
/* Without a reply, when one is due. */
void sasl_dovecot_request_free (DovecotRequest *self);

#endif
