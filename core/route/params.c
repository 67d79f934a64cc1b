/* params.c: the parameters of routing, at Postfix 3.7's defaults. */
#include "route/route.h"

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
#define CODE(n, p, h)                                                                      \
    {                                                                                      \
        .name = n, .type = HK_CONF_INT, .preset = p, .min = 400, .max = 599, .help = h     \
    }

const HkConfSpec hk_route_params[] = {
    BOOL ("append_at_myorigin", "yes", "Append @$myorigin to addresses without a domain."),
    BOOL ("append_dot_mydomain", "${{$compatibility_level} <level {1} ? {yes} : {no}}",
          "Append .$mydomain to domains without a dot."),
    BOOL ("swap_bangpath", "yes", "Read site!user as user@site."),
    BOOL ("allow_percent_hack", "yes", "Read user%domain as user@domain."),
    BOOL ("allow_untrusted_routing", "no",
          "Relay addresses with a route in the local part (user@there@here)."),
    TEXT ("empty_address_recipient", "MAILER-DAEMON",
          "Recipient of mail that is addressed to the null address."),
    BOOL ("resolve_dequoted_address", "yes",
          "Look for a route (@, %, !) in local parts in quotes, too."),
    LIST ("relay_domains", "${{$compatibility_level} <level {2} ? {$mydestination} : {}}",
          "Domains that mail is relayed to for anyone."),
    MAPS ("relay_recipient_maps", "", "Known recipients in relay_domains; empty: all."),
    MAPS ("local_recipient_maps", "proxy:unix:passwd.byname $alias_maps",
          "Known recipients in mydestination; empty: all."),
    LIST ("virtual_alias_domains", "$virtual_alias_maps",
          "Domains all of whose addresses are aliases."),
    MAPS ("virtual_maps", "", "Old name of virtual_alias_maps."),
    MAPS ("virtual_alias_maps", "$virtual_maps", "Aliases of addresses, local or remote."),
    LIST ("virtual_mailbox_domains", "$virtual_mailbox_maps",
          "Domains that are delivered by virtual_transport."),
    MAPS ("virtual_mailbox_maps", "", "Mailboxes of virtual_mailbox_domains."),
    MAPS ("transport_maps", "", "Transport and next hop by address or domain."),
    MAPS ("sender_dependent_relayhost_maps", "", "relayhost by sender."),
    MAPS ("sender_dependent_default_transport_maps", "", "default_transport by sender."),
    TEXT ("empty_address_relayhost_maps_lookup_key", "<>",
          "Key of the null sender in sender_dependent_relayhost_maps."),
    TEXT ("empty_address_default_transport_maps_lookup_key", "<>",
          "Key of the null sender in sender_dependent_default_transport_maps."),
    TEXT ("relayhost", "", "Next hop of mail that is not for a domain of ours."),
    TEXT ("local_transport", "local:$myhostname", "Delivers to mydestination."),
    TEXT ("virtual_transport", "virtual", "Delivers to virtual_mailbox_domains."),
    TEXT ("relay_transport", "relay", "Delivers to relay_domains."),
    TEXT ("default_transport", "smtp", "Delivers to all other domains."),
    MAPS ("relocated_maps", "", "New addresses of users that have moved."),
    MAPS ("canonical_maps", "", "Rewriting of addresses in envelope and headers."),
    MAPS ("sender_canonical_maps", "", "Rewriting of sender addresses."),
    MAPS ("recipient_canonical_maps", "", "Rewriting of recipient addresses."),
    TEXT ("address_verify_relayhost", "$relayhost", "relayhost of address probes."),
    TEXT ("address_verify_local_transport", "$local_transport",
          "local_transport of address probes."),
    TEXT ("address_verify_virtual_transport", "$virtual_transport",
          "virtual_transport of address probes."),
    TEXT ("address_verify_relay_transport", "$relay_transport",
          "relay_transport of address probes."),
    TEXT ("address_verify_default_transport", "$default_transport",
          "default_transport of address probes."),
    MAPS ("address_verify_transport_maps", "$transport_maps",
          "transport_maps of address probes."),
    MAPS ("address_verify_sender_dependent_relayhost_maps",
          "$sender_dependent_relayhost_maps",
          "sender_dependent_relayhost_maps of address probes."),
    MAPS ("address_verify_sender_dependent_default_transport_maps",
          "$sender_dependent_default_transport_maps",
          "sender_dependent_default_transport_maps of address probes."),
    TEXT ("address_verify_sender", "$double_bounce_sender",
          "Sender of address probes; empty: the null sender."),
    {.name = "address_verify_sender_ttl",
     .type = HK_CONF_TIME,
     .preset = "0s",
     .min = 0,
     .max = 31536000,
     .help = "How long an address of address_verify_sender is in use; 0: it is always the "
             "same."},
    BOOL ("show_user_unknown_table_name", "yes",
          "Name the table in \"User unknown\" replies."),
    CODE ("unknown_local_recipient_reject_code", "550",
          "Reply code for unknown local users."),
    CODE ("unknown_virtual_alias_reject_code", "550", "Reply code for unknown aliases."),
    CODE ("unknown_virtual_mailbox_reject_code", "550",
          "Reply code for unknown mailboxes."),
    CODE ("unknown_relay_recipient_reject_code", "550",
          "Reply code for unknown relay recipients."),
    {.name = NULL},
};
