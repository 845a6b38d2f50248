import { registerHooks } from 'node:module'

// The package under its public name is its sources, as in the tests: nothing has to be built before it is measured.
registerHooks({
  resolve(specifier, context, next) {
    const [whole, path] = /^breakwater(?:\/(.+))?$/.exec(specifier) ?? []
    if (whole === undefined) return next(specifier, context)
    const file = path === undefined ? 'index' : path === 'client/capture' ? path : `${path}/index`
    return next(import.meta.resolve(`../../src/${file}.ts`), context)
  },
})
