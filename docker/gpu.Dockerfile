# CUDA builds of torch and vLLM; SDPA attention.
FROM nvidia/cuda:13.0.1-runtime-ubuntu24.04
RUN apt-get update && apt-get install -y --no-install-recommends software-properties-common gcc g++ git libgl1 libglib2.0-0 \
 && add-apt-repository -y ppa:deadsnakes/ppa && apt-get install -y --no-install-recommends python3.11 python3.11-venv python3.11-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
RUN python3.11 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH APP_HOME=/app SYNTHCXR_HOME=/app/.synthcxr
COPY requirements/ requirements/
COPY pyproject.toml README.md ./
COPY flows/ flows/
COPY tasks/ tasks/
COPY models/ models/
COPY storage/ storage/
RUN pip install --no-cache-dir uv \
 && uv pip install --python /opt/venv/bin/python --override requirements/overrides.txt ".[gpu]"
COPY . .
RUN pip install --no-cache-dir --no-deps -e .
ENTRYPOINT ["prefect", "worker", "start", "--pool", "gpu"]
