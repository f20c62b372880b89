# One host of agents: `docker build -t sutazai-agents .`, then `docker run sutazai-agents run senior-engineer`.
# Addresses come from the environment (AMQP_URL, OLLAMA_URL); nothing secret is in the image.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /opt/sutazai-agents

# First what changes rarely, with its hashes, so that a change of ours does not download it again.
COPY requirements/run.lock requirements/
RUN pip install --require-hashes -r requirements/run.lock

COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY bus bus
COPY agents agents
RUN pip install --no-build-isolation --no-deps .

RUN useradd --system --create-home sutazai
USER sutazai
WORKDIR /home/sutazai

# The first SIGTERM asks for a graceful stop: give it longer than SUTAZAI_GRACE_PERIOD (30 s) before SIGKILL.
STOPSIGNAL SIGTERM
ENTRYPOINT ["sutazai"]
CMD ["--help"]
