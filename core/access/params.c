/* params.c: the parameters of access control, at Postfix 3.7's defaults. */
#include "access/access.h"

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
        .name = n, .type = HK_CONF_INT, .preset = p, .min = 200, .max = 599, .help = h     \
    }

const HkConfSpec hk_access_params[] = {
    LIST ("smtpd_client_restrictions", "", "Checks of the client's name and address."),
    LIST ("smtpd_helo_restrictions", "", "Checks of the HELO or EHLO command."),
    LIST ("smtpd_sender_restrictions", "", "Checks of the MAIL FROM command."),
    LIST ("smtpd_relay_restrictions",
          "${{$compatibility_level} <level {1} ? {} : {permit_mynetworks, "
          "permit_sasl_authenticated, defer_unauth_destination}}",
          "Who may send to where, at RCPT TO."),
    LIST ("smtpd_recipient_restrictions", "", "Checks of the RCPT TO command."),
    LIST ("smtpd_data_restrictions", "", "Checks of the DATA command."),
    LIST ("smtpd_end_of_data_restrictions", "", "Checks when the content has arrived."),
    LIST ("smtpd_etrn_restrictions", "", "Checks of the ETRN command."),
    LIST ("smtpd_restriction_classes", "",
          "Parameters that are lists of restrictions too."),
    LIST ("permit_mx_backup_networks", "",
          "Networks of the first mail servers for which permit_mx_backup holds."),
    LIST ("smtpd_log_access_permit_actions", "",
          "Which permits of access lists are logged: words, or actions of tables."),
    BOOL ("smtpd_delay_reject", "yes", "Check client, HELO and sender at RCPT TO."),
    BOOL ("smtpd_relay_before_recipient_restrictions",
          "${{$compatibility_level} <level {3.6} ? {no} : {yes}}",
          "Check smtpd_relay_restrictions before smtpd_recipient_restrictions."),
    BOOL ("smtpd_reject_unlisted_recipient", "yes",
          "Refuse unknown recipients even when no restriction says so."),
    BOOL ("smtpd_reject_unlisted_sender", "no",
          "Refuse unknown senders even when no restriction says so."),
    CODE ("access_map_reject_code", "554", "Reply code of REJECT in access tables."),
    CODE ("access_map_defer_code", "450", "Reply code of DEFER in access tables."),
    {.name = NULL},
};
