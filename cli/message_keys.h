/* message_keys.h: a message taken apart into lookup keys: postmap -q - with -h, -b, -m. */
#ifndef HK_CLI_MESSAGE_KEYS_H
#define HK_CLI_MESSAGE_KEYS_H

#include "base/bytes.h"

typedef struct HkMessageKeys HkMessageKeys;

/* One key: a logical header (its physical lines joined by "\n") or a line of the body. */
typedef void (*HkMessageKeyFn) (HkSpan key, bool is_header, void *data);

/* PARSES_MIME: headers of parts and of attached messages are headers too. */
HkMessageKeys *hk_message_keys_new (bool parses_mime, HkMessageKeyFn fn, void *data);
/* A line without its end. */
void hk_message_keys_line (HkMessageKeys *self, HkSpan line);
/* The input has ended; frees SELF. */
void hk_message_keys_end (HkMessageKeys *self);

#endif
