# xformers is built against one torch release: an image of its own, without vLLM.
FROM nvidia/cuda:12.8.1-runtime-ubuntu24.04
RUN apt-get update && apt-get install -y --no-install-recommends software-properties-common git libgl1 libglib2.0-0 \
 && add-apt-repository -y ppa:deadsnakes/ppa && apt-get install -y --no-install-recommends python3.11 python3.11-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
RUN python3.11 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH APP_HOME=/app SYNTHCXR_HOME=/app/.synthcxr
COPY . .
RUN pip install --no-cache-dir torch==2.10.0 xformers==0.0.35 \
 && pip install --no-cache-dir -c requirements/gpu-xformers-constraints.txt -e .
ENTRYPOINT ["prefect", "worker", "start", "--pool", "gpu"]
