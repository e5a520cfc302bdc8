# EventFlow in containers: `eventflow` is the server, `frontend` are the pages.
#
#   docker build -t eventflow .
#   docker build -t eventflow-frontend --target frontend .
#   docker run -p 8080:8080 -v eventflow-data:/data eventflow
#
# Needs BuildKit (the default of Docker 23; DOCKER_BUILDKIT=1 before). With
# --build-arg FEATURES=full the server has the drivers of the cluster profile.

ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# --- the pages -------------------------------------------------------------------------

FROM ${PYTHON_IMAGE} AS frontend
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="EventFlow frontend" \
      org.opencontainers.image.description="Pages for finding events and booking places" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --system --gid 10002 frontend \
    && useradd --system --uid 10002 --gid 10002 --create-home --shell /usr/sbin/nologin frontend
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Before the pages, so that a change of them downloads nothing.
COPY requirements-frontend.txt ./
# The cache is mounted: nothing of it is in the image.
# hadolint ignore=DL3042
RUN --mount=type=cache,target=/var/cache/pip,sharing=locked \
    python -m venv /opt/venv \
    && pip install --cache-dir /var/cache/pip --requirement requirements-frontend.txt
COPY .streamlit ./.streamlit
COPY streamlit_app.py ./
COPY frontend ./frontend
USER 10002:10002
ENV API_URL=http://eventflow:8080
EXPOSE 8501
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5)"]
# Without an address of its own Streamlit asks a server far away for one at the start.
CMD ["streamlit", "run", "streamlit_app.py", "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true", "--browser.serverAddress=localhost"]

# --- the server ------------------------------------------------------------------------

FROM ${RUST_IMAGE} AS build
ARG FEATURES=
WORKDIR /src
COPY . .
# Both folders outlive the build, so that only what has changed is compiled again; the
# program has to be taken out of them in the same step. Its symbols stay, so that a panic
# names functions; its line tables, nine tenths of its size, do not.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked -p eventflow --features "${FEATURES}" \
    && install -D -m 755 target/release/eventflow /out/eventflow \
    && strip --strip-debug /out/eventflow

FROM ${RUNTIME_IMAGE} AS eventflow
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="EventFlow" \
      org.opencontainers.image.description="Find events, book a place, wait for one" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Certificates: for mail servers that are to be believed. They are wanted as new as they
# come, so no version is pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 eventflow \
    && useradd --system --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin eventflow \
    && install -d -o 10001 -g 10001 -m 700 /data
COPY --from=build /out/eventflow /usr/local/bin/eventflow
USER 10001:10001
WORKDIR /data
# Everything that is kept, the signing key included.
VOLUME /data
# Inside a container loopback is nobody's: what is reachable is decided by -p.
ENV EVENTFLOW_SERVER__LISTEN=0.0.0.0:8080 \
    EVENTFLOW_DATA__DIR=/data
EXPOSE 8080
STOPSIGNAL SIGTERM
# Asks where the settings say that it listens.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 \
    CMD ["eventflow", "health"]
ENTRYPOINT ["eventflow"]
CMD ["run"]
