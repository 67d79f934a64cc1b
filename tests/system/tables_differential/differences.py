"""Where we differ from Postfix on purpose: which keys of which type, and why."""

import re

# (type, what says of a key whether it is meant, the reason)
DIFFERENCES = [
    ("regexp", lambda key: re.match(rb"(?i)x{60,}", key) is not None,
     "a pattern that goes back too often for a key is stopped (regexp_retry_limit) and the lookup is a "
     "temporary failure; Postfix has no such limit and leaves it to the C library"),
    ("pcre", lambda key: re.match(rb"(?i)x{60,}", key) is not None, "the same, and Postfix warns of its own limit"),
    ("sqlite", lambda key: b"\r" in key, "a line break goes only to tables that say they can bear it"),
    ("sqlite", lambda key: len(key) > 1000, "longer keys are never asked of a database"),
    ("texthash -f", lambda key: key == key.lower(),
     "texthash: keeps each key as it was written and in lower case, so that -f finds the latter as well"),
    ("inline -f", lambda key: key == key.lower(), "as texthash:"),
]

# Not of single keys, and so without an entry above; the test leaves them out or allows for them:
# - Keys with a byte 0: Postfix's are C strings and end there.
# - "logical line must not start with whitespace": ours may name the line, Postfix does not.
# - A key that is no UTF-8: Postfix's warning about it has no line either; both find nothing.
# - A tcp: server that cannot be reached: Postfix tries ten times with pauses of a second, we answer
#   "try again later" at once; the exit status is the same.
# - regexp: a needless backslash before a small letter that means nothing ("\\d", "\\q"): the letter in
#   ours; with the flag "i" as it is by default, glibc 2.36 matches nothing at all there.  "a{2,1}" is an
#   error for glibc and turned around by ours.
# - regexp: of several alternatives the first that matches counts in ours, the longest in POSIX; seen in
#   $1 only.
# - postmap -s cdb: Postfix cannot walk through the table, ours can.
# - postmap -m (headers of MIME parts inside a message): not there in ours, and said so.


def reason(kind, key):
    """Why KEY of a KIND table need not be the same; None: it must."""
    return next((why for k, says, why in DIFFERENCES if k in (kind, "*") and says(key)), None)
