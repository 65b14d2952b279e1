# Everything starts here: `make` lists the targets.  Settings of pip (PIP_*, pip.conf) and apt are used as they are.

PYTHON ?= python3
# One more than processors: many tests wait for a network, a screen or a clock.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 1) + 1)
VENV := .venv
BIN := $(VENV)/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
APT := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=
VERSIONS ?=
MODULES ?=
SAMPLE ?= 0
SEED ?= 1
SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
# Tests start the program more than a thousand times: where bytecode may not be kept, each start compiles it anew.
export PYTHONDONTWRITEBYTECODE :=
# The plugin is tried in tshark 4.0 to 4.6: in this machine's and in those of later Debian suites, kept between runs.
export TSHARK_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/jstrace
TSHARK_SUITES := trixie forky
TSHARKS := $(TSHARK_SUITES:%=$(TSHARK_CACHE)/tshark-%/tshark)
.PHONY: help demo test everything lint format generated docs pictures gui versions bench fuzz release tools luacheck screen tsharks pages charts browser watch clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## Install into .venv and trace a recorded task: overview, then its ladder
	@printf '\n$$ jstrace read captures/engine_shell_fail.pcap\n\n'
	@$(BIN)/jstrace read captures/engine_shell_fail.pcap
	@printf '\n$$ jstrace read captures/engine_shell_fail.pcap --task 1\n\n'
	@$(BIN)/jstrace read captures/engine_shell_fail.pcap --task 1

test: lint tools screen tsharks pages charts browser watch ## Set up everything (tshark included) and run every check and test
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -rs $(if $(EVERYTHING),--everything)
	@$(MAKE) -s versions

everything: ## `make test` with all cases of those tests of which that runs a part
	@$(MAKE) -s test EVERYTHING=1

lint: $(VENV)/.installed-dev ## Style, types and generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m dissector.codegen --check
	@$(BIN)/python -m handbook man --check
	@$(BIN)/python -m handbook json --check
	@$(BIN)/python -m handbook life --check
	@$(MAKE) -s luacheck

format: $(VENV)/.installed-dev ## Rewrite the sources in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

generated: $(VENV)/.installed-dev ## Write the generated files anew
	@$(BIN)/python -m dissector.codegen
	@$(BIN)/python -m handbook man
	@$(BIN)/python -m handbook json
	@$(BIN)/python -m handbook life

docs: $(VENV)/.installed-docs ## Build the documentation site, build/docs/site/index.html, and follow its links
	@$(BIN)/python -m handbook site

pictures: $(VENV)/.installed-dev ## Take the pictures of the README anew, from real runs
	@$(BIN)/python -m docs.screenshots

gui: $(VENV)/.installed-dev tools screen ## Try the plugin in Wireshark itself, on a display of its own
	@$(BIN)/python -m pytest tests/wireshark/test_program.py -rs

versions: $(VENV)/.installed-dev tools ## A fast part of the tests on Python 3.10 to 3.14 and on the lowest packages (VERSIONS=3.12)
	@$(BIN)/python tests/versions.py $(VERSIONS)

bench: $(VENV)/.installed-dev tools ## Figures beside tshark, scapy, dpkt, pyshark, into benchmarks/RESULTS.md (QUICK=1: small inputs)
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

fuzz: $(VENV)/.installed-fuzz tools ## Fuzz decoder, readers, tracer and plugin (FUZZ_SECONDS=60 each, FUZZ_TARGETS=all)
	@$(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_TARGETS)

mutate: $(VENV)/.installed-mutate ## Which small mistakes does no test notice? (MODULES="stream/ join.py", SAMPLE=400 SEED=1)
	@$(BIN)/python -m mutation --sample $(SAMPLE) --seed $(SEED) $(MODULES)

release: $(VENV)/.installed-release ## Build sdist and wheel into dist/, check them, and list what they bring along (SBOM)
	@rm -rf dist build/lib build/bdist.* build/release
	@$(BIN)/python -m build --outdir dist .
	@$(BIN)/python -m twine check --strict dist/*
	@$(BIN)/check-wheel-contents dist/*.whl
	@$(PYTHON) -m venv --without-pip build/release
	@$(BIN)/pip --python build/release/bin/python install -q dist/*.whl
	@version=$$(build/release/bin/python -c 'import jstrace; print(jstrace.__version__)'); \
	sed "s/^dynamic = .*/version = \"$$version\"/" pyproject.toml > build/release/pyproject.toml; \
	$(BIN)/cyclonedx-py environment --pyproject build/release/pyproject.toml --output-reproducible --of JSON \
		-o dist/jstrace-$$version.cdx.json build/release
	@rm -rf build/release
	@ls -l dist

tsharks: ## Get the tsharks of later Debian suites (as root, 400 MB each)
	@$(MAKE) -s -j2 $(TSHARKS)

clean: ## Remove whatever the targets above made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what the targets stand on -------------------------------------------------------------------------------------

# The stamp comes last, so an interrupted set-up is repeated.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "Python 3.10 or later is needed; name it: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(MAKE) -s ensurepip
	@$(PYTHON) -m venv $(VENV)
	@touch $@

.PHONY: ensurepip
ensurepip:
	@if [ -n "$(SUDO)" ] || [ "$$(id -u)" = 0 ]; then $(APT) update -qq; $(APT) install -qq -y python3-venv >/dev/null; \
	else echo "Python's venv module is missing; as root: apt-get install python3-venv" >&2; exit 1; fi

$(VENV)/.installed: $(VENV)/.created pyproject.toml
	@$(BIN)/pip install -q -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.created pyproject.toml
	@$(BIN)/pip install -q -e '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-fuzz: $(VENV)/.created pyproject.toml
	@$(BIN)/pip install -q -e '.[fuzz]'
	@touch $@

$(VENV)/.installed-mutate: $(VENV)/.installed-dev
	@$(BIN)/pip install -q -e '.[mutate]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed-dev
	@$(BIN)/pip install -q -e '.[docs]'
	@touch $@

$(VENV)/.installed-release: $(VENV)/.installed-dev
	@$(BIN)/pip install -q -e '.[release]'
	@touch $@

# What builds the site and judges the man page; where it is not to be had, pytest names the tests that it skips.
MANUAL := man-db groff-base mandoc
pages:
	@$(MAKE) -s $(VENV)/.installed-docs || echo "not to be had here: zensical; the documentation site is not built" >&2
	@if command -v man >/dev/null && command -v groff >/dev/null && command -v mandoc >/dev/null; then :; \
	elif [ -n "$(SUDO)" ] || [ "$$(id -u)" = 0 ]; then $(APT) update -qq; \
		$(APT) install -qq -y --no-install-recommends $(MANUAL) >/dev/null || echo "not to be had here: $(MANUAL)" >&2; \
	else echo "the man page is not judged; as root: apt-get install $(MANUAL)" >&2; fi

# What lints the plugin; without it the target fails.
luacheck:
	@if command -v luacheck >/dev/null; then :; \
	elif [ -n "$(SUDO)" ] || [ "$$(id -u)" = 0 ]; then $(APT) update -qq; $(APT) install -qq -y --no-install-recommends lua-check >/dev/null; \
	else echo "luacheck is missing; as root: apt-get install lua-check" >&2; exit 1; fi
	@luacheck --quiet wireshark/jobscheduler.lua

# What draws sequence charts and so judges ours; where it is not to be had, pytest names the tests that it skips.
CHARTS := mscgen plantuml
MERMAID := 12.3.0
charts:
	@if command -v mscgen >/dev/null && command -v plantuml >/dev/null; then :; \
	elif [ -n "$(SUDO)" ] || [ "$$(id -u)" = 0 ]; then $(APT) update -qq; \
		$(APT) install -qq -y --no-install-recommends $(CHARTS) >/dev/null || echo "not to be had here: $(CHARTS)" >&2; \
	else echo "charts are not drawn; as root: apt-get install $(CHARTS)" >&2; fi
	@if [ ! -e $(TSHARK_CACHE)/mermaid/package ]; then mkdir -p $(TSHARK_CACHE)/mermaid; cd $(TSHARK_CACHE)/mermaid; \
		npm pack --silent mermaid@$(MERMAID) >/dev/null && tar xzf mermaid-*.tgz && rm mermaid-*.tgz \
		|| echo "not to be had here: mermaid $(MERMAID) (npm)" >&2; fi

# What shows reports and judges them: a browser, axe for accessibility, the W3C's checker of HTML (which needs Java).
BROWSER := chromium default-jre-headless
AXE := 4.14.1
VNU := 26.9.27
browser:
	@if command -v chromium >/dev/null && command -v java >/dev/null; then :; \
	elif [ -n "$(SUDO)" ] || [ "$$(id -u)" = 0 ]; then $(APT) update -qq; \
		$(APT) install -qq -y --no-install-recommends $(BROWSER) >/dev/null || echo "not to be had here: $(BROWSER)" >&2; \
	else echo "reports are not shown; as root: apt-get install $(BROWSER)" >&2; fi
	@for package in axe-core@$(AXE) vnu-jar@$(VNU); do folder=$(TSHARK_CACHE)/$${package%@*}; \
		if [ ! -e $$folder/package ]; then mkdir -p $$folder; \
			(cd $$folder && npm pack --silent $$package >/dev/null && tar xzf *.tgz && rm *.tgz) \
			|| echo "not to be had here: $$package (npm)" >&2; fi; done

# What scrapes metrics and judges alerts and units; where it is not to be had, pytest names the tests that it skips.
WATCH := prometheus systemd
watch:
	@if command -v promtool >/dev/null && command -v systemd-analyze >/dev/null; then :; \
	elif [ -n "$(SUDO)" ] || [ "$$(id -u)" = 0 ]; then $(APT) update -qq; \
		$(APT) install -qq -y --no-install-recommends $(WATCH) >/dev/null || echo "not to be had here: $(WATCH)" >&2; \
	else echo "alerts and units are not judged; as root: apt-get install $(WATCH)" >&2; fi

# tshark judges the Wireshark plugin, tcpdump brings the libpcap that compiles filters; the others are for live tests: networks
# of namespaces with firewalls, a terminal to look at.
TOOLS := tshark tcpdump iproute2 iptables nftables ethtool tmux socat haproxy
tools:
	@if command -v tshark >/dev/null && command -v tcpdump >/dev/null && command -v ip >/dev/null \
		&& command -v iptables >/dev/null && command -v nft >/dev/null && command -v ethtool >/dev/null \
		&& command -v tmux >/dev/null && command -v socat >/dev/null && command -v haproxy >/dev/null; then :; \
	elif [ -n "$(SUDO)" ] || [ "$$(id -u)" = 0 ]; then $(APT) update -qq; $(APT) install -qq -y $(TOOLS) >/dev/null; \
	else echo "tools are missing; as root: apt-get install $(TOOLS)" >&2; exit 1; fi

# Wireshark itself, a display and a hand to press keys; where they are not to be had, pytest names the tests that it skips.
SCREEN := wireshark xvfb openbox xdotool
screen:
	@if command -v wireshark >/dev/null && command -v Xvfb >/dev/null && command -v openbox >/dev/null \
		&& command -v xdotool >/dev/null; then :; \
	elif [ -n "$(SUDO)" ] || [ "$$(id -u)" = 0 ]; then $(APT) update -qq; \
		$(APT) install -qq -y --no-install-recommends $(SCREEN) >/dev/null || echo "not to be had here: $(SCREEN)" >&2; \
	else echo "Wireshark itself is not tried; as root: apt-get install $(SCREEN)" >&2; fi

$(TSHARKS): $(TSHARK_CACHE)/tshark-%/tshark: | debootstrap
	@mkdir -p $(TSHARK_CACHE)
	@$(SUDO) env DEBIAN_MIRROR="$(DEBIAN_MIRROR)" tests/verify/debian_tshark.sh $* $(TSHARK_CACHE)/tshark-$*

.PHONY: debootstrap
debootstrap:
	@if command -v debootstrap >/dev/null; then :; \
	elif [ -n "$(SUDO)" ] || [ "$$(id -u)" = 0 ]; then $(APT) update -qq; $(APT) install -qq -y debootstrap >/dev/null; \
	else echo "debootstrap is missing; as root: apt-get install debootstrap" >&2; exit 1; fi
