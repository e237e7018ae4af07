// The import rules of docs/architecture.md: each room lists the rooms that it may import.
const rooms = {
  errors: [],
  runtime: ['errors'],
  domain: ['errors'],
  graph: ['errors'],
  engine: ['errors', 'runtime', 'domain', 'graph'],
  trees: ['errors', 'runtime', 'domain', 'graph'],
  linear: [],
  features: ['errors', 'runtime', 'domain', 'linear'],
  encoders: ['errors', 'runtime', 'domain', 'graph', 'features', 'engine'],
  models: ['errors', 'runtime', 'domain', 'graph', 'features', 'trees', 'linear', 'encoders'],
  advisors: ['errors', 'runtime', 'domain'],
  db: ['errors', 'runtime', 'domain'],
  datasets: ['errors', 'runtime', 'domain', 'features', 'db'],
  params: ['errors', 'runtime', 'domain', 'db'],
  coordinator: ['errors', 'runtime', 'domain', 'db', 'params', 'advisors', 'models'],
  training: ['errors', 'runtime', 'domain', 'datasets', 'models', 'features', 'graph', 'engine', 'encoders'],
  worker: ['errors', 'runtime', 'domain', 'db', 'datasets', 'params', 'models', 'engine', 'training'],
  protocol: ['errors', 'domain'],
  explain: ['errors', 'runtime', 'domain', 'features', 'trees'],
  serving: ['errors', 'runtime', 'domain', 'db', 'params', 'features', 'engine', 'encoders', 'protocol', 'explain'],
  bridge: ['errors', 'runtime', 'protocol', 'serving'],
  http: ['errors', 'runtime', 'domain', 'db', 'protocol'],
  metrics: ['errors', 'runtime'],
  client: [],
};

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    ...Object.entries(rooms).map(([room, allowed]) => ({
      name: `room-${room}`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: '^src/', pathNot: `^src/(${[room, ...allowed].join('|')})/` },
    })),
    {
      name: 'training-knows-no-database',
      comment: 'a training process is given all that it needs: what it imports must not reach db or params either',
      severity: 'error',
      from: { path: '^src/training/' },
      to: { path: '^src/(db|params)/', reachable: true },
    },
    {
      name: 'only-db-knows-pg',
      comment: 'db is the only importer of pg and pg-listen',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/db/' },
      to: { path: 'node_modules/(pg|pg-listen|pg-copy-streams)/' },
    },
    {
      name: 'only-http-knows-fastify',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/http/' },
      to: { path: 'node_modules/(fastify|typebox)/' },
    },
    {
      name: 'only-metrics-knows-prom-client',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/metrics/' },
      to: { path: 'node_modules/prom-client' },
    },
    {
      name: 'only-engine-knows-onnxruntime',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/engine/' },
      to: { path: 'node_modules/onnxruntime' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types'] },
  },
};
