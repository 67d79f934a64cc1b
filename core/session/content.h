/* content.h: turns what the client sends as content into canonical content: CRLF line ends,
 * dots unstuffed, no bare CR or LF.  Pure: no session, no I/O. */
#ifndef HK_SESSION_CONTENT_H
#define HK_SESSION_CONTENT_H

#include "base/bytes.h"

typedef void (*HkContentFn) (HkSpan bytes, void *data);

typedef struct HkContent {
    uint8_t state;                 /* private */
    bool is_stuffed;               /* DATA; false: BDAT */
    bool has_bare_lf, has_bare_cr; /* seen so far */
    bool is_complete;              /* DATA: the end was seen */
} HkContent;

void hk_content_begin (HkContent *self, bool is_stuffed);
/* FN gets runs of canonical bytes, borrowed from INPUT where nothing had to change. Returns
 * how many bytes were taken: all, or (DATA) up to and with the end of data. */
size_t hk_content_feed (HkContent *self, HkSpan input, HkContentFn fn, void *data);
/* BDAT LAST: end an open line. */
void hk_content_end (HkContent *self, HkContentFn fn, void *data);

#endif
