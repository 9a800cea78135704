# csperf with its Airflow for a company's own server; docker-compose.yml starts it.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/csperf
COPY Makefile pyproject.toml requirements.lock README.md LICENSE ./
COPY csperf csperf
RUN make install PYTHON=python3 && rm -rf .uv

FROM python:3.11-slim-bookworm
RUN useradd --uid 50000 --home-dir /home/csperf --create-home csperf \
    && mkdir -p /var/lib/csperf /var/log/airflow /opt/airflow /deliveries \
    && chown csperf /var/lib/csperf /var/log/airflow /opt/airflow \
    && chmod 700 /var/lib/csperf
WORKDIR /opt/csperf
COPY --from=build /opt/csperf /opt/csperf
COPY dags dags
COPY dbt_project dbt_project
COPY expectations expectations
COPY docker docker
ENV PATH=/opt/csperf/.venv/bin:$PATH \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/csperf/dags \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/var/log/airflow \
    CSPERF_HOME=/var/lib/csperf \
    PYTHONUNBUFFERED=1
USER csperf
EXPOSE 8080
CMD ["airflow", "version"]
