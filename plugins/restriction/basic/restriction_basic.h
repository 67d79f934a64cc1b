/* restriction_basic.h: what the files of this plugin share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RESTRICTION_BASIC_H
#define RESTRICTION_BASIC_H

#include <glib.h>
#include <hikyaku/restriction.h>
#include <stdbool.h>

typedef struct {
    const HkHost *host;
    int32_t code; /* of the reply, from the parameter of the word */
} BasicRestriction;

/* RFC 1123 names, underscore tolerated; not all digits at the end. */
bool restriction_basic_is_hostname (HkSpan name);
bool restriction_basic_is_fqdn (HkSpan name);    /* ... with an inner dot */
bool restriction_basic_is_literal (HkSpan name); /* [192.0.2.1], [IPv6:…] */
/* The domain of ADDRESS is fully qualified or a literal; a bare local part is not. */
bool restriction_basic_is_fqdn_address (HkSpan address);

#endif
