/* base_params.c: the parameters that belong to the whole system and to no single room. */
#include "config.h"

#include <unistd.h>

#include "conf/conf_priv.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif
#ifndef HK_CONFIG_DIR
#define HK_CONFIG_DIR "/etc/hikyaku"
#endif

static char *
config_directory (HkSettings *self)
{
    const char *dir = hk_settings_dir (self);
    return g_strdup (dir == NULL ? HK_CONFIG_DIR : dir);
}

static char *
process_id (void)
{
    return g_strdup_printf ("%ld", (long) getpid ());
}

static char *
process_name (void)
{
    const char *name = g_get_prgname ();
    return g_strdup (name == NULL ? "hikyaku" : name);
}

/* clang-format off */
#define STRING(n, d, h) { .name = n, .type = HK_CONF_STRING, .preset = d, .help = h }
#define PATH(n, d, h) { .name = n, .type = HK_CONF_PATH, .preset = d, .help = h }
#define LIST(n, d, h) { .name = n, .type = HK_CONF_LIST, .preset = d, .help = h }
#define BOOL(n, d, h) { .name = n, .type = HK_CONF_BOOL, .preset = d, .help = h }
#define ENUM(n, d, c, h) { .name = n, .type = HK_CONF_ENUM, .preset = d, .choices = c, .help = h }
#define SIZE(n, d, lo, h) { .name = n, .type = HK_CONF_SIZE, .preset = d, .min = lo, .help = h }
#define INT(n, d, lo, hi, h) \
    { .name = n, .type = HK_CONF_INT, .preset = d, .min = lo, .max = hi, .help = h }
/* clang-format on */

#define FACILITIES                                                                         \
    "mail|daemon|user|auth|authpriv|cron|ftp|kern|lpr|news|syslog|uucp|local0|local1|"     \
    "local2|local3|local4|local5|local6|local7"

const HkConfSpec hk_base_params[] = {
    /* where things are */
    PATH ("queue_directory", "/var/spool/hikyaku",
          "Where messages are kept, and the root of services that run under chroot."),
    PATH ("data_directory", "/var/lib/hikyaku",
          "Where the system keeps data of its own: caches, counters, locks."),
    {.name = "config_directory",
     .type = HK_CONF_PATH,
     .computed = config_directory,
     .help = "Where main.cf, master.cf and conf.d are."},
    LIST ("alternate_config_directories", "",
          "Other configuration directories that unprivileged users may name with -c."),
    LIST ("multi_instance_directories", "", "Configuration directories of more instances."),
    BOOL ("multi_instance_enable", "no", "May this instance be started with the others?"),
    STRING ("multi_instance_name", "", "The name of this instance."),
    STRING ("multi_instance_group", "", "The group that this instance belongs to."),
    STRING ("multi_instance_wrapper", "",
            "The program that runs start, stop and their kin for all instances."),
    LIST ("postmulti_start_commands", "start",
          "Commands that postmulti -p runs for enabled instances, and a check for others."),
    LIST ("postmulti_stop_commands", "stop abort drain quick-stop",
          "Commands that postmulti -p runs for enabled instances, the last one first."),
    LIST ("postmulti_control_commands", "reload flush",
          "Commands that postmulti -p runs for enabled instances only."),

    /* who we are */
    {.name = "myhostname",
     .type = HK_CONF_STRING,
     .computed = hk_conf_computed_hostname,
     .help = "The Internet name of this machine; a default for many other values."},
    {.name = "mydomain",
     .type = HK_CONF_STRING,
     .computed = hk_conf_computed_domain,
     .help = "The Internet domain of this machine; myhostname without its first part."},
    STRING ("myorigin", "$myhostname",
            "The domain that is added to addresses without one, and that local mail comes "
            "from."),
    LIST ("mydestination", "$myhostname, localhost.$mydomain, localhost",
          "Domains whose mail is delivered by $local_transport to users of this machine."),
    {.name = "mynetworks",
     .type = HK_CONF_LIST,
     .computed = hk_conf_computed_networks,
     .help = "Clients that may relay; computed by mynetworks_style when it is not set."},
    ENUM ("mynetworks_style", "${{$compatibility_level} <level {2} ? {subnet} : {host}}",
          "host|subnet|class", "How mynetworks is computed from the network interfaces."),
    LIST ("inet_interfaces", "all",
          "Addresses to receive mail on: all, loopback-only, or a list."),
    LIST ("inet_protocols", "all", "Protocols to use: all, ipv4, ipv6."),
    LIST ("proxy_interfaces", "",
          "Addresses that reach this machine through a proxy or NAT."),
    LIST ("known_tcp_ports", "lmtp=24, smtp=25, smtps=submissions=465, submission=587",
          "Names of ports that are known without the services file."),
    LIST ("parent_domain_matches_subdomains",
          "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,"
          "qmqpd_authorized_clients,relay_domains,smtpd_access_maps",
          "Lists in which example.com also stands for its subdomains."),
    STRING ("recipient_delimiter", "",
            "Characters that part a user's name from an extension (user+extension)."),
    STRING ("mail_name", "Hikyaku", "The name of the system in greetings and headers."),
    STRING ("mail_version", PACKAGE_VERSION, "The release that is running."),
    STRING ("mail_release_date", "", "The day of the release."),
    STRING ("compatibility_level", "0",
            "Which release's defaults apply where they have changed since."),
    STRING ("default_database_type", "hash", "The table type of names without one."),

    /* as whom */
    BOOL ("soft_bounce", "no",
          "Defer what would be returned, and refuse with 4xx what would be refused with 5xx."),
    STRING ("mail_owner", "hikyaku",
            "The user who owns the queue and schedules deliveries."),
    STRING ("smtpd_owner", "hikyaku-in", "The user as whom mail is received."),
    STRING ("deliver_owner", "hikyaku-out",
            "The user as whom mail is delivered that needs no other user's rights."),
    STRING ("authorized_submit_users", "static:anyone",
            "Local users who may submit mail with sendmail."),
    STRING ("authorized_mailq_users", "static:anyone",
            "Local users who may list the queue, beside root and mail_owner."),
    STRING ("authorized_flush_users", "static:anyone",
            "Local users who may flush the queue, beside root and mail_owner."),
    STRING ("setgid_group", "hikyaku-drop", "The group of local submission."),
    STRING ("default_privs", "nobody",
            "The user for deliveries to commands and files that belong to nobody else."),

    /* processes */
    INT ("default_process_limit", "100", 1, INT32_MAX,
         "Processes of one service at most, where master.cf says \"-\"."),
    STRING ("service_name", "", "The service's name in master.cf; set by the system."),
    {.name = "process_name",
     .type = HK_CONF_STRING,
     .dynamic = process_name,
     .help = "The program's name; set by the system."},
    {.name = "process_id",
     .type = HK_CONF_STRING,
     .dynamic = process_id,
     .help = "The process's number; set by the system."},
    STRING ("stress", "", "Not empty while all processes of a service are busy."),
    LIST ("import_environment",
          "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C "
          "POSTLOG_SERVICE POSTLOG_HOSTNAME",
          "Environment that the system takes over at its start."),
    LIST ("export_environment", "TZ MAIL_CONFIG LANG",
          "Environment that commands and services get."),

    /* log */
    STRING ("syslog_name", "${multi_instance_name?{$multi_instance_name}:{hikyaku}}",
            "The first part of the tag of log lines."),
    ENUM ("syslog_facility", "mail", FACILITIES, "The syslog facility of log lines."),
    PATH ("maillog_file", "", "Log to this file, or to /dev/stdout, instead of syslog."),
    LIST ("maillog_file_prefixes", "/var, /dev/stdout", "Where maillog_file may be."),

    /* limits of all mail */
    SIZE ("message_size_limit", "10240000", 0,
          "Largest message, envelope included; bytes."),
    {.name = NULL}};
