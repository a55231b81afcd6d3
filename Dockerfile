# Image for serving, without training dependencies. `docker build -t mood-mirror .`, then for one process:
#   docker run -p 8000:8000 -v mood-mirror:/data mood-mirror
# compose.yaml runs several processes.

FROM node:22-slim AS page
WORKDIR /page
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --silent && npm run --silent vendor

FROM python:3.12-slim AS packages
RUN python -m venv /venv
COPY requirements-serving.txt .
RUN /venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check -r requirements-serving.txt

FROM python:3.12-slim
# System libraries that opencv-python's wheel and the decoders' isolation need.
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 libseccomp2 && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home mirror && install -d -o mirror -m 700 /data
WORKDIR /site
COPY --from=packages /venv /venv
COPY --from=page /page/static/vendor static/vendor
COPY app.py camera.py gunicorn.conf.py ./
COPY moodmirror moodmirror
COPY data data
COPY haarcascade haarcascade
COPY models models
COPY static static
COPY templates templates
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    INSTANCE=/data CAMERA=off HOST=0.0.0.0 PORT=8000
USER mirror
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["gunicorn", "app:app"]
