/* attributes.h: the grammar of XCLIENT and XFORWARD: "NAME=value …", values in xtext.  Pure. */
#ifndef HK_SESSION_ATTRIBUTES_H
#define HK_SESSION_ATTRIBUTES_H

#include "session/syntax.h"

typedef enum { HK_ATTRIBUTE_OK, HK_ATTRIBUTE_END, HK_ATTRIBUTE_BAD } HkAttributeStep;

/* The next of *REST, which moves on.  VALUE is decoded; what is not xtext is taken as it
 * stands; control characters and what is special in headers show as '?'.  BAD: *REFUSAL. */
HkAttributeStep hk_attribute_next (HkSpan *rest, HkSpan *out_name, GString *out_value,
                                   HkRefusal *refusal);
bool hk_attribute_is_unavailable (const GString *value); /* "[UNAVAILABLE]" */

/* The value's syntax; *REFUSAL says "Bad NAME syntax: …". */
bool hk_attribute_host (const char *name, const GString *value, HkRefusal *refusal);
/* "192.0.2.1", "IPV6:2001:db8::1"; the address alone is appended to OUT. */
bool hk_attribute_address (const char *name, const GString *value, GString *out,
                           HkRefusal *refusal);
bool hk_attribute_port (const char *name, const GString *value, uint16_t *out,
                        HkRefusal *refusal);
bool hk_attribute_bad (const char *name, const GString *value, HkRefusal *refusal);

bool hk_attribute_bad_name (const char *command, HkSpan name, HkRefusal *refusal);

/* TAKE gets each attribute of ARGUMENT; false: one was wrong, and *REFUSAL says how. */
typedef bool (*HkAttributeFn) (void *data, HkSpan name, const GString *value,
                               HkRefusal *refusal);
bool hk_attributes_take (HkSpan argument, HkAttributeFn take, void *data,
                         HkRefusal *refusal);

#endif
