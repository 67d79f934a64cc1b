"""What may differ, and why.  An entry that nothing needs any more fails the test, as does a word of
NOT_YET that works."""
import collections
import re

# Words that are not there yet.
NOT_YET = set()


class Known:
    """A difference that is right: of dialogues whose name matches, of this KIND (code or text), when
    Postfix's reply and ours match.  ENDS: what follows in the dialogue cannot be compared."""

    def __init__(self, why, name, kind, theirs, ours, ends=True):
        self.why, self.name, self.kind, self.theirs, self.ours, self.ends = why, name, kind, theirs, ours, ends

    def fits(self, dialogue, difference):
        _, kind, theirs, ours = difference
        return kind == self.kind and re.search(self.name, f"{dialogue['group']}: {dialogue['name']}") \
            and re.search(self.theirs, theirs) and re.search(self.ours, ours)


STRICT = "Postfix repairs what RFC 5321 4.1.2 does not allow; we refuse it instead of guessing what was meant"
KNOWN = [
    Known("RFC 5321 4.1.1.8 has HELP, and so do we", "", "code", "^500 5.5.2 Error: command not recognized",
          "^214 2.0.0 Commands: ", ends=False),
    Known("... which is no error of the client's, then", "settings: smtpd_junk_command_limit, HELP", "code",
          "^421 4.7.0", "^214 2.0.0"),
    Known("RFC 5321 4.5.3.1.5: a reply line has at most 512 octets; ours goes on in a next line", "REJECT long", "text",
          "long long", "long long", ends=False),
    Known("a recipient is shown as it must be written, with quotes", "", "text",
          "^550 5.1.1 <[^\"]*(\"[^\"]*)?>: Recipient", '^550 5.1.1 <"', ends=False),
    Known(STRICT, "addresses: ", "code", "^(250 2.1|55[05] 5|554 5.7.1)", "^501 5.1.[37] Bad (sender|recipient) address"),
    Known(STRICT, "commands: VRFY", "code", "^252 2.0.0 User <", "^501 5.1.3 Bad recipient address"),
    Known("RFC 5321 4.5.3.1.3: a path has at most 256 octets; Postfix takes longer local parts", "addresses: ", "code",
          "^(250 2.1|550 5.1.1)", "^501 5.1.[37] Path too long"),
    Known("... and has no text of its own for it", "addresses: ", "text", "^501 5.1.[37] Bad", "^501 5.1.[37] Path too long"),
    Known("RFC 3461 4.1: no NOTIFY value twice, none that is empty", "RCPT NOTIFY=", "code", "^250", "^501 5.5.4 "),
    Known("RFC 3461 4.2: an address type is an atom, the address is not empty; RFC 3461 4.2: at most 500 octets",
          "RCPT ORCPT=", "code", "^250", "^501 5.5.4 "),
    Known("RFC 3461 4: hexchar is upper case; 4.4: ENVID has at most 100 octets", "MAIL ENVID=", "code", "^250", "^501 5.5.4 "),
    Known("the limit is ours to name", "MAIL SIZE=9", "text", "file system imposed limit", "fixed limit", ends=False),
    Known("RFC 5321 4.5.3.1.9: 500 for a line that is too long; Postfix cuts it off in silence",
          "too long|line_length_limit", "code", "^250 2.0.0 Ok", "^500 5.5.2 Error: line too long"),
    Known("RFC 6531 3.7.1: without SMTPUTF8 there are no such addresses; Postfix passes them on as bytes",
          "settings: smtputf8_enable", "code", "^250", "^553 5.6.7"),
    Known("a client with bare line feeds is not talked to any longer", "smtpd_forbid_bare_newline reject", "code",
          "^250 2.0.0 Ok", "^closed"),
    Known("Postfix 3.7.11 dies of signal 11 there", "smtpd_end_of_data_restrictions then goes on", "code", "^closed",
          "^503 5.5.1 Error: need RCPT command"),
    Known("RFC 1985 5.3: the argument is a domain; an address literal is in no list of domains", "commands: ETRN", "code",
          "^459 <\\[", "^501 Error: invalid parameter syntax", ends=False),
    Known("we count what the client sent; Postfix what it wrote, with line ends as it completed them", "BDAT: ", "text",
          "^250 2.0.0 Ok: \\d+ bytes queued", "^250 2.0.0 Ok: \\d+ bytes queued", ends=False),
    Known("Postfix keeps defer_if_permit of a MAIL that RSET has ended", "table in sender list", "code", "^450 4", "^252 2.0.0"),
    Known("Postfix keeps defer_if_permit of a HELO that it has refused for good", "helo table in helo list, delay=no: class_",
          "code", "^450 4.7.0 .*defer_if_permit", "^250 2.1.5"),
]


class Used:
    def __init__(self):
        self.entries, self.words = set(), collections.defaultdict(bool)

    def working_words(self):
        return [f"{w} works: take it off NOT_YET" for w in sorted(NOT_YET) if not self.words[w]]

    def stale(self):
        return [f"not met any more: {k.name} {k.theirs} {k.ours}" for k in KNOWN if k not in self.entries]


def entry(dialogue, difference, used):
    """The entry for this difference, or None."""
    for known in KNOWN:
        if known.fits(dialogue, difference):
            used.entries.add(known)
            return known
    return None
