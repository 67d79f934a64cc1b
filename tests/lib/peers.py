"""Where a real Postfix may lie, to compare with."""
import os


def roots():
    """HK_POSTFIX_ROOT first: a directory in which Debian's packages were unpacked (dpkg -x); "none":
    nothing is compared."""
    named = os.environ.get("HK_POSTFIX_ROOT")
    return [] if named == "none" else [r for r in (named, "/var/tmp/mta-bench/roots/postfix", "/") if r]
