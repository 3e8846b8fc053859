FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE NOTICE ./
COPY cds_service cds_service
COPY cards cards
COPY fhir_fixtures fhir_fixtures
COPY docker docker
RUN sh docker/build.sh /wheels && sh docker/install.sh /wheels /opt/rr-all-cds

FROM python:3.11-slim-bookworm
COPY --from=build /opt/rr-all-cds /opt/rr-all-cds
ENV PATH=/opt/rr-all-cds/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin cds \
  && mkdir /data && chown 10001 /data
ENV CDS_DATABASE_URL=sqlite:////data/cds-service.db
VOLUME /data
USER 10001
WORKDIR /
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
# Production mode, behind a proxy that ends TLS. Demo mode listens on loopback only: CMD needs no --host there.
CMD ["cds-service", "serve", "--host", "0.0.0.0"]
