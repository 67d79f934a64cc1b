/* maps.h: lookups as the rest of the core makes them: lists of tables, search orders, match
 * lists.  One implementation of each search order of Postfix's manual pages, for all users.
 *
 * Three answers everywhere: found, absent, later.  A dead table never turns into "absent".
 * Threads: any, while the tables' classes are thread-safe or serialised by the host. */
#ifndef HK_HOST_MAPS_H
#define HK_HOST_MAPS_H

#include "host/host.h"

typedef struct HkMaps HkMaps; /* several tables, asked in order; reference counted */

/* SPECS: the value of a list-of-tables parameter ("hash:/etc/a, texthash:b"); `proxy:` in
 * front of a type is dropped; relative paths as Postfix treats them.  PARAMETER is named in
 * errors.  An empty list is a valid HkMaps that finds nothing. */
HkMaps *hk_maps_open (HkPlugins *plugins, HkSettings *settings, const char *parameter,
                      const char *specs, GError **error);
HkMaps *hk_maps_ref (HkMaps *self);
void hk_maps_unref (HkMaps *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkMaps, hk_maps_unref)
bool hk_maps_is_empty (const HkMaps *self);
bool hk_maps_may_block (const HkMaps *self);
/* A table that cannot be used now (file not there, server down) does not fail the opening:
 * it is tried again at lookups, which answer HK_LATER meanwhile.  What is wrong with the
 * first such table; NULL: nothing.  g_free it. */
char *hk_maps_trouble (HkMaps *self);

/* The lower-case form of a key, as tables are built and asked: ASCII by hand, the rest by
 * Unicode case folding when it is valid UTF-8; the locale plays no part.  Replaces OUT. */
void hk_key_fold (HkSpan key, GString *out);

/* Is LIST one of the words of parent_domain_matches_subdomains? */
bool hk_parent_domain_matches (HkSettings *settings, const char *list);

/* Whole key.  OUT_VALUE (may be NULL) is appended on HK_FOUND.  OUT_REASON (may be NULL) is
 * set on LATER and BROKEN, g_free it.  Keys are folded to lower case unless the caller says
 * not; a key with NUL or a line break is HK_ABSENT. */
HkAnswer hk_maps_get (HkMaps *self, HkSpan key, GString *out_value, char **out_reason);
HkAnswer hk_maps_get_exact_case (HkMaps *self, HkSpan key, GString *out_value,
                                 char **out_reason);

/* Search orders (HK_SEARCH_* of plugin.h), with recipient_delimiter,
 * parent_domain_matches_subdomains and "is the domain ours" (user alone is tried) filled in
 * by the opener. */
typedef struct {
    const char *delimiters; /* recipient_delimiter */
    bool parent_matches;    /* the list's name is in parent_domain_matches_subdomains */
    bool (*is_ours) (HkSpan domain, void *data); /* myorigin, mydestination, interfaces */
    void *data;
} HkSearch;
/* Filled from the settings: recipient_delimiter, LIST in parent_domain_matches_subdomains,
 * and what hk_plugins_set_is_ours handed in. */
void hk_maps_search_defaults (HkMaps *self, const char *list, HkSearch *out);
HkAnswer hk_maps_search (HkMaps *self, int order, HkSpan subject, const HkSearch *search,
                         GString *out_value, char **out_reason);

/* Match lists: mydestination, relay_domains, mynetworks, …: patterns, !, /file, type:table.
 */
typedef struct HkMatchList HkMatchList;
typedef enum { HK_MATCH_DOMAINS, HK_MATCH_ADDRESSES, HK_MATCH_STRINGS } HkMatchKind;
HkMatchList *hk_match_list_open (HkPlugins *plugins, HkSettings *settings,
                                 const char *parameter, const char *text, HkMatchKind kind,
                                 GError **error);
void hk_match_list_free (HkMatchList *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkMatchList, hk_match_list_free)
/* DOMAINS: a domain or host name.  ADDRESSES: NAME (may be empty) and an IP address text.
 */
HkAnswer hk_match_list_find (HkMatchList *self, HkSpan subject, HkSpan ip,
                             char **out_reason);
bool hk_match_list_may_block (const HkMatchList *self);

#endif
