/* params.c: the parameters of intake, at Postfix 3.7's defaults. */
#include "intake/intake.h"

#define TEXT(n, p, h)                                                                      \
    {                                                                                      \
        .name = n, .type = HK_CONF_STRING, .preset = p, .help = h                          \
    }
#define MAPS(n, p, h)                                                                      \
    {                                                                                      \
        .name = n, .type = HK_CONF_MAPS, .preset = p, .help = h                            \
    }
#define LIST(n, p, h)                                                                      \
    {                                                                                      \
        .name = n, .type = HK_CONF_LIST, .preset = p, .help = h                            \
    }
#define BOOL(n, p, h)                                                                      \
    {                                                                                      \
        .name = n, .type = HK_CONF_BOOL, .preset = p, .help = h                            \
    }
#define COUNT(n, p, low, high, h)                                                          \
    {                                                                                      \
        .name = n, .type = HK_CONF_INT, .preset = p, .min = low, .max = high, .help = h    \
    }

const HkConfSpec hk_intake_params[] = {
    {.name = "message_size_limit",
     .type = HK_CONF_SIZE,
     .preset = "10240000",
     .min = 0,
     .max = INT64_MAX,
     .help = "Largest message, in bytes; 0: no limit."},
    {.name = "header_size_limit",
     .type = HK_CONF_SIZE,
     .preset = "102400",
     .min = 1,
     .max = INT32_MAX,
     .help = "Largest header; what is beyond is cut off."},
    COUNT ("hopcount_limit", "50", 1, INT32_MAX, "Most Received: headers of a message."),
    BOOL ("always_add_missing_headers", "no",
          "Add Date, From and Message-ID to mail of all clients."),
    TEXT ("undisclosed_recipients_header", "",
          "Header for messages without To or Cc; empty: none."),
    LIST ("message_drop_headers", "bcc, content-length, resent-bcc, return-path",
          "Headers that are taken out of all mail."),
    LIST ("canonical_classes",
          "envelope_sender, envelope_recipient, header_sender, header_recipient",
          "Addresses that canonical_maps rewrites."),
    LIST ("sender_canonical_classes", "envelope_sender, header_sender",
          "Addresses that sender_canonical_maps rewrites."),
    LIST ("recipient_canonical_classes", "envelope_recipient, header_recipient",
          "Addresses that recipient_canonical_maps rewrites."),
    LIST ("masquerade_domains", "", "Domains whose subdomains are hidden in addresses."),
    LIST ("masquerade_classes", "envelope_sender, header_sender, header_recipient",
          "Addresses that are masqueraded."),
    LIST ("masquerade_exceptions", "", "Users that are not masqueraded."),
    MAPS ("recipient_bcc_maps", "", "Blind copies by recipient."),
    MAPS ("sender_bcc_maps", "", "Blind copies by sender."),
    TEXT ("always_bcc", "", "Receives a blind copy of each message."),
    COUNT ("virtual_alias_recursion_limit", "1000", 1, INT32_MAX,
           "Deepest nesting of virtual aliases."),
    COUNT ("virtual_alias_expansion_limit", "1000", 1, INT32_MAX,
           "Most addresses that one recipient may become."),
    COUNT ("virtual_alias_address_length_limit", "1000", 1, INT32_MAX,
           "Longest address that an alias may give."),
    BOOL ("enable_original_recipient", "yes",
          "Duplicates are told apart by the original recipient too."),
    COUNT ("duplicate_filter_limit", "1000", 0, INT32_MAX,
           "Most addresses remembered to find duplicates."),
    LIST ("propagate_unmatched_extensions", "canonical, virtual",
          "Tables that copy the address extension to their result."),
    LIST ("receive_override_options", "",
          "no_address_mappings, no_header_body_checks, no_milters, "
          "no_unknown_recipient_checks."),
    TEXT ("content_filter", "", "transport:destination that all mail goes through first."),
    {.name = NULL},
};
