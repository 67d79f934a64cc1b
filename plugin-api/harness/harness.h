/* harness.h: a host for unit tests: drives a plugin's descriptor without any daemon.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Link the plugin's sources and harness.c into one test program.  The harness implements
 * every service of plugin.h in memory: parameters are what the test sets (or the declared
 * default), properties, tables, DNS answers and list matches likewise; what the plugin
 * logs, answers, replies, edits and delivers is kept for the test to look at.  One thread;
 * GLib inside.
 *
 *     extern const HkPlugin HK_PLUGIN_SYMBOL (lookup_dbm);
 *     HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (lookup_dbm));
 *     void *t = hk_harness_open (h, HK_KIND_LOOKUP, "dbm", "/tmp/x");
 *     g_assert_cmpint (hk_harness_get (h, t, "key"), ==, HK_FOUND);
 *     g_assert_cmpstr (hk_harness_answer (h), ==, "value");
 *     hk_harness_close (h, t);
 *     hk_harness_free (h);
 */
#ifndef HIKYAKU_HARNESS_H
#define HIKYAKU_HARNESS_H

#include <glib.h>
#include <stdbool.h>
#include <hikyaku/event.h>
#include <hikyaku/filter.h>
#include <hikyaku/lookup.h>
#include <hikyaku/plugin.h>
#include <hikyaku/restriction.h>
#include <hikyaku/sasl.h>
#include <hikyaku/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HkHarness HkHarness;

/* Checks the descriptor as the host does (it is a test failure when that would refuse) and
 * calls its `init`. */
HkHarness *hk_harness_new (const HkPlugin *plugin);
void hk_harness_free (HkHarness *self); /* every instance must be closed */
const HkHost *hk_harness_host (HkHarness *self);

/* ---- what the plugin will see.  NULL takes a setting away. */
void hk_harness_set (HkHarness *self, const char *parameter, const char *value);
void hk_harness_prop (HkHarness *self, uint32_t id, const char *value);
void hk_harness_prop_int (HkHarness *self, uint32_t id, int64_t value);
void hk_harness_prop_answer (HkHarness *self, uint32_t id,
                             HkAnswer answer); /* UNKNOWN, … */
/* A table that table_open finds by SPEC ("hash:/etc/x"); VALUE NULL: the key is HK_LATER.
 */
void hk_harness_table (HkHarness *self, const char *spec, const char *key,
                       const char *value);
/* match_list: SUBJECT (NULL: the client) is in PARAMETER. */
void hk_harness_match (HkHarness *self, const char *parameter, const char *subject);
/* ... cannot be told now: HK_LATER. */
void hk_harness_match_later (HkHarness *self, const char *parameter, const char *subject);
/* DEST -1: HK_LATER. */
void hk_harness_destination (HkHarness *self, const char *address, int32_t dest);
/* REASON "": HK_LATER. */
void hk_harness_unlisted (HkHarness *self, const char *address, const char *reason);
/* Text of `action` (access(5)): its verdict; unset actions are HK_DUNNO. */
void hk_harness_action (HkHarness *self, const char *action, HkAnswer verdict);
void hk_harness_content (HkHarness *self, const void *data, size_t size);
void hk_harness_recipient (HkHarness *self, const char *address, const char *original);
void hk_harness_recipient_prop (HkHarness *self, size_t i, uint32_t id, const char *value);
void hk_harness_recipient_prop_int (HkHarness *self, size_t i, uint32_t id, int64_t value);
/* An answer of dns_start; several add up.  MX, CNAME, PTR: name text; A, AAAA: address
 * text. */
void hk_harness_dns (HkHarness *self, const char *name, uint16_t type, uint16_t preference,
                     const char *data);
void hk_harness_dns_outcome (HkHarness *self, const char *name, uint16_t type,
                             int32_t outcome);
/* The session is gone: questions of dns_session are not answered any more. */
void hk_harness_dns_forget (HkHarness *self);
/* What verify_start answers for ADDRESS (HK_VERIFY_*); unset: it gives NULL. */
void hk_harness_verify (HkHarness *self, const char *address, int32_t status,
                        const char *text);
size_t hk_harness_verifying (const HkHarness *self); /* questions that are open */
int64_t hk_harness_verify_wait (const HkHarness *self); /* WAIT_US of the last one */
void hk_harness_deadline (HkHarness *self, int64_t deadline_us);

/* ---- instances */
/* NULL when `open` refused: hk_harness_reason and hk_harness_opened tell why. */
void *hk_harness_open (HkHarness *self, int kind, const char *name, const char *argument);
HkAnswer hk_harness_opened (const HkHarness *self);
void hk_harness_close (HkHarness *self, void *instance);
const HkClass *hk_harness_class (HkHarness *self, int kind, const char *name);

/* ---- calls.  A fresh call before each; it stays readable until the next. */
HkCall *hk_harness_call (HkHarness *self);
HkAnswer hk_harness_get (HkHarness *self, void *instance, const char *key);
HkAnswer hk_harness_get_span (HkHarness *self, void *instance, HkSpan key);
/* Restriction; the asynchronous form from check_start to check_finish. */
HkAnswer hk_harness_check (HkHarness *self, void *instance);
/* Blocking or asynchronous, until complete or for TIMEOUT_MS. */
HkAnswer hk_harness_deliver (HkHarness *self, void *instance, int timeout_ms);
void hk_harness_event (HkHarness *self, void *instance); /* then flush */

/* ---- what came out of the last call; texts live until the next */
const char *hk_harness_answer (const HkHarness *self); /* NULL: none */
const char *hk_harness_answer2 (const HkHarness *self);
const char *hk_harness_reason (const HkHarness *self); /* of later, broken; "" none */
int hk_harness_reply_code (const HkHarness *self);
const char *hk_harness_reply_dsn (const HkHarness *self);
const char *hk_harness_reply_text (const HkHarness *self);
/* Edits as lines, in order: "add -1 Name: value", "set 1 Name: value", "body N bytes",
 * "rcpt+ a", "rcpt- a", "sender a", "hold reason", "lines 3 text", "redirect a", "filter
 * t:n", "note STATUS what: reason". */
const char *hk_harness_edits (const HkHarness *self);
const GString *hk_harness_body (const HkHarness *self); /* what edit_body gave */
bool hk_harness_result (const HkHarness *self, size_t i,
                        HkResult *out); /* false: none yet */

/* ---- over the harness's life */
const char *
hk_harness_log (const HkHarness *self); /* "warning: text\n…"; lines: "PROGRAM: text" */
void hk_harness_clear_log (HkHarness *self);
int64_t hk_harness_counter (const HkHarness *self, const char *name);
/* Turn the small loop (poll) until DONE (may be NULL) says so or the time is over. */
bool hk_harness_run (HkHarness *self, bool (*done) (void *data), void *data,
                     int timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
