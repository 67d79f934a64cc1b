# doc/module.mk: guides and manual pages; the page of parameters comes from the tables.
dist_doc_DATA += doc/README.md doc/abuse.md doc/admin.md doc/extensions.md doc/formats-maildrop.md doc/formats.md \
	doc/packaging.md doc/plugin-authors.md doc/tls.md doc/tour.md
dist_pluginsnippet_DATA = conf.d/README.md
EXTRA_DIST += doc/news doc/man/hikyaku.5.head doc/man/hikyaku.5.tail

dist_man_MANS += doc/man/hikyaku.1 doc/man/hikyaku-plugin.1
if POSTFIX_NAMES
dist_man_MANS += doc/man/mailq.1 doc/man/newaliases.1 doc/man/postalias.1 doc/man/postcat.1 \
	doc/man/postconf.1 doc/man/postfix.1 doc/man/postkick.1 doc/man/postlock.1 \
	doc/man/postlog.1 doc/man/postmap.1 doc/man/postmulti.1 \
	doc/man/postqueue.1 doc/man/postsuper.1 doc/man/sendmail.1
endif

nodist_man_MANS = doc/man/hikyaku.5
CLEANFILES += doc/man/hikyaku.5
doc/man/hikyaku.5: hikyaku$(EXEEXT) $(plugin_LTLIBRARIES) doc/man/hikyaku.5.head \
		doc/man/hikyaku.5.tail
	$(AM_V_GEN)$(MKDIR_P) doc/man && rm -rf $@.d && mkdir $@.d && \
	for n in $(plugin_LTLIBRARIES); do \
	  cp .libs/$${n%.la}.so $@.d && chmod go-w $@.d/$${n%.la}.so || exit 1; done && \
	chmod go-w $@.d && { cat $(srcdir)/doc/man/hikyaku.5.head && \
	./hikyaku man-params -p '$(abs_builddir)'/$@.d && cat $(srcdir)/doc/man/hikyaku.5.tail; } > $@.tmp && \
	rm -rf $@.d && mv $@.tmp $@
