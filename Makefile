## cloakroom — a file attachment service behind nginx
##
##   make run            install what is missing, build, start everything on http://127.0.0.1:8080 (PORT=, VAR=, STORAGE=)
##   make check          install what the tests need, build, run every test against real servers; last line N passed, N failed
##   make                the programs in build/release
##   make unit           unit tests alone                  make contract   one suite for every store
##   make system         nginx + PostgreSQL + S3 + workers make soak       the tests at full size
##   make asan           unit and contract tests under ASan and UBSan
##   make bench          load figures beside their limits, as a table and as JSON
##   make fuzz           the fuzzers, FUZZ_SECONDS each    make lint       format, tidy, layers, generated docs
##   make check-headers  headers without a .cc alone       make install    DESTDIR=, PREFIX=/usr
##   make check-install  an installation, looked at by nginx and systemd
##   make deps           packages to build and run         make clean      remove build/
##
## Variables: V=1 shows commands, WERROR=1 makes warnings errors, CXX=clang++, VARIANT=release|asan, FUZZ_SECONDS=60
MAKEFLAGS += --no-print-directory
VARIANT ?= release
B := build/$(VARIANT)
CXX = g++
CLANG = clang++
Q := $(if $(V),,@)
say = @printf '  %-8s %s\n' '$(1)' '$(2)'

PACKAGES := libcurl libpq jansson libcrypto fmt libsystemd pugixml libmagic libutf8proc libseccomp zlib
PKG_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PACKAGES) 2>/dev/null))
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lfcgi
# libvips and all it brings are for cloakroom-image alone.
VIPS_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags vips 2>/dev/null))
VIPS_LIBS := $(shell pkg-config --libs vips libjpeg 2>/dev/null)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor $(if $(WERROR),-Werror)
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE -D_GLIBCXX_ASSERTIONS
FLAGS_release := -O2 -g1 $(HARDEN)
# One build for sanitized tests and fuzzers, by clang: so all is compiled by both compilers. -pthread as libvips has it: a
# precompiled header is for the same flags alone.
FLAGS_asan := -O1 -g1 -pthread -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined -D_GLIBCXX_ASSERTIONS
LINK_release := -pie -Wl,-z,relro,-z,now
LINK_asan := -fsanitize=address,undefined
ALL_CXXFLAGS := -std=c++20 $(WARN) $(FLAGS_$(VARIANT)) -Isrc $(PKG_CFLAGS) $(CXXFLAGS)
ALL_LDFLAGS := $(LINK_$(VARIANT)) -Wl,--as-needed $(LDFLAGS)

LIB_SRC := $(filter-out src/cmd/% src/imaging/%,$(wildcard src/*/*.cc))
IMAGING_SRC := $(wildcard src/imaging/*.cc)
WORKER_SRC := src/cmd/cloakroom_fcgi.cc src/cmd/command_line.cc src/cmd/prefork.cc src/cmd/confine.cc src/cmd/waiting_room.cc src/cmd/wiring.cc src/cmd/stores.cc
TOOL_SRC := $(filter-out src/cmd/cloakroom_fcgi.cc src/cmd/cloakroom_image.cc src/cmd/waiting_room.cc,$(wildcard src/cmd/*.cc))
LIB_OBJ := $(LIB_SRC:src/%.cc=$(B)/%.o)
LIB := $(B)/libcloakroom.a
IMAGING := $(B)/libimaging.a
PROGRAMS := $(B)/cloakroom-fcgi $(B)/cloakroom $(B)/cloakroom-image
UNIT_TESTS := $(patsubst tests/unit/%.cc,$(B)/tests/unit/%,$(wildcard tests/unit/*_test.cc))
CONTRACT_TESTS := $(patsubst tests/contract/%.cc,$(B)/tests/contract/%,$(wildcard tests/contract/*_test.cc))
ON_SWIFT := $(foreach t,s3_store_test s3_direct_test,'tests/with-swift $(B)/tests/contract/$(t)')
ORACLE := $(B)/tests/unit/sigv4_driver
AGAINST_ORACLE := 'tests/unit/sigv4_botocore $(ORACLE)'  # our signatures beside those of botocore
FUZZERS := $(patsubst tests/fuzz/%.cc,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/*_fuzz.cc))

all: $(PROGRAMS)

$(B)/FLAGS: FORCE
	@mkdir -p $(@D); echo '$(CXX) $(ALL_CXXFLAGS)' | cmp -s - $@ || echo '$(CXX) $(ALL_CXXFLAGS)' > $@

# The sanitized build parses the standard headers once, which takes a third off its time. The other one does without: so
# g++ there still sees that each file, and the header that it includes first, include what they need.
ifeq ($(VARIANT),asan)
STANDARD := $(B)/standard.pch
TEST_STANDARD := $(B)/tests/standard.pch
$(STANDARD): tests/standard.h $(B)/FLAGS
	$(Q)mkdir -p $(@D); $(CXX) $(ALL_CXXFLAGS) -x c++-header -o $@ $<
$(TEST_STANDARD): tests/standard.h $(B)/FLAGS
	$(Q)mkdir -p $(@D); $(CXX) $(TEST_CXXFLAGS) -x c++-header -o $@ $<
endif

# not part of ALL_CXXFLAGS, which $(B)/FLAGS remembers for all
$(IMAGING_SRC:src/%.cc=$(B)/%.o) $(B)/cmd/cloakroom_image.o $(B)/tests/unit/imaging%.o: MORE_CFLAGS = $(VIPS_CFLAGS)
$(B)/%.o: src/%.cc $(B)/FLAGS $(STANDARD)
	$(call say,CXX,$<)
	$(Q)mkdir -p $(@D); $(CXX) $(ALL_CXXFLAGS) $(MORE_CFLAGS) $(STANDARD:%=-include-pch %) -MMD -MP -c -o $@ $<

# Tests run once: compiling them without the optimiser takes a quarter of the time.
TEST_CXXFLAGS = $(filter-out -O% -D_FORTIFY_SOURCE=2,$(ALL_CXXFLAGS)) -Itests $(if $(filter asan,$(VARIANT)),-DSANITIZED)
$(B)/tests/%.o: tests/%.cc $(B)/FLAGS $(TEST_STANDARD)
	$(call say,CXX,$<)
	$(Q)mkdir -p $(@D); $(CXX) $(TEST_CXXFLAGS) $(MORE_CFLAGS) $(TEST_STANDARD:%=-include-pch %) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@; ar rcs $@ $^

$(IMAGING): $(IMAGING_SRC:src/%.cc=$(B)/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@; ar rcs $@ $^

$(B)/cloakroom-image: $(B)/cmd/cloakroom_image.o $(B)/cmd/command_line.o $(IMAGING) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(VIPS_LIBS)

$(B)/cloakroom-fcgi: $(WORKER_SRC:src/%.cc=$(B)/%.o) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(B)/cloakroom: $(TOOL_SRC:src/%.cc=$(B)/%.o) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# libvips is linked to those that use it (--as-needed).
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(IMAGING) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(VIPS_LIBS) -lcmocka

# What it tests lies in the tool, not in the library. The objects come before the library, which they need.
$(B)/tests/unit/nginx_include_test: $(B)/tests/unit/nginx_include_test.o $(B)/cmd/nginx_include.o $(B)/cmd/wiring.o $(B)/cmd/stores.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

$(B)/tests/unit/check_host_test: $(B)/tests/unit/check_host_test.o $(B)/cmd/check_host.o $(B)/cmd/wiring.o $(B)/cmd/stores.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

$(B)/tests/unit/stores_test: $(B)/tests/unit/stores_test.o $(B)/cmd/stores.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

$(B)/tests/unit/waiting_room_test: $(B)/tests/unit/waiting_room_test.o $(B)/cmd/waiting_room.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

$(B)/tests/unit/command_line_test: $(B)/tests/unit/command_line_test.o $(B)/cmd/command_line.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

$(B)/tests/unit/progress_test: $(B)/tests/unit/progress_test.o $(B)/cmd/progress.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

# With the library whose symbols are all to be seen.
$(B)/tests/unit/json_seed_test: $(B)/tests/unit/json_seed_test.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS:-ljansson=-l:libjansson.a) -lcmocka

$(B)/tests/contract/%: $(B)/tests/contract/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(IMAGING) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS) $(VIPS_LIBS)

PREFIX ?= /usr
PLACE := $(DESTDIR)$(PREFIX)
SHARE := $(PLACE)/share/cloakroom
DOC := $(PLACE)/share/doc/cloakroom
UNITS := $(PLACE)/lib/systemd/system
install: all
	install -d $(PLACE)/bin $(SHARE)/sql $(SHARE)/mappings $(SHARE)/nginx/html $(DOC)/docs/adr $(UNITS) $(PLACE)/lib/sysusers.d $(PLACE)/lib/tmpfiles.d
	install -m 755 $(PROGRAMS) $(PLACE)/bin
	install -m 644 sql/*.sql $(SHARE)/sql
	install -m 644 sql/mappings/*.json $(SHARE)/mappings
	install -m 644 nginx/*.in nginx/*.conf $(SHARE)/nginx
	if [ -n "$(wildcard nginx/html/*)" ]; then cp -r --no-preserve=mode,ownership nginx/html $(SHARE)/nginx; fi
	install -m 644 systemd/example.env $(SHARE)
	install -m 644 systemd/*.service systemd/*.socket systemd/*.timer $(UNITS)
	sed -i 's|=/usr/bin/|=$(PREFIX)/bin/|; s|file:/usr/|file:$(PREFIX)/|' $(UNITS)/cloakroom*@.service $(UNITS)/cloakroom*@.socket $(UNITS)/cloakroom*@.timer
	install -m 644 systemd/sysusers.conf $(PLACE)/lib/sysusers.d/cloakroom.conf
	install -m 644 systemd/tmpfiles.conf $(PLACE)/lib/tmpfiles.d/cloakroom.conf
	install -m 644 README.md CHANGELOG.md LICENSE $(DOC)
	install -m 644 $(wildcard docs/*.*) $(DOC)/docs
	install -m 644 docs/adr/* $(DOC)/docs/adr

# Programs and their data as installed, for `make run` and the tests.
stage: all
	$(Q)rm -rf $(B)/stage; $(MAKE) -s install DESTDIR= PREFIX=$(CURDIR)/$(B)/stage VARIANT=$(VARIANT)

export PORT VAR
run: deps
	$(Q)$(MAKE) -j$$(nproc) stage
	$(Q)exec systemd/foreground.sh $(B)/stage

RUN_PACKAGES := g++ make pkg-config libfcgi-dev libcurl4-openssl-dev libpq-dev libjansson-dev libssl-dev libfmt-dev libcli11-dev \
  libsystemd-dev libpugixml-dev libmagic-dev libutf8proc-dev libseccomp-dev zlib1g-dev libexpected-dev libvips-dev libjpeg-dev nginx postgresql curl ca-certificates util-linux
CHECK_PACKAGES := libcmocka-dev clang clang-format clang-tidy libclang-rt-14-dev ceph-mon ceph-osd ceph-common radosgw swift-proxy \
  swift-account swift-container swift-object memcached clamav-daemon systemd procps wrk strace \
  chromium chromium-driver python3-selenium libimage-exiftool-perl libheif-examples ffmpeg fonts-dejavu-core \
  rsync awscli jq python3 python3-pil python3-pytest python3-pytest-xdist python3-boto3 python3-requests python3-jwt python3-cryptography python3-psycopg2
# a node of another source brings an npm that Debian's would not go beside
BENCH_PACKAGES := libvips-tools $(if $(shell command -v npm),,nodejs npm)
deps:
	$(Q)tests/install-packages $(RUN_PACKAGES)
check-deps:
	$(Q)tests/install-packages $(RUN_PACKAGES) $(CHECK_PACKAGES)

# Tests. Each target ends with a line "N passed, N failed"; tests/check sums them up.
check:
	@tests/check
tests: $(UNIT_TESTS) $(CONTRACT_TESTS) $(ORACLE)
unit: $(UNIT_TESTS) $(ORACLE)
	@tests/run-tap $(UNIT_TESTS) $(AGAINST_ORACLE)
contract: $(CONTRACT_TESTS) $(B)/cloakroom-image
	@tests/with-servers tests/run-tap $(CONTRACT_TESTS) $(ON_SWIFT)
unit-and-contract: $(UNIT_TESTS) $(CONTRACT_TESTS) $(ORACLE) $(B)/cloakroom-image
	@tests/with-servers tests/run-tap $(CONTRACT_TESTS) --beside $(UNIT_TESTS) $(AGAINST_ORACLE) $(ON_SWIFT)
asan:
	@$(MAKE) VARIANT=asan CXX="$(CLANG)" unit-and-contract
# all that `asan` and `fuzz` run
asan-build:
	@$(MAKE) VARIANT=asan CXX="$(CLANG)" tests sanitized
sanitized: $(B)/cloakroom-image $(FUZZERS)
system: stage
	@tests/run-system
soak: export SOAK = 1
soak: system
	@$(MAKE) bench
	@$(MAKE) lint
$(B)/bench/%: tests/bench/%.cc $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D); $(CXX) $(ALL_CXXFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)
bench: check-deps stage $(B)/bench/presign $(B)/bench/s3_put
	$(Q)tests/install-packages $(BENCH_PACKAGES)
	$(Q)tests/bench/run

FUZZ_SECONDS ?= 60
fuzz:
	@$(MAKE) VARIANT=asan CXX="$(CLANG)" run-fuzzers FUZZ_SECONDS=$(FUZZ_SECONDS)
run-fuzzers: $(FUZZERS)
	@tests/run-tap 'tests/run-fuzz $(FUZZ_SECONDS) $^'

LINT_FLAGS = $(filter-out -Werror -O2 -g1 $(HARDEN),$(ALL_CXXFLAGS))
# The standard headers are parsed once for all, which takes a quarter off its time. g++ sees who forgot to include one.
TIDY_STANDARD := $(B)/lint/standard.pch
$(TIDY_STANDARD): tests/standard.h $(B)/FLAGS Makefile
	$(Q)mkdir -p $(@D); $(CLANG) $(LINT_FLAGS) $(VIPS_CFLAGS) -x c++-header -o $@ $<
TIDY = tests/lint/each tidy$(if $(SOAK),-deep) tests/lint/tidy $(if $(SOAK),225000,10000) $(LINT_FLAGS) $(VIPS_CFLAGS) -include-pch $(TIDY_STANDARD) -- $(wildcard src/*/*.cc)
# The others are the first that a file of their name includes (tests/lint/rules): `all` compiles that alone.
LONE_HEADERS = $(foreach h,$(wildcard src/*/*.h),$(if $(wildcard $(h:.h=.cc)),,$(h)))
HEADERS = tests/lint/each header tests/lint/header $(LINT_FLAGS) $(VIPS_CFLAGS) -- $(LONE_HEADERS)
lint: $(B)/cloakroom $(TIDY_STANDARD)
	@tests/run-tap 'tests/lint/rules --self-test' tests/lint/rules tests/lint/format 'tests/lint/docs $<' '$(TIDY)'
check-headers:
	@tests/run-tap '$(HEADERS)'
check-install: all
	$(Q)rm -rf $(B)/package; $(MAKE) -s install DESTDIR=$(CURDIR)/$(B)/package PREFIX=/usr
	@tests/run-tap 'tests/lint/install $(B)/package /usr' 'tests/lint/nginx $(B)/package /usr' 'tests/lint/systemd $(B)/package'

help:
	@sed -n 's/^## \{0,1\}//p' $(MAKEFILE_LIST)

clean:
	rm -rf build

FORCE:
.PHONY: all stage help clean FORCE run check unit contract system soak asan bench fuzz lint check-headers install deps
.PHONY: check-deps check-install tests unit-and-contract run-fuzzers asan-build sanitized
.SECONDARY:
-include $(shell find $(B) -type f -name '*.d' 2>/dev/null)
