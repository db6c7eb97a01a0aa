# keelson: one Makefile. CONFIG=release|san|tsan picks the compiler flags and build/<config>/; `make help` lists the targets.
CONFIG ?= release
CC ?= gcc
T ?=
SEED ?= 1

B := build/$(CONFIG)
WARN := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
CFLAGS_release := -O2 -g
CFLAGS_san := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DKEELSON_SLOW_CHECKS
CFLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_fuzz := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
CFLAGS := -std=gnu17 -D_GNU_SOURCE -I. $(WARN) $(CFLAGS_$(CONFIG)) $(EXTRA_CFLAGS)
MSGPACK := $(shell pkg-config --exists msgpack-c && echo msgpack-c || echo msgpackc)
LDLIBS := -Wl,--as-needed -luv -lssl -lcrypto -llz4 -lxxhash -l$(MSGPACK) -lmicrohttpd -lgnutls -lcurl -lyyjson -lyaml -lz -lraft -lnftables -lldns -lpthread -lm

COMPONENTS := raftstore apiserver controllers scheduler nodeagent netproxy
FOLDERS := common $(COMPONENTS)
sources = $(filter-out %/main.c,$(wildcard $(1)/*.c $(1)/*/*.c))
objects = $(patsubst %.c,$(B)/%.o,$(1))
LIBS := $(foreach f,$(FOLDERS),$(if $(call sources,$(f)),$(B)/lib$(f).a))
SUPPORT := $(call objects,$(wildcard tests/support/*.c))
SIM_OBJECTS := $(call objects,$(wildcard tests/sim/*.c))
LINK = $(CC) $(CFLAGS) -rdynamic -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

BINARIES := $(foreach c,$(COMPONENTS),$(if $(wildcard $(c)/main.c),$(B)/bin/$(c)))
TOOLS := $(foreach t,rsctl keelson bench walcat,$(if $(wildcard tools/$(t).c),$(B)/bin/$(t)))
FAULTS := $(addprefix $(B)/faults/,disk.so clock.so powercut packets)
# jepsen: checkers and load (the library), and their programs.
JEPSEN_MAINS := $(wildcard jepsen/*_main.c)
JEPSEN_LIB := $(B)/libjepsen.a
JEPSEN := $(patsubst jepsen/%_main.c,$(B)/bin/jepsen-%,$(JEPSEN_MAINS))
UNITS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*_test.c))

.PHONY: help deps all build test unit sim up down bench bench-api bench-store lint fmt check-all clean images jepsen jepsen-full fuzz fuzz-build
.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

deps: ## install what build and tests need (Debian 12 or 13)
	@tools/deps.sh

all: ## build everything into build/bin
	@$(MAKE) --no-print-directory build
	@ln -sfn release/bin build/bin

build: $(BINARIES) $(TOOLS) $(JEPSEN) $(B)/run_cases $(FAULTS)

test: ## lint, units and simulation under sanitizers, end-to-end stories; T=name runs the cases that match
	@tests/run $(if $(T),"$(T)")

unit: $(UNITS)

sim: ## SEED=n: one simulated cluster history; prints its trace hash
	@$(MAKE) --no-print-directory CONFIG=san build/san/sim
	@build/san/sim --seed $(SEED)

up: deps all images ## MASTERS=3 NODES=2: start a cluster under .cluster and wait until it is Ready
	@build/bin/keelson up --masters $(or $(MASTERS),3) --nodes $(or $(NODES),2) $(if $(CLUSTER_DIR),--dir $(CLUSTER_DIR))

down: ## end it and leave nothing behind
	@build/bin/keelson down $(if $(CLUSTER_DIR),--dir $(CLUSTER_DIR))

images: all ## make the demo images from busybox
	@tools/images.sh build/images

bench: all ## figures of docs/benchmarks.md
	@tests/bench/run

bench-api: all ## the apiserver under load; SECTIONS="writes reads lists watches start plain"
	@tests/bench/api $(SECTIONS)

bench-store: all ## raftstore beside etcd in one run; SECTIONS="speed watch size failover gigabyte"
	@tools/deps.sh bench
	@tests/bench/store $(SECTIONS)

jepsen: all ## a selection of campaigns with checked histories, 15 minutes; SEED=n
	@SEED=$(SEED) jepsen/campaign selection

jepsen-full: all ## every workload under every nemesis, hours; SEED=n HOURS=n
	@SEED=$(SEED) HOURS=$(or $(HOURS),0) jepsen/campaign full

lint: ## include direction, banned functions, names of hosts and paths
	@tools/lint.sh

fmt: ## clang-format every source
	@git ls-files '*.c' '*.h' | xargs clang-format -i

check-all: ## clang, thread sanitizer, more seeds (long)
	@tests/check-all

clean: ## remove build/
	rm -rf build

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC $<";) $(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

define library
$(B)/lib$(1).a: $(call objects,$(call sources,$(1)))
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call library,$(f))))

$(B)/bin/raftstore: $(B)/raftstore/main.o $(B)/libraftstore.a $(B)/libcommon.a
$(B)/bin/apiserver: $(B)/apiserver/main.o $(B)/libapiserver.a $(B)/libraftstore.a $(B)/libcommon.a
$(B)/bin/controllers: $(B)/controllers/main.o $(B)/libcontrollers.a $(B)/libcommon.a
$(B)/bin/scheduler: $(B)/scheduler/main.o $(B)/libscheduler.a $(B)/libcommon.a
$(B)/bin/nodeagent: $(B)/nodeagent/main.o $(B)/libnodeagent.a $(B)/libcommon.a
$(B)/bin/netproxy: $(B)/netproxy/main.o $(B)/libnetproxy.a $(B)/libcommon.a
$(B)/bin/rsctl: $(call objects,$(wildcard tools/rsctl.c tools/rsctl_*.c)) $(B)/libraftstore.a $(B)/libcommon.a
$(B)/bin/keelson: $(call objects,$(wildcard tools/keelson.c tools/keelson_*.c)) $(B)/libcommon.a
$(B)/bin/bench: $(call objects,$(wildcard tools/bench.c tools/bench_*.c)) $(B)/libraftstore.a $(B)/libcommon.a
$(B)/bin/walcat: $(B)/tools/walcat.o $(B)/libraftstore.a $(B)/libcommon.a
$(BINARIES) $(TOOLS):
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@";) $(LINK)

$(JEPSEN_LIB): $(call objects,$(filter-out $(JEPSEN_MAINS),$(wildcard jepsen/*.c)))
	@rm -f $@ && ar rcs $@ $^
$(JEPSEN): $(B)/bin/jepsen-%: $(B)/jepsen/%_main.o $(JEPSEN_LIB) $(B)/libraftstore.a $(B)/libcommon.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@";) $(LINK)

# An archive, so that a unit gets of the simulation only what it uses.
$(B)/libsim.a: $(filter-out $(B)/tests/sim/main.o,$(SIM_OBJECTS))
	@rm -f $@ && ar rcs $@ $^

$(B)/unit/%: $(B)/tests/unit/%.o $(SUPPORT) $(B)/libsim.a $(JEPSEN_LIB) $(LIBS)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@";) $(LINK) -lcmocka

$(B)/sim: $(SIM_OBJECTS) $(LIBS)
	$(if $(V),,@echo "  LD $@";) $(LINK)

# Processor time of the request core without sockets: tests/bench/core.c.
$(B)/bench_core: $(B)/tests/bench/core.o $(SUPPORT) $(B)/libsim.a $(LIBS)
	$(if $(V),,@echo "  LD $@";) $(LINK) -lcmocka

# Random requests against a reference: tests/model.
$(B)/model: $(call objects,$(wildcard tests/model/*.c)) $(B)/libraftstore.a $(B)/libcommon.a
	$(if $(V),,@echo "  LD $@";) $(LINK)

# Bad inputs and their answers against a running apiserver: tests/e2e/bad_input.sh.
$(B)/run_cases: $(call objects,$(wildcard tests/cases/*.c)) $(B)/libcommon.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@";) $(LINK)

# What the fault scripts put under a store (jepsen/README.md). Optimised, without sanitizers: they run inside release programs.
$(B)/faults/%.so: jepsen/faults/%.c common/base.h
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@";) $(CC) -std=gnu17 -D_GNU_SOURCE -I. $(WARN) -O2 -g -fPIC -shared -o $@ $<
$(B)/faults/%: jepsen/faults/%.c common/base.h
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@";) $(CC) -std=gnu17 -D_GNU_SOURCE -I. $(WARN) -O2 -g -o $@ $<

# Under CONFIG=fuzz (clang) a fuzzer, else a program that replays seeds and what was found.
FUZZERS := $(foreach t,frames log snapshot objects patches texts tokens,$(B)/fuzz/$(t))
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/main.o $(B)/tests/fuzz/memory_disk.o $(B)/libapiserver.a $(B)/libraftstore.a $(B)/libcommon.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@";) $(LINK) $(if $(filter fuzz,$(CONFIG)),-fsanitize=fuzzer)

fuzz-build: $(FUZZERS)

fuzz: ## SECONDS=20: libFuzzer on what comes over connections, from disks and in requests
	@tests/fuzz/run $(or $(SECONDS),20)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
