# One image: `docker run -p 127.0.0.1:5290:5290 -e CLAXON_ADMIN_KEY=... IMAGE`.
# Two stages, so that pip, the compilers of wheels and the sources stay out of what runs.

# 3.11 is the version that `make test` runs. The tag has no patch number on purpose: a rebuild takes the
# base's security fixes; what Claxon itself installs is held by the hashes in the lock files.
FROM python:3.11-slim-bookworm AS builder

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /build

# Dependencies before sources: a change of code does not install them again. Wheels only, so that no
# foreign build script runs here, and every byte is held to its hash.
COPY requirements-runtime.lock ./
RUN python -m venv --without-pip /opt/claxon \
 && pip --python /opt/claxon/bin/python install --only-binary=:all: --require-hashes \
      -r requirements-runtime.lock

# The build backend, from the same lock, in a folder of its own: nothing needs it at run time.
COPY requirements.lock ./
RUN python -m venv /opt/backend \
 && awk '/^[^ ]/ { wanted = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } wanted' \
      requirements.lock > backend.lock \
 && /opt/backend/bin/pip install --only-binary=:all: --require-hashes -r backend.lock

COPY pyproject.toml README.md LICENSE ./
COPY client/ client/
COPY alerts/ alerts/
COPY service/ service/
RUN /opt/backend/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir wheels ./client . \
 && pip --python /opt/claxon/bin/python install --no-deps --no-index wheels/*.whl


FROM python:3.11-slim-bookworm

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Claxon" \
      org.opencontainers.image.description="Alerting for applications that call the Claude API" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The byte code was compiled when the wheels were installed; nothing is written beside it at run time.
# Where the data is, unless CLAXON_DATA, CLAXON_DATA_FILE or the configuration says it: -e CLAXON_DATA=postgresql://...
ENV PATH=/opt/claxon/bin:$PATH \
    CLAXON_DATA_DEFAULT=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

COPY --from=builder /opt/claxon /opt/claxon

# A new volume takes its owner from this folder.
RUN install --directory --owner=10001 --group=10001 --mode=0750 /data
VOLUME ["/data"]

# The working folder is the writable one, so temporary files have a place under `--read-only` too.
WORKDIR /data

# A number and no name: Kubernetes' runAsNonRoot can check it, and no home folder is needed.
USER 10001:10001

EXPOSE 5290
STOPSIGNAL SIGTERM

# http.client, for it heeds no proxy variable: the question is whether this process answers, not whose certificate it has.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client as h, os, ssl, sys; at = ('127.0.0.1', 5290); c = h.HTTPSConnection(*at, timeout=2, context=ssl._create_unverified_context()) if os.environ.get('CLAXON_TLS_CERT') else h.HTTPConnection(*at, timeout=2); c.request('GET', '/-/healthy'); sys.exit(c.getresponse().status != 200)"]

ENTRYPOINT ["claxon"]
CMD ["serve", "--listen", "0.0.0.0:5290"]
