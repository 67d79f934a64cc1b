/* cli.h: the verbs of `hikyaku`; each is one file and one function. */
#ifndef HK_CLI_H
#define HK_CLI_H

#include "conf/conf.h"

#include <sys/types.h>

/* ARGV[0] is the name by which it was called ("postmap" or "hikyaku map").  The result is the
 * exit status (sysexits.h where Postfix uses it). */
typedef int (*HkCliFn) (int argc, char **argv);

int hk_cli_alias (int argc, char **argv);
int hk_cli_cat (int argc, char **argv);
int hk_cli_check (int argc, char **argv);
int hk_cli_conf (int argc, char **argv);
int hk_cli_control (int argc, char **argv); /* start, stop, reload, status, … */
int hk_cli_fsck (int argc, char **argv);
int hk_cli_kick (int argc, char **argv);
int hk_cli_lock (int argc, char **argv);
int hk_cli_log (int argc, char **argv);
int hk_cli_man (int argc, char **argv);
int hk_cli_map (int argc, char **argv);
int hk_cli_multi (int argc, char **argv);
int hk_cli_plugin (int argc, char **argv);
int hk_cli_queue (int argc, char **argv);
int hk_cli_sendmail (int argc, char **argv);
int hk_cli_verify (int argc, char **argv);
int hk_cli_stats (int argc, char **argv);
int hk_cli_super (int argc, char **argv);

/* The pid of the running master, 0 when there is none, -1 when that cannot be told. */
pid_t hk_cli_running_pid (HkSettings *settings);

/* The configuration directory: -c, else MAIL_CONFIG, else the built-in one. */
const char *hk_cli_config_dir (const char *from_option);

/* Every parameter table of the core is registered: before the first hk_settings_load. */
void hk_cli_register_params (void);

#endif
