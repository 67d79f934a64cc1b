/* filter_header_checks.h: what the files of this plugin share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FILTER_HEADER_CHECKS_H
#define FILTER_HEADER_CHECKS_H

#include <glib.h>
#include <hikyaku/filter.h>
#include <stdbool.h>

/* Postfix's line_length_limit: longer lines are checked in pieces of this size. */
#define FILTER_HEADER_CHECKS_LINE 2048

typedef enum {
    FILTER_HEADER_CHECKS_HEADER,
    FILTER_HEADER_CHECKS_MIME,
    FILTER_HEADER_CHECKS_NESTED,
    FILTER_HEADER_CHECKS_BODY,
    FILTER_HEADER_CHECKS_N
} ChecksKind;

/* ---- MIME structure, line by line -------------------------------------------------------
 */

typedef struct {
    unsigned depth_limit, boundary_limit;
    GPtrArray *boundaries; /* char *, outermost first */
    enum { MIME_IN_BODY, MIME_IN_PART_HEADER, MIME_IN_NESTED_HEADER } state;
    enum { MIME_TYPE_OTHER, MIME_TYPE_MULTIPART, MIME_TYPE_MESSAGE } type; /* of the part */
    char *boundary; /* of the multipart type whose header section is being read */
} ChecksMime;

void filter_header_checks_mime_init (ChecksMime *self, unsigned depth_limit,
                                     unsigned boundary_limit);
void filter_header_checks_mime_clear (ChecksMime *self);
/* A logical header of the section at hand. */
void filter_header_checks_mime_header (ChecksMime *self, HkSpan name, HkSpan value);
/* The header section at hand has ended. */
void filter_header_checks_mime_end_header (ChecksMime *self);
/* Is LINE (without its end) a boundary?  Then the state is that of what follows. */
bool filter_header_checks_mime_boundary (ChecksMime *self, HkSpan line);
/* MIME-Version and Content-*: mime_header_checks sees them wherever they stand. */
bool filter_header_checks_is_mime (HkSpan name);
/* The field name at the front of a header line; 0: it is none. */
size_t filter_header_checks_name (HkSpan line);

/* ---- one message ------------------------------------------------------------------------
 */

typedef struct {
    const HkHost *host;
    HkTable *tables[FILTER_HEADER_CHECKS_N]; /* NULL: not configured */
    uint64_t body_limit;
    unsigned depth_limit, boundary_limit;
    bool has_mime;
} Checks;

/* A change of the body: SIZE bytes at OFFSET become TEXT. */
typedef struct {
    uint64_t offset, size;
    char *text;
} ChecksEdit;

typedef struct {
    const Checks *checks;
    ChecksMime mime;
    bool is_passed;     /* PASS: nothing more is checked */
    GString *line;      /* of the body, as far as it has come */
    GString *header;    /* logical header inside the body; empty: none */
    uint64_t header_at; /* where it began */
    uint64_t at;        /* where `line` began in the body */
    uint64_t segment;   /* bytes of the body part at hand */
    GArray *edits;      /* ChecksEdit, in order */
} ChecksMessage;

/* What an action is about. */
typedef struct {
    ChecksMessage *message;
    HkCall *call;
    HkSpan text; /* as matched */
    bool is_header, is_primary;
    uint32_t position;     /* of a primary header */
    uint64_t offset, size; /* of anything in the body, with its line end */
} ChecksLine;

/* Look TEXT up in the table of KIND and do what it says. */
HkAnswer filter_header_checks_check (const ChecksLine *line, ChecksKind kind);

#endif
