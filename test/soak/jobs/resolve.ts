import { registerHooks } from 'node:module'

// The package under its public name, from its sources.
registerHooks({
  resolve(specifier, context, next) {
    const [whole, path] = /^breakwater\/([a-z-]+)$/.exec(specifier) ?? []
    return whole === undefined
      ? next(specifier, context)
      : next(import.meta.resolve(`../../../src/${path}/index.ts`), context)
  },
})
