# Every target sets up what it needs first; the second time that takes no time. Works with GNU make 3.81 (macOS).
## make run               build the server and run it (ARGS="--listen 0.0.0.0:50051 ..." is handed on)
## make test              run every test (ARGS="watch::" runs only those with that name)
## make campaign          the promises at full size: prints figures, takes half an hour (ARGS="snapshot" runs only that)
## make bench             the service beside hand-written SQL, ten minutes (QUICK=1: two minutes, ONLY="unary get")
## make lint              format, clippy, dependencies, protos, scripts, drift of generated code
## make generate          write the generated code anew: the Python client and the checked queries (.sqlx)
## make check-generated   fail if `make generate` would change anything

# Every recipe line is for the shell (it has a `&&`): make 3.81 itself doesn't look into an exported PATH.
export PATH := $(CURDIR)/.tools/bin:$(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

help:
	@sed -n 's/^## //p' Makefile && :

run:
	@scripts/setup run $(ARGS) && cargo build --release --locked && \
	exec "$${CARGO_TARGET_DIR:-target}/release/lead-pipeline" serve --print-examples $(ARGS)

test:
	@scripts/setup test && LEAD_PIPELINE_TEST_PYTHON="$(CURDIR)/.tools/venv/bin/python" cargo test --locked $(ARGS)

campaign:
	@scripts/setup test && cargo test --release --locked --test it -- --ignored --nocapture --test-threads=1 \
	$(if $(ARGS),campaign::$(ARGS),campaign::)

bench:
	@scripts/setup test && BENCH_QUICK="$(QUICK)" BENCH_ONLY="$(ONLY)" cargo test --release --locked --test it -- \
	--ignored --exact --nocapture bench::bench

lint:
	@scripts/setup lint && scripts/lint

generate:
	@scripts/setup generate && scripts/generate

check-generated:
	@scripts/setup generate && scripts/generate --check

.PHONY: help run test campaign bench lint generate check-generated
