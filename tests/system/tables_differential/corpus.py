"""What both programs are asked, and of what: keys and tables, the same in every run."""
import random

WORDS = ["joe", "Ann", "x+y", "list-admin", "ünïcode", "a.b", "UPPER", "0", "MiXed.Case", "o'neil",
         "user_1", "=?utf-8?Q?x?=", "straße", "ΣΊΣΥΦΟΣ", "İstanbul", "ſharp", "日本語", "ñandú", "a" * 64]
DOMAINS = ["b.org", "Sub.B.ORG", "[192.0.2.1]", "[IPv6:2001:db8::1]", "x.test", "münchen.test",
           "xn--mnchen-3ya.test", "a.b.c.d.e.f.test", "UPPER.TEST", "."]
EXTENSIONS = ["", "", "+ext", "-ext", "+Ext+two", "+", "+=x"]


def _addresses(dice, n):
    return [f"{dice.choice(WORDS)}{dice.randrange(40)}{dice.choice(EXTENSIONS)}@{dice.choice(DOMAINS)}"
            for _ in range(n)]


def v4(dice):
    return ".".join(str(dice.choice([10, 172, 192, 1, 255, 128, 0, dice.randrange(256)])) for _ in range(4))


def v6(dice):
    head = dice.choice(["2001:db8", "2001:DB8", "fe80", "::ffff:10.1", "2001:db8:0:1", "ff02", "0"])
    return head + "::" + f"{dice.randrange(65536):x}" if not head.startswith("::") \
        else f"::ffff:{v4(dice)}"


def _networks(dice, n):
    out = ["::", "::1", "0.0.0.0", "255.255.255.255", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ",
           " 1.2.3.4", "[1.2.3.4]", "1.2.3.4/32", "10.0.0.0/8", "fe80::1%lo", "1.2.3.256", "0x7f.1",
           "2001:db8::/32", ":::", "1::2::3", "::ffff:10.1.2.3", "1.2.3.4\r", "2130706433"]
    for _ in range(n):
        out.append(v4(dice) if dice.random() < .6 else v6(dice))
    return out


def _odd():
    """Blanks, control characters, bytes that are no UTF-8, hardly anything at all."""
    out = ["", " ", "  ", "\t", "@", "@@", "@b.org", "joe@", "+", "<>", "<joe@b.org>", '""', '"', '\\',
           '"a b"@b.org', '"a b"', '"a\\"b"', '"a"b', "a b", " a", "a ", "\ta\t", "a  b", "a:b", "key:",
           "#", "# comment", " # x", "{", "}", "${x}", "$1", "%s", "%", "%41", "a,b", "a=b", "'", "`",
           "NULL", "static", "ſ", "ß", "ẞ", "İ", "ı", "K", "ǅ", "ﬁ", "é", "é", "\u200b", "\ufeffbom",
           "\U0001f4ee", "\x85", "\xa0", "ΑΣ", "ΑΣ.", "DŽ"]
    out += [f"ctl{chr(c)}x" for c in range(1, 32) if chr(c) != "\n"] + ["\x7f", "cr\r", "\rcr", "a\vb"]
    raw = [s.encode() for s in out]
    raw += [b"\xff", b"\xc3", b"\xe4.iso", b"A\xc4B", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80",
            b"UP\xffPER", b"\x80", b"abc\xc3("]
    return raw


def _long(dice):
    out = []
    for n in (63, 64, 255, 256, 257, 1000, 2047, 2048, 4096, 9999, 60000):
        c = dice.choice("abcXYZ")
        out += [c * n, c * (n - 2) + "@x", "ü" * (n // 2)]
    return [s.encode() for s in out]


def keys():
    """Some 2,600 keys, bytes without line ends; all different."""
    dice = random.Random(20261126)
    text = _addresses(dice, 900) + _networks(dice, 500)
    text += [f"{dice.choice(WORDS)}{dice.choice(['', ' ', '.', '-'])}{dice.choice(WORDS)}{i}" for i in range(500)]
    text += [f"nobody{i}" for i in range(150)] + [f"k{i % 60}-{i}" for i in range(300)]
    text += [w for w in WORDS] + [d for d in DOMAINS] + ["." + d for d in DOMAINS]
    for t in list(text[:300]):
        text += [t.lower(), t.upper()]
    out = [t.encode() for t in text] + _odd() + _long(dice)
    seen = dict.fromkeys(out)
    dice.shuffle(out := list(seen))
    return out


def pairs_table(all_keys):
    """A text for hash and texthash: most keys that can stand in one, and lines of every wrong kind."""
    dice = random.Random(7)
    lines = [b"# head", b"  # still nothing to continue", b"", b"   "]
    for i, key in enumerate(all_keys):
        if i % 5 < 2 or not key or len(key) > 5000:
            continue
        if key[:1] in b"# \t\r\v\f\x0b" or any(c in b" \t\r\v\f" for c in key) and not key.startswith(b'"'):
            continue
        blank = dice.choice([b" ", b"\t", b"   ", b" \t "])
        value = b"value %d %s" % (i, dice.choice(WORDS).encode())
        lines.append(key + blank + value + dice.choice([b"", b"", b" ", b"\t", b"\r"]))
        if i % 40 == 0:
            lines += [b"# between", b"   continued %d" % i, b"", b"\tand again", b"  # no text"]
        if i % 97 == 0:
            lines.append(dice.choice([b"alone%d" % i, b'"open%d x' % i, b"alias%d: value" % i, b"dup v1",
                                      b'"a\\ b%d" v' % i, b"q\"uo te%d\" v" % i, b"dup  v2", b"alone%d  " % i]))
    lines += [b"last line"]
    return b"\n".join(lines)


def cidr_table():
    dice = random.Random(11)
    rules = [" 10.1.1.1 leading blank", "# comment"]
    for i in range(260):
        net = v4(dice) if i % 3 else v6(dice)
        if i % 4 == 0 and "." in net and ":" not in net:
            net = net.rsplit(".", 2)[0] + ".0.0"
        bits = dice.choice(["", "", "/8", "/16", "/16", "/24", "/32", "/33", "/x", "/", "/0", "/128", "/64", "/-1", "/16 "])
        rules.append(f"{dice.choice(['', '', '', '!', '! ', '!!'])}{net}{bits}  r{i}")
        if i % 20 == 5:
            rules.append(dice.choice(["if", "IF", "If"]) + " " + dice.choice(["", "!", "! "]) + dice.choice(
                ["10.0.0.0/8", "0.0.0.0/0", "::/0", "2001:db8::/32", "[fe80::]/10", "1.2.3.4/8", "nonsense"]))
        if i % 20 == 9:
            rules += ["   continued", "", "# between", "  again"]
        if i % 20 == 15:
            rules.append(dice.choice(["endif", "ENDIF", "endif ", "endif junk"]))
    rules += [f"{a}.0.0.0/8 net{a}" for a in (10, 172, 192, 1, 0, 255)]
    rules += ["[2001:db8::]/32 six", "[fe80::1] bracket", "[fe80::/10] inside", "!fe80::/10 notlocal", "1.2.3.4",
              "endif", "endif", "if 10.0.0.0/8", "10.0.0.0/9 $1 ${x} $$", "fe80::/10", "word", "2001:db8::/200 x"]
    return "\n".join(rules).encode() + b"\n"


RULES = r"""
# comment
   leading blank
/^a(.*)b$/  one $1 ${1} $(1)x $$
/^CASE$/i cs
/^(Mi)(x)/i $2$1 mixed
if /^k(1|2)/
/^k1.?-([0-9]+)$/ in1 $1
if !/5/
/^k2(.)-(\d)/ no5 $1
/^k2([0-9])-([0-9]+)/ no5 $1 ${2} $(2)
if /7$/
/^k2/ deepest
endif
endif
/^k15/ rest
endif
if /^nobody/i
!/3/ without three
ENDIF
/bre\(x\)$/x bre $1
/^q\.(\w+)\b/ q $1
/\<word\>/ w
/(un/ unbalanced
/un[/ bracket
/foo/Z bad flag
/spam/REJECT
/gr(a)/ $2 oob
/gr(b)/ $x bad
/gr(c)/ ${1 open
/gr(d)/ ${} empty
/gr(e)/ a$
/gr(f)/ $1x $0
/gr(g)/ $10
!/gr(h)/ $1
!/^[[:print:]]*$/ unprintable
|^alt(.)| alternate $1
=^eq(.)= equal $1
/^a\/b/ slash
/^first.*last$/ dots
/[[:digit:]]{5,}/ digits $0
/[[:digit:]]{9,}/ digits
/^([a-z]+)[0-9]*@([a-z]+)\.org$/ user $1 domain $2
/^([^@]+)\+([^@]*)@(.*)$/ base $1 ext $2
   at $3
# between

  end
/^(x+)+y/ xs
/^[^\.]+\.net$/ dotless
/a{2}b?c*d+/ repeat
/^(cat|dog|bird)s?$/ pet $1
/^(a|ab)(c|bcd)?@?/ alternatives
/\.(exe|com|bat)$/ file $1
/^$/ empty
/^.$/ one character
/^\(/ paren
/ +/ blank
/^"([^"]*)"/ quoted $1
/^[0-9.]+$/ four
/:.*:/ six
/^<(.*)>$/ angle $1
/^ctl(.)x$/ control
/x/
endif
endif junk
if /^open/
/open/ inside
word without delimiter
if
if /no end
/no end either
1/digit/ x
/tab/	tab between
/trail/ trailing blanks   
/^up/ folded
/^UP/i exact
/^very[ ]long/m lines
if /upper/ extra text
/upper/ up
endif
/./ anything $
/^[[:alpha:]]/ letter
""".strip("\n")


def regexp_table():
    more = [f"/^k{i}-([0-9]+)/ number {i} $1" for i in range(0, 60, 2)]
    return (RULES + "\n" + "\n".join(more) + "\n").encode()


PCRE_ONLY = r"""
/^(?:joe|ann)(\d+)/ noncapturing $1
/^(?<name>user_)(\d)/ named $1
/(?i)^mIXed/ inline option
/^.{64}$/s exactly 64
/caf\x{e9}/ wide
/\bword\b/X strict
/a++b/ possessive
/^(?=.*\d)(?=.*[a-z]).{3,5}$/ look ahead
"""


def pcre_table():
    return (PCRE_ONLY.strip("\n") + "\n" + RULES + "\n").encode()


# Patterns and lines at the edge of what POSIX and the programs allow.
ODD_RULES = rb"""
if
if /^x/ extra
/^x1/ in x
endif
endif junk
if /no
if nonsense
/^a1/ a1
endif
if /^a/Z
/^a2/ a2
endif
if !
!
/
if!/^a/
/^nota/ not a
endif: more
/^d\d/i letter d
/^e\A/ capital a
/^e\Z/ capital z
/^d7/ d7
/^f(?:x)/ noncapturing
/^g**/ two stars
/*^h/ star first
/+/ plus first
/{1}/ brace first
/^i{x}/ no number
/^i{,2}$/ no minimum
/^i{2/ open brace
/^[b-a]/ range
/^[[:foo:]]/ class
/^j()k/ empty group $1
/^l||m/ empty alternative
/^n\/ escaped delimiter
/^o[a\]/ backslash in brackets
/^o[]a]/ bracket in brackets
/^o[^]a]b/ not bracket
/^p\.q/ dot
/^r\(s\)/ parentheses
/^t\{2\}/ braces
/^u\+/ plus
/^v\|w/ bar
/^(x|y)\1$/ back reference $1
/^((z)|(q))+$/ groups [$1][$2][$3]
/^\`back/ buffer begin
/back\'$/ buffer end
/^\$$/ dollar
/^a^b/ hat inside
/^a$b/ dollar inside
/(^|,)c3(,|$)/ anchors in groups
/^\w+\W\w+$/ words
/^\s\S/ spaces
/\Bxy\B/ inside a word
/^k\t/ letter t
/^K5/i exact case
/^m1(.)/m m
/^b\(1\)$/x basic $1
/^b\{2\}$/x basic brace
/^b1\|b2$/x basic bar
/^long(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)$/ eleven $11
/^w/ $(1
/^w(1)/ $(1) ${1} $1a
/^w2(.)/ $1$1$$1
/^w4/
/^w3/ text with   blanks	and tab
""".lstrip()

ODD_KEYS = [k.encode() for k in (
    "x1", "a1", "a2", "nota", "d7", "dd", "eA", "eZ", "fx", "g", "ggg", "*h", "+", "{1}", "i", "ii", "iii", "i{2", "b",
    "jk", "l", "m", "n/ escaped", "o\\", "o]", "oa", "ocb", "p.q", "pxq", "r(s)", "rs", "t{2}", "tt", "u+", "uu", "v|w",
    "v", "xx", "yy", "xy", "zq", "qz", "z", "back", "xback", "$", "a^b", "a$b", "c3", "1,c3,2", "c34", "one two", " s",
    "wxyz", "kt", "k\t", "K5", "k5", "m12", "b1", "b2", "bb", "b{2}", "long", "long123", "w1", "w2q", "w3")]

ODD_NETS = b"""
if
if nonsense
10.0.0.0/8 ten
endif
endif junk
if 10.0.0.0/8
if 10.0.0.0/8 extra
10.1.0.0/16 in
endif
endif   x
if!10.0.0.0/8
11.0.0.0/8 eleven
endif:
endif
endif
endif
if 1.2.3.4 x
endifx y
! 12.0.0.0/8 neg
!!13.0.0.0/8 neg2
if:10.0.0.0/8
!  !14.0.0.0/8   two
1.2.3.4/32	tab
1.2.3.4/ slash
1.2.3.4/+8 plus
1.2.3.4/08 zero
[1.2.3.4] bracket
[1.2.3.4 open
1.2.3.4] close
[1.2.3.0/24] both
[1.2.3.0]/24 around
2001:DB8::/32 upper
::ffff:10.1.2.3 mapped
::/0 rest
"""

ODD_ADDRESSES = [k.encode() for k in (
    "10.0.0.1", "10.1.0.1", "11.1.1.1", "12.1.1.1", "13.1.1.1", "14.1.1.1", "15.1.1.1", "1.2.3.4", "1.2.3.5", "::",
    "2001:db8::1", "2001:DB8:0:0::1", "::ffff:10.1.2.3", "::ffff:a01:203", "fe80::1", "1.2.3", "10.0.0.1/8", "",
    "[10.0.0.1]", "10.0.0.1 ", "010.0.0.1", "10.0.0.001", "::1%lo", "10.0.0.1\r", "::ffff:10.1.2.3.4")]
