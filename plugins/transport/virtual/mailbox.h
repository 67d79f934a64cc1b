/* mailbox.h: writing one message into a Maildir or an mbox file; for the transports that
 * deliver on this machine.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each plugin compiles mailbox.c for itself; MAILBOX_PREFIX keeps the names of two plugins
 * that are linked into one program apart. */
#ifndef TRANSPORT_MAILBOX_H
#define TRANSPORT_MAILBOX_H

#include <glib.h>
#include <hikyaku/transport.h>
#include <stdbool.h>

#ifndef MAILBOX_PREFIX
#define MAILBOX_PREFIX transport_virtual
#endif
#define MAILBOX_JOIN_(prefix, name) prefix##_##name
#define MAILBOX_JOIN(prefix, name) MAILBOX_JOIN_ (prefix, name)
#define mailbox_maildir MAILBOX_JOIN (MAILBOX_PREFIX, mailbox_maildir)
#define mailbox_mbox MAILBOX_JOIN (MAILBOX_PREFIX, mailbox_mbox)
#define mailbox_host_name MAILBOX_JOIN (MAILBOX_PREFIX, mailbox_host_name)
#define mailbox_parse_locks MAILBOX_JOIN (MAILBOX_PREFIX, mailbox_parse_locks)
#define mailbox_append_header MAILBOX_JOIN (MAILBOX_PREFIX, mailbox_append_header)
#define mailbox_lock MAILBOX_JOIN (MAILBOX_PREFIX, mailbox_lock)
#define mailbox_unlock MAILBOX_JOIN (MAILBOX_PREFIX, mailbox_unlock)
#define mailbox_write MAILBOX_JOIN (MAILBOX_PREFIX, mailbox_write)
#define mailbox_is_binary MAILBOX_JOIN (MAILBOX_PREFIX, mailbox_is_binary)
#define mailbox_write_binary MAILBOX_JOIN (MAILBOX_PREFIX, mailbox_write_binary)
#define mailbox_error MAILBOX_JOIN (MAILBOX_PREFIX, mailbox_error)

enum { MAILBOX_LOCK_FCNTL = 1, MAILBOX_LOCK_FLOCK = 2, MAILBOX_LOCK_DOT = 4 };

typedef struct {
    unsigned methods; /* MAILBOX_LOCK_* */
    unsigned attempts;
    int64_t delay_s, stale_s;
} MailboxLocks;

/* What is delivered, and how. */
typedef struct {
    const HkHost *host;
    HkCall *call;
    const char *host_name;      /* for unique names, from mailbox_host_name */
    HkSpan sender;              /* Return-Path and the mbox "From " line */
    HkSpan original, recipient; /* X-Original-To, Delivered-To; empty: no such line */
    uint64_t size_limit;        /* of a Maildir file or a whole mbox; 0: none */
    const MailboxLocks *locks;
    bool check_owner; /* the mbox must belong to us */
} MailboxMessage;

/* How it ended, for HkResult. */
typedef struct {
    int32_t status;
    const char *dsn;
    char text[512];
} MailboxOutcome;

/* DIR ends with '/'.  The message is in DIR/new, file and directory durable, or it is nowhere;
 * it is there once, even when this is not the first attempt.  Missing directories are made.
 * Blocks. */
void mailbox_maildir (const MailboxMessage *message, const char *dir, MailboxOutcome *out);
/* Append to the file PATH under its locks; cut back to what it was when that fails. */
void mailbox_mbox (const MailboxMessage *message, const char *path, MailboxOutcome *out);

/* The part of unique names that tells machines apart; g_free it. */
char *mailbox_host_name (HkSpan myhostname);
/* "fcntl, dotlock" → methods; false: an unknown word. */
bool mailbox_parse_locks (HkSpan words, unsigned *out);

/* ---- between mailbox.c and its helpers */

/* Return-Path, X-Original-To, Delivered-To, with LF. */
void mailbox_append_header (const MailboxMessage *message, GString *out);
/* Write HEADER, then the content with LF line ends; QUOTE: ">" before "From ". */
bool mailbox_write (int fd, const GString *header, HkSpan content, bool quote);
/* BODY=BINARYMIME (RFC 3030): no byte of the content may change. */
bool mailbox_is_binary (const MailboxMessage *message);
/* HEADER with CRLF like the content's, then the content as it is. */
bool mailbox_write_binary (int fd, const GString *header, HkSpan content);
void mailbox_error (MailboxOutcome *out, int error, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

typedef struct {
    int fd;
    char *dot_path; /* NULL: none is held */
} MailboxHeld;
/* Take all locks of an open mbox.  False: text in OUT. */
bool mailbox_lock (const MailboxLocks *locks, int fd, const char *path, MailboxHeld *held,
                   MailboxOutcome *out);
void mailbox_unlock (const MailboxLocks *locks, MailboxHeld *held);

#endif
