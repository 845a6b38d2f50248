// The rule of the stairs: an import goes down, worker → index → capability → adapter → core.
// See docs/decisions/0001-the-rule-of-the-stairs.md.
const capabilities =
  'env|validate|capture|rate-limit|auth|uploads|jobs|backup|health|secure|log|alerts|db-health'
const adapters = 'db|redis|mail|fetch'
const nodeSide = 'local|doctor|cli'

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Two files that need each other are one file, or want a third.',
      severity: 'error',
      from: { path: '^(src|worker)/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'core-stands-alone',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { path: '^(src|worker)/', pathNot: '^src/core/' },
    },
    {
      name: 'adapters-import-core-only',
      severity: 'error',
      from: { path: `^src/(${adapters})/` },
      to: { path: '^(src|worker)/', pathNot: ['^src/core/', '^src/$1/'] },
    },
    {
      name: 'capabilities-never-import-each-other',
      severity: 'error',
      from: { path: `^src/(${capabilities})/` },
      to: { path: '^(src|worker)/', pathNot: ['^src/core/', `^src/(${adapters})/`, '^src/$1/'] },
    },
    {
      name: 'the-client-imports-core-only',
      severity: 'error',
      from: { path: '^src/client/' },
      to: { path: '^(src|worker)/', pathNot: ['^src/core/', '^src/client/'] },
    },
    {
      name: 'nothing-at-the-edge-imports-the-node-side',
      severity: 'error',
      from: { path: '^(src|worker)/', pathNot: `^src/(${nodeSide}|testing)/` },
      to: { path: `^src/(${nodeSide}|testing)/` },
    },
    {
      name: 'the-package-does-not-know-its-reference-app',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(worker|test|bench|tools)/' },
    },
    {
      name: 'edge-imports-only-node-modules-that-workerd-implements',
      comment: 'async_hooks, buffer and crypto are native in workerd; anything else would be a polyfill.',
      severity: 'error',
      from: { path: '^(src|worker)/', pathNot: `^src/(${nodeSide}|testing)/` },
      to: { dependencyTypes: ['core'], pathNot: '^((node:)?(async_hooks|buffer|crypto)|cloudflare:.*)$' },
    },
    {
      name: 'no-dev-dependency-in-the-package',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        dependencyTypes: ['npm-dev'],
        dependencyTypesNot: ['npm-peer', 'npm-optional', 'npm', 'type-only'],
      },
    },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: { path: '^(src|worker)/' },
      to: { couldNotResolve: true, pathNot: '^(workers|sockets|workflows)$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Served as they are; a browser resolves their imports.
    exclude: { path: '^worker/public/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'workerd', 'default'] },
    builtInModules: { add: ['cloudflare:workers', 'cloudflare:sockets', 'cloudflare:workflows'] },
  },
}
