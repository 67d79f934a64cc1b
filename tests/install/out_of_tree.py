#!/usr/bin/env python3
"""An out-of-tree lookup and filter, enabled in conf.d, change a delivered message."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from instance import Instance, Smtp, message, wait_until  # noqa: E402

mta = Instance(main="virtual_mailbox_maps = example:{dir}/boxes\n"
                    "example_header_text = seen by a stranger\nexample_reject_word = forbidden\n",
               name="outoftree")
(mta.dir / "boxes").mkdir()
(mta.dir / "boxes/user@virt.test").write_text("user/\n")
(mta.etc / "conf.d/50-third-party.conf").write_text("plugin = lookup_example filter_example\n")
with mta:
    c = Smtp(mta.port)
    assert c.send(b"s@load.test", [b"user@virt.test"], message("plain"))[0] == 250
    code, text = c.send(b"s@load.test", [b"user@virt.test"], message("forbidden"))
    assert code // 100 == 5, text
    c.cmd(b"RSET")
    code, text = c.send(b"s@load.test", [b"other@virt.test"], message())
    assert code == 550, text
    c.quit()
    wait_until(mta.maildir, "the message in the Maildir")
    got, = mta.maildir()
    assert b"seen by a stranger" in got, got
    print("ok: the lookup found the mailbox, the filter marked one message and refused another")
